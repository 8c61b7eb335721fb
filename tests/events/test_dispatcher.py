"""Handlers that are too slow: nothing is lost, memory stays bounded, and everything beside them goes on."""

from __future__ import annotations

import collections
import gc
import logging
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from tests.events.dispatching import LIMIT, warnings
from tests.faults.proxy import FaultProxy
from tests.support.clients import Connect
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from tests.support.stopwatch import within
from tests.support.waiting import until
from twilio_conversations import Client, Conversation, Participant
from twilio_conversations.events.dispatcher import Dispatcher
from twilio_conversations.server import LocalServer
from twilio_conversations.util.futures import Deadline, wait

OVER = 3
"""Events by which each followed object of a conversation may overshoot the limit before it is put on hold."""


@attrs.define
class Stuck:
    """A `message_added` handler that stands still in its first call until it is released."""

    client: Client
    got: list[tuple[str, int]] = attrs.field(factory=list)
    entered: threading.Event = attrs.field(factory=threading.Event)
    release: threading.Event = attrs.field(factory=threading.Event)

    def stand_still(self, message: Any) -> None:
        """The handler."""
        self.got.append((message.conversation.sid, message.index))
        self.entered.set()
        assert self.release.wait(60)

    def indexes(self, conversation: Conversation) -> list[int]:
        """What came of one conversation, in order."""
        return [index for sid, index in self.got if sid == conversation.sid]


@pytest.fixture
def proxy(service: LocalServer) -> Iterator[FaultProxy]:
    """Between the reader and the service."""
    with FaultProxy(("127.0.0.1", int(service.url.rsplit(":", 1)[1])), seed=7) as one:
        yield one


def rooms_of(sender: Client, reader: Client, count: int) -> list[Conversation]:
    """Conversations that both are in, as the sender sees them."""
    event_log = EventLog(reader, "conversation_joined")
    rooms = []
    for number in range(count):
        room = sender.create_conversation(friendly_name=f"room {number}").join()
        room.add(reader.identity)
        event_log.wait("conversation_joined", lambda joined, sid=room.sid: joined.sid == sid)
        rooms.append(room)
    return rooms


def stuck(reader: Client) -> Stuck:
    """The reader's handler."""
    one = Stuck(reader)
    reader.on("message_added", one.stand_still)
    return one


def test_several_conversations_and_a_cut_while_events_are_on_hold(
    connect: Connect, fresh: Any, proxy: FaultProxy, caplog: pytest.LogCaptureFixture
) -> None:
    """The queue stays bounded, requests are answered meanwhile, the line may break: all comes once and in order."""
    sender = connect(fresh("sender"))
    reader = connect(fresh("reader"), endpoint=proxy.url, max_pending_events=LIMIT)
    rooms = rooms_of(sender, reader, 3)
    handler = stuck(reader)
    try:
        with caplog.at_level(logging.WARNING):
            for _ in range(40):
                for room in rooms:
                    room.send_message("before the cut")
            assert handler.entered.wait(PATIENCE)
            until(lambda: warnings(caplog), "the warning")
            reconnects = reader.stats().connection.reconnects
            assert proxy.cut_all() > 0
            until(lambda: reader.stats().connection.reconnects > reconnects, "a reconnect while events are on hold")
            for _ in range(20):
                for room in rooms:
                    room.send_message("after the cut")
        mine = reader.get_conversation_by_sid(rooms[0].sid)
        assert mine.get_messages_count() == 60, "requests are answered while the handler stands still"
        mine.send_message("sent while the handler stands still")
        assert reader.stats().pending_events <= LIMIT + OVER * len(rooms)
        assert warnings(caplog) == ["Stuck.stand_still (message_added)"]
    finally:
        handler.release.set()
    until(lambda: len(handler.got) == 181, "all messages")
    assert [handler.indexes(room) for room in rooms] == [list(range(61)), list(range(60)), list(range(60))]


