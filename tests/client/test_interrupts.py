"""Ctrl-C and the end of the process, at every stage: at once, with Python's own exit code, and without a word of ours."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.proxy import FaultProxy
from tests.support.patience import LONG_PATIENCE
from tests.support.stopwatch import Stopwatch
from twilio_conversations.server import LocalServer
from twilio_conversations.util.futures import Deadline

LIMIT = 2.0  # what the end of the process may be held up for
SLACK = 3.0  # what the scripts wait for themselves

PROLOGUE = """
import faulthandler, os, signal, socket, sys, threading, time
from twilio_conversations import Client
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in a shell's background
faulthandler.enable()
token, url = sys.argv[1:]

def here():
    print("here", flush=True)

"""


class Script:
    """A program that uses a client, in a process of its own."""

    def __init__(self, service: LocalServer, identity: str, url: str, text: str) -> None:
        program = PROLOGUE + textwrap.dedent(text)
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, service.token(identity), url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.getcwd()},
        )

    def wait_until_here(self) -> None:
        """Wait until the program says so."""
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "here\n", self._process.communicate()[1]

    def interrupt(self, number: int = signal.SIGINT) -> None:
        """Ctrl-C, or another signal."""
        self._process.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        """Wait for the end, within the limit: exit code, output, errors."""
        watch, ended = Stopwatch(self._process.pid), Deadline(LONG_PATIENCE)
        try:
            while not ended.passed:
                watch.look()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    out, errors = self._process.communicate(timeout=0.05)
                    break
            else:
                self.interrupt(signal.SIGABRT)  # prints what each thread does
                raise AssertionError(f"the program does not end\n{self._process.communicate()[1]}")
        finally:
            self._process.kill()
        assert watch.waited < LIMIT + SLACK, f"{watch.waited:.1f} s\n{errors}"
        return self._process.returncode, out, errors


@pytest.fixture
def proxy(service: LocalServer) -> Iterator[FaultProxy]:
    """Between the program and the service; it can be made a black hole."""
    with FaultProxy(("127.0.0.1", int(service.url.rsplit(":", 1)[1])), seed=1) as one:
        yield one


STAGES = {
    "waiting for readiness": (
        True,
        """
        client = Client(token, endpoint=url)
        here()
        client.wait_until_ready(60)
        """,
    ),
    "sleeping beside a client that connects": (
        True,
        """
        with Client(token, endpoint=url):
            here()
            for _ in range(600):
                time.sleep(0.1)  # Python sleeps on where the signal comes as the sleep begins
        """,
    ),
    "looking a name up": (
        False,
        """
        def slow(*facts, **more):
            here()
            time.sleep(60)
        socket.getaddrinfo = slow
        with Client(token, endpoint=url) as client:
            client.wait_until_ready(60)
        """,
    ),
    "sending": (
        False,
        """
        client = Client(token, endpoint=url)
        room = client.create_conversation().join()
        def tell():
            while not client.stats().connection.in_flight:
                time.sleep(0.01)
            here()
        threading.Thread(target=tell, daemon=True).start()
        client._core.connection._io.link.flush = lambda: None  # what is sent stays here: a peer that takes nothing
        room.send_message("x", timeout=60)
        """,
    ),
    "in a handler and in wait": (
        False,
        """
        client = Client(token, endpoint=url)
        @client.on("initialized")
        def busy():
            here()
            time.sleep(60)
        client.wait()
        """,
    ),
    "in a loop over events": (
        False,
        """
        with Client(token, endpoint=url) as client:
            client.wait_until_ready()
            here()
            for event in client.events("message_added"):
                pass
        """,
    ),
    "in wait_for": (
        False,
        """
        client = Client(token, endpoint=url).wait_until_ready()
        here()
        client.wait_for("message_added")
        """,
    ),
    "closing": (
        False,
        """
        with Client(token, endpoint=url) as client:
            entered = threading.Event()
            @client.on("initialized")
            def busy():
                entered.set()
                time.sleep(60)
            entered.wait()
            threading.Timer(0.3, here).start()
        time.sleep(60)
        """,
    ),
}


@pytest.mark.parametrize("stage", STAGES)
def test_ctrl_c(service: LocalServer, proxy: FaultProxy, fresh: Any, stage: str) -> None:
    """`KeyboardInterrupt` comes in the main thread at once, wherever it waits; the process ends as any of Python's does."""
    silent, text = STAGES[stage]
    if silent:
        proxy.stall()
    script = Script(service, fresh("script"), proxy.url, text)
    script.wait_until_here()
    script.interrupt()
    code, _, errors = script.end()
    assert code == -signal.SIGINT, errors
    assert errors.rstrip().endswith("KeyboardInterrupt"), errors
    assert errors.count("Traceback") == 1, errors
    assert "Exception in thread" not in errors
    assert "Exception ignored" not in errors


