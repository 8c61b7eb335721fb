"""A log of the events that the handlers of a client or model received, in order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tests.support.patience import PATIENCE
from twilio_conversations.events.emitter import EventEmitter


class EventLog:
    """Log of calls of handlers that it registers itself; `wait` looks at earlier events too."""

    def __init__(self, source: EventEmitter, *events: str) -> None:
        self.entries: list[tuple[str, Any]] = []
        self._changed = threading.Condition()
        for event in events:
            self._register(source, event)

    def _register(self, source: EventEmitter, event: str) -> None:
        def note(*payload: Any) -> None:
            with self._changed:
                self.entries.append((event, payload[0] if payload else None))
                self._changed.notify_all()

        source.on(event, note)

    def wait(self, event: str, predicate: Callable[[Any], bool] = lambda payload: True) -> Any:
        """Return the payload of the first such event, and wait for it if it has not come."""

        def found() -> list[Any]:
            return [payload for name, payload in self.entries if name == event and predicate(payload)]

        with self._changed:
            assert self._changed.wait_for(found, PATIENCE), f"no {event} among {self.names()}"
            return found()[0]

    def names(self) -> list[str]:
        """Return the names of the events so far."""
        return [name for name, _ in self.entries]

    def of(self, event: str) -> list[Any]:
        """Return the payloads of one event so far."""
        return [payload for name, payload in self.entries if name == event]
