"""Data of a model that the tests of its layers use, with and without a date."""

from __future__ import annotations

import datetime as dt

import attrs


@attrs.frozen
class Thing:
    """Some model's data."""

    name: str = ""
    size: int = 0


@attrs.frozen
class Dated(Thing):
    """Data that say when they were changed last."""

    date_updated: dt.datetime | None = None


def at(milliseconds: int) -> dt.datetime:
    """A moment of one second."""
    return dt.datetime(2026, 1, 1, microsecond=1000 * milliseconds, tzinfo=dt.UTC)
