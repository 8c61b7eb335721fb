"""`llms.txt` lists every page of the docs with its first sentence, after the convention of llmstxt.org."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.patience import PATIENCE

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
ENTRY = re.compile(r"- \[(?P<title>[^]]+)\]\((?P<address>[^)]+)\): (?P<sentence>.+)")


@pytest.fixture(scope="module")
def extension() -> Any:
    """The extension of the docs, without Sphinx."""
    spec = importlib.util.spec_from_file_location("llms_txt", DOCS / "_ext" / "llms_txt.py")
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def site(folder: Path, **pages: str) -> Path:
    """Write pages, and an index with some of them."""
    table = "```{toctree}\n:maxdepth: 1\n:caption: Learn\n\nfirst\nsecond\n```\n"
    (folder / "index.md").write_text(f"# A name\n\nA summary\nof it. In two sentences.\n\n{table}", encoding="utf-8")
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    return folder


FIRST = "# First\n\nWrites to [the\nother](second.md) by {py:class}`~a.b.Client`, version 3.11. And more.\n"
SECOND = "# Second\n\nThree things:\n\n- one\n"
EXPECTED = """# A name

> A summary of it. In two sentences.

The Markdown of each page is below `_sources/`, such as `_sources/guides/bot.md.txt`.

## Learn

- [First](first.html): Writes to the other by `Client`, version 3.11.
- [Second](second.html): Three things:
"""


def test_the_form(extension: Any, tmp_path: Path) -> None:
    """A title, a summary, and sections of links with notes."""
    assert extension.render(site(tmp_path, first=FIRST, second=SECOND), lambda name: f"{name}.html") == EXPECTED


@pytest.mark.parametrize(
    ("pages", "fault"),
    [
        ({"first": FIRST, "second": SECOND, "third": SECOND}, "third"),
        ({"first": FIRST}, "second"),
        ({"first": FIRST, "second": "# Second\n\n## Part\n\nText.\n"}, "does not begin with a title and a paragraph"),
        ({"first": FIRST, "second": "Second\n\nText.\n"}, "does not begin with a title and a paragraph"),
    ],
)
def test_faults(extension: Any, tmp_path: Path, pages: dict[str, str], fault: str) -> None:
    """A page that is in no table of contents, or has no first sentence, fails the build."""
    with pytest.raises(ValueError, match=fault):
        extension.render(site(tmp_path, **pages), str)


def test_every_page_has_a_sentence_of_its_own(extension: Any) -> None:
    """The pages of this project are all there; no two of them have the same sentence, which would describe neither."""
    text = extension.render(DOCS, lambda name: f"{name}.html")
    entries = [ENTRY.fullmatch(line) for line in text.splitlines() if line.startswith("- ")]
    found = [entry.groupdict() for entry in entries if entry]
    assert len(found) == len(entries)
    pages = {path.relative_to(DOCS).with_suffix(".html").as_posix() for path in DOCS.rglob("*.md") if "_build" not in path.parts}
    assert {entry["address"] for entry in found} == pages - {"index.html"}
    assert [entry["sentence"] for entry in found if not entry["sentence"].endswith(".")] == []
    assert len({entry["sentence"] for entry in found}) == len(found)


def test_a_build_writes_it(tmp_path: Path) -> None:
    """It stands beside the pages, with the addresses that they have there."""
    pytest.importorskip("sphinx", reason="Sphinx is not installed (extra docs)")
    site(tmp_path, first=FIRST.replace(" by {py:class}`~a.b.Client`", ""), second=SECOND)
    settings = f"import sys\nsys.path.insert(0, {str(DOCS / '_ext')!r})\nextensions = ['myst_parser', 'llms_txt']\n"
    (tmp_path / "conf.py").write_text(settings + "html_baseurl = 'https://docs.example/latest'\n", encoding="utf-8")
    built = tmp_path / "_build"
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "dirhtml", str(tmp_path), str(built)]
    subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert "- [Second](https://docs.example/latest/second/): Three things:\n" in (built / "llms.txt").read_text("utf-8")
