"""Medians, aims, and the table in three forms: for the terminal, as JSON, as Markdown."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs

CLIENTS = {
    "ours": "ours",
    "official": "official SDK 3.0.1",
    "bare": "bare loop, acknowledging",
    "bare_silent": "bare loop, no acks",
    "libraries": "the five libraries",
}


@attrs.frozen
class Aim:
    """What we want of a row: our median compared with another client's (times `factor`), or with a plain `limit`."""

    sense: Literal["at least", "at most"]
    factor: float
    other: str | None = None

    def judge(self, medians: Mapping[str, float]) -> tuple[str, bool | None]:
        """The aim in words with what was reached; met, missed, or None where the other client has no figure."""
        ours = medians.get("ours")
        if self.other is None:
            words, value = f"{self.sense} {self.factor:g}", ours
        else:
            other = medians.get(self.other)
            words = f"{self.sense} {self.factor:g} x {CLIENTS[self.other]}"
            value = ours / other if ours is not None and other else None
        if value is None:
            return f"{words}: not measured", None
        met = value >= self.factor if self.sense == "at least" else value <= self.factor
        return f"{words}: {value:.3g}", met


@attrs.define
class Row:
    """One thing that is measured: for each client the figures of all rounds."""

    name: str
    unit: str
    aims: Sequence[Aim] = ()
    rounds: dict[str, list[float]] = attrs.field(factory=dict)
    failures: dict[str, str] = attrs.field(factory=dict)

    def add(self, client: str, value: float) -> None:
        """One round's figure."""
        self.rounds.setdefault(client, []).append(value)

    @property
    def medians(self) -> dict[str, float]:
        """The median of each client's rounds."""
        return {client: statistics.median(values) for client, values in self.rounds.items()}

    def cell(self, client: str) -> str:
        """One client's median as text, or why there is none."""
        if client in self.failures:
            return "failed"
        return shown(self.medians[client]) if client in self.rounds else ""

    def verdicts(self) -> list[str]:
        """Every aim with what was reached."""
        marks = {True: "met", False: "MISSED", None: "open"}
        return [f"{words} ({marks[met]})" for words, met in (aim.judge(self.medians) for aim in self.aims)]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "name": self.name,
            "unit": self.unit,
            "medians": self.medians,
            "rounds": self.rounds,
            "aims": self.verdicts(),
            "failures": self.failures,
        }


def shown(value: float) -> str:
    """A figure with as many digits as mean something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def machine() -> dict[str, Any]:
    """Where the figures come from, without naming the host."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    load = os.getloadavg()[1]  # much above 1 means that others were at work, and the figures mean little
    return {"python": platform.python_version(), "system": platform.system(), "cpu": model, "cores": os.cpu_count(), "load": load}


def as_markdown(rows: Sequence[Row]) -> str:
    """The table for docs/performance.md."""
    lines = ["| | " + " | ".join(CLIENTS.values()) + " | aim: reached |", "| --- |" + " ---: |" * len(CLIENTS) + " --- |"]
    for row in rows:
        cells = " | ".join(row.cell(client) for client in CLIENTS)
        lines.append(f"| {row.name} ({row.unit}) | {cells} | {'; '.join(row.verdicts())} |")
    return "\n".join(lines) + "\n"


def write_json(rows: Sequence[Row], path: Path, settings: Mapping[str, Any]) -> None:
    """Everything, each round included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"machine": machine(), "settings": dict(settings), "rows": [row.to_dict() for row in rows]}
    path.write_text(json.dumps(content, indent=1) + "\n")


def show(rows: Sequence[Row]) -> None:
    """The table on the terminal, drawn by rich where it is installed."""
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        print(as_markdown(rows))
    else:
        table = Table(title="medians", show_lines=True)
        table.add_column("")
        for label in CLIENTS.values():
            table.add_column(label, justify="right")
        table.add_column("aim: reached")
        for row in rows:
            table.add_row(f"{row.name}\n({row.unit})", *(row.cell(client) for client in CLIENTS), "\n".join(row.verdicts()))
        Console(width=140).print(table)
    for row in rows:
        for client, reason in row.failures.items():
            print(f"{row.name}: {CLIENTS[client]} failed: {reason}")
