"""``python -m benchmarks [--quick] [--rounds N] [--only ROW ...] [--markdown]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import attrs

from benchmarks.processes import service
from benchmarks.program_rows import PROGRAM_ROWS
from benchmarks.report import Row, as_markdown, show, write_json
from benchmarks.rows import ROWS, Bench, Settings, workers

ALL = {**ROWS, **PROGRAM_ROWS}
RESULTS = Path(__file__).parent / "results" / "latest.json"


def main() -> None:
    """Run the rows, print the table, write the JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Our client beside the official SDK and a bare loop."
    )
    parser.add_argument("--quick", action="store_true", help="a short run: few rounds, small data")
    parser.add_argument("--rounds", type=int, help="rounds for each row (5)")
    parser.add_argument("--only", nargs="+", choices=sorted(ALL), help="some rows only")
    parser.add_argument("--markdown", action="store_true", help="print the table for docs/performance.md")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the JSON goes")
    given = parser.parse_args()
    settings = Settings.quick() if given.quick else Settings()
    if given.rounds:
        settings = attrs.evolve(settings, rounds=given.rounds)
    rows = run(settings, given.only or list(ALL))
    write_json(rows, given.output, attrs.asdict(settings))
    if given.markdown:
        print(as_markdown(rows))
    else:
        show(rows)


def run(settings: Settings, names: list[str]) -> list[Row]:
    """The rows called `names`, against one service with one set of data."""
    rows: list[Row] = []
    with service() as running, workers() as (each, absent):
        bench = Bench(settings, running, each, absent, lambda text: print(text, file=sys.stderr))
        for name in names:
            rows += ALL[name](bench)
    return rows


if __name__ == "__main__":
    main()
