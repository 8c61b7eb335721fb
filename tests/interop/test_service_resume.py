"""The official SDK loses its line to the local service and misses nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop.official import Driver, Official, eventually
from tests.interop.steps import bodies, official_room, wait_for_roster

Fresh = Callable[[str], str]
Connect = Callable[..., Official]


def connected(state: str) -> bool:
    """Say whether a connection state is the good one."""
    return state == "connected"


@pytest.mark.every_version
def test_cut_and_resume(official: Connect, fresh: Fresh) -> None:
    """After a cut the client comes back by itself and gets what it missed in order, each once."""
    alice, bob = official(fresh("alice")), official(fresh("bob"))
    sid = official_room(alice, bob)
    for round_ in range(3):
        mark = bob.mark()
        bob.cut()
        alice.conversation(sid).call("sendMessage", f"flap {round_}")
        bob.wait_event("connectionStateChanged", connected, since=mark)
    bob.wait_event("messageAdded", lambda data: data["body"] == "flap 2")
    assert [seen.data["body"] for seen in bob.events("messageAdded")] == ["flap 0", "flap 1", "flap 2"]


def test_much_happens_while_away(official: Connect, fresh: Fresh) -> None:
    """Messages, an edit, a removal, a new member, a rename and a new conversation are all made up for."""
    alice, bob, carol = official(fresh("alice")), official(fresh("bob")), official(fresh("carol"))
    sid = official_room(alice, bob, friendlyName="before")
    room = alice.conversation(sid)
    room.call("sendMessage", "m0")
    room.call("sendMessage", "m1")
    bob.wait_event("messageAdded", lambda data: data["index"] == 1)
    mark = bob.mark()
    bob.set_offline(True)
    bob.wait_event("connectionStateChanged", lambda state: state == "connecting", since=mark)
    for number in range(2, 6):
        room.call("sendMessage", f"missed {number}")
    alice.message(sid, 1).call("updateBody", "edited")
    alice.message(sid, 0).call("remove")
    alice.message(sid, 4).call("remove")
    room.call("updateFriendlyName", "after")
    room.call("updateLastReadMessageIndex", 3)
    room.call("add", carol.identity, {"late": 1})
    second = official_room(alice, friendlyName="made while away")
    alice.conversation(second).call("add", bob.identity)
    alice.conversation(second).call("sendMessage", "first there")
    bob.set_offline(False)
    bob.wait_event("connectionStateChanged", connected, since=mark)

    bob.wait_event("conversationJoined", lambda data: data["sid"] == second, since=mark)
    bob.wait_event("messageUpdated", lambda data: data["message"]["body"] == "edited", since=mark)
    bob.wait_event("messageRemoved", lambda data: data["index"] == 0, since=mark)
    bob.wait_event("messageAdded", lambda data: data["index"] == 5 and data["conversationSid"] == sid, since=mark)
    wait_for_roster(bob, sid, sorted([alice.identity, bob.identity, carol.identity]))
    eventually(lambda: bob.conversation(sid).look()["friendlyName"] == "after", "the rename arrives")
    added = [seen.data["index"] for seen in bob.events("messageAdded", since=mark) if seen.data["conversationSid"] == sid]
    assert [index for index in added if index != 4] == [2, 3, 5]
    assert bodies(bob.conversation(sid).call("getMessages")) == [
        (1, "edited"),
        (2, "missed 2"),
        (3, "missed 3"),
        (5, "missed 5"),
    ]
    assert bob.participant(sid, alice.identity).look()["lastReadMessageIndex"] == 3
    assert bodies(bob.conversation(second).call("getMessages")) == [(0, "first there")]


def test_removed_while_away(official: Connect, fresh: Fresh) -> None:
    """Who is removed while away learns it on return; the other conversations go on."""
    alice, bob = official(fresh("alice")), official(fresh("bob"))
    lost, kept = official_room(alice, bob), official_room(alice, bob)
    mark = bob.mark()
    bob.set_offline(True)
    bob.wait_event("connectionStateChanged", lambda state: state == "connecting", since=mark)
    alice.conversation(lost).call("removeParticipant", bob.identity)
    alice.conversation(kept).call("sendMessage", "still here")
    bob.set_offline(False)
    bob.wait_event("conversationRemoved", lambda data: data["sid"] == lost, since=mark)
    bob.wait_event("messageAdded", lambda data: data["body"] == "still here", since=mark)


@pytest.mark.slow
def test_service_restart(version: str, driver_of: Callable[[str], Driver], fresh: Fresh, tmp_path: Path) -> None:
    """A service that is stopped and started on the same data and port is, for its clients, a cut."""
    from twilio_conversations.server import LocalServer

    driver = driver_of(version)
    with LocalServer(data_dir=tmp_path) as before:
        port = int(before.url.rpartition(":")[2])
        names = [fresh("alice"), fresh("bob")]
        alice, bob = (driver.connect(name, before.token(name), before.url) for name in names)
        sid = official_room(alice, bob)
        alice.conversation(sid).call("sendMessage", "before")
        bob.wait_event("messageAdded")
        marks = alice.mark(), bob.mark()
    with LocalServer(data_dir=tmp_path, port=port):
        for member, mark in zip((alice, bob), marks, strict=True):
            member.wait_event("connectionStateChanged", connected, since=mark)
        assert alice.conversation(sid).call("sendMessage", "after") == 1
        assert bob.wait_event("messageAdded", since=marks[1])["body"] == "after"
        assert bodies(bob.conversation(sid).call("getMessages")) == [(0, "before"), (1, "after")]
        driver.shutdown([alice, bob])
    driver.problems.clear()


def test_much_is_forgotten_while_away(version: str, driver_of: Callable[[str], Driver], fresh: Fresh, tmp_path: Path) -> None:
    """From a log with holes, sent a few events at a time, the client is told of each message once and ends with what is there."""
    from twilio_conversations import Client
    from twilio_conversations.server import LocalServer

    driver = driver_of(version)
    forgetful = {"events_retained": 0, "replay_limit": 4}
    with LocalServer(data_dir=tmp_path) as server, Client(server.token("actor"), endpoint=server.url) as actor:
        server.configure(**forgetful)
        bob = driver.connect("bob", server.token("bob"), server.url)
        room = actor.create_conversation(friendly_name="before").join()
        room.add("bob")
        bob.wait_event("conversationJoined", lambda data: data["sid"] == room.sid)
        wait_for_roster(bob, room.sid, ["actor", "bob"])
        known = [room.send_message(f"known {number}") for number in range(4)]
        bob.wait_event("messageAdded", lambda data: data["index"] == 3)
        mark = bob.mark()
        bob.set_offline(True)
        bob.wait_event("connectionStateChanged", lambda state: state == "connecting", since=mark)
        for number in range(12):
            sent = room.send_message(f"missed {number}").update_body(f"edited {number}").update_body(f"missed {number} at last")
            if number % 3 == 0:
                sent.remove()
            room.update_friendly_name(f"name {number}")
        known[0].remove()
        for text in ("once", "twice"):
            known[1].update_body(text)
        room.add("carol")
        server.stop()
        server.start()
        server.configure(**forgetful)
        bob.set_offline(False)
        bob.wait_event("connectionStateChanged", connected, since=mark)
        last = room.send_message("the last one").index
        bob.wait_event("messageAdded", lambda data: data["index"] == last, since=mark)
        bob.wait_event("messageRemoved", lambda data: data["index"] == 0, since=mark)
        bob.wait_event("messageUpdated", lambda data: data["message"]["body"] == "twice", since=mark)

        expected = sorted((message.index, message.body) for message in room.iter_messages())
        added = [seen.data["index"] for seen in bob.events("messageAdded", since=mark)]
        assert added == [index for index, _ in expected if index >= len(known)]
        assert bodies(bob.conversation(room.sid).call("getMessages", 60)) == expected
        wait_for_roster(bob, room.sid, ["actor", "bob", "carol"])
        eventually(lambda: bob.conversation(room.sid).look()["friendlyName"] == "name 11", "the newest name arrives")
        driver.shutdown([bob])
    driver.problems.clear()
