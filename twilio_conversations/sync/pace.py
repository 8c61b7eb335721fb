"""Pace of pokes: when the next one leaves, and when an object whose request has failed is requested again. Pure."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator

from twilio_conversations.sync.pokes import Subscription, SubscriptionPhase

DEBOUNCE = 0.015
"""A wish waits so long for others to share its poke."""
SPACING = 0.05
"""Time between the starts of two pokes, unless a whole batch is waiting."""
FIRST_RETRY, LAST_RETRY, JITTER = 0.1, 120.0, 0.2
STEADY = 60.0
"""An object that was followed so long without trouble starts its back-off from the beginning."""


class Pace:
    """Time of the next poke.

    Attributes:
        next_at: that time; `None` while there is nothing to ask for.
    """

    def __init__(self) -> None:
        self.next_at: float | None = None
        self._last = -SPACING
        self._pause_until = 0.0

    def schedule(self, now: float, *, is_full: bool) -> None:
        """Set the time; one that is set already is only moved forward, by a full batch."""
        moment = max(now + DEBOUNCE, self._last + SPACING)
        if self.next_at is not None:
            moment = min(moment, self.next_at)
        if is_full:
            moment = now
        self.next_at = max(moment, self._pause_until)

    def take_due(self, now: float, *, is_full: bool) -> bool:
        """Return whether it is time for a poke; then no time is set any more."""
        if self.next_at is None or now < self.next_at:
            return False
        if not is_full and now < self._last + SPACING:
            self.next_at = self._last + SPACING  # the batch was whole, but not everybody in it waits any more
            return False
        self.next_at = None
        return True

    def sent(self, now: float) -> None:
        """Note that a poke leaves."""
        self._last = now

    def pause(self, until: float) -> None:
        """Have no poke leave before that time."""
        self._pause_until = until


class Retries:
    """Objects that are requested again after a delay, which grows with every failure."""

    def __init__(self, rng: Callable[[], float]) -> None:
        self._rng = rng
        self._order = itertools.count()
        self._waiting: list[tuple[float, int, Subscription]] = []

    def clear(self) -> None:
        """Forget all."""
        self._waiting = []

    def delay(self, failures: int) -> float:
        """Return the seconds to wait after so many failures before."""
        return min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(failures, 20)) * (1 + JITTER * self._rng())

    def add(self, subscription: Subscription, now: float) -> None:
        """Add an object whose request has failed."""
        steady = subscription.steady_since
        if steady is not None and now - steady > STEADY:
            subscription.failures = 0
        subscription.steady_since = None
        subscription.not_before = now + self.delay(subscription.failures)
        subscription.failures += 1
        heapq.heappush(self._waiting, (subscription.not_before, next(self._order), subscription))

    def next_deadline(self) -> float | None:
        """Return the time at which there is something to `take`."""
        return self._waiting[0][0] if self._waiting else None

    def take(self, now: float) -> Iterator[Subscription]:
        """Yield the objects whose time has come and that still wait for it."""
        while self._waiting and self._waiting[0][0] <= now:
            when, _, subscription = heapq.heappop(self._waiting)
            if subscription.phase is SubscriptionPhase.IDLE and subscription.not_before == when:
                yield subscription
