"""Two layers of state: the values that Sync has delivered, and those that the answer to a write has confirmed.

Events are the difference of two *replica* states and nothing else, so that one change is announced once, whoever made it.
Readers see more: the newest state known from any source (a page may be ahead of the events), and above it the *overlay*,
the fields that the answer to a write confirmed before Sync delivered them. Where both have a date, a later state ends an overlay
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
    """Fields on their way to the service; `seen` once Sync has delivered them. `base` is the state from before the write."""

    fields: Mapping[str, Any]
    base: Any
    seen: bool = False

    def notice(self, data: Any) -> None:
        """Record whether `data`, which Sync just delivered, carries the fields."""
        if not self.seen:
            self.seen = _carries(data, self.fields)


@attrs.frozen
class Confirmed:
    """Fields that an answer confirmed. Without `has_order` its date is ignored: the service's clock went back before it."""

    fields: Mapping[str, Any]
    has_order: bool

    @classmethod
    def of(cls, write: Write, further: Mapping[str, Any]) -> Confirmed:
        """Return the fields of a write and of its answer."""
        fields = {**write.fields, **further}
        return cls(fields, _by_date(write.base, fields) <= 0)

    def order(self, data: Any) -> int:
        """Return 1 for a state of after the write, -1 for one of before, 0 when their dates do not decide."""
        return _by_date(data, self.fields) if self.has_order else 0

    def is_in(self, data: Any) -> bool:
        """Return whether a state is of after the write: by its date, or if dates do not decide, because it carries the fields."""
        return order > 0 if (order := self.order(data)) else _carries(data, self.fields)

    def is_over(self, other: Confirmed) -> bool:
        """Return whether this write is later than another one of this client by its date; answers are read in any order."""
        ours, theirs = self.fields.get("date_updated"), other.fields.get("date_updated")
        return self.has_order and other.has_order and ours is not None and theirs is not None and ours > theirs


_NONE: Final[Mapping[int, Confirmed]] = {}
"""Shared by all objects that the program never wrote to."""


class ReplicatedState(Generic[Data]):
    """The state of one live object. The io thread applies, callers confirm; both under the client's lock."""

    __slots__ = ("_confirmed", "_shown", "_writes", "overlays", "replica", "version", "visible")

    def __init__(self, data: Data, version: int = -1, *, delivered: bool = True) -> None:
        self.replica: Data | None = data if delivered else None
        self.visible: Data = data
        self.overlays: int = 0  # number of overlays so far, which is the number of the newest
        self._confirmed: Mapping[int, Confirmed] = _NONE  # each write that Sync has not delivered, by its number
        self._shown = data
        self.version: int = version
        self._writes: tuple[Write, ...] = ()

    def base_of(self, version: int) -> Data | None:
        """Return the state that data of a version is completed from where it has some fields only; `None` if that is not known.

        That is the state from Sync, else the one of a page or an answer, unless that is of later.
        """
        if self.replica is None and self.version <= version:
            return self._shown
        return self.replica

    @property
    def overlay(self) -> dict[str, Any]:
        """Fields that are shown above the newest state: those of all undelivered writes, the newest on top."""
        return {name: value for confirmed in self._confirmed.values() for name, value in confirmed.fields.items()}

    def has_overlay(self, up_to: int) -> bool:
        """Return whether a write up to that number is still shown and not delivered by Sync."""
        return any(number <= up_to for number in self._confirmed)

    def apply(self, data: Data, version: int) -> Data | None:
        """Apply the data of an event; return the state that it changed, `None` when that is not known.

        An object from a page or an answer has no replica yet; the state that they showed counts if it is older.
        """
        former = self.replica
        if former is None and self.version < version:
            former = self._shown
        self.replica = data
        for write in self._writes:
            write.notice(data)
        if version >= self.version:
            self.show(data, version)
        elif self._confirmed:
            self._end_delivered(data)
            self._refresh()
        return former

    def show(self, data: Data, version: int) -> None:
        """Apply the data of a page or an answer; data older than the current state is discarded."""
        if version >= self.version:
            self.version = version
            self._shown = data
            if self._confirmed:
                self._end_delivered(data)
            self._refresh()

    def _end_delivered(self, data: Data) -> None:
        """Discard the writes that `data` contains; each is compared by itself, since no state need carry two of them."""
        self._confirmed = {number: own for number, own in self._confirmed.items() if not own.is_in(data)}

    def catch_up(self, data: Data, version: int) -> bool:
        """Apply the data of a page in place of events that never came, unless a newer event has come meanwhile.

        Return whether it may differ from what readers or handlers know: handlers know of an own write by its event only.
        """
        if version < self.version:
            return False
        shown = self.visible
        return self.apply(data, version) != data or self.visible != shown

    def expect_anything(self) -> None:
        """Treat the next data as newer: event ids may start again from the beginning."""
        self.version = -1

    def begin(self, fields: Mapping[str, Any]) -> Write:
        """Record fields that are about to be written."""
        write = Write(fields, self.visible)
        self._writes += (write,)
        return write

    def confirm(self, write: Write, further: Mapping[str, Any]) -> bool:
        """Show the fields of a write that succeeded, unless Sync has delivered them. Return whether there is a new overlay."""
        self.abandon(write)
        new = Confirmed.of(write, further)
        if write.seen or new.order(self._shown) > 0:
            return False
        if any(old.is_over(new) and new.fields.keys() <= old.fields.keys() for old in self._confirmed.values()):
            return False  # already overwritten by a write whose answer was read before
        self.overlays += 1
        later = {number: old for number, old in self._confirmed.items() if old.is_over(new)}
        # Writes that this one overwrote need no event any more; those that overwrote a part of it stay on top.
        under = {
            number: old
            for number, old in self._confirmed.items()
            if number not in later and not old.fields.keys() <= new.fields.keys()
        }
        self._confirmed = under | {self.overlays: new} | later
        self._refresh()
        return True

    def abandon(self, write: Write) -> None:
        """Discard a write that has ended."""
        self._writes = tuple(other for other in self._writes if other is not write)

    def drop_overlay(self, up_to: int, fields: Container[str] | None = None) -> None:
        """Show the state of the service again in place of writes up to that number; only those of `fields`, if given."""
        self._confirmed = {
            number: own
            for number, own in self._confirmed.items()
            if number > up_to or (fields is not None and not all(name in fields for name in own.fields))
        }
        self._refresh()

    def _refresh(self) -> None:
        self.visible = _with(self._shown, self.overlay) if self._confirmed else self._shown


def _carries(data: Any, fields: Mapping[str, Any]) -> bool:
    """Return whether a state has the values that were written."""
    return all(getattr(data, name) == value for name, value in fields.items() if name != "date_updated")


def _by_date(data: Any, fields: Mapping[str, Any]) -> int:
    """Return 1 for a state of after a write, -1 for one of before, 0 when their dates do not decide."""
    written, known = fields.get("date_updated"), getattr(data, "date_updated", None)
    if written is None or known is None:
        return 0
    if known < written:
        return -1
    # An answer may have whole seconds only.
    return int(known > written if written.microsecond else known >= written + _SECOND)


def _with(data: Any, fields: Mapping[str, Any]) -> Any:
    return attrs.evolve(data, **fields)
