"""What the program attaches to `logging` may raise, block, or send through a client of the service: the service goes on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.support.patience import PATIENCE
from tests.support.waiting import until
from twilio_conversations import Client
from twilio_conversations.server import LocalServer
from twilio_conversations.util import logs


class Program(logging.Handler):
    """A handler of the program's that does something with each record of the service's own threads."""

    def __init__(self, what: Callable[[], object]) -> None:
        super().__init__()
        self.what = what
        self.threads: set[str | None] = set()
        self.came = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if record.threadName in ("conversations-writer", "conversations-server"):
            self.threads.add(record.threadName)
            self.came.set()
            self.what()


@pytest.fixture
def attach() -> Iterator[Callable[[Callable[[], object]], Program]]:
    """Returns what attaches a handler, until the test is over."""
    ours, attached = logging.getLogger("twilio_conversations"), list[Program]()

    def make(what: Callable[[], object]) -> Program:
        attached.append(Program(what))
        ours.addHandler(attached[-1])
        return attached[-1]

    yield make
    for handler in attached:
        ours.removeHandler(handler)
    assert logs.flush(10)
    logs._reported.clear()  # what was raised here is meant to be


def failing(server: LocalServer) -> None:
    """Have both threads of the service log an exception for each commit."""
    assert server._app is not None
    writer, commits = server._app.service._writer, server._app.service._commits
    publish = writer._publish

    def fail_after(outcomes: object) -> None:
        publish(outcomes)  # type: ignore[arg-type]
        raise LookupError("on the writer's thread")

    writer._publish = fail_after
    commits.follow(lambda commit: 1 / 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [OSError("no space left on device"), SystemExit(1)], ids=lambda error: type(error).__name__)
def test_a_handler_that_raises_ends_nothing(attach: Callable[..., Program], error: BaseException) -> None:
    """Each thread logs, and answers the next command."""

    def fail() -> None:
        raise error

    with LocalServer() as server, Client(server.token("alice"), endpoint=server.url, default_timeout=20) as client:
        client.wait_until_ready(PATIENCE)
        program = attach(fail)
        failing(server)
        room = client.create_conversation().join()
        for number in range(3):
            assert room.send_message(str(number)).index == number
        until(lambda: program.threads == {"conversations-writer", "conversations-server"}, "both threads have logged")
        assert server.is_running


def test_a_handler_that_blocks_holds_up_nobody(attach: Callable[..., Program]) -> None:
    """The service answers, and stops, beside it."""
    release = threading.Event()
    try:
        with LocalServer() as server, Client(server.token("alice"), endpoint=server.url, default_timeout=20) as client:
            client.wait_until_ready(PATIENCE)
            program = attach(lambda: release.wait(60))
            failing(server)
            client.create_conversation()
            assert program.came.wait(PATIENCE)
            assert client.create_conversation().sid
        assert not server.is_running
    finally:
        release.set()
