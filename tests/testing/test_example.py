"""The project of the guide "Test your bot", as it stands in docs/examples."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.patience import LONG_PATIENCE

pytest_plugins = ["pytester"]

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "tested_bot"


def test_its_tests_pass(pytester: pytest.Pytester) -> None:
    """They pass, with warnings as errors."""
    shutil.copytree(EXAMPLE, pytester.path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    result = pytester.runpytest_subprocess("-W", "error", "-p", "no:cacheprovider", timeout=LONG_PATIENCE)
    result.assert_outcomes(passed=6)
