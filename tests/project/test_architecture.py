"""The page about the architecture names what is there: files, functions, and every file of the package in its contents."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "twilio_conversations"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
UNLISTED = {"__init__.py", "__main__.py", "_version.py"}
CONTENTS, _, PROSE = PAGE.partition("```text\n")[2].partition("```")


def contents(text: str) -> Iterator[str]:
    """Yield the paths of a table of contents: indented below `folder/`, a line may name several files."""
    folders: list[tuple[int, str]] = []
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        while folders and folders[-1][0] >= indent:
            folders.pop()
        if begun := re.match(r" *(\w+/)(?= )", line + " "):
            folders.append((indent, begun[1]))
        for name in re.findall(r"\b\w+\.py\b", line):
            yield "".join(folder for _, folder in folders) + name


def named(text: str) -> list[str]:
    """Return the files, and functions in files (`file.py::Class.method`), that code spans of a page name."""
    return re.findall(r"`([\w/]+\.py(?:::[\w.]+)?)`", text)


@functools.cache
def names_in(path: Path) -> frozenset[str]:
    """Return what a file defines, also inside of classes: functions, classes, values."""

    def walk(body: list[ast.stmt], prefix: str) -> Iterator[str]:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield prefix + node.name
            if isinstance(node, ast.ClassDef):
                yield from walk(node.body, f"{prefix}{node.name}.")
            targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
            yield from (prefix + target.id for target in targets if isinstance(target, ast.Name))

    return frozenset(walk(ast.parse(path.read_text(encoding="utf-8")).body, ""))


def is_there(name: str) -> bool:
    """Whether a file of the package, or a function in one, exists."""
    file, _, function = name.partition("::")
    path = PACKAGE / file
    return path.is_file() and (not function or function in names_in(path))


def test_the_contents_list_every_file() -> None:
    """Each module of the package is in the table of contents once, and nothing else is."""
    modules = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if path.name not in UNLISTED}
    listed = list(contents(CONTENTS))
    assert sorted(listed) == sorted(modules)


def test_every_file_and_function_that_the_page_names_exists() -> None:
    """A step of a journey, or the answer to a question, leads to something."""
    names = named(PROSE)
    assert len(names) > 40
    assert [name for name in names if not is_there(name)] == []
    assert not is_there("wire/frame.py::read")
    assert not is_there("wire/missing.py")


def test_contents_are_read_by_indentation() -> None:
    """Files on a folder's own line, below it, and below a folder in it belong where they stand."""
    text = "a.py  b.py   words\n\nc/   words.\n  d.py  e.py  c/x\n  f/  g.py: words\n      h.py\ni/    j.py\n"
    assert list(contents(text)) == ["a.py", "b.py", "c/d.py", "c/e.py", "c/f/g.py", "c/f/h.py", "i/j.py"]
