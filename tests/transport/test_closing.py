"""Closing: within two seconds, from anywhere, whatever the peer does; and what a fork leaves behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable

import pytest

from tests.support.patience import PATIENCE
from tests.support.scripted_service import ScriptedService
from tests.support.stopwatch import within
from tests.transport.conftest import Wire, Wired, own_threads, wait_until
from twilio_conversations.enums import ConnectionState
from twilio_conversations.errors import ClientClosedError, ConversationsError
from twilio_conversations.options import BackoffPolicy, Endpoints
from twilio_conversations.transport.io_thread import CLOSE_LIMIT
from twilio_conversations.util.futures import Deadline, wait
from twilio_conversations.wire.http_request import HttpRequest
from twilio_conversations.wire.packets import Init, RestCall, Update

GET = HttpRequest.from_url("GET", "https://h/p")
SOON = PATIENCE
SLACK = 0.3


def never_started(wired: Wired) -> None:
    """Made and not started."""


def connecting(wired: Wired) -> None:
    """The upgrade is not answered."""
    wired.service.upgrade = False
    wired.connection.start()
    wired.service.peer()


def initialising(wired: Wired) -> None:
    """The init is not answered."""
    wired.connection.start()
    wired.service.peer().expect(Init)


def connected(wired: Wired) -> None:
    """Up, with a request in flight."""
    peer = wired.up()
    wired.send(GET, Deadline(60))
    peer.expect(RestCall)


def updating(wired: Wired) -> None:
    """A token update is not answered."""
    peer = wired.up()
    peer.expect(RestCall)
    wired.connection.update_token("T1")
    peer.expect(Update)


def waiting(wired: Wired) -> None:
    """In a long back-off."""
    wired.up().cut()
    wired.recorder.wait_state(ConnectionState.RETRYING)


def denied(wired: Wired) -> None:
    """The token was refused."""
    wired.connection.start()
    peer = wired.service.peer()
    peer.refuse(peer.packet(), 401)
    wired.recorder.wait_state(ConnectionState.DENIED)


def clogged(wired: Wired) -> None:
    """The peer reads nothing, and the outbox is full."""
    peer = wired.up()
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    body = HttpRequest("POST", "h", "/p", body=b"x" * 3_000_000)
    for _ in range(4):
        wired.send(body, Deadline(60))
    wait_until(lambda: wired.connection.stats().in_flight == 5, "these and what was pending are in the outbox")


STAGES = [never_started, connecting, initialising, connected, updating, waiting, denied, clogged]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.__name__)
def test_close_is_quick_and_complete_in_every_stage(wire: Wire, stage: Callable[[Wired], None]) -> None:
    """Pending futures fail, threads are gone, nothing connects afterwards, closing again is harmless."""
    wired = wire(reconnect=BackoffPolicy(minimum=60))
    pending = wired.send(GET, Deadline(60))
    stage(wired)
    with within(CLOSE_LIMIT):
        wired.connection.close()
        wired.connection.close()

    assert not own_threads()
    assert isinstance(pending.exception(), ConversationsError)
    with pytest.raises(ClientClosedError):
        wait(wired.send(GET, Deadline(SOON)), Deadline(SOON), "GET")
    with pytest.raises(ClientClosedError):
        wait(wired.connection.call(lambda: None), Deadline(SOON), "call")
    with pytest.raises(ClientClosedError):
        wait(wired.connection.run(lambda: wired.connection.sleep(0)), Deadline(SOON), "sleep")
    with pytest.raises(ClientClosedError):
        wait(wired.connection.update_token("T9"), Deadline(SOON), "update_token")
    if stage is not never_started:
        assert wired.recorder.facts("state")[-1] is ConnectionState.DISCONNECTED


def test_close_says_goodbye_to_a_peer_that_listens(wire: Wire) -> None:
    """A `close` packet, then WebSocket's close frame, then the end."""
    wired = wire()
    peer = wired.up()
    closer = threading.Thread(target=wired.connection.close)
    closer.start()
    packet = peer.packet()
    with pytest.raises(ConnectionError, match="goodbye"):
        peer.packet()
    closer.join(SOON)

    assert type(packet).__name__ == "Close"


