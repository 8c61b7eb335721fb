"""What a conversation costs to open, in objects: what the garbage collector has to look at, and what it would find.

Counts, not times: of a client with many conversations less those of one with few, so that what a start costs cancels out.
"""

from __future__ import annotations

import concurrent.futures
import gc
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from benchmarks.seed import seed_conversations
from tests.support.service_process import ServiceProcess
from twilio_conversations.util import flows

FEW, MANY = 10, 60


@attrs.frozen
class Counts:
    """Objects for each conversation.

    Attributes:
        futures: futures of flows that were made.
        shared: futures that have a lock.
        kept: objects that the collector has to look at as long as the conversation is open.
        cycles: objects that nothing but the collector frees.
    """

    futures: float
    shared: float
    kept: float
    cycles: float


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """A service in another process: its objects are not counted."""
    with ServiceProcess(tmp_path_factory.mktemp("service")) as one:
        yield one


@pytest.fixture
def counts(service: ServiceProcess, monkeypatch: pytest.MonkeyPatch) -> Counts:
    """The counts of a listing; the first of three is for what is made once in a process."""
    for count in (FEW, MANY):
        seed_conversations(service.twilsock, service.token(f"with-{count}"), f"with-{count}", count)
    made = _counted(monkeypatch, flows.Future), _counted(monkeypatch, concurrent.futures.Future)
    _, few, many = (_listing(service, count, made) for count in (FEW, FEW, MANY))
    return Counts(*((more - less) / (MANY - FEW) for more, less in zip(many, few, strict=True)))


def _counted(monkeypatch: pytest.MonkeyPatch, kind: Any) -> list[None]:
    """Return a list that grows with each object of that kind."""
    made: list[None] = []
    init = kind.__init__

    def counting(self: Any) -> None:
        made.append(None)
        init(self)

    monkeypatch.setattr(kind, "__init__", counting)
    return made


def _listing(service: ServiceProcess, count: int, made: tuple[list[None], ...]) -> tuple[int, int, int, int]:
    before = [len(each) for each in made]
    gc.collect()
    gc.disable()
    try:
        tracked = len(gc.get_objects())
        with service.client(f"with-{count}") as client:
            found = list(client.get_subscribed_conversations(page_size=100).iter_all())
            assert len(found) == count
            cycles = gc.collect()
            kept = len(gc.get_objects()) - tracked
        return len(made[0]) - before[0], len(made[1]) - before[1], kept, cycles
    finally:
        gc.enable()


def test_a_conversation_is_opened_with_few_objects(counts: Counts) -> None:
    """Fifteen futures without a lock for its three objects, and none with one; nothing is left for the collector to free."""
    assert counts.futures < 15.5  # and those of pages and subscriptions, for many conversations together
    assert counts.shared < 0.5
    assert counts.cycles < 0.5
    assert counts.kept < 130  # 109 with Python 3.11
