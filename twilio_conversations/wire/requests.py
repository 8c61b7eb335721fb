"""The requests of one client: which wait for a connection, which were written, and until when each may take."""

from __future__ import annotations

import heapq
import uuid
from collections.abc import Iterator

import attrs

_MOST_OVER = 256
"""Deadlines of answered requests that may lie about."""


@attrs.frozen
class Submission:
    """A request as bytes, ready to be written.

    Attributes:
        id: names it in the answer.
        data: the encoded frame.
        deadline: the moment at which it fails, on the clock of the session's owner.
    """

    id: str
    data: bytes = attrs.field(repr=False)
    deadline: float


def new_id() -> str:
    """A name for a frame."""
    return f"TM{uuid.uuid4()}"


class Requests:
    """Queued and written requests, never mixed up: only a queued one is sure to have had no effect."""

    def __init__(self) -> None:
        self._queued: dict[str, Submission] = {}
        self._written: dict[str, float] = {}
        self._deadlines: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._queued) + len(self._written)

    @property
    def queued(self) -> int:
        """How many wait for a connection."""
        return len(self._queued)

    @property
    def written(self) -> int:
        """How many wait for an answer."""
        return len(self._written)

    def queue(self, request: Submission) -> None:
        """Keep a request until there is a connection."""
        self._queued[request.id] = request
        self._note_deadline(request)

    def write(self, request: Submission, now: float) -> None:
        """Note that a request was written at `now`."""
        self._written[request.id] = now
        self._note_deadline(request)

    def has_written(self, id_: str) -> bool:
        """Whether a request was written and waits for its answer. May be asked from any thread."""
        return id_ in self._written

    def flush(self, now: float) -> Iterator[Submission]:
        """Move every queued request, in order, to the written ones."""
        queued, self._queued = self._queued, {}
        for request in queued.values():
            self._written[request.id] = now
            yield request

    def answered(self, id_: str) -> float | None:
        """Forget a written request; the moment it was written, `None` if there is no such request."""
        return self._written.pop(id_, None)

    def forget(self, id_: str) -> None:
        """Drop a request wherever it is; an answer that still comes is ignored."""
        self._queued.pop(id_, None)
        self._written.pop(id_, None)

    def take_written(self) -> list[str]:
        """Forget all written requests and name them."""
        ids = list(self._written)
        self._written.clear()
        return ids

    def take_queued(self) -> list[str]:
        """Forget all queued requests and name them."""
        ids = list(self._queued)
        self._queued.clear()
        return ids

    def next_deadline(self) -> float | None:
        """The earliest deadline, `None` without requests."""
        deadlines = self._deadlines
        while deadlines and not self._is_open(deadlines[0][1]):
            heapq.heappop(deadlines)
        return deadlines[0][0] if deadlines else None

    def take_expired(self, now: float) -> list[tuple[str, bool]]:
        """Forget the requests whose time is over: (id, whether it had been written)."""
        expired = []
        while (due := self.next_deadline()) is not None and due <= now:
            id_ = heapq.heappop(self._deadlines)[1]
            expired.append((id_, id_ in self._written))
            self.forget(id_)
        return expired

    def _note_deadline(self, request: Submission) -> None:
        if len(self._deadlines) > 2 * len(self) + _MOST_OVER:  # behind an early one that is still open, others lie long
            self._deadlines = [entry for entry in self._deadlines if self._is_open(entry[1])]
            heapq.heapify(self._deadlines)
        heapq.heappush(self._deadlines, (request.deadline, request.id))

    def _is_open(self, id_: str) -> bool:
        return id_ in self._written or id_ in self._queued
