"""Read your own writes: the line after a call sees what it did, also while no event comes from the service."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import Connect, told
from tests.support.delayed_calls import delayed
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from tests.support.waiting import until
from twilio_conversations import Client, Conversation, ConversationStatus, NotFoundError
from twilio_conversations.server import LocalServer
from twilio_conversations.transport.rest import Rest


@pytest.fixture
def alice(own: LocalServer, connect: Connect) -> Client:
    """Alice, whose events the tests hold back."""
    return connect("alice", token=own.token("alice"), endpoint=own.url)


@pytest.fixture
def room(own: LocalServer, alice: Client) -> Iterator[Conversation]:
    """A conversation that Alice has joined; from then on she is told nothing, until the end, when each change is told once."""
    own.seed({"users": [{"identity": "bob"}, {"identity": "carol"}]})
    room = alice.create_conversation(friendly_name="before").join()
    room.get_participants()
    room.send_message("first")
    event_log = EventLog(alice, "message_added", "error")
    with own.faults.held_events("alice"):
        yield room
    if room.status is ConversationStatus.JOINED:
        room.send_message("last")
        event_log.wait("message_added", lambda message: message.body == "last")
        assert event_log.of("error") == []
        added = [message.sid for message in event_log.of("message_added")]
        assert len(added) == len(set(added))


@pytest.mark.row("BY14", "CV37", "CV38", "CV40")
def test_updates_of_a_conversation(room: Conversation) -> None:
    """Names and attributes."""
    assert room.update_friendly_name("after").friendly_name == "after"
    assert room.update_unique_name("unique").unique_name == "unique"
    assert room.update_unique_name(None).unique_name is None
    assert room.update_attributes({"a": 1}).attributes == {"a": 1}


@pytest.mark.row("BY14", "CV16", "CV17", "CV30", "PA15", "PA16")
def test_participants(room: Conversation) -> None:
    """Who was added is in the roster, with what was changed; who was removed is not."""
    bob, carol = room.add("bob", {"seat": 1}), room.add("carol")
    phone = room.add_non_chat_participant("+15550199", "+15550100")

    assert {one.sid for one in room.get_participants()} >= {bob.sid, carol.sid, phone.sid}
    assert room.get_participant_by_identity("bob") is bob
    assert bob.update_attributes({"seat": 2}).attributes == {"seat": 2}
    assert room.get_participant_by_sid(bob.sid).attributes == {"seat": 2}
    bob.remove()
    room.remove_participant("carol")
    assert {one.sid for one in room.get_participants()} & {bob.sid, carol.sid} == set()


def test_a_deleted_conversation_is_not_found(room: Conversation, alice: Client) -> None:
    """By sid too, before any event reports that it is gone: a repeated DELETE may be answered ahead of the events."""
    room.delete()

    assert room.status is ConversationStatus.NOT_PARTICIPATING
    assert alice.get_subscribed_conversations().items == []
    for find in (alice.get_conversation_by_sid, alice.peek_conversation_by_sid):
        with pytest.raises(NotFoundError):
            find(room.sid)


def test_a_conversation_that_was_left_is_what_the_service_returns(room: Conversation, alice: Client) -> None:
    """Its creator may still read it, and returns to it at once."""
    room.leave()

    assert alice.get_subscribed_conversations().items == []
    assert alice.get_conversation_by_sid(room.sid) is room
    assert room.status is ConversationStatus.NOT_PARTICIPATING
    room.join()
    assert alice.get_conversation_by_sid(room.sid) is room
    assert alice.get_subscribed_conversations().items == [room]


@pytest.mark.parametrize("by", ["itself", "refresh"])
def test_what_somebody_else_wrote_over_is_told(tmp_path: Path, connect: Connect, by: str) -> None:
    """While Alice's own write was shown, Bob's took its place, and no event between was kept: handlers see Bob's in the end."""
    with LocalServer(tmp_path) as server:
        alice, bob = (connect(name, token=server.token(name), endpoint=server.url) for name in ("alice", "bob"))
        room = alice.create_conversation().join()
        room.add("bob")
        told(alice)
        seen: list[Any] = []
        alice.on("conversation_updated", lambda change: seen.append(change.conversation.attributes))
        server.configure(events_retained=0)
        server.faults.hold_events("alice")
        room.update_attributes({"by": "alice"})
        bob.get_conversation_by_sid(room.sid).update_attributes({"by": "bob"})
        server.stop()
        server.start()
        until(lambda: seen, "the update was told")
        if by == "refresh":
            assert room.refresh().attributes == {"by": "bob"}
        until(lambda: seen[-1] == {"by": "bob"}, "what Bob wrote was told", 10)
        assert room.attributes == {"by": "bob"}
        alice.close()
        bob.close()


