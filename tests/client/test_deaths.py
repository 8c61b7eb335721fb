"""A thread of the client's that ends, or cannot be started, is impossible to miss, and nobody waits for it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.proxy import FaultProxy
from tests.support.clients import Connect
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from tests.support.resources import descriptors, own_threads
from tests.support.waiting import until
from twilio_conversations import (
    BackoffPolicy,
    Client,
    ConnectionState,
    Conversation,
    SendMediaOptions,
    TransportUnavailableError,
    UnsentMessage,
)
from twilio_conversations.server import LocalServer
from twilio_conversations.transport import connect as sockets

QUICK = BackoffPolicy(minimum=0.02, maximum=0.1)


class Plug(BaseException):
    """What nobody catches."""


def outcome(call: Callable[[], Any]) -> BaseException | None:
    """What a call raised."""
    try:
        call()
    except BaseException as error:
        return error
    return None


def in_threads(*calls: Callable[[], Any]) -> Callable[[], list[BaseException | None]]:
    """Run calls side by side; returns what waits for them and gives what they raised."""
    outcomes: dict[int, BaseException | None] = {}

    def run(number: int, call: Callable[[], Any]) -> None:
        outcomes[number] = outcome(call)

    threads = [threading.Thread(target=run, args=entry) for entry in enumerate(calls)]
    for thread in threads:
        thread.start()

    def finish() -> list[BaseException | None]:
        for thread in threads:
            thread.join(PATIENCE)
        return [outcomes.get(number) for number in range(len(calls))]

    return finish


def die_on_io(client: Client, cause: BaseException) -> None:
    """Have the io thread end."""

    def die() -> None:
        raise cause

    client._core.connection.post(die)


def die_on_events(client: Client, cause: BaseException) -> None:
    """Have the events thread end, by a handler."""

    def die() -> None:
        raise cause

    client._core.dispatcher.call(die)


class Unspeakable(SystemExit):
    """What cannot even be shown."""

    def __repr__(self) -> str:
        raise LookupError("no repr")

    __str__ = __repr__


CAUSES = [Plug("pulled"), SystemExit(1), MemoryError("none left"), Unspeakable()]


@pytest.mark.parametrize(
    ("die", "cause"),
    [
        (die_on_io, Plug("pulled")),
        (die_on_io, SystemExit("pulled")),
        (die_on_events, SystemExit("pulled")),
        (die_on_events, KeyboardInterrupt("pulled")),
        (die_on_events, Unspeakable()),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, BaseException) else one.__name__,
)
def test_every_waiter_is_woken_with_the_cause(
    service: LocalServer, fresh: Any, die: Callable[[Client, BaseException], None], cause: BaseException
) -> None:
    """Whichever of the two threads ends: state, signals, blocked calls, loops, later calls all say why; closing works."""
    with FaultProxy(("127.0.0.1", int(service.url.rsplit(":", 1)[1])), seed=1) as proxy:
        client = Client(service.token(fresh("alice")), endpoint=proxy.url).wait_until_ready(PATIENCE)
        conversation = client.create_conversation().join()
        event_log = EventLog(client, "error", "connection_state_changed")
        stream = client.events("message_removed")
        proxy.stall()
        finish = in_threads(
            client.wait,
            lambda: conversation.send_message("blocked"),
            lambda: client.wait_for("message_removed"),
            lambda: list(stream),
            conversation.get_messages_count,
        )
        until(lambda: client.stats().connection.in_flight >= 2, "calls are under way")
        die(client, cause)

        for error in finish():
            assert isinstance(error, TransportUnavailableError)
            assert error.__cause__ is cause
        assert event_log.wait("error").error.__cause__ is cause
        assert event_log.wait("connection_state_changed", lambda state: state is ConnectionState.ERROR)
        assert client.connection_state is ConnectionState.ERROR
        for call in (
            client.create_conversation,
            client.wait,
            client.events,
            client.connect,
            lambda: client.wait_for("message_added"),
            lambda: client.update_token(service.token(client.identity)),
            lambda: conversation.send_message("x"),
            lambda: conversation.get_messages(),
        ):
            error = outcome(call)
            assert isinstance(error, TransportUnavailableError)
            assert error.__cause__ is cause
        client.close()
    until(lambda: not own_threads(), "all threads gone")


def test_each_of_the_last_handlers_may_exit(connect: Connect, fresh: Any) -> None:
    """Who leaves by `sys.exit` when told of the end keeps nobody else from being told."""
    client = connect(fresh("alice"))
    client.on("connection_state_changed", lambda state: sys.exit(1))
    client.on("error", lambda failure: sys.exit(2))
    event_log = EventLog(client, "error")
    client.on("error", lambda failure: sys.exit(3))
    cause = SystemExit("first")
    die_on_events(client, cause)
    assert event_log.wait("error").error.__cause__ is cause
    with pytest.raises(TransportUnavailableError, match="first"):
        client.wait(PATIENCE)


def test_a_death_before_the_client_is_ready(service: LocalServer, fresh: Any) -> None:
    """Who waits for readiness is woken."""
    with FaultProxy(("127.0.0.1", int(service.url.rsplit(":", 1)[1])), seed=1) as proxy:
        proxy.stall()
        with Client(service.token(fresh("alice")), endpoint=proxy.url) as client:
            finish = in_threads(client.wait_until_ready, client.create_conversation)
            cause = Plug("pulled")
            die_on_io(client, cause)
            errors = finish()
        assert [error.__cause__ for error in errors if error is not None] == [cause, cause]


def test_sys_exit_in_a_handler_is_seen_by_the_main_thread(connect: Connect, fresh: Any) -> None:
    """It cannot end the program from there; it fails the client, loudly, and `wait` says so."""
    client = connect(fresh("alice"))
    conversation = client.create_conversation().join()
    conversation.on("message_added", lambda message: sys.exit(3))
    conversation.send_message("x")
    with pytest.raises(TransportUnavailableError, match="SystemExit"):
        client.wait(PATIENCE)


@pytest.mark.parametrize("cause", CAUSES, ids=lambda one: type(one).__name__)
def test_the_connecting_thread_dies(
    service: LocalServer, fresh: Any, monkeypatch: pytest.MonkeyPatch, cause: BaseException
) -> None:
    """It is an attempt that failed: reported, and made again."""
    real, left = sockets.open_socket, [cause, cause]

    def dying(*facts: Any) -> Any:
        if left:
            raise left.pop()
        return real(*facts)

    monkeypatch.setattr(sockets, "open_socket", dying)
    client = Client(service.token(fresh("alice")), endpoint=service.url, reconnect=QUICK, auto_connect=False)
    with client:
        event_log = EventLog(client, "connection_error")
        client.connect().wait_until_ready(PATIENCE)
        assert type(cause).__name__ in event_log.wait("connection_error").message or "none left" in str(cause)
    assert not left


@pytest.mark.parametrize("cause", CAUSES, ids=lambda one: type(one).__name__)
def test_the_token_thread_dies(service: LocalServer, fresh: Any, cause: BaseException) -> None:
    """The provider is asked again, and the failure reported."""
    left, identity = [cause, cause], fresh("alice")

    def provide() -> str:
        if left:
            raise left.pop()
        return service.token(identity)

    with Client(provide, endpoint=service.url, reconnect=QUICK, auto_connect=False) as client:
        event_log = EventLog(client, "connection_error")
        client.connect().wait_until_ready(PATIENCE)
        assert type(cause).__name__ in event_log.wait("connection_error").message


def test_the_uploading_thread_dies(connect: Connect, fresh: Any) -> None:
    """Who waits for the upload gets an error of the client's with the cause, and is not ended by it."""
    conversation = connect(fresh("alice")).create_conversation().join()

    def die(progress: Any) -> None:
        raise SystemExit("pulled")

    handle = with_media(conversation).send_in_background(on_progress=die)
    error = handle.exception(10)
    assert isinstance(error, TransportUnavailableError)
    assert isinstance(error.__cause__, SystemExit)


