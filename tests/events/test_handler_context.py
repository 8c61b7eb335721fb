"""A context of the program's around each call of a handler."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.clients import Connect
from tests.support.event_log import EventLog


@pytest.mark.row("BY41")
def test_every_handler_runs_inside_the_context(connect: Connect, fresh: Any) -> None:
    """It is entered and left around each handler of any object, on the handler's thread, also where the handler raises."""
    steps: list[str] = []
    threads = set()

    @contextlib.contextmanager
    def context() -> Iterator[None]:
        threads.add(threading.current_thread().name.rsplit("-", 1)[0])
        steps.append("enter")
        try:
            yield
        finally:
            steps.append("leave")

    client = connect(fresh("alice"), handler_context=context)
    room = client.create_conversation().join()
    room.on("message_added", lambda message: steps.append("of the conversation"))
    client.on("message_added", lambda message: [][0])
    client.on("message_added", lambda message: steps.append("of the client"))
    errors = EventLog(client, "error")
    steps.clear()
    room.send_message("x")
    errors.wait("error")
    within = ["enter", "of the conversation", "leave", "enter", "leave", "enter", "of the client", "leave"]
    assert steps[: len(within)] == within
    assert threads == {"conversations-events"}


def test_a_context_that_fails_is_the_handler_s_failure(connect: Connect, fresh: Any) -> None:
    """Its error is reported like one of the handler, which was not called; later events arrive."""
    broken: list[str] = []

    @contextlib.contextmanager
    def context() -> Iterator[None]:
        if broken:
            raise LookupError(broken.pop())
        yield

    client = connect(fresh("alice"), handler_context=context)
    room = client.create_conversation().join()
    log = EventLog(client, "error", "message_added")
    called: list[str] = []

    def handler(message: Any) -> None:
        called.append(message.body)

    room.on("message_added", handler)
    broken.append("no database")
    room.send_message("1")
    failure = log.wait("error")
    assert isinstance(failure.error, LookupError)
    assert failure.handler is handler
    room.send_message("2")
    log.wait("message_added", lambda message: message.body == "2")
    assert called == ["2"]
