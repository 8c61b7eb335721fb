"""What the program attaches to `logging` may raise, block, or send through the client: the client goes on."""

from __future__ import annotations

import contextvars
import logging
import logging.handlers
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.faults.proxy import FaultProxy
from tests.support.clients import Connect
from tests.support.event_log import EventLog
from tests.support.patience import LONG_PATIENCE, PATIENCE
from tests.support.resources import own_threads
from tests.support.stopwatch import within
from tests.support.waiting import until
from twilio_conversations import Client, ConnectionState, Conversation, TransportUnavailableError
from twilio_conversations.errors import WrongThreadError
from twilio_conversations.server import LocalServer
from twilio_conversations.util import logs

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id")


class Attached:
    """What the program attaches to `logging`, with DEBUG for everything, until the end of the block."""

    def __init__(self, handler: logging.Handler) -> None:
        self.handler = handler
        self.ours = logging.getLogger("twilio_conversations")

    def __enter__(self) -> Attached:
        self.before = self.ours.level
        self.ours.addHandler(self.handler)
        self.ours.setLevel(logging.DEBUG)
        return self

    def __exit__(self, *_: object) -> None:
        self.ours.setLevel(self.before)
        self.ours.removeHandler(self.handler)
        logs.flush(10)
        logs._reported.clear()  # what was raised here is meant to be


class Raising(logging.Handler):
    """Its disk is full."""

    def emit(self, record: logging.LogRecord) -> None:
        raise OSError("no space left on device")


class Exiting(logging.Handler):
    """Ends the program at the first error, as it thinks."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.exit(1)


def of_a_request(record: logging.LogRecord) -> bool:
    """A filter that works in requests only."""
    record.request_id = request_id.get()
    return True


def filtered() -> logging.Handler:
    """A handler with a filter that needs a context."""
    handler = logging.StreamHandler()
    handler.addFilter(of_a_request)
    return handler


def formatted() -> logging.Handler:
    """A handler with a format that needs what only records of the program's have."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(request_id)s %(message)s"))
    return handler


@pytest.fixture(params=[Raising, Exiting, filtered, formatted])
def wrong(request: pytest.FixtureRequest) -> Iterator[None]:
    """Something attached to `logging` that raises for every record."""
    with Attached(request.param()):
        yield


def broken(message: Any) -> None:
    """A handler of events that raises."""
    raise KeyError("a bug of the program's")


def test_a_whole_life_with_logging_that_raises(service: LocalServer, fresh: Any, wrong: None) -> None:
    """Connecting, a handler that raises, a cut, a token function that fails, an upload, the end: nothing is lost."""
    identity, tokens = fresh("alice"), [RuntimeError("no token now")]

    def provide() -> str:
        if tokens:
            raise tokens.pop()
        return service.token(identity)

    with FaultProxy(("127.0.0.1", service.port), seed=1) as line:
        client = Client(provide, endpoint=line.url, auto_connect=False)
        client.on("message_added", broken)
        event_log = EventLog(client, "error", "message_added", "connection_error")
        room = client.connect().create_conversation().join()
        assert room.send_message("before").index == 0
        assert isinstance(event_log.wait("error").error, KeyError)
        assert line.cut_all() > 0
        assert room.send_message("after").index == 1
        handle = room.prepare_message().add_media(("a.txt", b"x")).build().send_in_background()
        assert handle.result(PATIENCE).index == 2
        until(lambda: len(event_log.of("message_added")) == 3, "all events")
        assert "no token now" in event_log.wait("connection_error").message
        assert client.connection_state is ConnectionState.CONNECTED
        with within(2.4):
            client.close()
    until(lambda: not own_threads(), "all threads gone")


@pytest.mark.parametrize("kind", ["io", "events"])
def test_an_end_that_cannot_be_logged_is_reported(connect: Connect, fresh: Any, wrong: None, kind: str) -> None:
    """By the state, the `error` event, and to everybody who waits."""
    client = connect(fresh("alice"))
    event_log, cause = EventLog(client, "error", "connection_state_changed"), SystemExit("pulled")
    stream = client.events("message_removed")

    def die() -> None:
        raise cause

    {"io": client._core.connection.post, "events": client._core.dispatcher.call}[kind](die)
    for wait in (client.wait, lambda: list(stream), client.create_conversation):
        with pytest.raises(TransportUnavailableError) as caught:
            wait()
        assert caught.value.__cause__ is cause
    assert event_log.wait("error").error.__cause__ is cause
    assert event_log.wait("connection_state_changed") is ConnectionState.ERROR
    assert client.connection_state is ConnectionState.ERROR


class Sending(logging.Handler):
    """Sends every record into a conversation, by the client whose records they are."""

    def __init__(self, room: Conversation, send: Callable[[Conversation, str], object]) -> None:
        super().__init__(logging.DEBUG)
        self.room, self.send = room, send
        self.refused: list[BaseException] = []
        self.sent: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.send(self.room, self.format(record))
            self.sent.append(record.threadName or "")
        except WrongThreadError as error:
            self.refused.append(error)


