"""Delays before the next attempt."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from twilio_conversations.options import BackoffPolicy
from twilio_conversations.wire.packets import BackoffHint

LONGEST_HINT = 24 * 3600.0
"""Seconds to which a service's hint is cut; a number beyond that is a mistake, not a wish."""

_HINT_SPREAD = 1.2

spread: Final = random.SystemRandom().random
"""Random numbers for jitter. Those of `random` are the program's: where it sets a seed, all its clients would draw the same, and
the draws of our threads would change what it draws itself."""


class Backoff:
    """The delays of one series of attempts: doubled from the policy's minimum to its maximum, each varied by its jitter.

    A hint of the service's is obeyed: the delay is never shorter than it, and no longer than its own upper bound unless the
    series has already grown beyond that.
    """

    def __init__(self, policy: BackoffPolicy, rng: Callable[[], float] = spread) -> None:
        self._policy = policy
        self._rng = rng
        self._attempts = 0

    @property
    def attempts(self) -> int:
        """Number of delays returned in this series."""
        return self._attempts

    def reset(self) -> None:
        """Start a new series."""
        self._attempts = 0

    def next_delay(self, hint: BackoffHint | None = None) -> float:
        """Seconds to wait before the next attempt."""
        first = self._attempts == 0
        own = self._own_delay()
        self._attempts += 1
        if hint is None:
            return own
        asked = self._asked_delay(hint)
        return asked if first else max(asked, own)

    def _own_delay(self) -> float:
        policy = self._policy
        # The exponent is bounded: a float overflows long before an outage has to end.
        base = min(policy.maximum, policy.minimum * 2.0 ** min(self._attempts, 64))
        return max(0.0, min(policy.maximum, base * (1 + policy.jitter * (2 * self._rng() - 1))))

    def _asked_delay(self, hint: BackoffHint) -> float:
        low = hint_floor(hint)
        high = low * _HINT_SPREAD if hint.reconnect_max_ms is None else _seconds(hint.reconnect_max_ms)
        return low + self._rng() * max(0.0, high - low)


def hint_floor(hint: BackoffHint | None) -> float:
    """Return the shortest delay that a hint allows, seconds; zero without one."""
    return 0.0 if hint is None else _seconds(hint.reconnect_min_ms)


def _seconds(milliseconds: int) -> float:
    return min(milliseconds, int(LONGEST_HINT * 1000)) / 1000