def with_media(conversation: Conversation) -> UnsentMessage:
    """A message that is not sent yet."""
    return conversation.prepare_message().add_media(SendMediaOptions(media=b"x", filename="x.bin")).build()


class NoThreads:
    """Lets threads of a kind not start, a number of times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: str, times: int) -> None:
        self.refused = 0
        real = threading.Thread.start

        def start(thread: threading.Thread) -> None:
            if thread.name.startswith(f"conversations-{kind}-") and self.refused < times:
                self.refused += 1
                raise RuntimeError("can't start new thread")
            real(thread)

        monkeypatch.setattr(threading.Thread, "start", start)


@pytest.mark.parametrize("kind", ["events", "io"])
def test_no_thread_for_a_new_client(service: LocalServer, fresh: Any, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """The constructor says so and leaves nothing behind."""
    token = service.token(fresh("alice"))
    before = descriptors()
    with monkeypatch.context() as patch:
        NoThreads(patch, kind, 1)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            Client(token, endpoint=service.url)
    until(lambda: not own_threads(), "all threads gone")
    assert descriptors() <= before


@pytest.mark.parametrize("kind", ["connect", "token"])
def test_no_thread_for_something_short(service: LocalServer, fresh: Any, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Connecting, or asking for a token, has failed this time: reported, and tried again."""
    identity = fresh("alice")
    refusing = NoThreads(monkeypatch, kind, 2)
    client = Client(lambda: service.token(identity), endpoint=service.url, reconnect=QUICK, auto_connect=False)
    with client:
        event_log = EventLog(client, "connection_error")
        client.connect().wait_until_ready(PATIENCE)
        assert "can't start new thread" in event_log.wait("connection_error").message
    assert refusing.refused == 2


def test_no_thread_for_an_upload(connect: Connect, fresh: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call says so; the message can be sent once more."""
    client = connect(fresh("alice"))
    conversation = client.create_conversation().join()
    unsent = with_media(conversation)
    with monkeypatch.context() as patch:
        NoThreads(patch, "upload", 1)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            unsent.send_in_background()
    assert not client._core.runtime.media._running
    assert unsent.send_in_background().result(PATIENCE).index == 0
