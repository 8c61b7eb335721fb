"""The figures of a run, as a table and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
from rich.console import Console
from rich.table import Table

from tests.faults.laboratory import Figures

COLUMNS = (
    "client", "seed", "minutes", "messages", "cuts", "lost", "missed", "doubled", "out of order", "invented", "raised",
    "of them kept", "reconnects", "longest outage (s)",
)  # fmt: skip


def row(figures: Figures) -> list[str]:
    """Return the cells of `COLUMNS`."""
    counts = figures.counts
    faults = (
        counts.lost,
        counts.missed,
        counts.doubled,
        counts.out_of_order,
        counts.invented,
        counts.raised,
        counts.unknown,
    )
    return [
        figures.client,
        str(figures.seed),
        f"{figures.seconds / 60:.1f}",
        f"{counts.messages:,}",
        f"{figures.cuts:,}",
        *map(str, faults),
        f"{figures.reconnects:,}",
        f"{figures.longest_outage:.1f}",
    ]


def show(figures: Figures) -> None:
    """Print the table, what happened by kind, and every complaint."""
    table = Table(*COLUMNS)
    table.add_row(*row(figures))
    console = Console(width=max(160, Console().width), soft_wrap=True)
    console.print(table)
    console.print("; ".join(f"{kind.replace('_', ' ')} {count:,}" for kind, count in figures.kinds.items()), highlight=False)
    for detail in [*figures.counts.details, *figures.log]:
        console.print(detail, style="red", markup=False, highlight=False)
    if figures.hung:
        console.print(f"{figures.hung} senders hang", style="red")


def write(figures: Figures, path: Path) -> None:
    """Write the figures as JSON."""
    content: dict[str, Any] = attrs.asdict(figures)
    path.write_text(json.dumps({**content, "clean": figures.clean}, indent=2) + "\n", "utf-8")