@pytest.mark.parametrize("waiting", ["wait()", "wait_for('message_added')", "wait_until_ready(600)"])
def test_a_signal_that_woke_nobody(service: LocalServer, proxy: FaultProxy, fresh: Any, waiting: str) -> None:
    """A signal may come in the very moment the main thread begins to wait: Python notes it and does not wake the thread."""
    proxy.stall()
    script = Script(
        service,
        fresh("script"),
        proxy.url,
        f"""
        import _thread
        begun = threading.Event()
        def note():
            begun.wait()
            while (code := sys._current_frames()[threading.main_thread().ident].f_code).co_filename != threading.__file__:
                if code.co_name == "awaited":
                    break
                time.sleep(0.01)
            _thread.interrupt_main()
            here()
        client = Client(token, endpoint=url)
        threading.Thread(target=note).start()
        begun.set()
        client.{waiting}
        """,
    )
    script.wait_until_here()
    code, _, errors = script.end()
    assert code == -signal.SIGINT, errors
    assert errors.rstrip().endswith("KeyboardInterrupt"), errors


def test_ctrl_c_once_more_while_closing_still_closes(service: LocalServer, fresh: Any) -> None:
    """An interrupted `close` has closed: threads that wait are woken, and a second one returns at once."""
    script = Script(
        service,
        fresh("script"),
        service.url,
        """
        import signal
        client = Client(token, endpoint=url).wait_until_ready()
        waiter = threading.Thread(target=client.wait)
        waiter.start()
        real = client._core.connection.join
        def interrupted(timeout):
            client._core.connection.join = real
            signal.raise_signal(signal.SIGINT)
            real(timeout)
        client._core.connection.join = interrupted
        try:
            client.close()
        except KeyboardInterrupt:
            print("interrupted")
        client.close()
        waiter.join(10)
        print(waiter.is_alive(), [thread.name for thread in threading.enumerate() if "conversations" in thread.name])
        """,
    )
    assert script.end() == (0, "interrupted\nFalse []\n", "")


ENDS = {
    "an idle client": ("client.wait_until_ready()", 0),
    "one that connects": ("", 0),
    "a handler that sleeps": (
        """
        entered = threading.Event()
        client.on("initialized", lambda: (entered.set(), time.sleep(60)))
        entered.wait()
        """,
        0,
    ),
    "a handler that never rests": (
        """
        entered = threading.Event()
        def busy():
            entered.set()
            while True:
                sum(range(1000))
        client.on("initialized", busy)
        entered.wait()
        """,
        0,
    ),
    "a loop in another thread": (
        """
        threading.Thread(target=lambda: list(client.events()), daemon=True).start()
        client.wait_until_ready()
        """,
        0,
    ),
    "sys.exit": ("client.wait_until_ready()", 3),
    "many clients": ("others = [Client(token, endpoint=url) for _ in range(5)]; client.wait_until_ready()", 0),
}


def test_an_unclosed_client_does_not_hold_up_the_end(service: LocalServer, fresh: Any) -> None:
    """Whatever it does then, the process ends in time and prints nothing. (All of them side by side: each takes a while.)"""
    scripts = {}
    for end, (text, code) in ENDS.items():
        lines = ["client = Client(token, endpoint=url)", textwrap.dedent(text), "here()", f"sys.exit({code})" if code else ""]
        scripts[end] = Script(service, fresh("script"), service.url, "\n".join(lines))
    for script in scripts.values():
        script.wait_until_here()
    found = {end: script.end() for end, script in scripts.items()}
    assert found == {end: (code, "", "") for end, (_, code) in ENDS.items()}


def test_an_unclosed_client_of_a_dead_service_does_not_hold_up_the_end(
    service: LocalServer, proxy: FaultProxy, fresh: Any
) -> None:
    """There is nobody to say goodbye to."""
    script = Script(service, fresh("script"), proxy.url, "client = Client(token, endpoint=url).wait_until_ready(); here()")
    script.wait_until_here()
    proxy.stall()
    assert script.end() == (0, "", "")


def test_sys_exit_in_a_handler_fails_the_client_and_not_the_process(service: LocalServer, fresh: Any) -> None:
    """The main thread hears of it from what it waits in, and the exit code is its own."""
    script = Script(
        service,
        fresh("script"),
        service.url,
        """
        import logging
        from twilio_conversations import TransportUnavailableError
        logging.getLogger("twilio_conversations").setLevel(logging.CRITICAL + 1)
        client = Client(token, endpoint=url, auto_connect=False)
        client.on("initialized", lambda: sys.exit(5))
        client.connect()
        try:
            client.wait()
        except TransportUnavailableError as error:
            print(repr(error.__cause__))
        """,
    )
    assert script.end() == (0, "SystemExit(5)\n", "")


def test_a_handler_that_ends_with_the_interpreter_prints_nothing(service: LocalServer, fresh: Any) -> None:
    """Handlers that run while the interpreter is taken down cannot be heard any more."""
    script = Script(
        service,
        fresh("script"),
        service.url,
        """
        client = Client(token, endpoint=url)
        room = client.create_conversation().join()
        @client.on("message_added")
        def again(message):
            message.conversation.send_message("again")
        room.send_message("x")
        client.wait_for("message_added")
        """,
    )
    code, out, errors = script.end()
    assert (code, out) == (0, "")
    assert "Exception in thread" not in errors
    assert "Fatal" not in errors
