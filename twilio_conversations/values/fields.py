"""One row per field of what the service sends: its names in Sync and REST, how it is read, and what a change of it is called.

A class of values is its own table: each attribute is declared by `field`, and everything else follows from the rows. `Fields`
reads items and answers into such a class; `Reasons` compares two of its values.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from enum import Enum, StrEnum
from typing import Any, Final, Generic, TypeVar

import attrs

from twilio_conversations.enums import known
from twilio_conversations.errors import ProtocolError
from twilio_conversations.util.json import parse_text, text_or_empty

Data = TypeVar("Data", bound=attrs.AttrsInstance)
Reason = TypeVar("Reason", bound=Enum)
Value = TypeVar("Value")
Word = TypeVar("Word", bound=StrEnum)

_ROW: Final = "row"


@attrs.frozen
class Row:
    """Description of an attribute on the wire.

    Attributes:
        read: makes the value of what was sent; lenient, it does not raise.
        sync: its name in Sync's items.
        rest: its name in REST answers; `None` when they do not have it.
        reason: the update reason of a change; `None` when none is announced.
        keeps: a value that reads as `None` is ignored, and the former value is kept.
        part: which of several Sync objects has it, where a class is read from more than one.
    """

    read: Callable[[Any], Any]
    sync: str
    rest: str | None = None
    reason: Enum | None = None
    keeps: bool = False
    part: str = ""


def field(
    read: Callable[[Any], Value],
    sync: str,
    *,
    rest: str | None = None,
    reason: Enum | None = None,
    keeps: bool = False,
    part: str = "",
) -> Value:
    """Declare an attribute by its row (see `Row`); until something is sent, its value is that of `None`, read."""
    metadata = row(read, sync, rest=rest, reason=reason, keeps=keeps, part=part)
    return attrs.field(default=read(None), metadata=metadata)


def row(read: Callable[[Any], Any], sync: str, **facts: Any) -> dict[str, Any]:
    """Return the metadata of an attribute that is always given; others are declared by `field`."""
    return {_ROW: Row(read, sync, **facts)}


def word(kind: type[Word], default: Word) -> Callable[[Any], Word | str]:
    """Return a reader of the service's words; those that this package does not know are read as text."""
    members = {member.value: member for member in kind}

    def read(value: Any) -> Word | str:
        member = members.get(value) if type(value) is str else None
        return known(kind, value, default) if member is None else member

    return read


def flag(value: Any) -> bool | None:
    """Return true and false as they are; anything else reads as `None`."""
    return value if isinstance(value, bool) else None


_AS_SENT: Final[Mapping[Callable[[Any], Any], frozenset[type]]] = {
    parse_text: frozenset({str, type(None)}),
    text_or_empty: frozenset({str}),
    flag: frozenset({bool, type(None)}),
}
"""Types that a reader returns as they are: it need not be called for them, and most fields of most events are such."""


class Fields(Generic[Data]):
    """Reads what the service sends into values of one class, by its rows."""

    __slots__ = ("_all", "_columns", "_defaults", "_kept", "_kind", "_rest_names", "names")

    def __init__(self, kind: type[Data], part: str = "") -> None:
        """`kind` has at least two attributes; its rows of the given `part` are read, the others stay as they are."""
        attributes = attrs.fields(kind)
        rows = [_row(attribute, part) for attribute in attributes]
        self._kind: Callable[..., Data] = kind
        self._all: Callable[[Any], tuple[Any, ...]] = operator.attrgetter(*(attribute.name for attribute in attributes))
        self._columns = {
            row.sync: (place, _AS_SENT.get(row.read, frozenset()), row.read) for place, row in enumerate(rows) if row is not None
        }
        self._defaults = tuple(attribute.default for attribute in attributes)
        self._kept = tuple(place for place, row in enumerate(rows) if row is not None and row.keeps)
        self._rest_names = {row.rest: row.sync for row in rows if row is not None and row.rest is not None}
        self.names: dict[str, str] = {
            row.sync: attribute.name for attribute, row in zip(attributes, rows, strict=True) if row is not None
        }
        """Sync's names and ours."""

    def read(self, item: Mapping[Any, Any], base: Data | None = None) -> Data:
        """Return the value of an item of Sync's; what it does not mention is as in `base`."""
        former = self._defaults if base is None else self._all(base)
        values, columns = [*former], self._columns
        for sync, value in item.items():
            if sync in columns:
                place, as_sent, read = columns[sync]
                values[place] = value if type(value) in as_sent else read(value)
        for place in self._kept:
            if values[place] is None:
                values[place] = former[place]
        return self._kind(*values)

    def from_rest(self, body: Any, what: str) -> dict[str, Any]:
        """Return a REST body as an item of Sync's; what has no REST name is left out.

        Raises:
            ProtocolError: `what`, since the body is not an object.
        """
        if not isinstance(body, dict):
            raise ProtocolError(what, body=body)
        return {sync: body[rest] for rest, sync in self._rest_names.items() if rest in body}


class Reasons(Generic[Reason]):
    """Update reasons of fields, in the order of detection."""

    __slots__ = ("_values", "reasons")

    def __init__(self, table: Mapping[str, Reason]) -> None:
        """`table` maps names of fields to reasons; two of them at least."""
        self.reasons: tuple[Reason, ...] = tuple(table.values())
        self._values: Callable[[Any], tuple[Any, ...]] = operator.attrgetter(*table)

    @classmethod
    def of(cls, kind: type[attrs.AttrsInstance], reasons: type[Reason]) -> Reasons[Reason]:
        """Make the table of a class from its rows; the order is that of the enum `reasons`."""
        rows = {found.reason: name for name, found in _rows(kind).items() if found.reason is not None}
        return cls({rows[reason]: reason for reason in reasons if reason in rows})

    def between(self, former: Any, current: Any) -> tuple[Reason, ...]:
        """Return the reasons for the differences between two states; none if there was no state before."""
        if former is None or former is current:
            return ()
        compared = zip(self.reasons, self._values(former), self._values(current), strict=True)
        return tuple([reason for reason, old, new in compared if old is not new and old != new])


def _rows(kind: type[attrs.AttrsInstance]) -> dict[str, Row]:
    return {attribute.name: attribute.metadata[_ROW] for attribute in attrs.fields(kind) if _ROW in attribute.metadata}


def _row(attribute: attrs.Attribute[Any], part: str) -> Row | None:
    found: Row | None = attribute.metadata.get(_ROW)
    return found if found is not None and found.part == part else None
