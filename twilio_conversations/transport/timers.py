"""Deadlines of the io thread."""

from __future__ import annotations

import heapq
import itertools
import logging
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)


class Timer:
    """One call in the future; io thread only."""

    __slots__ = ("_function", "at")

    def __init__(self, at: float, function: Callable[[], object]) -> None:
        self.at = at
        self._function: Callable[[], object] | None = function

    @property
    def active(self) -> bool:
        """Whether the call is still to come."""
        return self._function is not None

    def cancel(self) -> None:
        """Let the call not happen; harmless when it has."""
        self._function = None

    def run(self) -> None:
        """Make the call, once; an exception is logged, since nobody is there to take it."""
        function, self._function = self._function, None
        if function is None:
            return
        try:
            function()
        except Exception:
            _log.exception("a timer failed")


class Timers:
    """One heap of deadlines, run by the io thread alone. Not thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()

    def call_later(self, delay: float, function: Callable[[], object]) -> Timer:
        """Call `function` after `delay` seconds, unless the returned timer is cancelled."""
        timer = Timer(self._clock() + delay, function)
        heapq.heappush(self._heap, (timer.at, next(self._order), timer))
        return timer

    def next_deadline(self) -> float | None:
        """The moment of the earliest call, `None` if there is none."""
        heap = self._heap
        while heap and not heap[0][2].active:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def run_due(self, now: float) -> None:
        """Make the calls whose moment has come; one that schedules another for now has it run next time."""
        due = []
        while (deadline := self.next_deadline()) is not None and deadline <= now:
            due.append(heapq.heappop(self._heap)[2])
        for timer in due:
            timer.run()
