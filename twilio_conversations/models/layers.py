"""Two layers of state: what Sync said, and what an answer has already confirmed.

Events are the difference of two *replica* states and nothing else, so that one change is announced once, whoever made it.
Readers see more: the newest state known from any source (a page may be ahead of the events), and above it the *overlay*,
the fields that the answer to a write confirmed before Sync told of them. Where both have a date, a later state ends an overlay
whatever it carries.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Container, Mapping
from typing import Any, Final, Generic, TypeVar

import attrs

OVERLAY_SECONDS = 5.0
"""How long an overlay waits for Sync before the item is fetched again, seconds."""

_SECOND: Final = dt.timedelta(seconds=1)

Data = TypeVar("Data", bound=attrs.AttrsInstance)


@attrs.define(eq=False)
class Write:
    """Fields on their way to the service; `seen` once Sync has carried them. `base` was known when it began."""

    fields: Mapping[str, Any]
    base: Any
    seen: bool = False

    def notice(self, data: Any) -> None:
        """Look whether `data`, which Sync just delivered, carries the fields."""
        if not self.seen:
            self.seen = _carries(data, self.fields)


@attrs.frozen
class Confirmed:
    """What an answer confirmed. Without `has_order` its date says nothing: the service's clock went back before the write."""

    fields: Mapping[str, Any]
    has_order: bool

    @classmethod
    def of(cls, write: Write, further: Mapping[str, Any]) -> Confirmed:
        """The fields of a write and of its answer."""
        fields = {**write.fields, **further}
        return cls(fields, _by_date(write.base, fields) <= 0)

    def order(self, data: Any) -> int:
        """1 for a state of after the write, -1 for one of before, 0 when their dates do not say."""
        return _by_date(data, self.fields) if self.has_order else 0

    def is_told_by(self, data: Any) -> bool:
        """Whether a state is that of after the write: by its date, or where dates do not say, because it carries the fields."""
        return order > 0 if (order := self.order(data)) else _carries(data, self.fields)

    def is_over(self, other: Confirmed) -> bool:
        """Whether this write comes after another one of ours by its date; answers are read in any order."""
        ours, theirs = self.fields.get("date_updated"), other.fields.get("date_updated")
        return self.has_order and other.has_order and ours is not None and theirs is not None and ours > theirs


_NONE: Final[Mapping[int, Confirmed]] = {}
"""Shared by the very many objects that the program never wrote to."""


class ReplicatedState(Generic[Data]):
    """The state of one live object. The io thread applies, callers confirm; both under the client's lock."""

    __slots__ = ("_confirmed", "_shown", "_version", "_writes", "overlays", "replica", "visible")

    def __init__(self, data: Data, version: int = -1, *, delivered: bool = True) -> None:
        self.replica: Data | None = data if delivered else None
        self.visible: Data = data
        self.overlays: int = 0  # how many there have been; the number of the newest
        self._confirmed: Mapping[int, Confirmed] = _NONE  # each write that Sync has not told of, by its number
        self._shown = data
        self._version = version
        self._writes: tuple[Write, ...] = ()

    @property
    def overlay(self) -> dict[str, Any]:
        """What is shown above the newest state: the fields of all such writes, the newest on top."""
        return {name: value for confirmed in self._confirmed.values() for name, value in confirmed.fields.items()}

    def has_overlay(self, up_to: int) -> bool:
        """Whether a write up to that number is still shown without Sync having told of it."""
        return any(number <= up_to for number in self._confirmed)

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
        if version >= self._version:
            self.show(data, version)
        elif self._confirmed:
            self._end_told(data)
            self._refresh()
        return former

    def show(self, data: Data, version: int) -> None:
        """Take what a page or an answer said; older than what is known already, it is dropped."""
        if version >= self._version:
            self._version = version
            self._shown = data
            if self._confirmed:
                self._end_told(data)
            self._refresh()

    def _end_told(self, data: Data) -> None:
        """Let the writes go that `data` tells of; each for itself, since no single state need ever have carried two of them."""
        self._confirmed = {number: own for number, own in self._confirmed.items() if not own.is_told_by(data)}

    def catch_up(self, data: Data, version: int) -> None:
        """Take what a page said in place of events that never came, unless a newer one has come meanwhile."""
        if version >= self._version:
            self.apply(data, version)

    def expect_anything(self) -> None:
        """Event ids may start again from below: take whatever comes next as newer."""
        self._version = -1

    def begin(self, fields: Mapping[str, Any]) -> Write:
        """Note fields that are about to be written."""
        write = Write(fields, self.visible)
        self._writes += (write,)
        return write

    def confirm(self, write: Write, further: Mapping[str, Any]) -> bool:
        """The write was answered with success: show its fields, unless Sync did so already. Says whether it put an overlay."""
        self.abandon(write)
        new = Confirmed.of(write, further)
        if write.seen or new.order(self._shown) > 0:
            return False
        if any(old.is_over(new) and new.fields.keys() <= old.fields.keys() for old in self._confirmed.values()):
            return False  # written over already, by a write whose answer was read before
        self.overlays += 1
        later = {number: old for number, old in self._confirmed.items() if old.is_over(new)}
        # What this one has written over needs no event any more; what has written over a part of it stays on top.
        under = {
            number: old
            for number, old in self._confirmed.items()
            if number not in later and not old.fields.keys() <= new.fields.keys()
        }
        self._confirmed = under | {self.overlays: new} | later
        self._refresh()
        return True

    def abandon(self, write: Write) -> None:
        """The write has ended."""
        self._writes = tuple(other for other in self._writes if other is not write)

    def drop_overlay(self, up_to: int, fields: Container[str] | None = None) -> None:
        """Show again what the service says, in place of writes up to that number; of `fields` only, if they are given."""
        self._confirmed = {
            number: own
            for number, own in self._confirmed.items()
            if number > up_to or (fields is not None and not all(name in fields for name in own.fields))
        }
        self._refresh()

    def _refresh(self) -> None:
        self.visible = _with(self._shown, self.overlay) if self._confirmed else self._shown


def _carries(data: Any, fields: Mapping[str, Any]) -> bool:
    """Whether a state has the values that were written."""
    return all(getattr(data, name) == value for name, value in fields.items() if name != "date_updated")


def _by_date(data: Any, fields: Mapping[str, Any]) -> int:
    """1 for a state of after a write, -1 for one of before, 0 when their dates do not say."""
    written, known = fields.get("date_updated"), getattr(data, "date_updated", None)
    if written is None or known is None:
        return 0
    if known < written:
        return -1
    # An answer may have whole seconds only.
    return int(known > written if written.microsecond else known >= written + _SECOND)


def _with(data: Any, fields: Mapping[str, Any]) -> Any:
    return attrs.evolve(data, **fields)
