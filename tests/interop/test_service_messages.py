"""The official SDK's messages on the local service: two people, edits, removals, pages, typing, reading."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.interop.official import Official, OfficialError, eventually
from tests.interop.steps import bodies, indexes, official_room

Fresh = Callable[[str], str]
Connect = Callable[..., Official]


def test_a_message_is_the_same_for_both(official: Connect, fresh: Fresh) -> None:
    """Sender and receiver see one message with equal fields, once, and `lastMessage` follows."""
    alice, bob = official(fresh("alice")), official(fresh("bob"))
    sid = official_room(alice, bob)
    assert alice.conversation(sid).call("sendMessage", "hello ☃", {"mood": "ok", "n": [1, 2]}) == 0
    here, there = (member.wait_event("messageAdded", lambda data: data["index"] == 0) for member in (alice, bob))
    assert here == there
    assert (here["body"], here["author"], here["attributes"]) == ("hello ☃", alice.identity, {"mood": "ok", "n": [1, 2]})
    assert (here["type"], here["subject"], here["lastUpdatedBy"]) == ("text", None, None)
    assert here["dateCreated"] == here["dateUpdated"]
    author = bob.conversation(sid).call("getParticipantBySid", here["participantSid"])
    assert author["identity"] == alice.identity
    assert bob.conversation(sid).call("sendMessage", "hi") == 1
    for member in (alice, bob):
        assert member.wait_event("messageAdded", lambda data: data["index"] == 1)["attributes"] == {}
        member.wait_event(
            "conversationUpdated",
            lambda data: "lastMessage" in data["updateReasons"] and data["conversation"]["lastMessage"]["index"] == 1,
        )
        assert [seen.data["index"] for seen in member.events("messageAdded")] == [0, 1]
        assert member.events("messageUpdated") == []
        assert bodies(member.conversation(sid).call("getMessages")) == [(0, "hello ☃"), (1, "hi")]


def test_edits_have_exact_reasons(official: Connect, fresh: Fresh) -> None:
    """An edit of the body and an edit of the attributes reach both with exactly their reasons."""
    alice, bob = official(fresh("alice")), official(fresh("bob"))
    sid = official_room(alice, bob)
    alice.conversation(sid).call("sendMessage", "draft", {"v": 1})
    for member in (alice, bob):
        member.wait_event("messageAdded")
    message = alice.message(sid, 0)
    message.call("updateBody", "éditée ✏️")
    for member in (alice, bob):
        update = member.wait_event("messageUpdated", lambda data: "body" in data["updateReasons"])
        assert [one for one in update["updateReasons"] if one != "dateUpdated"] == ["body", "lastUpdatedBy"]
        edited = update["message"]
        assert (edited["body"], edited["lastUpdatedBy"], edited["attributes"]) == ("éditée ✏️", alice.identity, {"v": 1})
    message.call("updateAttributes", {"v": 2, "deep": {"a": [1, {"b": "ü"}]}})
    for member in (alice, bob):
        update = member.wait_event("messageUpdated", lambda data: "attributes" in data["updateReasons"])
        assert [one for one in update["updateReasons"] if one != "dateUpdated"] == ["attributes"]
        assert update["message"]["body"] == "éditée ✏️"
    message.call("updateBody", "")
    bob.wait_event("messageUpdated", lambda data: data["message"]["body"] == "")


@pytest.mark.every_version
def test_removal_leaves_a_gap(official: Connect, fresh: Fresh) -> None:
    """A removed message leaves its index unused, `lastMessage` goes back, and an edit of it is a 404."""
    alice, bob = official(fresh("alice")), official(fresh("bob"))
    sid = official_room(alice, bob)
    for number in range(4):
        alice.conversation(sid).call("sendMessage", f"m{number}")
    for member in (alice, bob):
        member.wait_event("messageAdded", lambda data: data["index"] == 3)
    gone = alice.message(sid, 1)
    gone.call("remove")
    alice.message(sid, 3).call("remove")
    for member in (alice, bob):
        member.wait_event("messageRemoved", lambda data: data["index"] == 3)
        assert [seen.data["index"] for seen in member.events("messageRemoved")] == [1, 3]
        eventually(lambda member=member: member.conversation(sid).look()["lastMessage"]["index"] == 2, "lastMessage goes back")
        assert bodies(member.conversation(sid).call("getMessages")) == [(0, "m0"), (2, "m2")]
    assert bob.conversation(sid).call("sendMessage", "m4") == 4
    with pytest.raises(OfficialError):
        gone.call("updateBody", "zombie")


def walk(official: Official, page: dict[str, Any], flag: str, method: str) -> list[list[int]]:
    """Return the indexes of a page and of all pages after it in one direction."""
    pages = [indexes(page)]
    while page[flag]:
        page = official.page(page["page"]).call(method)
        pages.append(indexes(page))
    return pages


@pytest.mark.every_version
def test_pages_both_ways(official: Connect, fresh: Fresh) -> None:
    """Pages of any size, from either end and from an anchor, hold each message once and in order, holes or not."""
    alice, bob = official(fresh("alice")), official(fresh("bob"))
    sid = official_room(alice, bob)
    for number in range(25):
        alice.conversation(sid).call("sendMessage", f"m{number}")
    for number in (3, 4, 13):
        alice.message(sid, number).call("remove")
    left = [number for number in range(25) if number not in (3, 4, 13)]
    reader = official(bob.identity)
    room = reader.conversation(sid)
    back = walk(reader, room.call("getMessages", 10), "hasPrevPage", "prevPage")
    assert [number for page in reversed(back) for number in page] == left
    forward = walk(reader, room.call("getMessages", 7, 0, "forward"), "hasNextPage", "nextPage")
    assert [number for page in forward for number in page] == left
    assert indexes(room.call("getMessages", 5, 14)) == [9, 10, 11, 12, 14]
    assert indexes(room.call("getMessages", 5, 12, "forward")) == [12, 14, 15, 16, 17]
    assert indexes(room.call("getMessages", 100)) == left
    assert indexes(room.call("getMessages", 5, 1000)) == [20, 21, 22, 23, 24]
    last = room.call("getMessages", 5)
    assert (last["hasNextPage"], last["hasPrevPage"]) == (False, True)
    with pytest.raises(OfficialError, match="page"):
        reader.page(last["page"]).call("nextPage")


def test_typing_starts_and_ends(official: Connect, fresh: Fresh) -> None:
    """Typing reaches the other member only, ends by itself after the service's time, or at once with the message."""
    alice, bob, carol = official(fresh("alice")), official(fresh("bob")), official(fresh("carol"))
    sid = official_room(alice, bob)
    bob.conversation(sid).call("typing")
    started = alice.wait_event("typingStarted")
    assert (started["identity"], started["isTyping"], started["conversationSid"]) == (bob.identity, True, sid)
    assert alice.wait_event("typingEnded")["isTyping"] is False
    mark = alice.mark()
    bob.conversation(sid).call("typing")
    alice.wait_event("typingStarted", since=mark)
    bob.conversation(sid).call("sendMessage", "done")
    alice.wait_event("messageAdded", since=mark)
    names = [seen.name for seen in alice.events(since=mark) if seen.name in ("typingEnded", "messageAdded")]
    assert names[:2] == ["typingEnded", "messageAdded"]
    assert bob.events("typingStarted") == carol.events("typingStarted") == []


