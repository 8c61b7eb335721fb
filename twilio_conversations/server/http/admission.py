"""Admission of connections: bounds on their number and rate, so that one crowd does not keep the service from everybody else."""

from __future__ import annotations

import time
from collections.abc import Callable

from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.settings import LiveSettings

ADMISSION = "twilio_conversations.admission"
"""Name of the `Admission` in the state of the application, for the protocols."""
RECONNECT_MIN_MS = 1000
"""Minimum back-off of a refused client, in milliseconds."""
WRITES_BURST = 10.0
BURST = 2.0
"""Seconds' worth that may arrive at once."""


class ConnectionRefusal(Refusal):
    """A connection is refused: for want of room, or on command with any `status`, and without a code if that is `NO_CODE`."""

    def __init__(self, reconnect_min_ms: int, status: int = 429, code: int = 20429) -> None:
        super().__init__(code, status=status)
        self.reconnect_min_ms = reconnect_min_ms


class Meter:
    """Limit of a rate: what arrives beyond it has to wait. A rate of 0 has no limit."""

    def __init__(self, rate: Callable[[], int], now: Callable[[], float] = time.monotonic, burst: float = BURST) -> None:
        self._rate = rate
        self._burst = burst
        self._now = now
        self._spent = 0.0
        self._since = now()

    def take(self, count: int = 1) -> float:
        """Count arrivals and return the seconds to wait for the next, so that the rate is kept."""
        rate = self._rate()
        spent = self._refill(rate) + count
        self._spent = spent
        return max(0.0, spent / rate - self._burst) if rate else 0.0

    def admits(self) -> bool:
        """Return whether one more keeps the rate; it is counted only then."""
        rate = self._rate()
        if not rate:
            return True
        if self._refill(rate) + 1 > rate * self._burst:
            return False
        self._spent += 1
        return True

    def _refill(self, rate: int) -> float:
        now = self._now()
        self._spent = max(0.0, self._spent - (now - self._since) * rate) if rate else 0.0
        self._since = now
        return self._spent


class Admission:
    """Counts of connections, on the event loop; `settings` has the bounds (0: none)."""

    def __init__(self, settings: LiveSettings) -> None:
        self._settings = settings
        self._arrivals = Meter(lambda: settings.current.connections_per_second)
        self._plain: set[object] = set()
        self._waiting: set[object] = set()
        self._inside: set[object] = set()
        self._closed = False

    def close(self) -> None:
        """Refuse all connections from now on: the service is stopping."""
        self._closed = True

    @property
    def is_closed(self) -> bool:
        """Whether the service is stopping."""
        return self._closed

    def take_plain(self, connection: object) -> bool:
        """Admit a connection with plain HTTP, or no request yet; return whether it may stay."""
        if _is_full(self._plain, self._settings.current.http_connections_limit):
            return False
        self._plain.add(connection)
        return True

    def take_waiting(self, session: object) -> bool:
        """Admit a websocket before its `init`; return whether it may stay."""
        if _is_full(self._waiting, self._settings.current.waiting_connections_limit):
            return False
        self._waiting.add(session)
        return True

    def enter(self, session: object) -> None:
        """Admit a websocket at its `init`. Raises `ConnectionRefusal` when it cannot be served now."""
        settings = self._settings.current
        if _is_full(self._inside, settings.connections_limit) or not self._arrivals.admits():
            later = 1000 * len(self._waiting) // settings.connections_per_second if settings.connections_per_second else 0
            raise ConnectionRefusal(RECONNECT_MIN_MS + later)
        self._waiting.discard(session)
        self._inside.add(session)

    def leave(self, connection: object) -> None:
        """Remove a connection that ended or became one of another kind; it may have been removed already."""
        for place in (self._plain, self._waiting, self._inside):
            place.discard(connection)

    @property
    def patience(self) -> int:
        """Seconds for which a websocket's peer may read nothing; 0 for any time."""
        return self._settings.current.stalled_reader_timeout

    @property
    def pings(self) -> bool:
        """Whether WebSocket pings are sent and answered."""
        return self._settings.current.websocket_pings

    def frame_meter(self) -> Meter:
        """Return a meter for the frames of one websocket."""
        return Meter(lambda: self._settings.current.frames_per_second)

    def write_meter(self) -> Meter:
        """Return a meter for the writes to one object."""
        return Meter(lambda: self._settings.current.object_writes_per_second, burst=WRITES_BURST)

    def request_meter(self) -> Meter:
        """Return a meter for the requests of one websocket, without bursts."""
        return Meter(lambda: self._settings.current.requests_per_second, burst=1.0)


def _is_full(place: set[object], limit: int) -> bool:
    return 0 < limit <= len(place)
