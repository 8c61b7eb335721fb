"""A scripted service and connections to it; every test ends with no thread of ours left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from tests.support.clients import connect
from tests.support.recorder import Recorder
from tests.support.scripted_service import LIMIT, Peer, ScriptedService
from twilio_conversations.options import BackoffPolicy, Endpoints, Options
from twilio_conversations.transport.connection import Connection
from twilio_conversations.transport.token_source import TokenSource
from twilio_conversations.util.flows import Future
from twilio_conversations.util.futures import Deadline, SharedFuture
from twilio_conversations.wire.http_request import HttpRequest
from twilio_conversations.wire.packets import Reply

__all__ = ["connect"]

QUICK = BackoffPolicy(minimum=0.02, maximum=0.1, stable_after=60)


@attrs.define
class Wired:
    """A connection, what it told, and the service it talks to."""

    connection: Connection
    recorder: Recorder
    service: ScriptedService

    def up(self) -> Peer:
        """Start, accept the init, and answer the ping by which the client learns whether pings are answered."""
        self.connection.start()
        peer = self.service.peer()
        peer.accept_init()
        self.recorder.wait_for("connected")
        peer.answer_ping()
        wait_until(lambda: (link := self.connection._io.link) is not None and link.answers_pings, "the pong is read")
        return peer

    def send(self, request: HttpRequest, deadline: Deadline) -> SharedFuture[Reply]:
        """Send a request, as a flow on the io thread would."""
        return sent(self.connection, request, deadline)


def sent(connection: Connection, request: HttpRequest, deadline: Deadline) -> SharedFuture[Reply]:
    """Send a request, as a flow on the io thread would; return what a test can wait for."""

    def begin() -> Future[Reply]:
        answer: Future[Reply] = Future()
        connection.send(request, deadline, answer)
        return answer

    return connection.run(begin)


Wire = Callable[..., Wired]


def own_threads() -> list[threading.Thread]:
    """Threads of clients that still run; a local service in this process has others."""
    kinds = tuple(f"conversations-{kind}" for kind in ("io", "events", "connect", "token", "log"))
    return [thread for thread in threading.enumerate() if thread.name.startswith(kinds)]


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that nobody announces."""
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.005)


@pytest.fixture
def scripted() -> Iterator[ScriptedService]:
    """A service that the test plays."""
    with ScriptedService() as service:
        yield service


@pytest.fixture
def wire(scripted: ScriptedService) -> Iterator[Wire]:
    """Makes connections; closes them at the end."""
    made: list[Connection] = []

    def make(
        token: Any = "T0",
        *,
        service: ScriptedService | None = None,
        endpoint: str | None = None,
        session: Any = None,
        clock: Callable[[], float] = time.time,
        **options: Any,
    ) -> Wired:
        target = service or scripted
        options.setdefault("reconnect", QUICK)
        chosen = Options(endpoints=Endpoints.for_base(endpoint or target.url), **options)
        recorder = Recorder()
        connection = Connection(chosen, TokenSource(token, chosen, clock=clock), recorder, session=session, clock=clock)
        made.append(connection)
        return Wired(connection, recorder, target)

    yield make
    for connection in made:
        connection.close()
    wait_until(lambda: not own_threads(), "all threads of clients are gone")
