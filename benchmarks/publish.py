"""``python -m benchmarks.publish [JSON]``: make a run the one that docs/performance.md shows.

Without an argument the tables of the page are made anew from the run that is committed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.report import PAGE, PUBLISHED, page_with, write_json


def main() -> None:
    """Write the page's tables, and the JSON beside the benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.publish", description="Show a run in docs/performance.md.")
    parser.add_argument("run", nargs="?", type=Path, default=PUBLISHED, help="the JSON of a run")
    content = json.loads(parser.parse_args().run.read_text())
    write_json(content, PUBLISHED)
    PAGE.write_text(page_with(content, PAGE.read_text()))


if __name__ == "__main__":
    main()