def test_read_horizon(official: Connect, fresh: Fresh) -> None:
    """Reading moves the own horizon and what the others see; each way of moving it returns the unread count."""
    alice, bob = official(fresh("alice")), official(fresh("bob"))
    sid = official_room(alice, bob)
    for number in range(4):
        alice.conversation(sid).call("sendMessage", f"m{number}")
    bob.wait_event("messageAdded", lambda data: data["index"] == 3)
    room = bob.conversation(sid)
    assert room.call("getUnreadMessagesCount") is None
    assert room.call("advanceLastReadMessageIndex", 1) == 2
    own = bob.wait_event("conversationUpdated", lambda data: "lastReadMessageIndex" in data["updateReasons"])
    assert (own["updateReasons"], own["conversation"]["lastReadMessageIndex"]) == (["lastReadMessageIndex"], 1)
    seen = alice.wait_event("participantUpdated", lambda data: data["participant"]["lastReadMessageIndex"] == 1)
    assert set(seen["updateReasons"]) == {"lastReadMessageIndex", "lastReadTimestamp"}
    assert room.call("setAllMessagesRead") == 0
    eventually(lambda: room.look()["lastReadMessageIndex"] == 3, "all read")
    assert room.call("updateLastReadMessageIndex", 0) == 3
    eventually(lambda: room.look()["lastReadMessageIndex"] == 0, "the horizon goes back")
    mark = alice.mark()
    room.call("setAllMessagesUnread")
    alice.wait_event("participantUpdated", lambda data: data["participant"]["lastReadMessageIndex"] is None, since=mark)
    eventually(lambda: room.look()["lastReadMessageIndex"] is None, "nothing read")


def test_three_writers_at_once(official: Connect, fresh: Fresh) -> None:
    """Indexes have no gaps, everyone sees index order, and each sender's own order is kept."""
    writers = [official(fresh(name)) for name in ("alice", "bob", "carol")]
    sid = official_room(*writers)
    sent: dict[int, str] = {}

    def write(writer: Official) -> None:
        for number in range(20):
            sent[writer.conversation(sid).call("sendMessage", f"{writer.identity} {number}")] = f"{writer.identity} {number}"

    threads = [threading.Thread(target=write, args=(writer,)) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
    assert sorted(sent) == list(range(60))
    for reader in writers:
        reader.wait_event("messageAdded", lambda data: data["index"] == 59)
        added = [(seen.data["index"], seen.data["body"]) for seen in reader.events("messageAdded")]
        assert added == sorted(sent.items())
    for writer in writers:
        own = [body for _, body in sorted(sent.items()) if body.startswith(f"{writer.identity} ")]
        assert own == [f"{writer.identity} {number}" for number in range(20)]


def test_outsider_may_not_write(official: Connect, fresh: Fresh) -> None:
    """A person who is not in the conversation cannot send to it, member or not before."""
    alice, bob = official(fresh("alice")), official(fresh("bob"))
    sid = official_room(alice, bob)
    alice.conversation(sid).call("removeParticipant", bob.identity)
    bob.wait_event("conversationRemoved")
    with pytest.raises(OfficialError) as refused:
        bob.conversation(sid).call("sendMessage", "still me")
    assert refused.value.status in (403, 404)
