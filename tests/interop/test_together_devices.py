"""One person, two devices: our client and the official one with the same identity stay in step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.seed import seed_conversations
from tests.interop.official import eventually
from tests.interop.steps import official_room, wait_for_roster
from twilio_conversations.server import LocalServer

Fresh = Callable[[str], str]


@pytest.fixture(params=["official", "ours"])
def devices(request: pytest.FixtureRequest, official: Any, ours: Any, fresh: Fresh) -> tuple[Any, Any]:
    """The device that acts and the one that follows; each client acts in turn."""
    identity = fresh("alice")
    one, other = official(identity), ours(identity)
    return (one, other) if request.param == "official" else (other, one)


def test_what_one_device_does_the_other_follows(devices: tuple[Any, Any], official: Any, fresh: Fresh) -> None:
    """Joining, reading, muting and leaving on one device show on the other."""
    acting, following = devices
    sid = acting.call("createConversation", {"friendlyName": "mine"})["sid"]
    acting.conversation(sid).call("join")
    assert following.wait_event("conversationJoined")["friendlyName"] == "mine"
    friend = official(fresh("friend"))
    acting.conversation(sid).call("add", friend.identity)
    friend.wait_event("conversationJoined")
    both = sorted([acting.identity, friend.identity])
    for client in (acting, following, friend):
        wait_for_roster(client, sid, both)  # the official client follows the messages only after this
    friend.conversation(sid).call("sendMessage", "read me")
    for device in devices:
        device.wait_event("messageAdded")

    for method, arguments, reason, field, value in (
        ("advanceLastReadMessageIndex", [0], "lastReadMessageIndex", "lastReadMessageIndex", 0),
        ("setUserNotificationLevel", ["muted"], "notificationLevel", "notificationLevel", "muted"),
    ):
        mark = following.mark()
        acting.conversation(sid).call(method, *arguments)
        update = following.wait_event(
            "conversationUpdated", lambda data, reason=reason: reason in data["updateReasons"], since=mark
        )
        assert update["conversation"][field] == value
        assert following.conversation(sid).look()[field] == value

    acting.conversation(sid).call("leave")
    following.wait_event("conversationRemoved", lambda data: data["sid"] == sid)
    assert following.call("getSubscribedConversations")["items"] == []


def test_own_messages_come_to_the_other_device(devices: tuple[Any, Any]) -> None:
    """What one writes, edits and removes on one device is seen on the other, which is not told that one types."""
    acting, following = devices
    sid = acting.call("createConversation")["sid"]
    acting.conversation(sid).call("join")
    following.wait_event("conversationJoined")
    for device in devices:
        eventually(lambda device=device: device.conversation(sid).call("getParticipants"), "the roster is there")
    acting.conversation(sid).call("typing")
    assert acting.conversation(sid).call("sendMessage", "note to self") == 0
    assert following.wait_event("messageAdded")["body"] == "note to self"
    assert following.events("typingStarted") == []
    acting.message(sid, 0).call("updateBody", "changed")
    assert following.wait_event("messageUpdated")["message"]["body"] == "changed"
    acting.message(sid, 0).call("remove")
    assert following.wait_event("messageRemoved")["index"] == 0


@pytest.mark.slow
def test_hundreds_of_conversations(official: Any, ours: Any, fresh: Fresh, service: LocalServer) -> None:
    """Both clients start with 250 conversations and list each once, by its name, and hear a message in the last."""
    identity = fresh("popular")
    sids = seed_conversations(service.twilsock, service.token(identity), identity, 249)
    made = {sid: f"Conversation {number}" for number, sid in enumerate(sids)}
    room = ours(fresh("owner")).client.create_conversation(friendly_name="the last").join()
    room.add(identity)
    made[room.sid] = room.friendly_name
    clients = official(identity), ours(identity)
    for client in clients:
        page = client.call("getSubscribedConversations")
        found = [(item["sid"], item["friendlyName"]) for item in page["items"]]
        while page["hasNextPage"]:
            page = client.page(page["page"]).call("nextPage")
            found += [(item["sid"], item["friendlyName"]) for item in page["items"]]
        assert len(found) == 250
        assert dict(found) == made
        client.conversation(room.sid).call("getParticipants")
    room.send_message("to all")
    for client in clients:
        assert client.wait_event("messageAdded")["conversationSid"] == room.sid


def test_found_by_name_while_another_is_made(official: Any, ours: Any, fresh: Fresh) -> None:
    """A lookup finds what the other device has made a moment ago, without waiting for its event."""
    identity = fresh("alice")
    one, other = official(identity), ours(identity)
    name = fresh("brand new/☃")
    sid = official_room(one, uniqueName=name)
    assert other.call("getConversationByUniqueName", name)["sid"] == sid
    made = other.client.create_conversation(unique_name=fresh("second")).join()
    assert one.call("getConversationByUniqueName", made.unique_name)["sid"] == made.sid
    assert one.call("getConversationBySid", made.sid)["status"] == "joined"
