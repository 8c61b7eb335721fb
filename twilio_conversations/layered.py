"""Two layers of state: what Sync said, and what an answer has already confirmed.

Events are the difference of two *replica* states and nothing else, so that one change is announced once, whoever made it.
Readers see more: the newest state known from any source (a page may be ahead of the events), and above it the *overlay*,
the fields that the answer to a write confirmed before Sync told of them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Generic, TypeVar

import attrs

OVERLAY_SECONDS = 5.0
"""How long an overlay waits for Sync before the item is fetched again, seconds."""

Data = TypeVar("Data", bound=attrs.AttrsInstance)
Reason = TypeVar("Reason", bound=Enum)


@attrs.define(eq=False)
class Write:
    """Fields on their way to the service; `seen` once Sync has carried them."""

    fields: Mapping[str, Any]
    seen: bool = False

    def notice(self, data: Any) -> None:
        """Look whether `data`, which Sync just delivered, carries the fields."""
        if not self.seen:
            self.seen = all(getattr(data, name) == value for name, value in self.fields.items())


class Layered(Generic[Data]):
    """The state of one live object. The io thread applies, callers confirm; both under the client's lock."""

    __slots__ = ("_shown", "_version", "_writes", "overlay", "overlays", "replica", "visible")

    def __init__(self, data: Data, version: int = -1, *, delivered: bool = True) -> None:
        self.replica: Data | None = data if delivered else None
        self.visible = data
        self.overlay: dict[str, Any] = {}
        self.overlays = 0
        self._shown = data
        self._version = version
        self._writes: list[Write] = []

    def apply(self, data: Data, version: int) -> Data | None:
        """Take what an event said; returns the state that it changed, `None` when that is not known.

        An object that a page or an answer brought has no replica yet; what they showed counts if it is older.
        """
        former = self.replica
        if former is None and self._version < version:
            former = self._shown
        self.replica = data
        for write in self._writes:
            write.notice(data)
        if self.overlay and all(getattr(data, name) == value for name, value in self.overlay.items()):
            self.overlay = {}
        self.show(data, version)
        return former

    def show(self, data: Data, version: int) -> None:
        """Take what a page or an answer said; older than what is known already, it is dropped."""
        if version >= self._version:
            self._version = version
            self._shown = data
            self._refresh()

    def catch_up(self, data: Data, version: int) -> None:
        """Take what a page said in place of events that never came, unless a newer one has come meanwhile."""
        if version >= self._version:
            self.apply(data, version)

    def expect_anything(self) -> None:
        """Event ids may start again from below: take whatever comes next as newer."""
        self._version = -1

    def begin(self, fields: Mapping[str, Any]) -> Write:
        """Note fields that are about to be written."""
        write = Write(fields)
        self._writes.append(write)
        return write

    def confirm(self, write: Write, further: Mapping[str, Any]) -> bool:
        """The write was answered with success: show its fields, unless Sync did so already. Says whether it put an overlay."""
        self.abandon(write)
        if write.seen:
            return False
        self.overlay = {**self.overlay, **write.fields, **further}
        self.overlays += 1
        self._refresh()
        return True

    def abandon(self, write: Write) -> None:
        """The write has ended."""
        if write in self._writes:
            self._writes.remove(write)

    def drop_overlay(self) -> None:
        """Show again what the service says."""
        self.overlay = {}
        self._refresh()

    def _refresh(self) -> None:
        self.visible = _with(self._shown, self.overlay) if self.overlay else self._shown


def _with(data: Any, fields: Mapping[str, Any]) -> Any:
    return attrs.evolve(data, **fields)


class Reasons(Generic[Reason]):
    """Which fields' changes are announced, under which reasons, in the order of detection."""

    __slots__ = ("_reasons", "_values")

    def __init__(self, table: Mapping[str, Reason]) -> None:
        """`table` maps names of fields to reasons."""
        self._reasons = tuple(table.values())
        self._values: Callable[[Any], tuple[Any, ...]] = operator.attrgetter(*table)

    def between(self, former: Any, current: Any) -> tuple[Reason, ...]:
        """What differs between two states; nothing when there was none before."""
        if former is None or former is current:
            return ()
        before, after = self._values(former), self._values(current)
        if before == after:
            return ()
        return tuple(reason for reason, old, new in zip(self._reasons, before, after, strict=True) if old != new)


def renamed(body: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """A REST body in Sync's names: `names` maps one to the other, and what it does not mention is left out."""
    return {sync: body[rest] for rest, sync in names.items() if rest in body}
