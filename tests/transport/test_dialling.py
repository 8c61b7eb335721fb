"""Names with several addresses: whichever answers first is used, and the waiting can be broken off."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.addresses import Place, resolve, swallowing
from tests.support.patience import PATIENCE
from tests.support.resources import sockets
from tests.transport.conftest import wait_until
from twilio_conversations.transport import process_hooks
from twilio_conversations.transport.dialling import HEAD_START, AbandonedError, Connecting, dial, in_turns
from twilio_conversations.util.futures import Deadline

LONG = 60.0
V4, V6 = socket.AF_INET, socket.AF_INET6


@pytest.fixture
def hole() -> Iterator[Place]:
    """An address that swallows packets."""
    with swallowing() as place:
        yield place


@pytest.fixture
def good() -> Iterator[Place]:
    """An address that accepts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()


@pytest.fixture
def refusing() -> Place:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()  # type: ignore[no-any-return]


def test_an_address_that_swallows_packets_costs_a_head_start(monkeypatch: pytest.MonkeyPatch, hole: Place, good: Place) -> None:
    """The next one is tried beside it, neither before its time nor after a time limit; nothing is left of the loser."""
    resolve(monkeypatch, chat_example=[hole, good])
    connecting, before, began = Connecting(), sockets(), time.monotonic()
    with dial("chat.example", 1, Deadline(LONG), connecting) as winner:
        took = time.monotonic() - began
        assert winner.getpeername() == good
        assert HEAD_START <= took < LONG / 2
        assert connecting.finish()
        assert len(sockets() - before) == 1
        assert winner.gettimeout() is not None


def test_a_refused_address_gives_way_at_once(monkeypatch: pytest.MonkeyPatch, refusing: Place, hole: Place, good: Place) -> None:
    """No head start is waited out for who has answered; the slow one before it may still win later."""
    resolve(monkeypatch, chat_example=[refusing, good, hole])
    connecting = Connecting()
    with dial("chat.example", 1, Deadline(LONG), connecting) as winner:
        assert winner.getpeername() == good
    connecting.finish()


def test_several_that_swallow_are_passed_side_by_side(monkeypatch: pytest.MonkeyPatch, hole: Place, good: Place) -> None:
    """One head start each."""
    holes = [(f"127.0.0.{9}", hole[1]), hole, hole]
    resolve(monkeypatch, chat_example=[*holes, good])
    connecting = Connecting()
    with dial("chat.example", 1, Deadline(LONG), connecting) as winner:
        assert winner.getpeername() == good
    connecting.finish()


def test_when_none_answers_the_time_limit_holds(monkeypatch: pytest.MonkeyPatch, hole: Place) -> None:
    """One limit for all of them, and nothing is left."""
    resolve(monkeypatch, chat_example=[hole, hole])
    connecting, before = Connecting(), sockets()
    with pytest.raises(TimeoutError):
        dial("chat.example", 1, Deadline(0.05), connecting)
    connecting.finish()
    assert not sockets() - before


def test_when_all_refuse_the_error_is_the_system_s(monkeypatch: pytest.MonkeyPatch, refusing: Place) -> None:
    """At once."""
    resolve(monkeypatch, chat_example=[refusing, refusing])
    with pytest.raises(ConnectionRefusedError):
        dial("chat.example", 1, Deadline(LONG), Connecting())


@pytest.mark.parametrize("host", ["a" * 70, "two..dots"])
def test_what_is_no_host_name_does_not_resolve(host: str) -> None:
    """Python's own error for it is none of a network's."""
    with pytest.raises(socket.gaierror):
        dial(host, 1, Deadline(LONG), Connecting())


def test_the_waiting_is_broken_off_from_another_thread(monkeypatch: pytest.MonkeyPatch, hole: Place) -> None:
    """All sockets of the race, at once."""
    resolve(monkeypatch, chat_example=[hole, (hole[0], hole[1])])
    connecting, before = Connecting(), sockets()
    ended: list[BaseException] = []

    def work() -> None:
        try:
            dial("chat.example", 1, Deadline(LONG), connecting)
        except (OSError, AbandonedError) as error:
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: bool(sockets() - before), "the race has begun")
    connecting.break_off()
    thread.join(PATIENCE)
    assert ended
    assert not connecting.finish()
    assert not sockets() - before
    with pytest.raises(AbandonedError):
        dial("chat.example", 1, Deadline(LONG), connecting)


class Dialling:
    """A race that a thread waits for, which is an owner for `process_hooks`."""

    def __init__(self) -> None:
        self.connecting = Connecting()
        self.ended: list[BaseException] = []
        self._thread = threading.Thread(target=self._work)

    def start(self) -> None:
        process_hooks.register(self)
        self._thread.start()

    def _work(self) -> None:
        try:
            dial("chat.example", 1, Deadline(LONG), self.connecting)
        except (OSError, AbandonedError) as error:
            self.ended.append(error)

    def begin_close(self) -> None:
        self.connecting.break_off()

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)
        self.connecting.finish()
        process_hooks.unregister(self)

    def forget_in_child(self) -> None:
        self.connecting.close_in_child()


@pytest.fixture
def dialling(monkeypatch: pytest.MonkeyPatch, hole: Place) -> Iterator[Dialling]:
    """A race that nobody wins, not started."""
    resolve(monkeypatch, chat_example=[hole, hole])
    race = Dialling()
    yield race
    race.begin_close()
    race.join(PATIENCE)


def left_in_child(before: set[str]) -> int:
    """How many sockets a child that is forked now has beyond these."""
    child = os.fork()
    if child == 0:
        left = 255
        try:
            left = len(sockets() - before)
        finally:  # an error would go on with the tests
            os._exit(left)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_has_no_copy_of_what_is_connecting(dialling: Dialling) -> None:
    """Not even in the middle of a race, and the parent's goes on."""
    before = sockets()
    dialling.start()
    wait_until(lambda: bool(sockets() - before), "the race has begun")
    assert left_in_child(before) == 0
    assert not dialling.ended


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_fork_waits_for_a_socket_that_is_being_made(monkeypatch: pytest.MonkeyPatch, dialling: Dialling) -> None:
    """There is no moment at which a descriptor exists and is nobody's."""
    before, duplicate = sockets(), socket.socket.dup
    made, forked = threading.Event(), threading.Event()

    def slow_dup(self: socket.socket) -> socket.socket:
        copy = duplicate(self)
        made.set()
        forked.wait(0.2)  # in vain, as the fork waits for this thread
        return copy

    monkeypatch.setattr(socket.socket, "dup", slow_dup)
    dialling.start()
    assert made.wait(PATIENCE)
    left = left_in_child(before)
    forked.set()
    assert left == 0


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([(V6, 1), (V6, 2), (V6, 3), (V4, 4), (V4, 5)], [1, 4, 2, 5, 3]),
        ([(V4, 1), (V6, 2), (V4, 3)], [1, 2, 3]),
        ([(V4, 1), (V4, 1), (V4, 2)], [1, 2]),
        ([], []),
    ],
)
def test_families_take_turns(found: list[tuple[Any, int]], expected: list[int]) -> None:
    """From the system's first choice on, each address once."""
    entries = [(family, socket.SOCK_STREAM, 6, "", number) for family, number in found]
    assert [entry[-1] for entry in in_turns(entries)] == expected
