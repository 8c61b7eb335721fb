"""Every example in the README and the docs runs, as it stands, and prints what the page says it prints.

The ``python`` blocks of a page are one program, run from the repository in a process of its own with warnings as errors.
``output`` blocks hold what that program prints. The ``$`` lines of ``console`` blocks are run by a shell. A block is left out
only after a line ``<!-- snippet: skip because ... -->``, which has to give the reason. A page with files to save is followed as a
whole instead (tests/project/test_tutorial.py).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pages import blocks_of, printed, program
from tests.support.patience import LONG_PATIENCE

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SETS_UP = "python3 -m venv .venv && "  # the README's own two commands are run by .ci/run, from nothing


def named(pages: list[Path]) -> list[object]:
    """Return pages as test parameters with readable names."""
    return [pytest.param(page, id=page.relative_to(ROOT).as_posix()) for page in pages]


def has(language: str) -> list[Path]:
    """Return the pages that have a block in a language, without those that are followed as a whole."""
    pages = {page: blocks_of(page.read_text(encoding="utf-8")) for page in PAGES}
    return [
        page
        for page, blocks in pages.items()
        if any(block.language == language and not block.skipped for block in blocks) and not any(block.file for block in blocks)
    ]


@pytest.mark.parametrize("page", named(has("python")))
def test_python_examples_run(page: Path, tmp_path: Path) -> None:
    """The page's program ends well and prints the page's output blocks."""
    blocks = blocks_of(page.read_text(encoding="utf-8"))
    script = tmp_path / f"page_{page.stem}.py"  # not `logging.py`, which would be imported for the module
    script.write_text(program(blocks), encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=LONG_PATIENCE,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    if expected := printed(blocks):
        assert result.stdout == expected


@pytest.mark.parametrize("page", named(has("console")))
def test_console_examples_run(page: Path, tmp_path: Path) -> None:
    """Each command of the page ends well."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for block in blocks_of(page.read_text(encoding="utf-8")):
        if block.language != "console" or block.skipped:
            continue
        for line in block.lines:
            if line.startswith("$ ") and not line.startswith(f"$ {SETS_UP}"):
                result = subprocess.run(
                    line[2:],
                    shell=True,
                    cwd=tmp_path,
                    env=os.environ | {"PATH": path},
                    capture_output=True,
                    text=True,
                    timeout=LONG_PATIENCE,
                    check=False,
                )
                assert result.returncode == 0, f"{line}\n{result.stderr}"


def test_examples_that_run_for_long_renew_their_token() -> None:
    """What waits for its end, or connects after registering, is a bot: it gives a function, since a token ends."""
    bots = re.compile(r"\.wait\(\)|auto_connect=False")
    fixed = re.compile(r"Client\((?:[\w.]+\.)?(?:token|mint)\(|Client\((?:token|access_token)\b")
    wrong = [
        f"{page.relative_to(ROOT)}:{number}"
        for page in PAGES
        for block in blocks_of(page.read_text("utf-8"))
        if bots.search("\n".join(block.lines))
        for number, line in enumerate(block.lines, start=block.line)
        if fixed.search(line)
    ]

    assert wrong == []


def test_blocks_are_found_and_skipped_only_with_a_reason() -> None:
    """The reader of pages keeps line numbers and leaves a block out only where a reason is given."""
    skip = "<!-- snippet: skip because it needs an account -->"
    page = f"a\n```python\nx = 1\n```\n{skip}\n```python\ny\n```\n```python\nz = x\n```\n"
    blocks = blocks_of(page)
    assert [(block.line, block.skipped) for block in blocks] == [(3, False), (7, True), (10, False)]
    assert program(blocks).splitlines() == ["", "", "x = 1", "", "", "", "", "", "", "z = x"]
    assert not blocks_of("<!-- snippet: skip because -->\n```python\n```\n")[0].skipped
