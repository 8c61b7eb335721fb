"""Deadlines of the io thread."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable

from twilio_conversations.util import logs

_log = logs.logger(__name__)

_FIRST_SWEEP = 256


class Timer:
    """One call in the future; io thread only."""

    __slots__ = ("_function", "at")

    def __init__(self, at: float, function: Callable[[], object]) -> None:
        self.at: float = at
        self._function: Callable[[], object] | None = function

    @property
    def active(self) -> bool:
        """Whether the call is still to come."""
        return self._function is not None

    def cancel(self) -> None:
        """Prevent the call; harmless after it."""
        self._function = None

    def run(self) -> None:
        """Make the call, once; an exception is logged, since there is no caller."""
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
        self._sweep_at = _FIRST_SWEEP

    def call_later(self, delay: float, function: Callable[[], object]) -> Timer:
        """Call `function` after `delay` seconds, unless the returned timer is cancelled."""
        if len(self._heap) >= self._sweep_at:
            self._sweep()
        timer = Timer(self._clock() + delay, function)
        heapq.heappush(self._heap, (timer.at, next(self._order), timer))
        return timer

    def _sweep(self) -> None:
        """Discard the cancelled timers, which would be kept until their time; only once there may be as many as others, so that
        it costs next to nothing."""
        self._heap = [entry for entry in self._heap if entry[2].active]
        heapq.heapify(self._heap)
        self._sweep_at = max(_FIRST_SWEEP, 2 * len(self._heap))

    def __len__(self) -> int:
        return len(self._heap)

    def next_deadline(self) -> float | None:
        """Return the time of the earliest call, `None` if there is none."""
        heap = self._heap
        while heap and not heap[0][2].active:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def run_due(self, now: float) -> None:
        """Make the calls that are due; one that schedules another for now has it run next time."""
        due = []
        while (deadline := self.next_deadline()) is not None and deadline <= now:
            due.append(heapq.heappop(self._heap)[2])
        for timer in due:
            timer.run()
