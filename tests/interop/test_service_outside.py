"""The official SDK and the world outside: other channels, receipts, states, templates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.interop.official import Official
from tests.interop.steps import official_room
from tests.support.patience import PATIENCE
from twilio_conversations.server import InboundMedia, LocalServer

Fresh = Callable[[str], str]
Connect = Callable[..., Official]

SERVICE = "+15550199"
NONE = {"sent": "none", "delivered": "none", "read": "none", "failed": "none", "undelivered": "none"}


def test_other_channels(official: Connect, fresh: Fresh, service: LocalServer) -> None:
    """People added by SMS, WhatsApp and e-mail are seen with type and binding; what they write is theirs, with its media."""
    alice, bob = official(fresh("alice")), official(fresh("bob"))
    sid, number = official_room(alice, bob), fresh("+1555")
    room = alice.conversation(sid)
    room.call("addNonChatParticipant", SERVICE, number, {"n": 1})
    joined = bob.wait_event("participantJoined", lambda data: data["type"] == "sms")
    assert (joined["identity"], joined["attributes"]) == (None, {"n": 1})
    room.call("addNonChatParticipant", f"whatsapp:{SERVICE}", f"whatsapp:{number}")
    bob.wait_event("participantJoined", lambda data: data["type"] == "whatsapp")
    room.call("addNonChatParticipant", "help@example.com", f"{number}@example.com")
    mail = bob.wait_event("participantJoined", lambda data: data["type"] == "email")
    assert mail["bindings"]["email"]["address"] == f"{number}@example.com"
    service.receive(number, SERVICE, "by SMS", media=[InboundMedia(b"abc", "text/plain", "a.txt")])
    for member in (alice, bob):
        message = member.wait_event("messageAdded")
        assert (message["author"], message["participantSid"], message["body"]) == (number, joined["sid"], "by SMS")
        assert message["aggregatedDeliveryReceipt"] is not None  # the two others outside get it too
    url = bob.media(sid, 0).call("getContentTemporaryUrl")
    assert requests.get(url, timeout=PATIENCE).content == b"abc"


def test_email_bodies_from_outside(official: Connect, fresh: Fresh, service: LocalServer) -> None:
    """An e-mail comes with its subject, and its bodies and history by type."""
    alice = official(fresh("alice"))
    sid, address = official_room(alice), f"{fresh('eve')}@example.com"
    alice.conversation(sid).call("addNonChatParticipant", "help@example.com", address)
    body, history = {"text/plain": "Hi", "text/html": "<p>Hi</p>"}, {"text/plain": "> before"}
    service.receive(address, "help@example.com", subject="Help", email_body=body, email_history=history)
    assert alice.wait_event("messageAdded")["subject"] == "Help"
    for method, contents in (("getEmailBody", body), ("getEmailHistory", history)):
        for kind, text in contents.items():
            url = alice.message(sid, 0).chain((method, kind), ("getContentTemporaryUrl",))
            assert requests.get(url, timeout=PATIENCE).text == text


def test_receipts(official: Connect, fresh: Fresh, service: LocalServer) -> None:
    """What goes out is delivered step by step, each an update of the message; its receipts say to whom and how far."""
    alice = official(fresh("alice"))
    sid, first, second = official_room(alice), fresh("+1555"), fresh("+1556")
    for number in (first, second):
        alice.conversation(sid).call("addNonChatParticipant", SERVICE, number)
    mark = alice.mark()
    alice.conversation(sid).call("sendMessage", "Hi all")
    done = {**NONE, "total": 2, "sent": "all", "delivered": "all"}
    updated = alice.wait_event("messageUpdated", lambda data: data["message"]["aggregatedDeliveryReceipt"] == done, since=mark)
    assert updated["updateReasons"] == ["deliveryReceipt"]
    mark = alice.mark()
    service.set_delivery(updated["message"]["sid"], "failed", address=second, error_code=30008)
    failed = alice.wait_event("messageUpdated", since=mark)["message"]["aggregatedDeliveryReceipt"]
    assert failed == {**NONE, "total": 2, "sent": "some", "delivered": "some", "failed": "some"}
    receipts = alice.message(sid, 0).call("getDetailedDeliveryReceipts")
    assert sorted((receipt["status"], receipt["errorCode"]) for receipt in receipts) == [("delivered", 0), ("failed", 30008)]


def test_states(official: Connect, fresh: Fresh, service: LocalServer) -> None:
    """A conversation becomes inactive, a message wakes it, closed it refuses messages; each is one update."""
    alice = official(fresh("alice"))
    sid = official_room(alice)

    def told(mark: int) -> str:
        data = alice.wait_event("conversationUpdated", lambda data: "state" in data["updateReasons"], since=mark)
        return str(data["conversation"]["state"]["current"])

    mark = alice.mark()
    service.update_conversation(sid, state="inactive")
    assert told(mark) == "inactive"
    mark = alice.mark()
    alice.conversation(sid).call("sendMessage", "wake up")
    assert told(mark) == "active"
    mark = alice.mark()
    service.update_conversation(sid, state="closed")
    assert told(mark) == "closed"


def test_bindings(official: Connect, fresh: Fresh, service: LocalServer) -> None:
    """The bindings of a conversation are seen as soon as they are changed."""
    alice = official(fresh("alice"))
    sid = official_room(alice)
    bindings = {"email": {"name": "Help", "projected_address": "help@example.com"}, "sms": {"address": SERVICE}}
    service.update_conversation(sid, bindings=bindings)
    seen = alice.wait_event("conversationUpdated", lambda data: "bindings" in data["updateReasons"])
    assert seen["conversation"]["bindings"]["email"]["name"] == "Help"


@pytest.fixture
def new_official(official: Connect) -> Connect:
    """The official SDK, where it knows templates and recipients: from 3.0 on."""

    def make(identity: str) -> Official:
        client = official(identity)
        if client.state()["version"].startswith("2."):
            pytest.skip("this version of the SDK has no templates and no recipients")
        return client

    return make


def test_templates(new_official: Connect, fresh: Fresh, service: LocalServer) -> None:
    """Templates are listed over all pages; a message made from one has its text, its sid and its rich content."""
    alice = new_official(fresh("alice"))
    replies = {"body": "Lunch, {{name}}?", "actions": [{"type": "QUICK_REPLY", "title": "Yes", "id": "y"}]}
    templates = [{"friendly_name": fresh("t"), "variables": {"name": "you"}, "variants": {"twilio/quick-reply": replies}}] * 101
    made = service.seed({"templates": templates})["templates"]
    listed = alice.call("getContentTemplates")
    assert {template["sid"] for template in listed} >= set(made)
    sid = official_room(alice)
    calls: tuple[tuple[Any, ...], ...] = (("prepareMessage",), ("setContentTemplate", made[0], []), ("build",), ("send",))
    alice.conversation(sid).chain(*calls)
    message = alice.wait_event("messageAdded")
    assert message["body"] == "Lunch, you?"
    rich = alice.message(sid, 0).call("getContentData")
    assert (rich["type"], rich["body"]) == ("quickReply", "Lunch, you?")
    assert [reply["title"] for reply in rich["replies"]] == ["Yes"]


def test_recipients_and_channel_metadata(new_official: Connect, fresh: Fresh, service: LocalServer) -> None:
    """An e-mail names its sender and recipients; a message tells what its channel said of it, or that there is nothing."""
    alice = new_official(fresh("alice"))
    sid, address = official_room(alice), f"{fresh('eve')}@example.com"
    alice.conversation(sid).call("addNonChatParticipant", "help@example.com", address, {}, {"email": {"name": "Eve"}})
    metadata = {"type": "email", "data": {"headers": {"x": "1"}}}
    service.receive(address, "help@example.com", "Hi", channel_metadata=metadata)
    alice.conversation(sid).call("sendMessage", "Ho")
    assert alice.message(sid, 0).call("getChannelMetadata")["type"] == "email"
    assert alice.message(sid, 1).call("getChannelMetadata") is None
    (sender,) = alice.message(sid, 0).call("getMessageRecipients")
    assert (sender["level"], sender["name"], sender["address"]) == ("from", "Eve", address)
    found = alice.message(sid, 1).call("getMessageRecipients")
    assert [(entry["level"], entry["address"]) for entry in found] == [("from", "help@example.com"), ("to", address)]