def test_own_writes_from_outside_are_known_on_joining(own: LocalServer, connect: Connect) -> None:
    """Who made a conversation may write there without being in it; back again, nothing is told of what was read on the way."""
    alice = connect("alice", token=own.token("alice"), endpoint=own.url)
    room = alice.create_conversation().join()
    message = room.send_message("first")
    told(alice)
    event_log = EventLog(alice, "message_updated")
    room.leave()
    until(lambda: room.status is ConversationStatus.NOT_PARTICIPATING, "left")
    message.update_body("second")
    message.update_attributes({"n": 2})
    room.join()
    assert (message.body, message.attributes) == ("second", {"n": 2})
    shown = message.date_updated
    assert message.refresh().date_updated == shown
    told(alice)
    assert event_log.entries == []


def test_who_was_removed_before_the_answer_was_read_stays_away(own: LocalServer, connect: Connect) -> None:
    """By the time the answer to an add is read, the participant has been told of, coming and going."""
    own.seed({"users": [{"identity": "carol"}]})
    alice, bob = (connect(name, token=own.token(name), endpoint=own.url) for name in ("alice", "bob"))
    room = alice.create_conversation().join()
    room.add("bob")
    event_log = EventLog(alice, "participant_left")

    def meanwhile() -> None:
        bob.get_conversation_by_sid(room.sid).remove_participant("carol")
        event_log.wait("participant_left", lambda one: one.identity == "carol")

    assert delayed(Rest.post.__code__, lambda: room.add("carol"), meanwhile, after=True).identity == "carol"
    assert {one.identity for one in room.get_participants()} == {"alice", "bob"}


def test_who_was_removed_before_joining_was_answered_is_out(own: LocalServer, connect: Connect) -> None:
    """By the time the answer to a join is read, the client has been told of both, coming and going, and the call says so."""
    alice, bob = (connect(name, token=own.token(name), endpoint=own.url) for name in ("alice", "bob"))
    room = alice.create_conversation()
    room.add("bob")
    event_log = EventLog(alice, "conversation_joined", "conversation_left")

    def meanwhile() -> None:
        event_log.wait("conversation_joined")
        bob.get_conversation_by_sid(room.sid).remove_participant("alice")
        event_log.wait("conversation_left")

    with pytest.raises(NotFoundError, match="gone"):
        delayed(Rest.post.__code__, room.join, meanwhile, after=True)
    assert room.status is ConversationStatus.NOT_PARTICIPATING
    told(alice)
    assert event_log.names() == ["conversation_joined", "conversation_left"]


@pytest.mark.row("BY14", "CV31", "ME24", "ME25", "ME26")
def test_messages(room: Conversation) -> None:
    """What was sent is in the history, with what was changed; what was removed is not."""
    sent = room.send_message("hello", attributes={"a": 1}, media=("a.txt", b"x"))

    assert room.get_messages().items[-1] is sent
    assert (sent.body, sent.attributes, [one.filename for one in sent.attached_media]) == ("hello", {"a": 1}, ["a.txt"])
    assert sent.update_body("bye").body == "bye"
    assert sent.update_attributes([1]).attributes == [1]
    assert (room.get_messages().items[-1].body, sent.attributes) == ("bye", [1])
    sent.remove()
    assert sent not in room.get_messages().items


