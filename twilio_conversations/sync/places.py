"""Objects that are followed where the service lets a connection follow only so many (54419): the most important ones.

The limit is not known before the service has refused an object. Beyond the documented one, objects are tried in growing numbers,
so that few are refused. From a refusal on, an object that has no place waits without being asked for, until another one gives its
place up, or for so long that the limit may have changed. A more important object takes the place of a less important one. Pure:
the time comes in with every call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

import attrs

from twilio_conversations.errors import SyncError
from twilio_conversations.sync.purpose import WORDS, Purpose

if TYPE_CHECKING:
    from twilio_conversations.sync.pokes import Subscription

NO_ROOM: Final = 54419
"""Code of a refusal: the connection follows as many objects as the service allows."""
DOCUMENTED: Final = 2000
"""Number of objects that a connection may follow at Twilio."""
FIRST_TRIED: Final = 50
"""Number of objects that are tried first beyond the documented number; then as many as there are beyond it."""
PROBE_AFTER: Final = 600.0
"""Seconds after which one object more is asked for, in case the limit has changed."""
SETTLED: Final = 2.0
"""Seconds without a further object that has no place, after which they are reported."""


class Ranked:
    """Subscriptions by importance; those alike in the order in which they came."""

    def __init__(self) -> None:
        self._rows: tuple[dict[Subscription, None], ...] = tuple({} for _ in Purpose)

    def __len__(self) -> int:
        return sum(map(len, self._rows))

    def __contains__(self, subscription: Subscription) -> bool:
        return subscription in self._rows[subscription.purpose]

    def __iter__(self) -> Iterator[Subscription]:
        for row in self._rows:
            yield from row

    def add(self, subscription: Subscription) -> None:
        """Add one, behind those that are alike."""
        self._rows[subscription.purpose][subscription] = None

    def discard(self, subscription: Subscription) -> None:
        """Remove one, if it is there."""
        self._rows[subscription.purpose].pop(subscription, None)

    def first(self) -> Subscription | None:
        """Return the most important one, the oldest of those."""
        return next(iter(self), None)

    def last(self) -> Subscription | None:
        """Return the least important one, the newest of those."""
        return next((next(reversed(row)) for row in reversed(self._rows) if row), None)

    def counts(self) -> dict[Purpose, int]:
        """Return how many there are of each purpose that occurs."""
        return {purpose: len(self._rows[purpose]) for purpose in Purpose if self._rows[purpose]}


class Moves(NamedTuple):
    """Subscriptions that got a place, and those that lost theirs."""

    admitted: list[Subscription]
    displaced: list[Subscription]


@attrs.frozen
class Shortage:
    """Number of objects that are followed, and of those that are not, by purpose."""

    followed: int
    missing: Mapping[Purpose, int]

    def error(self) -> SyncError:
        """Return the report for the program."""
        listed = ", ".join(f"{WORDS[purpose]} ({count})" for purpose, count in self.missing.items())
        count = sum(self.missing.values())
        return SyncError(
            f"the service lets this connection follow {self.followed} objects; {count} more are not followed, and their changes"
            f" not reported, until there is room: {listed}",
            status=429,
            code=NO_ROOM,
            sent=True,
            retryable=False,
        )


class Places:
    """The objects that are followed, and those that wait for room.

    Attributes:
        limit: how many may be followed, as far as is known; `None` if nothing was refused.
        followed: those that have a place.
        waiting: those that have none.
        is_settled: whether the most important ones have a place; otherwise `settle` is due.
        probe: the one of `followed` that is beyond the limit, to see whether that has changed.
    """

    def __init__(self) -> None:
        self.limit: int | None = None
        self.followed: Ranked = Ranked()
        self.waiting: Ranked = Ranked()
        self.is_settled: bool = True
        self.probe: Subscription | None = None
        self._probe_at: float | None = None
        self._report_at: float | None = None
        self._most_waiting = 0
        self._is_reported = False

    @property
    def has_room(self) -> bool:
        """Whether one more object has a place, as far as is known and documented; otherwise answers show who has one."""
        return self.limit is None and len(self.followed) < DOCUMENTED

    def add(self, subscription: Subscription) -> None:
        """Have an object wait for a place."""
        self.waiting.add(subscription)
        self.is_settled = False

    def remove(self, subscription: Subscription) -> None:
        """Free the place of an object that is not wanted any more."""
        self.followed.discard(subscription)
        self.waiting.discard(subscription)
        self.is_settled = False

    def refused(self, subscription: Subscription, limit: int) -> None:
        """Process a refusal for want of room, from which the service's limit is known."""
        self.limit = max(0, limit)
        self.probe = None
        self.followed.discard(subscription)
        self.add(subscription)

    def confirmed(self, subscription: Subscription) -> None:
        """Process the confirmation of an object: one beyond the limit shows that it does not hold any more."""
        if subscription is self.probe:
            self.limit = self.probe = None
            self.is_settled = False

    def next_deadline(self) -> float | None:
        """Return the time at which `on_time` and `take_shortage` are needed."""
        return min((moment for moment in (self._probe_at, self._report_at) if moment is not None), default=None)

    def on_time(self, now: float) -> None:
        """Make place for one object more than fit, once a long while has passed."""
        if self._probe_at is None or now < self._probe_at:
            return
        assert self.limit is not None
        self._probe_at = now + PROBE_AFTER
        self.limit += 1
        self.probe = self.waiting.first()
        self.is_settled = False

    def take_shortage(self, now: float) -> Shortage | None:
        """Return what is not followed, once, when that has not grown for a moment."""
        if self._report_at is None or now < self._report_at:
            return None
        self._report_at, self._is_reported = None, True
        return Shortage(len(self.followed), self.waiting.counts())

    def settle(self, now: float) -> Moves:
        """Give the places to the most important objects; beyond the documented number, to a few, whose answers come first."""
        self.is_settled = True
        moves = Moves([], [])
        most = max(DOCUMENTED + FIRST_TRIED, 2 * len(self.followed) - DOCUMENTED)
        while self.limit is not None and len(self.followed) > self.limit:
            self._displace(moves)
        while (best := self.waiting.first()) is not None:
            if self.limit is None and len(self.followed) >= most:
                self.is_settled = False
                break
            if self.limit is not None and len(self.followed) >= self.limit:
                least = self.followed.last()
                if least is None or least.purpose <= best.purpose:
                    break
                self._displace(moves)
            self.waiting.discard(best)
            self.followed.add(best)
            moves.admitted.append(best)
        self._set_times(now)
        return moves

    def _displace(self, moves: Moves) -> None:
        least = self.followed.last()
        assert least is not None
        self.followed.discard(least)
        self.waiting.add(least)
        moves.displaced.append(least)

    def _set_times(self, now: float) -> None:
        count = len(self.waiting)
        if not count:
            self._probe_at = self._report_at = None
            self._most_waiting, self._is_reported = 0, False
            return
        if self._probe_at is None:
            self._probe_at = now + PROBE_AFTER
        if count > self._most_waiting and not self._is_reported:
            self._most_waiting, self._report_at = count, now + SETTLED