def test_changes_of_other_kinds_are_left_with_the_service_too(connect: Connect, fresh: Any) -> None:
    """Participants, attributes, the own user and new conversations come after the handler woke, the last state complete."""
    sender, reader = connect(fresh("sender")), connect(fresh("reader"), max_pending_events=LIMIT)
    other = connect(reader.identity)
    (room,) = rooms_of(sender, reader, 1)
    mine = reader.get_conversation_by_sid(room.sid)
    handler = stuck(reader)
    event_log = EventLog(reader, "conversation_joined", "participant_joined", "conversation_updated", "user_updated")
    try:
        for _ in range(LIMIT + 5):
            room.send_message("x")
        until(lambda: reader._core.dispatcher.full, "the queue is full")
        names = [fresh("guest") for _ in range(2 * LIMIT)]
        for name in names:
            room.add(name)
            room.update_friendly_name(name)
            other.user.update_friendly_name(name)
        late = [sender.create_conversation(friendly_name=f"late {number}") for number in range(5)]
        for conversation in late:
            conversation.join()
            conversation.add(reader.identity)
        reader.get_user(sender.identity)  # its answer comes after what was sent before
        assert reader.stats().pending_events <= LIMIT + 4 * OVER
    finally:
        handler.release.set()
    until(lambda: len(event_log.of("conversation_joined")) == len(late), "the new conversations")
    until(lambda: len(event_log.of("participant_joined")) == len(names), "every participant")
    until(lambda: (mine.friendly_name, reader.user.friendly_name) == (names[-1], names[-1]), "the latest names")
    assert [participant.identity for participant in event_log.of("participant_joined")] == names
    assert {one.sid for one in event_log.of("conversation_joined")} == {one.sid for one in late}


