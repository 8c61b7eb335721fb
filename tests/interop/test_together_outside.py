"""Users, and people on other channels, as our client and the official one see them from one conversation."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import requests

from tests.interop.official import eventually
from tests.interop.steps import official_room
from tests.support.patience import PATIENCE
from twilio_conversations.server import LocalServer

Fresh = Callable[[str], str]


def number() -> str:
    """A phone number that no other test uses."""
    return f"+1555{uuid.uuid4().int % 10**7:07}"


def without_report(message: dict[str, Any]) -> dict[str, Any]:
    """Return a picture without what may have changed before it was taken, and without bindings: only one of them shows those."""
    return {key: value for key, value in message.items() if key not in ("aggregatedDeliveryReceipt", "bindings")}


@attrs.define
class Scene:
    """One person with each client in one conversation, one of whom acts."""

    service: LocalServer
    alice: Any
    bob: Any
    sid: str
    actor: Any

    @property
    def both(self) -> tuple[Any, Any]:
        """The official client's person, then ours."""
        return self.alice, self.bob

    @property
    def room(self) -> Any:
        """The actor's conversation."""
        return self.actor.conversation(self.sid)

    def both_see(self, name: str, predicate: Callable[[Any], bool] = lambda data: True) -> Any:
        """Wait until both have seen an event, once; what they saw is the same."""
        seen = [one.wait_event(name, predicate) for one in self.both]
        for one in self.both:
            assert len([event for event in one.events(name) if predicate(event.data)]) == 1
        if name in ("messageAdded", "participantJoined"):
            assert without_report(seen[0]) == without_report(seen[1])
        return seen[1]

    def outsider(self, **attributes: Any) -> tuple[str, str]:
        """Let the actor add somebody with a phone; both see it. Returns address and proxy address."""
        address, proxy = number(), number()
        self.room.call("addNonChatParticipant", proxy, address, attributes)
        joined = self.both_see("participantJoined", lambda data: data["attributes"] == attributes)
        assert (joined["type"], joined["identity"]) == ("sms", None)
        return address, proxy


@pytest.fixture(params=["official", "ours"])
def scene(request: pytest.FixtureRequest, service: LocalServer, official: Any, ours: Any, fresh: Fresh) -> Scene:
    """Alice has the official client, Bob ours; each acts in turn."""
    alice, bob = official(fresh("alice")), ours(fresh("bob"))
    sid = official_room(alice, bob)
    return Scene(service, alice, bob, sid, alice if request.param == "official" else bob)


@pytest.mark.row("CV17", "EV06", "EV09")
def test_somebody_outside_takes_part(scene: Scene) -> None:
    """Added by either, seen by both, and heard by both."""
    address, proxy = scene.outsider(vip=True)
    scene.service.receive(address, proxy, "Hello ☃")
    message = scene.both_see("messageAdded")
    assert (message["author"], message["body"], message["index"]) == (address, "Hello ☃", 0)


@pytest.mark.row("AD02", "AD04", "DD07", "EV11", "ME17", "ME23")
def test_receipts(scene: Scene) -> None:
    """Whoever sent: the summary and each receipt are the same for both, and every report is told with its reason."""
    address, _ = scene.outsider(who=1)
    other, _ = scene.outsider(who=2)
    scene.room.call("sendMessage", "out")
    sid = scene.both_see("messageAdded")["sid"]
    scene.service.set_delivery(sid, "read", address=address)
    scene.service.set_delivery(sid, "failed", address=other, error_code=30003)

    def summaries() -> list[Any]:
        return [one.message(scene.sid, 0).look()["aggregatedDeliveryReceipt"] for one in scene.both]

    eventually(lambda: all(summary and summary["failed"] == "some" for summary in summaries()), "both hear of the failure")
    official, ours = summaries()
    assert official == ours
    assert (ours["total"], ours["read"], ours["failed"]) == (2, "some", "some")
    for one in scene.both:
        reasons = [event.data["updateReasons"] for event in one.events("messageUpdated")]
        assert reasons
        assert all("deliveryReceipt" in told for told in reasons)
    receipts = [one.message(scene.sid, 0).call("getDetailedDeliveryReceipts") for one in scene.both]
    facts = [sorted((one["participantSid"], one["status"], int(one["errorCode"])) for one in found) for found in receipts]
    assert facts[0] == facts[1]
    assert sorted((status, code) for _, status, code in facts[1]) == [("failed", 30003), ("read", 0)]


