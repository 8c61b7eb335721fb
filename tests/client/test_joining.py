"""What was written between somebody's joining and the moment their client follows the messages."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.clients import Connect
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from tests.support.waiting import until
from twilio_conversations.server import LocalServer


@pytest.mark.parametrize("count", [1, 3, 250])
def test_messages_right_after_being_added(own: LocalServer, connect: Connect, count: int) -> None:
    """Whoever adds a bot and writes at once gets an answer: the messages since are announced, in order, once each."""
    alice, bob = (connect(name, token=own.token(name), endpoint=own.url) for name in ("alice", "bob"))
    room = alice.create_conversation().join()
    room.send_message("before")
    event_log = EventLog(bob, "conversation_joined", "message_added")
    own.advance_clock(1)
    with own.faults.held_events("bob"):
        room.add("bob")
        for number in range(count):
            room.send_message(str(number))
    event_log.wait("message_added", lambda message: message.body == str(count - 1))
    room.send_message("after")
    event_log.wait("message_added", lambda message: message.body == "after")
    assert event_log.names() == ["conversation_joined"] + ["message_added"] * (count + 1)
    assert [message.body for message in event_log.of("message_added")] == [*map(str, range(count)), "after"]


def test_messages_while_joining_by_oneself(own: LocalServer, connect: Connect) -> None:
    """The same for `join()`: what was written between its effect and the opening of the list is announced."""
    alice, bob = (connect(name, token=own.token(name), endpoint=own.url) for name in ("alice", "bob"))
    room = bob.create_conversation(unique_name="open")
    room.add("alice")
    theirs = alice.get_conversation_by_unique_name("open")
    theirs.send_message("before")
    own.advance_clock(1)
    event_log = EventLog(room, "message_added")
    own.faults.delay(1, identity="bob", method="GET", path=r"/v3/Lists")
    with ThreadPoolExecutor() as pool:
        joining = pool.submit(room.join)
        until(lambda: any(one.identity == "bob" for one in theirs.get_participants()), "the service knows that Bob has joined")
        theirs.send_message("meanwhile")
        joining.result(PATIENCE)
    assert event_log.wait("message_added").body == "meanwhile"


def test_a_start_announces_no_history(own: LocalServer, connect: Connect) -> None:
    """Messages that were there when the client started are history, whenever their reader joined."""
    alice = connect("alice", token=own.token("alice"), endpoint=own.url)
    room = alice.create_conversation().join()
    room.add("bob")
    room.send_message("while bob was away")
    bob = connect("bob", token=own.token("bob"), endpoint=own.url, auto_connect=False, ready=False)
    event_log = EventLog(bob, "conversation_joined", "message_added")
    bob.connect()
    event_log.wait("conversation_joined")
    room.send_message("now")
    event_log.wait("message_added")
    assert [message.body for message in event_log.of("message_added")] == ["now"]
