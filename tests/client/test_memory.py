"""One client, very many events: what it keeps does not grow."""

from __future__ import annotations

import ctypes
import gc
import threading
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from benchmarks.processes import Child, python
from benchmarks.worker import resident_kib
from tests.support.patience import PATIENCE
from twilio_conversations import Client
from twilio_conversations.server import LocalServer

SLICE = 2_500
"""Messages that are under way at once; each is two events, and no more than `max_pending_events` may wait."""


@pytest.fixture
def blaster() -> Iterator[tuple[Child, str]]:
    """A service that sends messages as fast as they are taken, in a process of its own, and its address."""
    with python("benchmarks.blaster") as child:
        yield child, child.read()["url"]


@attrs.define
class Reader:
    """A client that reads messages and puts a handler on each for a while."""

    client: Client
    messages: int = 0
    events: int = 0
    last: int = -1
    changed: threading.Condition = attrs.field(factory=threading.Condition)

    def start(self) -> None:
        """Register, and connect."""
        self.client.on("message_added", self.read)
        self.client.on("conversation_updated", self.count)
        self.client.connect().wait_until_ready(PATIENCE)

    def read(self, message: Any) -> None:
        """Take one message; they come in order, each once."""
        assert message.index == self.last + 1
        with message.on("updated", print):
            message.once("updated", print).cancel()
        self.last = message.index
        self.messages += 1
        self.count()

    def count(self, _: Any = None) -> None:
        """Take any event."""
        self.events += 1
        if self.events % SLICE == 0:
            with self.changed:
                self.changed.notify_all()

    def take(self, blaster: Child, events: int) -> None:
        """Read on until so many events have come in all."""
        while self.events < events:
            wanted = self.events + 2 * SLICE
            blaster.ask("go_on", first=self.messages, count=SLICE)
            with self.changed:
                assert self.changed.wait_for(lambda wanted=wanted: self.events >= wanted, 60), (self.events, wanted)


def kept() -> tuple[float, int]:
    """Resident memory in KiB, without what is free and only not given back yet, and how many objects the collector knows."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)
    return resident_kib(), len(gc.get_objects())


def flat(service: LocalServer, blaster: tuple[Child, str], early: int, late: int) -> None:
    """Memory after `late` events is what it was after `early`."""
    child, url = blaster
    with Client(service.token("listener"), endpoint=url, auto_connect=False, max_cached_messages=500) as client:
        reader = Reader(client)
        reader.start()
        child.ask("ready", count=1)
        reader.take(child, early)
        memory, objects = kept()
        reader.take(child, late)
        later_memory, later_objects = kept()
        assert reader.events >= late
        assert later_objects - objects < 3_000
        assert later_memory - memory < 4_096, f"{later_memory - memory:.0f} KiB more than after {early} events"
        print(f"{early} events: {memory:.0f} KiB, {objects} objects")
        print(f"{late} events: {later_memory:.0f} KiB, {later_objects} objects")


def test_memory_stays_flat(service: LocalServer, blaster: tuple[Child, str]) -> None:
    """Twenty thousand events over a real socket."""
    flat(service, blaster, 5_000, 20_000)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_memory_stays_flat_over_a_million_events(service: LocalServer, blaster: tuple[Child, str]) -> None:
    """A million of them."""
    flat(service, blaster, 200_000, 1_000_000)
