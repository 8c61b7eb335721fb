"""The tables of a run, and the rows of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from benchmarks import growth_rows, program_rows, rows, service_rows
from benchmarks.bench import Bench
from benchmarks.figures import Row, Table


@attrs.frozen
class Kind:
    """A table: how it begins, the functions that measure its rows, and the workers of these."""

    table: Callable[[], Table]
    rows: Mapping[str, Callable[[Bench], list[Row]]]
    workers: tuple[str, ...] = ()


KINDS: Mapping[str, Kind] = {
    "clients": Kind(
        lambda: Table("clients", "Clients", rows.CLIENTS, "aim: reached"),
        {**rows.ROWS, **program_rows.PROGRAM_ROWS},
        ("ours", "bare", "official"),
    ),
    "service": Kind(lambda: Table("service", "The service", service_rows.COLUMNS), service_rows.ROWS),
    "growth": Kind(lambda: Table("growth", "Growth", growth_rows.COLUMNS, "grows"), growth_rows.ROWS),
}


def choices() -> list[str]:
    """Names of tables and rows."""
    return [name for key, kind in KINDS.items() for name in (key, *kind.rows)]
