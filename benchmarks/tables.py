"""The tables of a run, and the rows of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from benchmarks import rows
from benchmarks.bench import Bench, Settings
from benchmarks.figures import Row, Table


@attrs.frozen
class Kind:
    """A table: how it begins, and the functions that measure its rows."""

    table: Callable[[Settings], Table]
    rows: Mapping[str, Callable[[Bench], list[Row]]]


KINDS: Mapping[str, Kind] = {
    "clients": Kind(lambda _: Table("clients", "Clients: medians", rows.CLIENTS, "aim: reached"), rows.ROWS),
}


def choices() -> list[str]:
    """Names of tables and rows."""
    return [name for key, kind in KINDS.items() for name in (key, *kind.rows)]
