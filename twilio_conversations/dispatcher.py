"""The events thread: runs user handlers only, one at a time, in the order things happened."""

from __future__ import annotations

import collections
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from twilio_conversations.errors import ClientClosedError
from twilio_conversations.event_names import ClientEvent, EventName, HandlerError
from twilio_conversations.futures import Deadline, Role, mark_thread
from twilio_conversations.os_errors import start_thread
from twilio_conversations.util import logs

if TYPE_CHECKING:
    from twilio_conversations.emitter import EventEmitter, Subscription

_log = logs.logger(__name__)
Targets = tuple[tuple["EventEmitter", EventName], ...]


@attrs.frozen
class _Delivery:
    targets: Targets
    payload: Any


class Dispatcher:
    """A queue of events and the thread that delivers them.

    The queue has no hard limit, since an event that was taken from the service must not be lost; instead `full` tells the
    io thread to stop taking further ones, and `on_room` is called once the queue is half empty again.
    """

    def __init__(self, name: str, limit: int) -> None:
        self._queue: collections.deque[_Delivery | Callable[[], None]] = collections.deque()
        self._idle = False
        self._wakeups: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._limit = limit
        self._full = False
        self._closed = False
        self._busy_with: str | None = None
        self._pins: dict[EventEmitter, None] = {}
        self.registering = threading.Lock()
        """Held for a few assignments while registrations and remembered payloads of any emitter change."""
        self._name = name
        self._thread: threading.Thread | None = None
        self.root: EventEmitter | None = None
        """Where failures of handlers are reported: the client."""
        self.on_room: Callable[[], None] = lambda: None
        self.on_death: Callable[[BaseException], None] = lambda error: None

    def start(self) -> None:
        """Start the thread, which is made here: one that was made before a fork may not be startable in the child."""
        self._thread = threading.Thread(target=self._run, name=f"conversations-events-{self._name}", daemon=True)
        start_thread(self._thread)

    @property
    def running(self) -> bool:
        """Whether there is an events thread: it was started and has not ended."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def depth(self) -> int:
        """How many events wait."""
        return len(self._queue)

    @property
    def full(self) -> bool:
        """Whether handlers are so far behind that no further event should be taken from the service."""
        if not self._full and len(self._queue) >= self._limit:
            self._full = True
            if len(self._queue) <= self._limit // 2:
                self._full = False  # done meanwhile, on a thread that has not seen that it was to tell
                return False
            _log.warning(
                "handlers are too slow: %d events wait, now in %s; live events stay with the service until half are done",
                len(self._queue),
                self._busy_with or "no handler",
            )
        return self._full

    def post(self, targets: Targets, payload: Any) -> None:
        """Deliver `payload` to the handlers of each target, in this order; from any thread, never blocks."""
        if not self._closed:
            self._put(_Delivery(targets, payload))

    def call(self, function: Callable[[], None]) -> None:
        """Run a function of the user's on the events thread."""
        if not self._closed:
            self._put(function)

    def replay(self, emitter: EventEmitter, subscription: Subscription, event: EventName, payload: Any) -> None:
        """Give one late handler what the others got earlier."""
        self.call(lambda: self._guarded(emitter, subscription, event, payload))

    def pin(self, emitter: EventEmitter) -> None:
        """Keep an object with handlers alive, so that the handlers outlive the program's own reference to it."""
        self._pins[emitter] = None

    def unpin(self, emitter: EventEmitter) -> None:
        """It has no handlers any more, or will have no events."""
        self._pins.pop(emitter, None)

    def close(self) -> None:
        """Forget what waits, but for the last change of the connection's state, and end the thread after the handler that
        is running."""
        self._closed = True
        last: list[_Delivery | Callable[[], None]] = []
        try:
            while True:  # the thread takes from the same end
                item = self._queue.popleft()
                last = [item] if _tells_state(item) else last
        except IndexError:
            pass
        self._queue.extend(last)
        self._wakeups.put(None)

    def forget_in_child(self) -> None:
        """After a fork: nothing is delivered in the child, not even if it was forked by a handler."""
        self._closed = True
        self._queue.clear()
        self._pins.clear()
        self._wakeups = queue.SimpleQueue()
        self.registering = threading.Lock()
        self.on_room = lambda: None
        self.on_death = lambda error: None

    def join(self, deadline: Deadline) -> None:
        """Wait for the thread to end; a handler that outlives the deadline is named in a warning."""
        if self._thread is None or threading.current_thread() is self._thread:
            return
        if self.running:
            self._thread.join(deadline.remaining())
        if self.running:
            _log.warning("the handler %s still runs after the client was closed", self._busy_with or "of an event")

    def _put(self, item: _Delivery | Callable[[], None]) -> None:
        """Queue an item, and wake the thread only if it sleeps: a wake-up costs more than the delivery."""
        self._queue.append(item)
        if self._idle:
            self._wakeups.put(None)

    def _take(self) -> _Delivery | Callable[[], None] | None:
        """The next item, waiting for one; `None` when the dispatcher is closed and nothing is left.

        `_idle` is set before the queue is looked at once more, so that an item put meanwhile is seen here or wakes us.
        """
        while True:
            try:
                return self._queue.popleft()
            except IndexError:
                if self._closed:
                    return None
            self._idle = True
            if not self._queue and not self._closed:
                self._wakeups.get()
            self._idle = False

    def _run(self) -> None:
        mark_thread(Role.EVENTS)
        try:
            self._work()
        except BaseException as error:
            self._die(error)
        finally:
            self._pins.clear()

    def _work(self) -> None:
        while (item := self._take()) is not None:
            self._deliver(item)
            del item  # nothing of it is kept while nothing happens
            if self._full and len(self._queue) <= self._limit // 2:
                self._full = False
                self.on_room()

    def _die(self, cause: BaseException) -> None:
        """A handler ended the thread, by `sys.exit` for one: what waits is dropped, but the end itself is still told."""
        _log.critical("the events thread ends: %r", cause, exc_info=cause)
        self._queue.clear()
        try:
            self.on_death(cause)
            self._closed = True
            self._work()
        except BaseException:
            _log.exception("the end of the events thread could not be told")
        self._closed = True

    def _deliver(self, item: _Delivery | Callable[[], None]) -> None:
        if not isinstance(item, _Delivery):
            self._call_guarded(item)
            return
        for emitter, event in item.targets:
            for receiver in emitter._receivers(event, item.payload):
                self._guarded(emitter, receiver, event, item.payload)

    def _guarded(self, emitter: EventEmitter, receiver: Callable[..., Any], event: EventName, payload: Any) -> None:
        handler = getattr(receiver, "handler", receiver)
        self._busy_with = f"{getattr(handler, '__qualname__', handler)!s} ({event.python_name})"
        started = time.monotonic()
        try:
            receiver(emitter, event=event, payload=payload)
        except Exception as error:
            _log.exception("the handler %s raised", self._busy_with)
            if event is not ClientEvent.ERROR:
                self.report(HandlerError(error, event, handler))
        finally:
            took = time.monotonic() - started
            if took > 1:
                _log.info("the handler %s took %.1f s", self._busy_with, took)
            self._busy_with = None

    def _call_guarded(self, function: Callable[[], None]) -> None:
        self._busy_with = getattr(function, "__qualname__", "a callback")
        try:
            function()
        except Exception as error:
            _log.exception("the callback %s raised", self._busy_with)
            self.report(HandlerError(error, None, function))
        finally:
            self._busy_with = None

    def report(self, failure: HandlerError) -> None:
        """Tell the client's ``error`` handlers; what ended because the client was closed is no failure."""
        if self.root is not None and not isinstance(failure.error, ClientClosedError):
            self.post(((self.root, ClientEvent.ERROR),), failure)


def _tells_state(item: _Delivery | Callable[[], None]) -> bool:
    return isinstance(item, _Delivery) and any(event is ClientEvent.CONNECTION_STATE_CHANGED for _, event in item.targets)
