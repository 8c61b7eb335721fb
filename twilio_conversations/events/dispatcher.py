"""The events thread: runs user handlers only, one at a time, in the order things happened."""

from __future__ import annotations

import collections
import functools
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

import attrs

from twilio_conversations.errors import ClientClosedError
from twilio_conversations.events.names import ClientEvent, EventName, HandlerError
from twilio_conversations.util import checks, logs
from twilio_conversations.util.futures import Deadline, Role, mark_thread
from twilio_conversations.util.naming import name_of, shown
from twilio_conversations.util.os_errors import start_thread

_log = logs.logger(__name__)
Calls = Sequence[tuple[Callable[..., Any], Callable[..., Any]]]
"""For each receiver the program's own function, and what is to be called for it."""


_UNDO_LIMIT: Final = 2.0  # seconds for a thread to end that has run nothing
_ENDING: Final = (SystemExit, KeyboardInterrupt)
"""What ends the thread when a handler raises it; everything else is reported, also what is no `Exception`."""


observers: Final[list[Callable[[HandlerError], object]]] = []
"""Called on the thread of a handler that raised, of whichever client; for tests. They must not raise."""


def note(failure: HandlerError) -> None:
    """Notify the observers of a handler that raised."""
    for observe in observers:
        observe(failure)


class Receiving(Protocol):
    """State of an object's events that their delivery needs."""

    def deliver(self, emitter: Emitter, event: EventName, payload: Any) -> Calls:
        """Return what `connected` returns, and remember the payload as the latest one; the caller holds `registering` too."""

    def connected(self, emitter: Emitter, event: EventName) -> Calls:
        """Return who is connected, in order; the caller holds `Dispatcher.registering`."""

    def pin(self, emitter: Emitter) -> None:
        """Pin or unpin `emitter`, after its receivers changed."""


class Emitter(Protocol):
    """An object that has events."""

    @property
    def _live(self) -> Receiving: ...


class LateHandler(Protocol):
    """A registration that is given what it has missed."""

    @property
    def handler(self) -> Callable[..., Any]:
        """The program's function."""

    def begin(self) -> None:
        """Start passing events to the handler."""

    def __call__(self, sender: Any, /, *, event: EventName, payload: Any) -> Any:
        """Run the handler."""


Targets = tuple[tuple[Emitter, EventName], ...]


class _Item(Protocol):
    """Item of the queue of the events thread."""

    def deliver(self, dispatcher: Dispatcher) -> None:
        """Run the handlers."""

    def first(self) -> str | None:
        """Return the name of the first handler that this would run now, if any; the caller holds `registering`."""


@attrs.define(eq=False)
class _Delivery:
    """An event for all who are registered when its turn comes."""

    targets: Targets
    payload: Any

    def deliver(self, dispatcher: Dispatcher) -> None:
        payload = self.payload
        for emitter, event in self.targets:
            with dispatcher.registering:
                calls = emitter._live.deliver(emitter, event, payload)
            for handler, receiver in calls:
                dispatcher.run(handler, event, functools.partial(receiver, emitter, event=event, payload=payload))

    def first(self) -> str | None:
        handlers = ((handler, event) for emitter, event in self.targets for handler, _ in emitter._live.connected(emitter, event))
        return next((_named(handler, event) for handler, event in handlers), None)


@attrs.frozen
class _Replay:
    """Objects or payload that a late handler receives before later events."""

    emitter: Emitter
    subscription: LateHandler
    event: EventName
    payloads: tuple[Any, ...]

    def deliver(self, dispatcher: Dispatcher) -> None:
        self.subscription.begin()
        for payload in self.payloads:
            call = functools.partial(self.subscription, self.emitter, event=self.event, payload=payload)
            if not dispatcher.closed:
                dispatcher.run(self.subscription.handler, self.event, call)

    def first(self) -> str | None:
        return _named(self.subscription.handler, self.event)


@attrs.frozen
class _Call:
    """A callback of the program's."""

    function: Callable[..., object]
    arguments: tuple[Any, ...]

    def deliver(self, dispatcher: Dispatcher) -> None:
        dispatcher.run(self.function, None, functools.partial(self.function, *self.arguments))

    def first(self) -> str | None:
        return _named(self.function, None)


