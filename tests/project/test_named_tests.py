"""The docs say what is promised, and name the test that shows it: every test that a page names is there."""

from __future__ import annotations

import ast
import functools
import itertools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
NAMED = re.compile(r"\btests/[\w/.-]+\.py(?:::\w+)*")
SHOWN_BY_TESTS = {"docs/known-complaints.md", "docs/security.md"}
"""Pages on which every row of a table has to name a test."""


def names_of(text: str) -> list[str]:
    """Return the files, functions and methods below `tests/` that a page speaks of, in order, each once."""
    return list(dict.fromkeys(NAMED.findall(text)))


@functools.cache
def body_of(file: str) -> list[ast.stmt]:
    """Return what a file consists of."""
    return ast.parse((ROOT / file).read_text(encoding="utf-8")).body


def is_there(name: str) -> bool:
    """Say whether a file, or a function or method in it, exists."""
    file, *path = name.split("::")
    if not (ROOT / file).is_file():
        return False
    body = body_of(file)
    for step in path:
        found = [node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == step]
        if not found:
            return False
        body = found[0].body
    return True


@pytest.mark.parametrize("page", [pytest.param(page, id=page.relative_to(ROOT).as_posix()) for page in PAGES])
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    """A page names only tests that are there."""
    assert [name for name in names_of(page.read_text(encoding="utf-8")) if not is_there(name)] == []


@pytest.mark.parametrize("name", sorted(SHOWN_BY_TESTS))
def test_every_row_names_a_test(name: str) -> None:
    """On a page of promises each row of a table says which test shows it."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    rows = [line for before, line in itertools.pairwise(lines) if line.startswith("|") and before.startswith("|")]
    rows = [row for row in rows if not re.fullmatch(r"[|\s:-]+", row)]
    assert len(rows) > 20
    assert [row for row in rows if "::test_" not in row] == []


def test_names_are_found_and_missing_ones_are_noticed() -> None:
    """The reader of pages finds names in running text and in tables, and knows what is there."""
    here = "tests/project/test_named_tests.py"
    text = f"see {here}::test_every_row_names_a_test, `{here}`, and | {here}::no_such |"
    assert names_of(text) == [f"{here}::test_every_row_names_a_test", here, f"{here}::no_such"]
    assert [is_there(name) for name in names_of(text)] == [True, True, False]
    assert not is_there("tests/nothing.py")
