"""What is generated is as fresh as what it is generated from."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.report import PAGE, PUBLISHED, page_with
from tests.support.patience import LONG_PATIENCE

ROOT = Path(__file__).parents[2]


def test_typed_events_are_those_of_the_table() -> None:
    """`events/typed.py` is what its generator makes of `events/names.py`."""
    command = [sys.executable, ".ci/generate_typed_events.py", "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LONG_PATIENCE, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
def test_probe_page_is_what_the_command_reports() -> None:
    """The reports in `docs/guides/probe.md` are those of the command, apart from times."""
    command = [sys.executable, ".ci/generate_probe_page.py", "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LONG_PATIENCE, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_tables_of_performance_are_those_of_the_committed_run() -> None:
    """`docs/performance.md` shows the run in `benchmarks/results/published.json`, every table of it."""
    content, page = json.loads(PUBLISHED.read_text("utf-8")), PAGE.read_text("utf-8")
    assert page_with(content, page) == page
    names = [*(table["name"] for table in content["tables"]), "run"]
    assert [name for name in names if f"<!-- {name}: made by" not in page] == []