def typing(room: Conversation, text: str) -> None:
    """What does not wait for an answer, and brings about frames."""
    with room.typing_indicator():
        pass


SENDERS = [
    lambda room, text: room.send_message(text, timeout=PATIENCE),
    lambda room, text: room.prepare_message().set_body(text).build().send_in_background(),
    lambda room, text: room.get_messages_count(),
    lambda room, text: room.typing(),
    typing,
]


@pytest.mark.parametrize("send", SENDERS, ids=["send", "background", "count", "typing", "typing_indicator"])
def test_a_handler_that_sends_through_the_client(
    connect: Connect, fresh: Any, send: Callable[[Conversation, str], object]
) -> None:
    """With DEBUG for everything: no deadlock, and no record that brings about others for ever."""
    client = connect(fresh("alice"))
    room = client.create_conversation().join()
    handler = Sending(room, send)
    with Attached(handler):
        log = logs.logger("twilio_conversations.test")
        log.warning("from the program's thread")
        log_on_events = threading.Event()
        client._core.dispatcher.call(lambda: (log.warning("from the events thread"), log_on_events.set()))
        client._core.connection.post(lambda: log.warning("from the io thread"))
        assert log_on_events.wait(PATIENCE)
        room.update_attributes({"a": 1})
        until(lambda: handler.refused, "the record of the io thread")
        assert logs.flush(20)
        assert len(handler.sent) == 2
        assert "QueueHandler" in str(handler.refused[0])
    assert client.connection_state is ConnectionState.CONNECTED
    assert client.create_conversation().sid


def test_a_queue_handler_makes_a_handler_that_sends_work(connect: Connect, fresh: Any) -> None:
    """As the guide has it: another thread sends, and the client's own records are left out."""
    client = connect(fresh("alice"))
    room = client.create_conversation().join()
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    sender = logging.handlers.QueueHandler(records)
    sender.addFilter(lambda record: not record.name.startswith("twilio_conversations"))
    listener = logging.handlers.QueueListener(records, Sending(room, SENDERS[0]))
    event_log = EventLog(room, "message_added")
    program, root = logging.getLogger("program"), logging.getLogger()
    root.addHandler(sender)
    listener.start()
    try:
        with Attached(sender):
            program.warning("the disk is nearly full")
            assert event_log.wait("message_added").body == "the disk is nearly full"
    finally:
        root.removeHandler(sender)
        listener.stop()
    assert room.get_messages_count() == 1


def test_a_handler_that_blocks_holds_up_nobody(connect: Connect, fresh: Any) -> None:
    """The client works and closes in time beside it; what it is too slow for waits, up to a bound."""
    client = connect(fresh("alice"))
    release, entered = threading.Event(), threading.Event()

    class Blocking(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if threading.current_thread().name == "conversations-log":
                entered.set()
                release.wait(60)

    with Attached(Blocking()):
        try:
            client._core.connection.post(lambda: logs.logger("twilio_conversations.test").warning("x"))
            assert entered.wait(PATIENCE)
            assert client.create_conversation().join().send_message("x").index == 0
            with within(2.4):
                client.close()
        finally:
            release.set()
    until(lambda: not own_threads(), "all threads gone")


AT_EXIT = """
import atexit, logging, sys, threading, time
from twilio_conversations import Client
from twilio_conversations.util import logs

exiting = threading.Event()

class Late(logging.StreamHandler):
    def emit(self, record):
        if threading.current_thread() is not threading.main_thread():
            exiting.wait(30)
            time.sleep(0.1)  # longer than what else there is to do
        super().emit(record)

logging.basicConfig(level=logging.DEBUG, handlers=[Late(sys.stdout)], format="%(threadName)s %(levelname)s %(message)s")
client = Client(sys.argv[1], endpoint="http://127.0.0.1:9")
atexit.register(exiting.set)  # runs before what the client has registered
client.wait_for("connection_error", timeout=30)
connection, log = client._core.connection, logs.logger("twilio_conversations.x")
connection.call(lambda: [log.error("%d", number) for number in range(3)]).awaited(30)
"""


def test_records_that_wait_come_before_the_process_ends(service: LocalServer, fresh: Any) -> None:
    """A script that ends with its first error has that error in its log."""
    command = [sys.executable, "-c", AT_EXIT, service.token(fresh("alice"))]
    result = subprocess.run(command, capture_output=True, text=True, timeout=LONG_PATIENCE, check=True)
    (line, *_) = [line for line in result.stdout.splitlines() if "WARNING" in line]
    assert line.startswith("conversations-io-1 WARNING")
    assert "127.0.0.1:9" in line
    assert [line for line in result.stdout.splitlines() if "ERROR" in line] == [
        f"conversations-io-1 ERROR {number}" for number in range(3)
    ]
