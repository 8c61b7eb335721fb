"""Tables as Markdown, in the page, and from a run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import processes
from benchmarks.figures import Aim, Row, Table
from benchmarks.report import as_markdown, page_with
from tests.support.patience import LONG_PATIENCE

ROOT = Path(__file__).parents[2]
COLUMNS = {"ours": "ours", "official": "official SDK", "bare": "bare loop"}
MACHINE = {"python": "3.11.2", "cpu": "one", "cores": 2, "load": 0.1, "commit": "abc"}


def table() -> Table:
    """Return a table with a client that could not take part, and one that was not asked."""
    row = Row("start", "ms", [Aim("at most", 0.5, "official")], {"ours": [1.0, 3.0]}, needs={"official": "npm ci"})
    return Table("clients", "Clients", COLUMNS, "aim: reached", [row])


def test_a_row_names_the_command_of_what_is_missing() -> None:
    """A client that is not installed has its command in the cell; a column without figures is left out."""
    assert as_markdown(table()) == (
        "| | ours | official SDK | aim: reached |\n"
        "| --- | ---: | ---: | --- |\n"
        "| start (ms) | 2 (1 to 3) | needs `npm ci` | at most 0.5 x official SDK: not measured (open) |\n"
    )


def test_the_command_installs_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without Node it is Node that is needed; without the package, one command beside the lock file."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert processes.missing_official() == "node"
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\nexit 0\n")
    node.chmod(0o755)
    monkeypatch.setattr(processes, "OFFICIAL", tmp_path / "absent")
    assert processes.missing_official() == processes.INSTALL
    assert (ROOT / processes.INSTALL.split()[-1] / "package-lock.json").exists()
    monkeypatch.setattr(processes, "OFFICIAL", tmp_path)
    assert processes.missing_official() is None


def test_the_page_has_each_table_between_its_comments() -> None:
    """Old tables are replaced, other text stays; doing it again changes nothing."""
    comment = "<!-- clients: made by python -m benchmarks.publish -->"
    page = f"before\n\n{comment}\nold\n<!-- end of clients -->\n\nafter\n"
    content = {"machine": MACHINE, "settings": {"rounds": 7}, "tables": [table().to_dict()]}
    made = page_with(content, page)
    assert made == f"before\n\n{comment}\n\n{as_markdown(table())}\n<!-- end of clients -->\n\nafter\n"
    assert page_with(content, made) == made


@pytest.mark.slow
def test_a_run_writes_each_round(tmp_path: Path) -> None:
    """The command runs the rows it was asked for, in turns, and writes every round's figure."""
    output = tmp_path / "run.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--rounds", "2", "--only", "start_up", "--output", str(output)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LONG_PATIENCE, check=True)
    content = json.loads(output.read_text())
    ((row,),) = [one["rows"] for one in content["tables"]]
    assert row["name"] == "constructor to initialized"
    assert len(row["rounds"]["ours"]) == 2
    assert row["failures"] == {}
    assert "constructor to initialized: round 2, ours" in result.stderr