class Dispatcher:
    """A queue of events and the thread that delivers them.

    The queue has no hard limit, since an event that was taken from the service must not be lost; instead `full` makes the
    io thread stop reading further ones, and `on_room` is called once the queue is half empty again.
    """

    def __init__(self, name: str, limit: int, context: Callable[[], AbstractContextManager[object]] | None = None) -> None:
        """`context` returns what is entered around each handler."""
        self._context = context
        self._queue: collections.deque[_Item] = collections.deque()
        self._idle = False
        self._wakeups: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._limit = limit
        self._full = False
        self._closed = False
        # the handler that runs, or ran last since the queue was empty, and its event
        self._busy_with: tuple[Callable[..., Any], EventName | None] | None = None
        self._pins: dict[Emitter, None] = {}
        self.registering: threading.Lock = threading.Lock()
        """Held for a few assignments while registrations and remembered payloads of any emitter change."""
        self._name = name
        self._thread: threading.Thread | None = None
        self._released: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self.taken: int = 0
        """Number of items that the thread has taken from the queue."""
        self.root: Emitter | None = None
        """Where failures of handlers are reported: the client."""
        self.on_room: Callable[[], None] = lambda: None
        self.on_death: Callable[[BaseException], None] = lambda error: None

    def start(self) -> None:
        """Start the thread, which is made here: one that was made before a fork may not be startable in the child.

        It runs no handler before `release`, so that the start can be undone at once.
        """
        self._released = queue.SimpleQueue()
        target = functools.partial(self._run, self._released)
        thread = threading.Thread(target=target, name=f"conversations-events-{self._name}", daemon=True)
        start_thread(thread)
        self._thread = thread

    def release(self) -> None:
        """Let the thread that was started deliver what is queued."""
        self._released.put(True)

    def undo_start(self) -> None:
        """End the thread that was not released; what is queued is delivered by the next one."""
        self._released.put(False)
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(_UNDO_LIMIT)

    @property
    def running(self) -> bool:
        """Whether there is an events thread: it was started and has not ended."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def closed(self) -> bool:
        """Whether nothing more is delivered."""
        return self._closed

    @property
    def depth(self) -> int:
        """Number of waiting events."""
        return len(self._queue)

    @property
    def full(self) -> bool:
        """Whether handlers are so far behind that no further event should be taken from the service."""
        if not self._full and len(self._queue) >= self._limit:
            self._full = True
            if len(self._queue) <= self._limit // 2:
                self._full = False  # done meanwhile, on a thread that has not seen that it was to call back
                return False
            waiting = len(self._queue)
            if (behind := self._behind()) is not None:
                _log.warning(
                    "handlers are too slow: %d events wait for %s; live events stay with the service until half are done",
                    waiting,
                    behind,
                )
        return self._full

    def _behind(self) -> str | None:
        """Name the handler that holds up the others: the one that runs or ran last; before any has run, the first to come.

        `None` if the events that wait, or that have been delivered meanwhile, have no handler: then nobody is slow.
        """
        if (busy := self._busy_with) is not None:
            return _named(*busy)
        with self.registering:
            waiting = (item.first() for item in self._queue.copy())
            return next((name for name in waiting if name is not None), None)

    def under_way(self) -> Iterator[str]:
        """Yield what is under way, in words; from any thread.

        The queue first: a thread that is idle after it was seen empty runs nothing at that moment. What was put meanwhile is
        still there at a second look, or has changed `taken`.
        """
        waiting = len(self._queue)
        if self.running and (waiting or not self._idle):
            busy = self._busy_with
            yield f"{waiting} events that wait for {'handlers' if busy is None else _named(*busy)}"

    def post(self, targets: Targets, payload: Any) -> None:
        """Deliver `payload` to the handlers of each target, in this order; from any thread, never blocks."""
        if not (self._closed or self._is_passed(targets, payload)):
            self._put(_Delivery(targets, payload))

    def _is_passed(self, targets: Targets, payload: Any) -> bool:
        """Return whether an event is over already, since its turn is now and nobody is there to receive it.

        Its turn is now while the thread sleeps and nothing is queued. Then the thread need not be woken: after a send of a
        program without handlers it would wake twice for nothing, and compete with the two threads that are at work.
        """
        if not self._idle or self._queue or not self.registering.acquire(blocking=False):
            return False
        try:
            if any(emitter._live.connected(emitter, event) for emitter, event in targets):
                return False
            for emitter, event in targets:
                emitter._live.deliver(emitter, event, payload)
        finally:
            self.registering.release()
        return True

    def call(self, function: Callable[..., object], *arguments: Any) -> None:
        """Run a function of the program's on the events thread."""
        if not self._closed:
            self._put(_Call(function, arguments))

    def replay(self, emitter: Emitter, subscription: LateHandler, event: EventName, payloads: Iterable[Any]) -> None:
        """Give one late handler what the others got earlier, one after the other."""
        if not self._closed:
            self._put(_Replay(emitter, subscription, event, tuple(payloads)))

    def pin(self, emitter: Emitter) -> None:
        """Keep an object with handlers alive, so that the handlers outlive the program's own reference to it."""
        self._pins[emitter] = None

    def unpin(self, emitter: Emitter) -> None:
        """Release an object that has no handlers any more, or will have no events."""
        self._pins.pop(emitter, None)

    def close(self) -> None:
        """Forget what waits, but for the last change of the connection's state, and end the thread after the handler that
        is running."""
        self._closed = True
        last: list[_Item] = []
        try:
            while True:  # the thread takes from the same end
                item = self._queue.popleft()
                last = [item] if _tells_state(item) else last
        except IndexError:
            pass
        self._queue.extend(last)
        self._wakeups.put(None)
        self.release()

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
            busy = self._busy_with
            name = "of an event" if busy is None else _named(*busy)
            _log.warning("the handler %s still runs after the client was closed", name)

    def _put(self, item: _Item) -> None:
        """Queue an item, and wake the thread only if it sleeps and nobody woke it: a wake-up costs more than the delivery."""
        self._queue.append(item)
        if self._idle:
            self._idle = False
            self._wakeups.put(None)

    def _take(self) -> _Item | None:
        """Return the next item, waiting for one; `None` when the dispatcher is closed and nothing is left.

        `_idle` is set before the queue is looked at once more, so that an item put meanwhile is seen here or wakes us.
        """
        while True:
            try:
                return self._queue.popleft()
            except IndexError:
                if self._closed:
                    return None
            self._busy_with = None
            self._idle = True
            if not self._queue and not self._closed:
                self._wakeups.get()
            self._idle = False

    def _run(self, released: queue.SimpleQueue[bool]) -> None:
        mark_thread(Role.EVENTS)
        if not released.get():
            return
        try:
            self._work()
        except BaseException as error:
            self._die(error)
        finally:
            if self._closed:
                self._pins.clear()

    def _work(self) -> None:
        while (item := self._take()) is not None:
            self.taken += 1
            item.deliver(self)
            del item  # nothing of it is kept while nothing happens
            if self._full and len(self._queue) <= self._limit // 2:
                self._full = False
                self.on_room()

    def _die(self, cause: BaseException) -> None:
        """Report that a handler ended the thread, for example by `sys.exit`, and discard the waiting events."""
        self._queue.clear()
        try:
            self.on_death(cause)
        except BaseException:
            _log.exception("the end of the events thread could not be reported")
        self._closed = True
        _log.critical("the events thread ends: %s", shown(cause), exc_info=cause)
        self._work()

    def run(self, handler: Callable[..., Any], event: EventName | None, call: Callable[[], object]) -> None:
        """Run a handler by `call`, on the events thread: what it raises is logged and reported, and stops nothing."""
        self._busy_with = handler, event
        started = time.monotonic()
        try:
            checks.ran(call() if self._context is None else _within(self._context, call), "a handler", handler)
        except _ENDING as error:
            if not self._closed:
                raise
            _log.info("the handler %s raised %s, and the thread ends anyway", _named(handler, event), shown(error))
        except BaseException as error:  # a cancelled task, a timeout of gevent's, a test's outcome: one handler's trouble
            _log.error("the handler %s raised", _named(handler, event), exc_info=error)
            failure = HandlerError(error, event, handler)
            note(failure)
            if event is not ClientEvent.ERROR:
                self.report(failure)
        finally:
            took = time.monotonic() - started
            if took > 1:
                _log.info("the handler %s took %.1f s", _named(handler, event), took)

    def report(self, failure: HandlerError) -> None:
        """Call the client's ``error`` handlers; an end because the client was closed is not a failure."""
        if self.root is not None and not isinstance(failure.error, ClientClosedError):
            self.post(((self.root, ClientEvent.ERROR),), failure)


def _within(context: Callable[[], AbstractContextManager[object]], call: Callable[[], object]) -> object:
    with context():
        return call()


def _named(handler: Callable[..., Any], event: EventName | None) -> str:
    return name_of(handler) if event is None else f"{name_of(handler)} ({event.python_name})"


def _tells_state(item: _Item) -> bool:
    return isinstance(item, _Delivery) and any(event is ClientEvent.CONNECTION_STATE_CHANGED for _, event in item.targets)
