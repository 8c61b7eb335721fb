"""Functions that do nothing when they are called (`async def`, generators) are refused, and told what to do instead."""

from __future__ import annotations

import asyncio
import functools
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest

from tests.support.clients import Connect
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from twilio_conversations import Client, ConnectionErrorInfo, Conversation, InvalidArgumentError
from twilio_conversations.server import LocalServer


async def later(*facts: Any) -> None:
    """What an asyncio program would write."""


async def each(*facts: Any) -> AsyncIterator[Any]:
    """Yields later."""
    yield facts


def one_by_one(*facts: Any) -> Iterator[Any]:
    """Yields."""
    yield facts


class Called:
    """Its objects are called."""

    async def __call__(self, *facts: Any) -> None:
        """Do it later."""

    async def method(self, *facts: Any) -> None:
        """Do it later too."""

    @classmethod
    async def of_the_class(cls, *facts: Any) -> None:
        """Do it later as well."""

    @staticmethod
    async def of_nobody(*facts: Any) -> None:
        """And this."""


LAZY: dict[str, Callable[..., Any]] = {
    "async def": later,
    "partial": functools.partial(functools.partial(later, 1), 2),
    "object": Called(),
    "partial of an object": functools.partial(Called(), 1),
    "method": Called().method,
    "partial of a method": functools.partial(Called().method, 1),
    "class method": Called.of_the_class,
    "static method": Called.of_nobody,
    "async generator": each,
    "generator": one_by_one,
    "mock": AsyncMock(),
}


@pytest.fixture(params=list(LAZY))
def lazy(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """A function of each kind."""
    return LAZY[request.param]


@pytest.fixture
def room(connect: Connect, fresh: Any) -> Conversation:
    """A conversation that its creator is in."""
    return connect(fresh("alice")).create_conversation().join()


def ways(room: Conversation) -> list[Callable[[Any], Any]]:
    """Each way to give a function to the client."""
    client: Any = room._live.runtime.events
    unsent = room.prepare_message().set_body("x")
    return [
        lambda function: client.on("message_added", function),
        lambda function: client.once("initialized", function),
        lambda function: client.on("message_added")(function),
        lambda function: room.on("message_added", function, replay=True),
        lambda function: client.user.on("updated", function),
        lambda function: room.signals.message_added.connect(function),
        lambda function: client.wait_for("message_added", function, timeout=0.1),
        lambda function: unsent.build().send(on_progress=function),
        lambda function: unsent.build().send_in_background(on_progress=function),
        lambda function: room.send_message("x", on_progress=function),
        lambda function: Client(function, auto_connect=False),
    ]


def test_they_are_refused_wherever_a_function_is_given(room: Conversation, lazy: Callable[..., Any]) -> None:
    """At once, with the name of the function; nothing is registered and nothing sent."""
    for way in ways(room):
        with pytest.raises(InvalidArgumentError, match=r"must be a plain function, but .+ is (`async def`|an async gen|a gen)"):
            way(lazy)
    assert room.listeners("message_added") == []
    assert not room.signals.message_added.receivers
    assert room.get_messages_count() == 0
    handle = room.prepare_message().set_body("x").build().send_in_background()
    with pytest.raises(InvalidArgumentError, match="a callback must be a plain function"):
        handle.add_done_callback(lazy)
    assert handle.result(PATIENCE).index == 0


def test_the_text_says_what_to_do(room: Conversation) -> None:
    """The name is that of the program's function, also inside of a partial; the call is one to copy."""
    with pytest.raises(InvalidArgumentError) as caught:
        room.on("message_added", functools.partial(later, 1))  # type: ignore[call-overload]
    assert str(caught.value) == (
        "a handler must be a plain function, but later is `async def`, and no event loop runs it; "
        "give the work to your event loop: asyncio.run_coroutine_threadsafe(later(...), loop)"
    )


@pytest.mark.parametrize("hidden", [later, one_by_one, each], ids=["coroutine", "generator", "async generator"])
def test_what_only_returns_one_is_reported_when_it_runs(room: Conversation, hidden: Callable[..., Any]) -> None:
    """What hides behind a plain function shows when it is called: as a handler's failure, not as a warning at some time."""
    client: Any = room._live.runtime.events
    event_log = EventLog(client, "error")

    def handler(message: Any) -> Any:
        return hidden(message)

    room.on("message_added", handler)
    with warnings.catch_warnings(record=True) as warned:
        room.send_message("x")
        failure = event_log.wait("error")
    assert failure.handler is handler
    assert isinstance(failure.error, InvalidArgumentError)
    assert "handler returned <" in str(failure.error)
    assert warned == []


def test_a_token_function_that_only_returns_one_is_reported(service: LocalServer) -> None:
    """Its coroutine is no token, and is not left to be awaited by nobody."""
    problems: list[ConnectionErrorInfo] = []
    told = threading.Event()
    with Client(lambda: later(), endpoint=service.url, auto_connect=False) as client:  # type: ignore[arg-type,return-value]

        @client.on("connection_error")
        def note(info: ConnectionErrorInfo) -> None:
            problems.append(info)
            told.set()

        client.connect()
        assert told.wait(PATIENCE)
    assert "returned <coroutine" in problems[0].message


def test_all_other_functions_are_taken(room: Conversation) -> None:
    """Classes, mocks, bound methods, builtins, partials, objects, and those that give work to an event loop."""
    loop, done = asyncio.new_event_loop(), threading.Event()
    runner = threading.Thread(target=loop.run_forever)
    runner.start()
    seen: list[Any] = []
    mock = MagicMock()

    async def finish(message: Any) -> None:
        seen.append(message.body)
        done.set()

    try:
        for function in (print, str, seen.append, mock, functools.partial(seen.append), lambda message: None):
            room.on("message_added", function)
        room.on("message_added", lambda message: asyncio.run_coroutine_threadsafe(finish(message), loop))
        message = room.send_message("x")
        assert done.wait(PATIENCE)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        runner.join(PATIENCE)
        loop.close()
    assert seen == [message, message, "x"]
    mock.assert_called_once_with(message)
