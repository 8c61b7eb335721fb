"""A handler may raise what is no `Exception`: a cancelled task, a timeout of gevent's, an outcome of a test's.

It is the trouble of one handler, reported like any other.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import gevent
import pytest

from tests.support.clients import Connect
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from twilio_conversations import Client, Conversation, HandlerError
from twilio_conversations.util import logs


def cancelled() -> None:
    """What `asyncio.run` raises when its main task was cancelled."""

    async def main() -> None:
        asyncio.current_task().cancel()  # type: ignore[union-attr]
        await asyncio.sleep(60)

    asyncio.run(main())


def exhausted() -> None:
    """What closing a generator raises inside it."""
    raise GeneratorExit


def late() -> None:
    """What gevent raises when a block took too long."""
    raise gevent.Timeout(1)


def failed() -> None:
    """What a check of a test's raises."""
    pytest.fail("not as expected")


@pytest.fixture(params=[cancelled, exhausted, late, failed])
def what(request: pytest.FixtureRequest) -> Callable[[], None]:
    """Something that raises no `Exception`."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def room(connect: Connect, fresh: Any) -> Conversation:
    """A conversation that its creator is in."""
    return connect(fresh("alice")).create_conversation().join()


def reported(client: Client) -> EventLog:
    """Who waits for reports."""
    return EventLog(client, "error")


def client_of(room: Conversation) -> Any:
    """The client that sees a conversation."""
    return room._live.runtime.events


def test_a_handler(room: Conversation, what: Callable[[], None], caplog: pytest.LogCaptureFixture) -> None:
    """It is logged and reported with the handler; the others run, and so does this one, the next time."""
    event_log, after, calls = reported(client_of(room)), EventLog(room, "message_added"), []

    def handler(message: Any) -> None:
        calls.append(message.index)
        what()

    room.on("message_added", handler)
    for number in range(2):
        room.send_message(str(number))
        failure: HandlerError = event_log.wait("error", lambda failure, number=number: len(event_log.of("error")) > number)
        assert failure.handler is handler
        assert not isinstance(failure.error, Exception)
        after.wait("message_added", lambda message, number=number: message.index == number)
    assert calls == [0, 1]
    assert room.get_messages_count() == 2
    assert caplog.text.count("the handler test_a_handler.<locals>.handler (message_added) raised") == 2


def test_a_handler_of_errors(room: Conversation, what: Callable[[], None]) -> None:
    """Not even there it ends anything."""
    client = client_of(room)
    client.on("error", lambda failure: what())
    event_log = reported(client)
    room.on("message_added", lambda message: 1 / 0)
    for number in range(2):
        room.send_message(str(number))
        assert isinstance(event_log.wait("error").error, ZeroDivisionError)
        event_log.of("error").clear()


def test_a_late_handler_that_is_told_what_happened(room: Conversation, what: Callable[[], None]) -> None:
    """`initialized` is told again to who registers after it."""
    client = client_of(room)
    event_log = reported(client)

    def handler() -> None:
        what()

    client.on("initialized", handler)
    assert event_log.wait("error").handler is handler


def test_a_receiver_in_blinkers_own_way(room: Conversation, what: Callable[[], None]) -> None:
    """Guarded like the others."""
    event_log = reported(client_of(room))

    def receiver(sender: Any, **facts: Any) -> None:
        what()

    room.signals.message_added.connect(receiver)
    room.send_message("x")
    assert event_log.wait("error").handler is receiver


def test_a_callback_of_an_upload(room: Conversation, what: Callable[[], None]) -> None:
    """What runs when an upload is over is named in the report."""
    event_log = reported(client_of(room))

    def callback(handle: Any) -> None:
        what()

    handle = room.prepare_message().set_body("x").build().send_in_background()
    handle.add_done_callback(callback)
    assert handle.result(PATIENCE).index == 0
    assert event_log.wait("error").handler is callback


def test_a_handler_that_cannot_be_named(room: Conversation) -> None:
    """An object that is called may have no name, and raise whatever is asked of it."""
    called = threading.Event()

    class Odd:
        def __call__(self, message: Any) -> None:
            called.set()
            raise Odd.Trouble

        def __getattr__(self, name: str) -> Any:
            raise LookupError(name)

        __repr__ = __str__ = __getattr__  # type: ignore[assignment]

        class Trouble(BaseException):
            def __str__(self) -> str:
                raise LookupError("no words")

            __repr__ = __str__

    event_log = reported(client_of(room))
    odd = Odd()
    room.on("message_added", odd)
    room.send_message("x")
    assert called.wait(PATIENCE)
    assert event_log.wait("error").handler is odd
    room.send_message("y")
    assert logs.flush(10)
    assert room.get_messages_count() == 2
