"""Events as a loop instead of callbacks: behind `Client.events` and `Client.wait_for`."""

from __future__ import annotations

import datetime as dt
import queue
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from twilio_conversations.errors import ClientClosedError, RequestTimeoutError, WrongThreadError
from twilio_conversations.events.emitter import EventEmitter
from twilio_conversations.events.names import Event, EventName, Payload
from twilio_conversations.events.signals import Subscription
from twilio_conversations.util.checks import shown
from twilio_conversations.util.futures import Deadline, Role, current_role

_SLICE = 0.5
"""Seconds after which a full stream looks whether anybody still reads it."""


class EventStream(Iterator[Event[Payload]]):
    """An iterator over events of one object; use it in ``with`` or call `close` to end its registrations. They also end when
    the program forgets the iterator.

    A reader that is slow holds up the events thread once `limit` events wait, as a slow handler would.
    """

    _subscriptions: Sequence[Subscription] = ()

    def __init__(self, source: EventEmitter, names: Sequence[EventName], timeout: float | None, limit: int) -> None:
        """`timeout` is for all events together, in seconds; iteration then raises `RequestTimeoutError`."""
        role = current_role()
        if role is not None:
            raise WrongThreadError(
                "events() and wait_for() wait for handlers' work and so cannot run inside one"
                if role is Role.EVENTS
                else f"events() and wait_for() must not be called on the client's own {role.value} thread"
            )
        self._deadline = Deadline(timeout)
        self._queue: queue.Queue[Event[Payload] | None] = queue.Queue(limit)
        self._closed = False
        self._ended = False
        self._failure: BaseException | None = None
        self._subscriptions = [source.on(name, _receiver(weakref.ref(self), source, name)) for name in names]

    def __repr__(self) -> str:
        names = " ".join(subscription.event.python_name for subscription in self._subscriptions)
        return f"<EventStream {shown(names)}{' closed' if self._closed else ''}>"

    def offer(self, event: Event[Payload]) -> bool:
        """Give an event to the reader; `False` if there is no room, after waiting for some. For the events thread."""
        if not self._closed:
            try:
                self._queue.put(event, timeout=_SLICE)
            except queue.Full:
                return self._closed
        return True

    def __next__(self) -> Event[Payload]:
        event = None
        while not self._ended or self._queue.queue:
            try:
                event = self._queue.get(timeout=self._deadline.slice())
                break
            except queue.Empty:
                if self._deadline.passed:
                    self.close()
                    raise RequestTimeoutError("no such event within the time limit") from None
        if event is not None:
            return event
        self.close()
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        raise StopIteration

    def next_event(self) -> Event[Payload]:
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

    def end(self, cause: BaseException) -> None:
        """Nothing more comes: what waits is still given, then iteration ends; with `cause`, unless the client was closed."""
        self._failure = None if isinstance(cause, ClientClosedError) else cause
        self._closed = self._ended = True
        try:
            self._queue.put_nowait(None)  # wakes a reader; where there is no room, none is waiting
        except queue.Full:
            pass

    def forget_in_child(self, why: BaseException) -> None:
        """After a fork, in the child: nothing comes any more. Another thread may have held the queue's lock."""
        self._failure = why
        self._closed = self._ended = True
        self._queue = queue.Queue()

    def __enter__(self) -> EventStream[Payload]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def _receiver(reader: weakref.ref[EventStream[Any]], source: EventEmitter, name: EventName) -> Callable[..., None]:
    """What passes events on, for as long as somebody has the stream; it does not keep it."""

    def receive(payload: Any = None) -> None:
        event = Event(name, payload, source, dt.datetime.now(dt.UTC))
        while True:
            stream = reader()
            if stream is None or stream.offer(event):
                return
            del stream

    receive.__qualname__ = "a loop over events()"
    return receive
