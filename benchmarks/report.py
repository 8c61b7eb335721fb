"""The tables of a run in three forms: for the terminal, as JSON, and as Markdown, which `docs/performance.md` shows."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import Row, Table

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
PUBLISHED = Path(__file__).parent / "results" / "published.json"
"""The run that the page shows; it is committed."""


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
    facts = {"python": platform.python_version(), "system": platform.system(), "cpu": model, "cores": os.cpu_count()}
    return {"commit": commit(), **facts, "load": round(load, 1)}


def commit() -> str:
    """The commit that was measured; with a plus where files were changed since."""
    try:
        command = ["git", "describe", "--always", "--exclude=*", "--dirty=+"]
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def as_markdown(table: Table) -> str:
    """A table for docs/performance.md."""
    columns = table.used
    heads = [*columns.values(), table.last] if table.last else [*columns.values()]
    lines = ["| | " + " | ".join(heads) + " |", "| --- |" + " ---: |" * len(columns) + " --- |" * bool(table.last)]
    for row in table.rows:
        cells = [f"{row.name} ({row.unit})", *(row.cell(column) for column in columns)]
        lines.append("| " + " | ".join([*cells, "; ".join(row.verdicts(table.columns))][: len(heads) + 1]) + " |")
    return "\n".join(lines) + "\n"


def about(content: Mapping[str, Any]) -> str:
    """The sentence about the run of some JSON."""
    facts, rounds = content["machine"], content["settings"]["rounds"]
    where = f"Python {facts['python']}, {facts['cpu']}, {facts['cores']} cores, load {facts['load']} at the end"
    return f"Commit {facts['commit']}, {rounds} rounds: medians, with the least and the largest. {where}.\n"


def page_with(content: Mapping[str, Any], page: str) -> str:
    """The page with the tables of some JSON, each between the comments that name it."""
    parts = {table["name"]: as_markdown(Table.from_dict(table)) for table in content["tables"]}
    parts["run"] = about(content)
    for name, text in parts.items():
        comments = (f"<!-- {name}: made by python -m benchmarks.publish -->", f"<!-- end of {name} -->")
        pattern = re.compile(re.escape(comments[0]) + ".*?" + re.escape(comments[1]), re.DOTALL)
        page = pattern.sub(lambda _, comments=comments, text=text: f"{comments[0]}\n\n{text}\n{comments[1]}", page)
    return page


def as_json(tables: Sequence[Table], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Everything, each round included."""
    return {"machine": machine(), "settings": dict(settings), "tables": [table.to_dict() for table in tables]}


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write the JSON of a run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")


def show(table: Table) -> None:
    """A table on the terminal, drawn by rich where it is installed; then why figures are missing."""
    try:
        from rich.console import Console
        from rich.table import Table as Drawn
    except ImportError:
        print(f"{table.title}\n\n{as_markdown(table)}")
    else:
        drawn = Drawn(title=table.title, show_lines=True)
        drawn.add_column("")
        for label in table.used.values():
            drawn.add_column(label, justify="right")
        if table.last:
            drawn.add_column(table.last)
        for row in table.rows:
            last = ["\n".join(row.verdicts(table.columns))] if table.last else []
            drawn.add_row(f"{row.name}\n({row.unit})", *(row.cell(column) for column in table.used), *last)
        Console(width=150).print(drawn)
    for row in table.rows:
        show_failures(table, row)


def show_failures(table: Table, row: Row) -> None:
    """The reasons for figures that are missing."""
    for column, reason in row.failures.items():
        print(f"{row.name}: {table.columns[column]} failed: {reason}")
