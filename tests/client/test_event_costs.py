"""What one `message_added` costs, counted: calls, wake-ups and system calls do not depend on the machine; times do."""

from __future__ import annotations

import collections
import sys
import threading
from typing import Any, Final

import pytest

from benchmarks.blaster import Blaster
from benchmarks.script import ACCOUNT, CONVERSATION, IDENTITY, SERVICE
from tests.support.patience import PATIENCE
from tests.support.waiting import until
from twilio_conversations import Client, Message, tokens

COUNT: Final = 400
"""Messages, of two events each."""


class Calls:
    """The calls of one thread, by name; `C.` is before those of functions that are not Python's."""

    def __init__(self) -> None:
        self.by_name: collections.Counter[str] = collections.Counter()

    def begin(self) -> None:
        """Count the calls of the thread that calls this, from now on."""
        sys.setprofile(self._count)

    def _count(self, frame: Any, event: str, argument: Any) -> None:
        if event == "call":
            self.by_name[frame.f_code.co_qualname] += 1
        elif event == "c_call":
            self.by_name[f"C.{argument.__qualname__}"] += 1

    @property
    def of_python(self) -> float:
        """Calls of Python functions for each message."""
        return sum(count for name, count in self.by_name.items() if not name.startswith("C.")) / COUNT

    def of(self, name: str) -> int:
        """Calls of the function with that qualified name."""
        return self.by_name[name]


@pytest.fixture(scope="module")
def counted() -> tuple[Calls, Calls]:
    """The calls of the io thread and of the events thread while messages come as fast as they are taken."""
    blaster = Blaster()
    key = "SK" + "0" * 32
    token = tokens.mint(IDENTITY, account_sid=ACCOUNT, service_sid=SERVICE, api_key_sid=key, api_key_secret="secret" * 8)
    io, events = Calls(), Calls()
    indexes: list[int] = []
    done = threading.Event()

    def handle(message: Message) -> None:
        indexes.append(message.index)
        if len(indexes) == COUNT:
            done.set()

    with Client(token, endpoint=blaster.url) as client:
        client.on("message_added", handle)
        client.wait_until_ready(PATIENCE)
        blaster.ready(COUNT)
        runtime, room = client._core.runtime, client._core.conversations.known(CONVERSATION)
        assert room is not None
        until(lambda: not room.is_catching_up, "events come as they happen")
        runtime.run_now(io.begin, runtime.deadline(PATIENCE), "counting")
        runtime.dispatcher.call(events.begin)
        blaster.blast(COUNT)
        assert done.wait(PATIENCE)
        runtime.run_now(lambda: sys.setprofile(None), runtime.deadline(PATIENCE), "counting")
    blaster.close()
    assert indexes == list(range(COUNT))
    return io, events


def test_few_calls_from_bytes_to_the_queue(counted: tuple[Calls, Calls]) -> None:
    """Two frames are read, two packets, two changes: each is looked at once. It was 222 calls of Python functions once."""
    io, _ = counted

    assert io.of_python < 135
    assert io.of("loads") <= 4 * COUNT + 10, "a header and a payload for each frame"


def test_few_calls_from_the_queue_to_the_handler(counted: tuple[Calls, Calls]) -> None:
    """The receivers of an event are looked up when they have changed, and a handler has a name when somebody asks for it."""
    _, events = counted

    assert events.of_python < 22
    assert events.of("counted.<locals>.handle") == COUNT
    assert events.of("Signal.receivers_for") < 10
    assert events.of("name_of") == 0


def test_wake_ups_and_system_calls_are_of_reads_not_of_events(counted: tuple[Calls, Calls]) -> None:
    """A read of 64 KiB has some fifty events: they are acknowledged by one write, and wake the events thread once or twice."""
    io, events = counted
    reads = io.of("C.socket.recv")

    assert reads < COUNT / 2
    assert io.of("C.socket.send") <= 2 * reads
    assert io.of("C.epoll.poll") <= 3 * reads
    assert io.of("C.SimpleQueue.put") <= 4 * reads, "a wake-up is a system call, and the start of a fight for the interpreter"
    assert events.of("C.SimpleQueue.get") <= 4 * reads
    assert io.of("C.urandom") <= 2 * COUNT / 200
