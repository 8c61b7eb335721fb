"""Number of requests that may be under way at once: lower after the service refused some as too many, and higher again later.

Twilio documents 500 requests a second for a connection. No answer has the number that is left, so the client learns from
refusals: each halves the window and stops everything for a moment, after which a few requests try whether that was long enough;
after a steady time the window grows again, by one for each windowful of answers. Before the first refusal it grows by one with
each answer, up to `QUICK_GROWTH`; the first refusal takes that growth back.
Pure: the time comes in with every call, and `resumes_at` is the time of the next `resume`.
"""

from __future__ import annotations

import enum
import math
from typing import Final

from twilio_conversations.wire.packets import Reply

START: Final = 100
QUICK_GROWTH: Final = 400
"""Size up to which the window of a connection without refusals grows quickly."""
SMALLEST, LARGEST = 4, 500
"""Bounds of the window. At the upper one, a round trip of a second is needed to stay within the documented rate."""
PAUSE, LONGEST_PAUSE = 0.25, 5.0
"""Seconds without requests after a refusal that names no time, and at most: a refusal may concern one object only."""
TRIALS: Final = 4
"""Requests that are written after a pause before an answer shows that the service accepts more: in each further `PAUSE`."""
STEADY: Final = 2.0
"""Seconds after a pause from which the window grows again."""

_REFUSALS: Final = frozenset({429, 503})


class Lane(enum.IntEnum):
    """Importance of a request. Those of a lane are written before those of the next."""

    COMMAND = 0
    """The program, or everything: commands, pages that the program reads, the listing, subscriptions."""
    READ = 1
    """The client: reads of its start, and of objects that it follows."""


class Window:
    """Number of requests that may be under way.

    Attributes:
        size: that number.
        resumes_at: the end of a pause, in which no request is written; `None` when there is none.

    After a pause, the window is on trial until a request that was written since is answered.
    """

    def __init__(self) -> None:
        self.size: int = START
        self.resumes_at: float | None = None
        self._shrunk_at = -math.inf  # never
        self._grows_from = -math.inf
        self._answers = 0
        self._trials: int | None = None  # those left until the next pause; `None` when the window is not on trial
        self._tried_from = math.inf

    def admits(self, lane: Lane, under_way: int) -> bool:
        """Return whether one more request may be written while `under_way` others are.

        Commands may exceed the window by a quarter, so that they never wait for reads.
        """
        return self.resumes_at is None and under_way < (self.size if lane is Lane.READ else self.size + max(1, self.size // 4))

    def wrote(self, now: float) -> None:
        """Count a request that is written."""
        if self._trials is not None:
            self._trials -= 1
            if not self._trials:
                self._trials, self.resumes_at = TRIALS, now + PAUSE

    def answered(self, reply: Reply, written_at: float, now: float) -> None:
        """Learn from the answer to a request that was written at `written_at`."""
        if (code := reply.code) in _REFUSALS:
            asked = _retry_after(reply)
            if code == 429 or asked:
                self._refused(asked or PAUSE, written_at, now)
            return
        if written_at >= self._tried_from:
            self._tried_from, self._trials, self.resumes_at = math.inf, None, None
        if self.size < LARGEST and now >= self._grows_from:
            self._answers += 1
            if self._answers >= self.size or (self.size < QUICK_GROWTH and self._shrunk_at == -math.inf):
                self.size, self._answers = self.size + 1, 0

    def resume(self, now: float) -> None:
        """End a pause whose time is over."""
        if self.resumes_at is not None and self.resumes_at <= now:
            self.resumes_at = None
            if self._trials is None:
                self._trials = TRIALS
            self._tried_from = min(self._tried_from, now)

    def _refused(self, pause: float, written_at: float, now: float) -> None:
        """Shrink, once for all requests that were under way together, and pause; on trial, only the pause was too short."""
        if self._trials is not None:
            self._trials, self._tried_from = TRIALS, math.inf
        elif written_at >= self._shrunk_at:
            self.size = max(SMALLEST, min(self.size, START) // 2)
            self._shrunk_at = now
            self._answers = 0
        until = now + min(pause, LONGEST_PAUSE)
        self.resumes_at = until if self.resumes_at is None else max(self.resumes_at, until)
        self._grows_from = self.resumes_at + STEADY


def _retry_after(reply: Reply) -> float:
    """Return the seconds of ``Retry-After``; 0 for none. A date concerns only the request itself, which waits for it."""
    try:
        seconds = float(reply.http_headers.get("retry-after") or 0)
    except ValueError:
        return 0.0
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0