def test_close_while_a_name_is_looked_up(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS cannot be interrupted: close does not wait for it longer than its limit, and what comes of it is discarded."""
    looking, release = threading.Event(), threading.Event()
    real = socket.getaddrinfo

    def slow(*facts: object, **more: object) -> object:
        looking.set()
        assert release.wait(30)
        return real(*facts, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    wired = wire()
    wired.connection.start()
    assert looking.wait(SOON)
    with within(CLOSE_LIMIT + SLACK):
        wired.connection.close()
    release.set()

    wait_until(lambda: not own_threads(), "the connecting thread is gone")
    assert wired.service.no_peer(0.1)


def test_close_while_tcp_connects(wire: Wire) -> None:
    """A host that answers nothing: the waiting is broken off."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:  # a full backlog lets further attempts hang
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        with ScriptedService() as unused:
            wired = wire(service=unused)
            object.__setattr__(
                wired.connection._options, "endpoints", Endpoints.for_base(f"http://127.0.0.1:{listener.getsockname()[1]}")
            )
            wired.connection.start()
            wait_until(lambda: any("connect-" in thread.name for thread in own_threads()), "it connects")
            time.sleep(0.1)  # nobody tells that TCP has begun; before that it closes as quickly
            with within(CLOSE_LIMIT):
                wired.connection.close()
            assert not own_threads()
        for filler in fillers:
            filler.close()


def test_close_on_the_io_thread_returns_at_once(wire: Wire) -> None:
    """It must not wait for itself."""
    wired = wire()
    wired.up()
    wired.connection.post(wired.connection.close)
    wired.recorder.wait_state(ConnectionState.DISCONNECTED)

    wait_until(lambda: not own_threads(), "the thread ends")


def test_close_from_many_threads(wire: Wire) -> None:
    """All return within the limit of the first."""
    wired = wire()
    wired.up()
    closers = [threading.Thread(target=wired.connection.close) for _ in range(8)]
    with within(CLOSE_LIMIT + SLACK):
        for closer in closers:
            closer.start()
        for closer in closers:
            closer.join(SOON)

    assert not own_threads()


def test_descriptors_are_given_back(wire: Wire) -> None:
    """As many as before, after connections of every kind of end."""
    before = set(os.listdir("/proc/self/fd"))
    for _ in range(5):
        wired = wire()
        wired.up().cut()
        wired.service.peer().accept_init()
        wired.connection.close()
    wire().connection.close()
    for peer in wired.service._all:
        peer.cut()

    assert len(set(os.listdir("/proc/self/fd"))) <= len(before) + 1


# Exit and fork


PROLOGUE = """
import os, sys, threading, time
from tests.support.recorder import Recorder
from tests.support.scripted_service import ScriptedService
from tests.transport.conftest import sent
from twilio_conversations.errors import ClientClosedError
from twilio_conversations.util.futures import Deadline, wait
from twilio_conversations.transport.connection import Connection
from twilio_conversations.transport.token_source import TokenSource
from twilio_conversations.wire.http_request import HttpRequest
from twilio_conversations.wire.packets import Notification, RestCall
GET = HttpRequest.from_url("GET", "https://h/p")

def up(service):
    options = service.options()
    recorder = Recorder()
    connection = Connection(options, TokenSource("T0", options), recorder)
    connection.start()
    peer = service.peer()
    peer.accept_init()
    recorder.wait_for("connected")
    return connection, recorder, peer
"""


def run(script: str) -> str:
    """Run a script in a process of its own; its output."""
    done = subprocess.run(
        [sys.executable, "-c", PROLOGUE + textwrap.dedent(script)], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_unclosed_client_does_not_hold_up_the_exit() -> None:
    """It is closed by the process's hook: the peer gets the goodbye."""
    out = run(
        """
        service = ScriptedService().__enter__()
        connection, recorder, peer = up(service)
        def watch():
            print(type(peer.packet()).__name__, flush=True)
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        import atexit
        atexit._run_exitfuncs()  # what the interpreter does at its end
        watcher.join(60)
        """
    )

    assert out == "Close\n"


def test_exit_with_a_silent_peer_is_quick() -> None:
    """Two seconds for all clients together."""
    out = run(
        """
        from tests.support.stopwatch import Stopwatch
        service = ScriptedService().__enter__()
        made = [up(service) for _ in range(5)]
        import atexit
        watch = Stopwatch()
        atexit._run_exitfuncs()  # what the interpreter does at its end
        print(watch.waited)
        """
    )

    assert float(out) < CLOSE_LIMIT + SLACK


def test_a_fork_leaves_the_parent_s_connection_alone() -> None:
    """The child is told what happened; the parent's connection carries on."""
    out = run(
        """
        service = ScriptedService().__enter__()
        connection, recorder, peer = up(service)
        child = os.fork()
        if child == 0:
            try:
                wait(sent(connection, GET, Deadline(5)), Deadline(5), "GET")
            except ClientClosedError as error:
                print("child:", "forked" in str(error), flush=True)
            connection.close()
            open_sockets = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
                            if os.path.exists(f"/proc/self/fd/{fd}")]
            mine = peer.socket.getsockname()
            import socket
            def local(fd):
                try:
                    s = socket.socket(fileno=os.dup(fd))
                    try: return s.getpeername()
                    finally: s.close()
                except OSError: return None
            ends = [local(int(fd)) for fd in os.listdir("/proc/self/fd")]
            print("child holds the socket:", mine in ends, flush=True)
            sys.exit(0)
        os.waitpid(child, 0)
        future = sent(connection, GET, Deadline(5))
        peer.answer(peer.expect(RestCall))
        print("parent:", wait(future, Deadline(5), "GET").status.ok, recorder.facts("disconnected"))
        connection.close()
        """
    )

    assert out.splitlines() == ["child: True", "child holds the socket: False", "parent: True []"]


def test_a_child_can_make_its_own_client() -> None:
    """Nothing inherited gets in the way."""
    out = run(
        """
        service = ScriptedService().__enter__()
        connection, recorder, peer = up(service)
        child = os.fork()
        if child == 0:
            with ScriptedService() as own:
                mine, recorder, peer = up(own)
                future = sent(mine, GET, Deadline(5))
                peer.answer(peer.expect(RestCall))
                print(wait(future, Deadline(5), "GET").status.ok, flush=True)
                mine.close()
            sys.exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        connection.close()
        """
    )

    assert out.splitlines() == ["True", "0"]
