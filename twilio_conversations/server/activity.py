"""Work under way in the service: commands, requests, frames that connections have yet to take. On the event loop.

It is read by tests that wait until nothing is under way: the same `count` at two moments, with nothing under way at either, means
that nothing happened between them.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, Protocol

P = ParamSpec("P")


class Visible(Protocol):
    """A connection, as `Activity` sees it."""

    @property
    def init_id(self) -> str:
        """Id of the `init` frame that opened it; empty before."""

    def under_way(self) -> Iterator[str]:
        """Yield what is under way with it, in words."""


class Activity:
    """Work under way, and a number that grows with everything that begins."""

    def __init__(self) -> None:
        self.connections: set[Visible] = set()
        self._begun = 0
        self._under_way: collections.Counter[str] = collections.Counter()

    def begin(self, what: str) -> None:
        """Note that `what` begins."""
        self._begun += 1
        self._under_way[what] += 1

    def end(self, what: str) -> None:
        """Note that `what` has ended."""
        self._under_way[what] -= 1

    def until(self, what: str, function: Callable[P, object]) -> Callable[P, None]:
        """Note that `what` begins; it ends with the call of the returned function, which calls `function`."""
        self.begin(what)

        def call(*args: P.args, **kwargs: P.kwargs) -> None:
            self.end(what)
            function(*args, **kwargs)

        return call

    def to_json(self, frames: int) -> dict[str, Any]:
        """Return ``{"under_way": [texts], "count": number, "connections": [init ids]}``; `frames` is their number so far."""
        work = [f"{number} x {what}" for what, number in self._under_way.items() if number]
        return {
            "under_way": work + [text for connection in self.connections for text in connection.under_way()],
            "count": self._begun + frames,
            "connections": sorted(connection.init_id for connection in self.connections),
        }
