"""The main loop of a bot: time, signals, and the log of a program that has configured none."""

from __future__ import annotations

import heapq
import itertools
import logging
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import attrs

from twilio_conversations.util.futures import Deadline

_PACKAGE: Final = __name__.partition(".")[0]


@attrs.frozen
class _End:
    """The last entry of a loop: why it ends, `None` when it was asked to."""

    cause: BaseException | None


@attrs.frozen(order=True)
class _Due:
    """A function, and when it is to be called."""

    at: float
    number: int
    call: Callable[[], object] = attrs.field(order=False)


class Loop:
    """Calls functions when they are due, on the thread of `run`. `later` and `end` may be called anywhere, also in a signal
    handler: nothing here takes a lock that the interrupted thread may hold."""

    def __init__(self) -> None:
        self._entries: queue.SimpleQueue[_Due | _End] = queue.SimpleQueue()
        self._due: list[_Due] = []
        self._numbers = itertools.count()

    def later(self, seconds: float, call: Callable[[], object]) -> None:
        """Call a function after some seconds; it is short."""
        self._entries.put(_Due(time.monotonic() + seconds, next(self._numbers), call))

    def end(self, cause: BaseException | None = None) -> None:
        """End `run`, which returns `cause`."""
        self._entries.put(_End(cause))

    def run(self, ended_by: Callable[[], BaseException | None]) -> BaseException | None:
        """Return when the end has come, with its cause; until then, call what is due.

        `ended_by` is asked from time to time for another cause.
        """
        while (cause := ended_by()) is None:
            now = time.monotonic()
            while self._due and self._due[0].at <= now:
                heapq.heappop(self._due).call()
            try:
                entry = self._entries.get(timeout=Deadline(self._due[0].at - now if self._due else None).slice())
            except queue.Empty:
                continue
            if isinstance(entry, _End):
                return entry.cause
            heapq.heappush(self._due, entry)
        return cause


@contextmanager
def ended_by_signals(loop: Loop) -> Iterator[None]:
    """End the loop at SIGTERM or SIGINT; the second signal has its usual effect. On other threads than the main one, nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, Any] = {}

    def restore() -> None:
        while before:
            signal.signal(*before.popitem())

    def stop(number: int, frame: object) -> None:
        del number, frame
        restore()
        loop.end()

    for number in (signal.SIGTERM, signal.SIGINT):
        before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        restore()


def log_readably() -> None:
    """Log to standard error from INFO on, unless the program has configured logging."""
    root, package = logging.getLogger(), logging.getLogger(_PACKAGE)
    if not root.handlers and all(isinstance(handler, logging.NullHandler) for handler in package.handlers):
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")
