"""The requests of one client: which wait to be written, which were written, and until when each may take.

They wait for a connection and for room in the window, those of the program before those of the client itself.
A request that was under way each time the connection ended may be what ends it. Such suspects are written one at a time, so that
the next end shows which one it is; only the other suspects wait for it.
"""

from __future__ import annotations

import heapq
import os
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

import attrs

from twilio_conversations.util.values import value
from twilio_conversations.wire.packets import Reply
from twilio_conversations.wire.window import Lane, Window

SUSPECT_AFTER: Final = 2
"""Connections in a row that ended while a request was under way, after which it is a suspect."""

_MOST_OVER = 256
"""Deadlines of answered requests that may lie about."""


@value
class Submission:
    """A request as bytes, ready to be written.

    Attributes:
        id: names it in the answer.
        data: the encoded frame.
        deadline: the moment at which it fails, on the clock of the session's owner.
        cuts: how many connections in a row have ended while the same request was under way.
        lane: who waits for it.
    """

    id: str
    data: bytes = attrs.field(repr=False)
    deadline: float
    cuts: int = 0
    lane: Lane = Lane.COMMAND

    @property
    def is_suspect(self) -> bool:
        """Whether it may be what ends connections."""
        return self.cuts >= SUSPECT_AFTER


@value
class Written:
    """Data of a request that was written: time, size, and whether it is a suspect."""

    at: float
    size: int
    is_suspect: bool


def new_id() -> str:
    """Return a name for a frame."""
    return f"TM{os.urandom(16).hex()}"


class Requests:
    """Queued and written requests, never mixed up: only a queued one is sure to have had no effect.

    Attributes:
        window: how many may be written and not answered.
    """

    def __init__(self) -> None:
        self.window: Window = Window()
        # Ordered ones: to find the first entry of a `dict`, the places of all that were before it are passed.
        self._suspects: OrderedDict[str, Submission] = OrderedDict()
        self._lanes: tuple[OrderedDict[str, Submission], ...] = tuple(OrderedDict() for _ in Lane)
        self._queues = (self._suspects, *self._lanes)
        self._written: dict[str, Written] = {}
        self._deadlines: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return self.queued + len(self._written)

    @property
    def queued(self) -> int:
        """Number of requests that wait for a connection, or for room."""
        return sum(map(len, self._queues))

    @property
    def written(self) -> int:
        """Number of requests that wait for an answer."""
        return len(self._written)

    def queue(self, request: Submission) -> None:
        """Keep a request until there is a connection, and room."""
        queue = self._suspects if request.is_suspect else self._lanes[request.lane]
        queue[request.id] = request
        self._note_deadline(request)

    def may_write(self, request: Submission) -> bool:
        """Return whether a request may be written now: there is room, and for a suspect no other one is under way."""
        if not self.window.admits(request.lane, len(self._written)):
            return False
        return not (request.is_suspect and any(written.is_suspect for written in self._written.values()))

    def write(self, request: Submission, now: float) -> None:
        """Note that a request was written at `now`."""
        self._note_written(request, now)
        self._note_deadline(request)

    def has_written(self, id_: str) -> bool:
        """Return whether a request was written and waits for its answer. May be asked from any thread."""
        return id_ in self._written

    def flush(self, now: float) -> Iterator[Submission]:
        """Move the queued requests that may be written to the written ones: lane after lane, and each lane in order."""
        for queue in self._queues:
            while queue and self.may_write(request := next(iter(queue.values()))):
                del queue[request.id]
                self._note_written(request, now)
                yield request

    def answered(self, reply: Reply, now: float) -> float | None:
        """Forget the request that a reply answers; the moment it was written, `None` if there is no such request."""
        written = self._written.pop(reply.id, None)
        if written is None:
            return None
        self.window.answered(reply, written.at, now)
        return written.at

    def forget(self, id_: str) -> None:
        """Drop a request wherever it is; an answer that still comes is ignored."""
        if self._written.pop(id_, None) is None:
            for queue in self._queues:
                queue.pop(id_, None)

    def take_written(self) -> dict[str, int]:
        """Forget all written requests; the size of each by its name."""
        sizes = {id_: written.size for id_, written in self._written.items()}
        self._written.clear()
        return sizes

    def take_queued(self) -> list[str]:
        """Forget all queued requests and name them."""
        ids = [id_ for queue in self._queues for id_ in queue]
        for queue in self._queues:
            queue.clear()
        return ids

    def next_deadline(self) -> float | None:
        """Return the earliest deadline, `None` without requests."""
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

    def _note_written(self, request: Submission, now: float) -> None:
        self._written[request.id] = Written(now, len(request.data), request.is_suspect)
        self.window.wrote(now)

    def _note_deadline(self, request: Submission) -> None:
        if len(self._deadlines) > 2 * len(self) + _MOST_OVER:  # behind an early one that is still open, others lie long
            self._deadlines = [entry for entry in self._deadlines if self._is_open(entry[1])]
            heapq.heapify(self._deadlines)
        heapq.heappush(self._deadlines, (request.deadline, request.id))

    def _is_open(self, id_: str) -> bool:
        if id_ in self._written:
            return True
        for queue in self._queues:  # noqa: SIM110 - a generator takes three times as long, for each deadline that is over
            if id_ in queue:
                return True
        return False
