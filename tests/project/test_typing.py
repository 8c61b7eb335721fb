"""Type checkers know which events there are and what their handlers are given."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.patience import LONG_PATIENCE

ROOT = Path(__file__).parents[2]


@pytest.mark.row("BY10", "BY32", "BY36", "IN23")
def test_a_typed_program_is_checked() -> None:
    """Every event takes a handler of its payload's type in every spelling; names and handlers that are wrong are errors."""
    command = [sys.executable, "-m", "mypy", "--strict", "tests/typing/example.py"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LONG_PATIENCE, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