@pytest.mark.row("BY14", "CV12", "CV18", "CV33", "CV34", "CV35", "CV39")
def test_the_own_marks(room: Conversation) -> None:
    """How far was read, and what pushes."""
    assert room.set_all_messages_read() == 0
    assert room.last_read_message_index == 0
    room.set_all_messages_unread()
    assert room.last_read_message_index is None
    room.advance_last_read_message_index(0)
    assert room.last_read_message_index == 0
    room.update_last_read_message_index(None)
    assert room.last_read_message_index is None
    room.set_user_notification_level("muted")
    assert room.notification_level == "muted"


@pytest.mark.row("BY14", "CL19", "CV19", "CV28", "CV29")
def test_membership(room: Conversation, alice: Client) -> None:
    """Created, joined, left and deleted."""
    other = alice.create_conversation(friendly_name="other")
    assert alice.get_conversation_by_sid(other.sid) is other
    assert other.join().status is ConversationStatus.JOINED
    assert other in list(alice.get_subscribed_conversations())
    assert other.send_message("in").body == "in"
    assert other.leave().status is ConversationStatus.NOT_PARTICIPATING
    assert other not in list(alice.get_subscribed_conversations())
    room.delete()
    assert room.status is ConversationStatus.NOT_PARTICIPATING
    assert room not in list(alice.get_subscribed_conversations())


@pytest.mark.row("BY14", "US10", "US11")
@pytest.mark.usefixtures("room")
def test_the_own_user(alice: Client) -> None:
    """Name and attributes."""
    assert alice.user.update_friendly_name("Alice").friendly_name == "Alice"
    assert alice.user.update_attributes({"a": 1}).attributes == {"a": 1}


@pytest.mark.row("CL07", "EV19", "US07", "US08", "US15")
def test_who_is_there(own: LocalServer, connect: Connect) -> None:
    """Where the service tells reachability, coming, going and a device are updates with their reasons; elsewhere it is `None`."""
    blind = connect("blind", token=own.token("blind"), endpoint=own.url)
    assert (blind.reachability_enabled, blind.user.is_online, blind.user.is_notifiable) == (False, None, None)
    own.configure(reachability_enabled=True)
    alice = connect("alice", token=own.token("alice"), endpoint=own.url)
    assert alice.reachability_enabled
    with Client(own.token("bob"), endpoint=own.url) as bob:
        bob.wait_until_ready(PATIENCE)
        seen: Any = alice.get_user("bob")
        event_log = EventLog(alice, "user_updated")
        bob.set_push_registration_id("fcm", "device")
        event_log.wait("user_updated", lambda change: change.update_reasons == ("reachabilityNotifiable",))
        assert (seen.is_online, seen.is_notifiable) == (True, True)
    event_log.wait("user_updated", lambda change: change.update_reasons == ("reachabilityOnline",))
    assert seen.is_online is False


def test_the_service_s_clock_goes_back(own: LocalServer, alice: Client, room: Conversation) -> None:
    """Dates that lie before those of the former state hide no write of one's own."""
    own.advance_clock(86_400)
    message = room.send_message("written in the future")
    me = next(participant for participant in room.get_participants() if participant.identity == "alice")
    me.update_attributes({"at": "the future"})
    assert own._app is not None
    own._app.service.clock.reset()  # as a service did after a restart that kept no time
    assert message.update_body("now").body == "now"
    assert me.update_attributes({"at": "now"}).attributes == {"at": "now"}
    assert room.update_friendly_name("now").friendly_name == "now"
    assert alice.user.update_friendly_name("now").friendly_name == "now"


def test_many_threads_write_to_one_object(own: LocalServer, alice: Client) -> None:
    """Once Sync has told of the last write, everything shows what the service has: nothing waits for its time limit."""
    room = alice.create_conversation().join()
    message = room.send_message("first")
    with own.faults.held_events("alice"), ThreadPoolExecutor(64) as pool:
        list(pool.map(lambda number: message.update_body(f"body {number}"), range(64)))
        list(pool.map(lambda number: room.update_attributes({"number": number}), range(64)))
        room.update_friendly_name("end")
    until(lambda: room._live.state.replica is not None and room._live.state.replica.friendly_name == "end", "Sync tells")
    for state in (message._live.state, room._live.state):
        assert state.overlay == {}
        assert state.visible == state.replica
