"""Representation of objects in interactive sessions: `repr` and completion."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["public_names"]


def public_names(names: Iterable[str]) -> list[str]:
    """Return the names that tab completion offers: methods and properties, not what is private, and no constants of events.

    The constants are many, sort before everything else, and are on the class.
    """
    return [name for name in names if not name.startswith("_") and not name.isupper()]
