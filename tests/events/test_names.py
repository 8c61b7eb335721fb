"""Every event of everyday talk, on every object that tells it, once for each change and with its payload."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from tests.support.clients import Connect
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from twilio_conversations import (
    Client,
    Conversation,
    ConversationUpdatedEventArgs,
    Message,
    MessageUpdatedEventArgs,
    Participant,
    ParticipantUpdatedEventArgs,
    User,
    UserUpdatedEventArgs,
)

Pair = tuple[Conversation, Conversation]


@attrs.define
class Watched:
    """What one client, its conversation and a model told, until a message that ends the watching."""

    client: EventLog
    conversation: EventLog

    @classmethod
    def of(cls, conversation: Conversation, *names: str) -> Watched:
        """Register for events that a client and its conversations both have, and for the message at the end."""
        client: Any = conversation._live.runtime.events
        return cls(EventLog(client, *names, "message_added"), EventLog(conversation, *names, "message_added"))

    def once(self, sender: Conversation, event: str) -> Any:
        """Send the message at the end, and return the payload of `event`, which came once, the same for both."""
        sender.send_message("end")
        for event_log in (self.client, self.conversation):
            event_log.wait("message_added", lambda message: message.body == "end")
        (payload,) = self.client.of(event)
        assert self.conversation.of(event) == [payload]
        return payload


@pytest.mark.row("BY10", "EV09", "EV28")
def test_message_added(pair: Pair) -> None:
    """The message itself."""
    alices, bobs = pair
    client = EventLog(bobs._live.runtime.events, "message_added")
    conversation = EventLog(bobs, "message_added")
    sent = alices.send_message("one")
    alices.send_message("two")
    client.wait("message_added", lambda message: message.body == "two")
    conversation.wait("message_added", lambda message: message.body == "two")

    assert client.of("message_added") == conversation.of("message_added")
    first, second = client.of("message_added")
    assert isinstance(first, Message)
    assert (first.sid, first.conversation, second.body) == (sent.sid, bobs, "two")


@pytest.mark.row("BY10", "EV11", "EV30", "EV35", "ME34", "ME35", "ME36")
def test_message_updated(pair: Pair) -> None:
    """The message, changed already, and why; on the message too."""
    alices, bobs = pair
    sent = alices.send_message("first")
    held = bobs.get_messages().items[0]
    watched, own = Watched.of(bobs, "message_updated"), EventLog(held, "updated")
    sent.update_body("second")
    payload = watched.once(alices, "message_updated")

    assert isinstance(payload, MessageUpdatedEventArgs)
    assert (payload.message, payload.message.body) == (held, "second")
    assert payload.update_reasons == ("body", "lastUpdatedBy", "dateUpdated")
    assert own.of("updated") == [payload]


@pytest.mark.row("EV10", "EV29")
def test_message_removed(pair: Pair) -> None:
    """The message as it was last."""
    alices, bobs = pair
    sent = alices.send_message("gone")
    held = bobs.get_messages().items[0]
    watched = Watched.of(bobs, "message_removed")
    sent.remove()

    assert watched.once(alices, "message_removed") is held
    assert held.body == "gone"


@pytest.mark.row("EV06", "EV07", "EV25", "EV26")
def test_participants_come_and_go(pair: Pair, fresh: Any) -> None:
    """The participant; the one that left is the one that joined."""
    alices, bobs = pair
    bobs.get_participants()
    watched = Watched.of(bobs, "participant_joined", "participant_left")
    added = alices.add(fresh("carol"))
    joined = watched.client.wait("participant_joined")
    alices.remove_participant(added)

    assert isinstance(joined, Participant)
    assert watched.once(alices, "participant_left") is joined
    assert watched.client.of("participant_joined") == [joined] == watched.conversation.of("participant_joined")


@pytest.mark.row("BY10", "EV08", "EV27", "EV38", "PA04", "PA06", "PA16", "PA25", "PA26", "PA27")
def test_participant_updated(pair: Pair) -> None:
    """The participant, changed already, and why; on the participant too."""
    alices, bobs = pair
    mine = next(one for one in alices.get_participants() if one.identity == alices.created_by)
    held = bobs.get_participant_by_sid(mine.sid)
    before = held.date_updated
    watched, own = Watched.of(bobs, "participant_updated"), EventLog(held, "updated")
    assert mine.update_attributes({"hat": "red"}).attributes == {"hat": "red"}
    payload = watched.once(alices, "participant_updated")

    assert isinstance(payload, ParticipantUpdatedEventArgs)
    assert (payload.participant, held.attributes, payload.update_reasons) == (held, {"hat": "red"}, ("attributes", "dateUpdated"))
    assert own.of("updated") == [payload]
    assert before is not None
    assert held.date_updated is not None
    assert held.date_updated >= before


@pytest.mark.row("EV14", "EV15", "EV31", "EV32", "EV36", "EV37", "PA08")
def test_typing(pair: Pair) -> None:
    """Participant, conversation and client tell the same, in this order."""
    alices, bobs = pair
    alice = bobs.get_participant_by_identity(alices.created_by)
    told: list[tuple[str, Any]] = []
    client: Any = bobs._live.runtime.events
    for place, source in (("participant", alice), ("conversation", bobs), ("client", client)):
        for event in ("typing_started", "typing_ended"):
            source.on(event, lambda payload, text=f"{place} {event}": told.append((text, payload)))
    event_log = EventLog(client, "message_added", "typing_started")
    alices.typing()
    event_log.wait("typing_started")
    alices.send_message("said")
    event_log.wait("message_added")

    assert [text for text, _ in told] == [
        f"{place} {event}" for event in ("typing_started", "typing_ended") for place in ("participant", "conversation", "client")
    ]
    assert {payload for _, payload in told} == {alice}


@pytest.mark.row("BY10", "CI28", "CI29", "CI30", "CV06", "EV05", "EV33")
def test_conversation_updated(pair: Pair) -> None:
    """The conversation, changed already, and why."""
    alices, bobs = pair
    before = bobs.date_updated
    client, own = EventLog(bobs._live.runtime.events, "conversation_updated"), EventLog(bobs, "updated")
    alices.update_friendly_name("told once")
    alices.update_attributes({"end": True})
    client.wait("conversation_updated", lambda change: "attributes" in change.update_reasons)
    own.wait("updated", lambda change: "attributes" in change.update_reasons)

    payload, _ = client.of("conversation_updated")
    assert isinstance(payload, ConversationUpdatedEventArgs)
    assert (payload.conversation, payload.update_reasons) == (bobs, ("friendlyName", "dateUpdated"))
    assert own.of("updated") == client.of("conversation_updated")
    assert before is not None
    assert bobs.date_updated is not None
    assert bobs.date_updated >= before


@pytest.mark.row("EV01", "EV02", "EV03", "EV04", "EV34")
def test_a_conversation_comes_and_goes(connect: Connect, fresh: Any) -> None:
    """Added, joined, left and removed, each once and in this order; the conversation's own `removed` is the last."""
    alice, bob = connect(fresh("alice")), connect(fresh("bob"))
    names = ("conversation_added", "conversation_joined", "conversation_left", "conversation_removed")
    event_log = EventLog(bob, *names)
    conversation = alice.create_conversation().join()
    conversation.add(bob.identity)
    bobs = event_log.wait("conversation_joined")
    own = EventLog(bobs, "removed")
    conversation.remove_participant(bob.identity)

    assert own.wait("removed") is bobs
    assert isinstance(bobs, Conversation)
    assert event_log.names() == list(names)
    assert {payload for _, payload in event_log.entries} == {bobs}


