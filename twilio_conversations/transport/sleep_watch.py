"""Sleep of the computer, noticed by its clocks: the monotonic one stands still while the wall clock goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

SUSPECTED: Final = 5.0
"""Seconds by which the wall clock must run ahead of the monotonic one before the computer is taken to have slept."""


class SleepWatch:
    """Compares a wall clock with the monotonic one."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._gap = clock() - time.monotonic()

    def slept(self, now: float) -> float:
        """Return the seconds that the computer slept since the last call, as of the monotonic time `now`; zero if it did not."""
        gap = self._clock() - now
        jump, self._gap = gap - self._gap, gap
        return jump if jump >= SUSPECTED else 0.0