@pytest.mark.row("ME20", "ME21")
def test_an_email_comes_in(scene: Scene) -> None:
    """Subject, bodies and history are the same for both, byte for byte."""
    address, proxy = f"{uuid.uuid4().hex}@example.com", f"{uuid.uuid4().hex}@shop.example"
    scene.room.call("addNonChatParticipant", proxy, address, {})
    scene.both_see("participantJoined", lambda data: data["type"] == "email")
    bodies = {"text/plain": "Thanks ☃", "text/html": "<p>Thanks</p>"}
    scene.service.receive(address, proxy, subject="Re: it", email_body=bodies, email_history={"text/plain": "> it"})
    assert scene.both_see("messageAdded")["subject"] == "Re: it"

    held = scene.bob.client.get_conversation_by_sid(scene.sid).get_messages().items[0]
    parts = [("getEmailBody", held.get_email_body, kind, text) for kind, text in bodies.items()]
    for method, ours, kind, text in [*parts, ("getEmailHistory", held.get_email_history, "text/plain", "> it")]:
        official = scene.alice.message(scene.sid, 0).call(method, kind)
        medium = ours(kind)
        assert medium is not None
        assert (official["sid"], official["contentType"], official["size"]) == (medium.sid, kind, medium.size)
        url = scene.alice.message(scene.sid, 0).chain((method, kind), ("getContentTemporaryUrl",))
        assert requests.get(url, timeout=PATIENCE).content == medium.read() == text.encode()


@pytest.mark.row("CV15", "EV05")
def test_states(scene: Scene) -> None:
    """Both see a conversation close, once, with the date."""
    scene.service.update_conversation(scene.sid, state="closed")
    scene.both_see("conversationUpdated", lambda data: data["conversation"]["state"]["current"] == "closed")
    official, ours = (one.conversation(scene.sid).look()["state"] for one in scene.both)
    assert official == ours
    assert ours["current"] == "closed"


@pytest.mark.row("CL24", "EV19", "US10", "US11")
def test_users_look_at_each_other(scene: Scene) -> None:
    """Who changes name or attributes is seen to do so by the other, with one reason each."""
    other = scene.bob if scene.actor is scene.alice else scene.alice
    assert other.user(scene.actor.identity).look()["isSubscribed"]
    me = scene.actor.user(scene.actor.identity)
    me.call("updateFriendlyName", "Zoë")
    me.call("updateAttributes", {"hat": ["red", None]})
    for reason in ("friendlyName", "attributes"):
        change = other.wait_event("userUpdated", lambda data, reason=reason: data["updateReasons"] == [reason])
        assert change["user"]["identity"] == scene.actor.identity
    seen = other.user(scene.actor.identity).look()
    assert (seen["friendlyName"], seen["attributes"]) == ("Zoë", {"hat": ["red", None]})


@pytest.mark.row("CL28", "ME06", "ME31")
def test_templates(scene: Scene, version: str) -> None:
    """Whoever sends from a template: both read the same content of the message; both know the same templates."""
    if version == "2.2.0":
        pytest.skip("2.2.0 knows no templates")
    variants = {"twilio/text": {"body": "Hello {{name}}"}}
    template = {"friendly_name": uuid.uuid4().hex, "variables": {"name": "you"}, "variants": variants}
    (sid,) = scene.service.seed({"templates": [template]})["templates"]
    sid = sid["sid"] if isinstance(sid, dict) else sid
    if scene.actor is scene.alice:
        scene.room.chain(("prepareMessage",), ("setContentTemplate", sid, []), ("build",), ("send",))
    else:
        scene.bob.client.get_conversation_by_sid(scene.sid).send_message(content_sid=sid)
    scene.both_see("messageAdded")

    held = scene.bob.client.get_conversation_by_sid(scene.sid).get_messages().items[0]
    content = held.get_content_data()
    assert (held.content_sid, content.type, content.body) == (sid, "text", "Hello you")
    official = scene.alice.message(scene.sid, 0).call("getContentData")
    assert (official["type"], official["body"]) == ("text", "Hello you")
    assert official["rawData"] == content.raw_data
    assert sid in [one.sid for one in scene.bob.client.get_content_templates()]
