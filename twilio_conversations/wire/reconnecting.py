"""Time of the next attempt to connect: the back-off of the policy, and the hint of the service."""

from __future__ import annotations

from collections.abc import Callable

from twilio_conversations.options import BackoffPolicy
from twilio_conversations.wire.backoff import Backoff, hint_floor
from twilio_conversations.wire.packets import BackoffHint


class Reconnecting:
    """Delays of one client's connection. A connection that lasted long enough starts a new series."""

    def __init__(self, policy: BackoffPolicy, rng: Callable[[], float]) -> None:
        self._policy = policy
        self._backoff = Backoff(policy, rng)
        self._established_at: float | None = None
        self._not_before = 0.0

    def established(self, now: float) -> None:
        """Record that the service has accepted the connection."""
        self._established_at = now

    def next_delay(self, now: float, hint: BackoffHint | None) -> float:
        """Return the seconds to wait, after a connection or an attempt has ended at `now` with the service's `hint`."""
        lasted = now - self._established_at if self._established_at is not None else 0.0
        if self._established_at is not None and lasted >= self._policy.stable_after:
            self._backoff.reset()
        self._established_at = None
        self._not_before = now + hint_floor(hint)
        return self._backoff.next_delay(hint)

    def hasten(self, now: float) -> float:
        """Start a new series; return the earliest time of the next attempt that the service's hint allows."""
        self._backoff.reset()
        return max(now, self._not_before)
