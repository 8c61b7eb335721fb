"""How bytes travel on a line (later, unevenly, in pieces), and a relay in which they do."""

from __future__ import annotations

import random
import time
from collections import deque

import attrs

from benchmarks.support.relay import Flow, Link, Relay

PIECES_PER_SECOND = 50  # of a line with a bandwidth


@attrs.frozen
class Line:
    """How bytes travel, in either direction: order is kept.

    Attributes:
        latency: seconds that each byte takes.
        jitter: up to so many seconds more, different for each piece.
        bandwidth: bytes a second; `None` for no limit.
    """

    latency: float = 0.0
    jitter: float = 0.0
    bandwidth: float | None = None


STRAIGHT = Line()  # nothing happens to bytes


@attrs.define(eq=False)
class Road:
    """One direction of a line: when each piece arrives, and those that are under way."""

    line: Line
    chance: random.Random
    pieces: deque[bytes] = attrs.field(factory=deque)
    free_at: float = 0.0
    last_arrival: float = 0.0

    def split(self, data: bytes) -> list[bytes]:
        """What travels as one piece."""
        size = len(data) if self.line.bandwidth is None else max(1, int(self.line.bandwidth / PIECES_PER_SECOND))
        return [data[start : start + size] for start in range(0, len(data), size)]

    def arrival(self, now: float, size: int) -> float:
        """When a piece that is sent now is there: never before the one that was sent before it."""
        self.free_at = max(now, self.free_at)
        if self.line.bandwidth is not None:
            self.free_at += size / self.line.bandwidth
        jitter = self.chance.uniform(0.0, self.line.jitter) if self.line.jitter else 0.0
        self.last_arrival = max(self.last_arrival, self.free_at + self.line.latency + jitter)
        return self.last_arrival


class DelayProxy(Relay):
    """Every byte takes `delay` seconds each way: the round trip is twice that."""

    def __init__(self, target: tuple[str, int], *, delay: float = 0.0) -> None:
        super().__init__(target)
        self.delay = delay
        self._roads: dict[int, Road] = {}

    def road(self, link: Link) -> Road:
        """How the bytes of one direction of a connection travel."""
        return Road(Line(self.delay), random.Random(0))

    def received(self, link: Link, flow: Flow, data: bytes) -> None:
        """Carry what was read."""
        self.carry(link, flow, data)

    def carry(self, link: Link, flow: Flow, data: bytes) -> None:
        """Send bytes on their way."""
        if id(flow) not in self._roads:
            self._roads[id(flow)] = self.road(link)
        road = self._roads[id(flow)]
        if road.line == STRAIGHT:
            flow.push(data)
            return

        def arrive() -> None:
            if link.alive:
                piece = road.pieces.popleft()
                flow.under_way -= len(piece)
                flow.push(piece)

        for piece in road.split(data):
            road.pieces.append(piece)
            flow.under_way += len(piece)
            self.later(road.arrival(time.monotonic(), len(piece)), arrive)

    def holds(self, flow: Flow) -> bool:
        """Return whether bytes of a flow are under way."""
        return flow.under_way > 0

    def unsent(self, flow: Flow) -> bytes:
        """What a flow has read and not written yet, on the road or at its end."""
        road = self._roads.get(id(flow))
        return b"".join([*flow.queue, *(road.pieces if road else ())])

    def closed(self, link: Link) -> None:
        """Forget the roads of a connection."""
        for flow in link.flows:
            self._roads.pop(id(flow), None)