def test_typing_cannot_fill_the_queue(connect: Connect, fresh: Any) -> None:
    """Who starts to type while handlers are far behind is not announced; what was announced also ends."""
    sender, reader = connect(fresh("sender")), connect(fresh("reader"), max_pending_events=LIMIT)
    (room,) = rooms_of(sender, reader, 1)
    entered, release = threading.Event(), threading.Event()
    told: list[str] = []

    def stand_still(participant: Participant) -> None:
        told.append("started")
        entered.set()
        assert release.wait(60)

    reader.on("typing_started", stand_still)
    reader.on("typing_ended", lambda participant: told.append("ended"))
    payload = {"channel_sid": room.sid, "identity": sender.identity, "typing_timeout": 0.0005}
    typist = reader.get_conversation_by_sid(room.sid).get_participant_by_identity(sender.identity)
    most = 0
    try:
        for _ in range(10 * LIMIT):
            notify = reader._core.connection.call(
                lambda: reader._core.connection._io._listener.on_notification("twilio.ipmsg.typing_indicator", payload)
            )
            wait(notify, Deadline(PATIENCE), "typing")
            until(lambda: not typist.is_typing, "that typing is over by its own timer")
            most = max(most, reader.stats().pending_events)
    finally:
        release.set()
    assert entered.is_set()
    assert LIMIT <= most <= LIMIT + OVER
    until(lambda: told[-1:] == ["ended"] and not reader.stats().pending_events, "the last word is that nobody types")
    assert told == ["started", "ended"] * (len(told) // 2)


def test_a_client_is_closed_while_events_are_on_hold(connect: Connect, fresh: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It takes no longer than promised; the handler that holds it up is named, and its thread ends when it returns."""
    sender, reader = connect(fresh("sender")), connect(fresh("reader"), max_pending_events=LIMIT)
    (room,) = rooms_of(sender, reader, 1)
    handler = stuck(reader)
    try:
        for _ in range(3 * LIMIT):
            room.send_message("x")
        assert handler.entered.wait(PATIENCE)
        until(lambda: reader._core.dispatcher.full, "the queue is full")
        with within(2.4):
            reader.close()
        assert "stand_still" in caplog.text
        assert reader.stats().pending_events <= 1, "only the last state of the connection waits"
    finally:
        handler.release.set()
    reader._core.dispatcher.join(Deadline(10))
    assert not reader._core.dispatcher.running
    assert len(handler.got) == 1


def test_a_loop_over_events_that_nobody_reads_is_bounded(connect: Connect, fresh: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It holds events up as a slow handler does; read at last, it gives all of them."""
    sender, reader = connect(fresh("sender")), connect(fresh("reader"), max_pending_events=LIMIT)
    (room,) = rooms_of(sender, reader, 1)
    with caplog.at_level(logging.WARNING), reader.events("message_added", timeout=60) as stream:
        for _ in range(5 * LIMIT):
            room.send_message("x")
        until(lambda: set(warnings(caplog)) == {"a loop over events() (message_added)"}, "the warning")
        assert len(stream._queue.queue) == LIMIT
        assert reader.stats().pending_events <= LIMIT + OVER
        assert [next(stream).payload.index for _ in range(5 * LIMIT)] == list(range(5 * LIMIT))


def test_a_loop_over_events_that_is_forgotten_holds_nobody_up(connect: Connect, fresh: Any) -> None:
    """Left by `break`, without `with` or `close`, it is gone: handlers go on getting their events."""
    sender, reader = connect(fresh("sender")), connect(fresh("reader"), max_pending_events=LIMIT)
    (room,) = rooms_of(sender, reader, 1)
    got: list[int] = []
    reader.on("message_added", lambda message: got.append(message.index))
    room.send_message("0")
    room.send_message("1")
    until(lambda: len(got) == 2, "two messages")
    left = reader.events("message_added", timeout=60)
    room.send_message("2")
    for _ in left:
        break
    forgotten = weakref.ref(left)
    del left
    for number in range(3, 5 * LIMIT):
        room.send_message(str(number))
    until(lambda: len(got) == 5 * LIMIT, "all messages")
    gc.collect()
    assert forgotten() is None
    assert len(reader.signals.message_added.receivers) == 1


def test_a_full_stream_that_is_forgotten_lets_the_handlers_go_on(connect: Connect, fresh: Any) -> None:
    """The thread that waits for room in it notices that nobody will ever read it."""
    sender, reader = connect(fresh("sender")), connect(fresh("reader"), max_pending_events=LIMIT)
    (room,) = rooms_of(sender, reader, 1)
    stream = reader.events("message_added")
    got: list[int] = []
    reader.on("message_added", lambda message: got.append(message.index))
    for _ in range(LIMIT + 5):
        room.send_message("x")
    until(lambda: len(got) == LIMIT, "the stream is full")
    del stream
    until(lambda: len(got) == LIMIT + 5, "all messages")


def test_room_is_noticed_though_the_queue_empties_while_it_is_found_full() -> None:
    """The events thread may be done with everything between the look at the queue and the note that it is full."""
    dispatcher, looking, done = Dispatcher("test", 1), threading.current_thread(), threading.Event()

    class Watched(collections.deque[Any]):
        """Lets the events thread empty it while somebody looks for the first time how long it is."""

        def __len__(self) -> int:
            size = super().__len__()
            if size and threading.current_thread() is looking:
                dispatcher.start()
                dispatcher.release()
                assert done.wait(PATIENCE)
                until(lambda: dispatcher._idle, "the events thread waits for more")
            return size

    dispatcher._queue = Watched()
    dispatcher.call(done.set)
    full = dispatcher.full
    dispatcher.close()
    dispatcher.join(Deadline(10))
    assert not full


def test_a_start_that_is_undone_runs_no_handler(dispatcher: Dispatcher) -> None:
    """Where the other thread could not be had, no handler holds up whoever undoes the start; the next start delivers."""
    ran = threading.Event()
    dispatcher.call(ran.set)
    dispatcher.start()
    dispatcher.undo_start()
    assert not dispatcher.running
    assert not ran.is_set()
    dispatcher.start()
    dispatcher.release()
    assert ran.wait(PATIENCE)


def test_the_queue_takes_what_is_posted_while_it_is_full() -> None:
    """Being full is a word to the io thread; what was taken from the service is never dropped."""
    dispatcher = Dispatcher("test", 2)
    for _ in range(5):
        dispatcher.call(lambda: None)
    assert dispatcher.full
    assert dispatcher.depth == 5
