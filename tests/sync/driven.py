"""A Sync client, driven by a test: a service in memory, timers on a clock that the test moves, listeners that record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.sync.model_service import BASE, REPLAY, Service, Stored
from twilio_conversations.sync.changes import Change, Established, ItemAdded, ItemRemoved, ItemUpdated
from twilio_conversations.sync.client import Handle, SyncClient
from twilio_conversations.transport.timers import Timers
from twilio_conversations.util.flows import Future


class Watcher:
    """Listener that records changes, and holds the items as the models do: newer data wins."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.confirmations = 0
        self.items: dict[Any, tuple[int, Any]] = {}
        self.react: Callable[[Handle, Change], None] | None = None

    def __call__(self, entity: Handle, change: Change) -> None:
        if isinstance(change, Established):
            self.confirmations += 1
            return
        self.changes.append(change)
        if isinstance(change, ItemRemoved):
            self.items.pop(change.key, None)
        elif isinstance(change, ItemAdded | ItemUpdated) and self.items.get(change.key, (-2,))[0] < change.event_id:
            self.items[change.key] = (change.event_id, change.data)
        if self.react is not None:
            self.react(entity, change)

    def of(self, *kinds: type) -> list[Any]:
        """The changes of these kinds, in order."""
        return [change for change in self.changes if isinstance(change, kinds)]


class Driven:
    """A client, its peer and a clock; connected from the start."""

    def __init__(self, **options: Any) -> None:
        self.now = 1000.0
        self.timers = Timers(lambda: self.now)
        self.service = Service()
        self.client = SyncClient(self.service.request, self.timers, BASE, now=lambda: self.now, rng=lambda: 0.5, **options)
        self.client.connected()

    # Opening

    def open(self, stored: Stored, watcher: Watcher | None = None, **options: Any) -> Handle:
        """Open an object by name and let its subscription be established."""
        future = self.begin_open(stored.kind, stored.name, watcher, **options)
        self.run(1)
        return future.result()

    def begin_open(self, kind: str, name: str, watcher: Watcher | None = None, **options: Any) -> Future[Handle]:
        opener = {"document": self.client.open_document, "list": self.client.open_list, "map": self.client.open_map}[kind]
        return opener(name, watcher or Watcher(), **options)

    # The wire

    def settle(self) -> None:
        """Let everything on the wire arrive; answers before notifications, or (`events_first`) after those of pokes."""
        for _ in range(100_000):
            requests = self.service.requests
            for pending in [pending for pending in requests if pending.answer is None]:
                self.service.execute(pending)
            held_back = self.service.events_first and bool(self.service.outbox)
            ready = next((pending for pending in requests if not (held_back and pending.is_poke)), None)
            if ready is not None:
                self.service.deliver(ready)
            elif not self.deliver_one():
                return
        raise AssertionError("the wire never came to rest")

    def deliver_one(self) -> bool:
        if not self.service.outbox:
            return False
        self.client.notification(*self.service.outbox.pop(0))
        return True

    def run(self, seconds: float) -> None:
        """Let time pass with a working wire."""
        end = self.now + seconds
        self.settle()
        while (deadline := self.timers.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.timers.run_due(self.now)
            self.settle()
        self.now = end

    def stall(self, seconds: float) -> None:
        """Let time pass while nothing on the wire moves."""
        end = self.now + seconds
        while (deadline := self.timers.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.timers.run_due(self.now)
        self.now = end

    def cut(self) -> None:
        self.service.cut()
        self.client.disconnected()

    def connect(self) -> None:
        self.client.connected()

    def say(self, payload: Any, message_type: str = REPLAY) -> None:
        """Deliver a notification of the test's own."""
        self.client.notification(message_type, payload)


def added(watcher: Watcher) -> list[Any]:
    """Keys of the items that were announced as added."""
    return [change.key for change in watcher.of(ItemAdded)]
