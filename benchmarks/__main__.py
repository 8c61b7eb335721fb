"""``python -m benchmarks [--quick] [--rounds N] [--only NAME ...] [--markdown]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import attrs

from benchmarks.bench import Bench, Settings, workers
from benchmarks.figures import Table
from benchmarks.processes import service
from benchmarks.report import as_json, as_markdown, show, write_json
from benchmarks.tables import KINDS, Kind, choices

RESULTS = Path(__file__).parent / "results" / "latest.json"


def main() -> None:
    """Run the rows, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Our client beside the official SDK and a bare loop; the service; growth."
    )
    parser.add_argument("--quick", action="store_true", help="a short run: few rounds, small data")
    parser.add_argument("--rounds", type=int, help=f"rounds for each row ({Settings().rounds})")
    parser.add_argument("--only", nargs="+", choices=sorted(choices()), metavar="NAME", help=f"of: {', '.join(choices())}")
    parser.add_argument("--markdown", action="store_true", help="print the tables for docs/performance.md")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the JSON goes")
    given = parser.parse_args()
    settings = Settings.quick() if given.quick else Settings()
    if given.rounds:
        settings = attrs.evolve(settings, rounds=given.rounds)
    tables = run(settings, given.only or list(KINDS))
    write_json(as_json(tables, attrs.asdict(settings)), given.output)
    for table in tables:
        if given.markdown:
            print(f"## {table.title}\n\n{as_markdown(table)}")
        else:
            show(table)


def run(settings: Settings, names: list[str]) -> list[Table]:
    """The tables and rows called `names`."""
    wanted = {key: [name for name in kind.rows if {key, name} & {*names}] for key, kind in KINDS.items()}
    return [fill(KINDS[key], settings, rows) for key, rows in wanted.items() if rows]


def fill(kind: Kind, settings: Settings, names: list[str]) -> Table:
    """A table with the rows called `names`, against one service with one set of data."""
    table = kind.table()
    with service() as running, workers(kind.workers) as (each, absent):
        bench = Bench(settings, running, each, absent, lambda text: print(text, file=sys.stderr))
        for name in names:
            table.rows.extend(kind.rows[name](bench))
    return table


if __name__ == "__main__":
    main()
