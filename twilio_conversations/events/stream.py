"""Events awaited one by one or in a loop, instead of callbacks: `Client.wait_for` and `Client.events`."""

from __future__ import annotations

import datetime as dt
import queue
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from twilio_conversations.errors import ClientClosedError, ConversationsError, RequestTimeoutError, WrongThreadError
from twilio_conversations.events.emitter import EventEmitter
from twilio_conversations.events.names import Event, EventName, Payload
from twilio_conversations.events.signals import Receivers, Subscription
from twilio_conversations.util import checks
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
        self._reader = threading.current_thread()
        self._offered = self._read = self._done_with = 0
        self._subscriptions = [source.on(name, _receiver(weakref.ref(self), source, name)) for name in names]

    def __repr__(self) -> str:
        names = " ".join(subscription.event.python_name for subscription in self._subscriptions)
        return f"<EventStream {checks.shown(names)}{' closed' if self._closed else ''}>"

    def offer(self, event: Event[Payload]) -> bool:
        """Give an event to the reader; `False` if there is no room, after waiting for some. For the events thread."""
        if not self._closed:
            try:
                self._queue.put(event, timeout=_SLICE)
                self._offered += 1  # by the events thread, which is busy until then
            except queue.Full:
                return self._closed
        return True

    def waits_for(self, thread: threading.Thread | None) -> bool:
        """Return whether another thread than `thread` has yet to come back for events: to take one, or from what it did."""
        reader = self._reader
        return not self._closed and self._offered != self._done_with and reader is not thread and reader.is_alive()

    def __next__(self) -> Event[Payload]:
        self._reader = threading.current_thread()
        self._done_with = self._read
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
            self._read += 1
            return event
        self.close()
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        raise StopIteration

    def next_event(self) -> Event[Payload]:
        """Return the next event; `ClientClosedError` when the client was closed meanwhile."""
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
    """Return a receiver that passes events to the stream as long as it is referenced elsewhere."""

    def receive(payload: Any = None) -> None:
        event = Event(name, payload, source, dt.datetime.now(dt.UTC))
        while True:
            stream = reader()
            if stream is None or stream.offer(event):
                return
            del stream

    receive.__qualname__ = "a loop over events()"
    return receive


class Streams:
    """The streams that a program reads; each ends with its source at the latest."""

    def __init__(self, limit: int, check: Callable[[], object], cause: Callable[[], ConversationsError | None]) -> None:
        """`limit` is how many events may wait in one stream; `check` raises, and `cause` returns, why no more come."""
        self._limit = limit
        self._check = check
        self._cause = cause
        self._open: weakref.WeakSet[EventStream[Any]] = weakref.WeakSet()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[EventStream[Any]]:
        return iter(list(self._open))

    def open(self, source: EventEmitter, names: Sequence[EventName], timeout: float | None) -> EventStream[Any]:
        """Return a new stream of these events, which has ended if no more come."""
        self._check()
        stream: EventStream[Any] = EventStream(source, names, timeout, self._limit)
        self._open.add(stream)
        if (cause := self._cause()) is not None:
            stream.end(cause)
        return stream

    def end(self, cause: ConversationsError) -> None:
        """Nothing more comes: end all streams that are open now."""
        for stream in self:
            stream.end(cause)


class EventSource(EventEmitter):
    """An emitter whose events can also be awaited."""

    def __init__(self, receivers: Receivers, streams: Streams) -> None:
        super().__init__(receivers)
        self._streams = streams

    def wait_for(self, event: str, predicate: Callable[[Any], bool] | None = None, timeout: float | None = None) -> Any:
        """Wait for the next `event` whose payload satisfies `predicate`, and return that payload.

        Without `timeout` (seconds) there is no limit. It raises `WrongThreadError` inside a handler.

        Raises:
            RequestTimeoutError: there was no such event in time.
            ClientClosedError: the client was closed first.
            InitializationError: the client was rejected, or its token has expired: no such event can arrive.
        """
        if predicate is not None:
            checks.function(predicate, "predicate")
        with self._stream((event,), timeout) as stream:
            while True:
                payload = stream.next_event().payload
                if predicate is None or predicate(payload):
                    return payload

    def events(self, *names: str, timeout: float | None = None) -> EventStream[Any]:
        """Return an iterator of `Event` objects, with the given names or of all events. It ends when the client is closed.

        Type checkers know the payload if all names have the same payload.

        Without `timeout` (seconds, for the whole iteration) there is no limit; use ``with`` to end the registration early. It
        raises `WrongThreadError` inside a handler.

        Raises:
            RequestTimeoutError: the time limit has passed; while iterating.
            InitializationError: the client was rejected or its token has expired; while iterating, after earlier events.
            TransportUnavailableError: the client has failed; while iterating.
        """
        return self._stream(names, timeout)

    def _stream(self, names: tuple[str, ...], timeout: float | None) -> EventStream[Any]:
        return self._streams.open(self, [self._events.parse(name) for name in names] or list(self._events), timeout)