@pytest.mark.row("BY10", "EV19", "EV39", "US13", "US14", "US15")
def test_the_own_user_is_updated(connect: Connect, fresh: Any) -> None:
    """The user, changed already, and why; on the user too; the start itself tells all four reasons."""
    client: Client = connect(fresh("alice"), ready=False)
    event_log, own = EventLog(client, "user_updated"), EventLog(client.user, "updated")
    client.wait_until_ready(PATIENCE)
    client.user.update_friendly_name("Alice")
    client.user.update_attributes({"a": 1})
    event_log.wait("user_updated", lambda change: change.update_reasons == ("attributes",))
    own.wait("updated", lambda change: change.update_reasons == ("attributes",))

    assert own.of("updated") == event_log.of("user_updated")
    start, name, _ = event_log.of("user_updated")
    assert isinstance(start, UserUpdatedEventArgs)
    assert start.update_reasons == ("friendlyName", "attributes", "reachabilityOnline", "reachabilityNotifiable")
    assert (name.user, name.update_reasons) == (client.user, ("friendlyName",))


@pytest.mark.row("EV17", "EV20", "EV21", "EV23", "EV40")
def test_the_start(connect: Connect, fresh: Any) -> None:
    """What a start tells, each once."""
    client = connect(fresh("alice"), ready=False, auto_connect=False)
    names = ("user_subscribed", "state_changed", "initialized", "connection_state_changed")
    event_log, own = EventLog(client, *names), EventLog(client.user, "user_subscribed")
    client.connect()
    event_log.wait("initialized")

    assert [name for name in event_log.names() if name != "connection_state_changed"] == list(names[:3])
    assert isinstance(event_log.of("user_subscribed")[0], User)
    assert event_log.of("user_subscribed") == [client.user] == own.of("user_subscribed")
    assert event_log.of("state_changed") == ["initialized"]
    assert event_log.of("connection_state_changed") == ["connecting", "connected"]


@pytest.mark.row("EV12", "EV13")
def test_a_token_ends(service: Any, fresh: Any) -> None:
    """It is announced, and when it is over that is told once; then nothing but another token helps."""
    with Client(service.token(fresh("alice"), ttl=5), endpoint=service.url, auto_connect=False) as client:
        event_log = EventLog(client, "token_about_to_expire", "token_expired", "connection_error", "connection_state_changed")
        client.connect()
        event_log.wait("connection_state_changed", lambda state: state == "denied")

        assert event_log.of("token_about_to_expire") == [None]
        assert event_log.of("token_expired") == [None]
        assert event_log.wait("connection_error").terminal
