"""The figures of runs, as a table with a column for each, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import attrs
from rich.console import Console
from rich.table import Table

from tests.faults.laboratory import Figures
from tests.faults.service_faults import SERVICES

ROWS: Final[Mapping[str, Callable[[Figures], str]]] = MappingProxyType(
    {
        "seed": lambda run: str(run.seed),
        "minutes": lambda run: f"{run.seconds / 60:.1f}",
        "messages": lambda run: f"{run.counts.messages:,}",
        "cuts": lambda run: f"{run.cuts:,}",
        "lost": lambda run: str(run.counts.lost),
        "missed": lambda run: str(run.counts.missed),
        "doubled": lambda run: str(run.counts.doubled),
        "out of order": lambda run: str(run.counts.out_of_order),
        "invented": lambda run: str(run.counts.invented),
        "raised": lambda run: str(run.counts.raised),
        "of them kept": lambda run: str(run.counts.unknown),
        "reconnects": lambda run: f"{run.reconnects:,}",
        "longest outage (s)": lambda run: f"{run.longest_outage:.1f}",
    }
)
"""What is shown of a run."""


def table_of(runs: Sequence[Figures]) -> Table:
    """Return the table: a column for each run, with the client and its service as the title."""
    table = Table("", *(f"{run.client}, {SERVICES[run.service].title}" for run in runs))
    for name, cell in ROWS.items():
        table.add_row(name, *map(cell, runs))
    return table


def show(runs: Sequence[Figures]) -> None:
    """Print the table, and for each run what happened by kind and every complaint."""
    console = Console(width=max(160, Console().width), soft_wrap=True)
    console.print(table_of(runs))
    for run in runs:
        kinds = "; ".join(f"{kind.replace('_', ' ')} {count:,}" for kind, count in run.kinds.items())
        console.print(f"{run.client}, {SERVICES[run.service].title}: {kinds}", highlight=False)
        for detail in [*run.counts.details, *run.log]:
            console.print(detail, style="red", markup=False, highlight=False)
        if run.hung:
            console.print(f"{run.hung} senders hang", style="red")


def write(runs: Sequence[Figures], path: Path) -> None:
    """Write the figures as JSON, one object for each run."""
    content: list[dict[str, Any]] = [{**attrs.asdict(run), "clean": run.clean} for run in runs]
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
