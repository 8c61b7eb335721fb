"""Fields of what the service sends: their names on the wire, and which of their changes are announced."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Generic, TypeVar

Reason = TypeVar("Reason", bound=Enum)


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
