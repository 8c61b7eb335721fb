"""Events as a loop instead of callbacks: behind `Client.events` and `Client.wait_for`."""

from __future__ import annotations

import datetime as dt
import queue
from collections.abc import Iterator, Sequence
from typing import Any

from twilio_conversations.emitter import EventEmitter
from twilio_conversations.errors import ClientClosedError, RequestTimeoutError
from twilio_conversations.event_names import WITHOUT_PAYLOAD, Event, EventName
from twilio_conversations.futures import Deadline, Role, current_role

_SLICE = 0.5
"""Seconds after which a full stream looks whether anybody still reads it."""


class EventStream(Iterator[Event]):
    """An iterator over events of one object; use it in ``with`` or call `close` to end its registrations.

    A reader that is slow holds up the events thread once `limit` events wait, as a slow handler would.
    """

    def __init__(self, source: EventEmitter, names: Sequence[EventName], timeout: float | None, limit: int) -> None:
        """`timeout` is for all events together, in seconds; iteration then raises `RequestTimeoutError`."""
        if current_role() is not None:
            role = current_role()
            assert role is not None
            raise RuntimeError(
                "events() and wait_for() wait for handlers' work and so cannot run inside one"
                if role is Role.EVENTS
                else f"events() and wait_for() must not be called on the client's own {role.value} thread"
            )
        self._source = source
        self._deadline = Deadline(timeout)
        self._queue: queue.Queue[Event | None] = queue.Queue(limit)
        self._closed = False
        self._subscriptions = [source.on(name, self._receiver(name)) for name in names]

    def _receiver(self, name: EventName) -> Any:
        if name in WITHOUT_PAYLOAD:
            return lambda: self._put(name, None)
        return lambda payload: self._put(name, payload)

    def _put(self, name: EventName, payload: Any) -> None:
        event = Event(name, payload, self._source, dt.datetime.now(dt.UTC))
        while not self._closed:
            try:
                self._queue.put(event, timeout=_SLICE)
                return
            except queue.Full:
                continue

    def __next__(self) -> Event:
        try:
            event = self._queue.get(timeout=self._deadline.remaining())
        except queue.Empty:
            self.close()
            raise RequestTimeoutError("no such event within the time limit") from None
        if event is None:
            self.close()
            raise StopIteration
        return event

    def next_event(self) -> Event:
        """The next event; `ClientClosedError` when the client was closed meanwhile."""
        try:
            return next(self)
        except StopIteration:
            raise ClientClosedError("the client was closed while waiting for an event") from None

    def close(self) -> None:
        """End the registrations."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.cancel()

    def end(self) -> None:
        """The client was closed: what waits is still given, then iteration ends."""
        self._closed = True
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            self._queue.get_nowait()
            self._queue.put_nowait(None)

    def __enter__(self) -> EventStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
