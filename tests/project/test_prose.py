"""Pages and public docstrings keep the prose rules: no sentence has one of the forbidden turns of phrase."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.project.prose import (
    ANYWHERE,
    FIRST_LINES,
    FIRST_LINES_OF_FUNCTIONS,
    PAGES,
    ROOT,
    Docstring,
    comments_of,
    docstrings_of,
    messages_of,
    prose_of_page,
    public_docstrings,
    turns_in,
)

PACKAGE = ROOT / "twilio_conversations"
FOLDERS = sorted({file.parent.relative_to(PACKAGE).as_posix() for file in PACKAGE.rglob("*.py")})
"""Folders of the package; private docstrings and comments keep the rules too."""


def broken_rules(docstrings: Iterable[Docstring]) -> list[str]:
    """Return a description of each forbidden turn in some docstrings."""
    broken = []
    for name, text, is_function in docstrings:
        first_line = text.partition("\n")[0]
        turns = [*turns_in(first_line, FIRST_LINES), *turns_in(text, ANYWHERE)]
        turns += turns_in(first_line, FIRST_LINES_OF_FUNCTIONS) if is_function else []
        broken += [f"{name}: {turn}" for turn in turns]
    return broken


@pytest.mark.parametrize("page", [pytest.param(page, id=page.relative_to(ROOT).as_posix()) for page in PAGES])
def test_pages(page: Path) -> None:
    """No page has a forbidden turn of phrase."""
    paragraphs = prose_of_page(page.read_text(encoding="utf-8"))
    assert paragraphs or page.name == "changelog.md"
    assert [f"line {number}: {turn}" for number, text in paragraphs for turn in turns_in(text, ANYWHERE)] == []


def test_public_docstrings() -> None:
    """No docstring of a public name has a forbidden turn, and the first line of a function begins with a verb."""
    docstrings = list(public_docstrings())
    assert len(docstrings) > 300
    assert [name for name, text, _ in docstrings if not text] == []
    assert broken_rules(docstrings) == []


def test_messages() -> None:
    """No error message and no log line of the client has a forbidden turn."""
    files = [file for file in PACKAGE.rglob("*.py") if not {"server", "cli"} & set(file.parts)]
    messages = [message for file in files for message in messages_of(file)]
    assert len(messages) > 500
    assert [turn for message in messages for turn in turns_in(message, ANYWHERE)] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_folders(folder: str) -> None:
    """Private docstrings and comments keep the rules as well."""
    files = sorted((PACKAGE / folder).glob("*.py"))
    assert files
    for file in files:
        assert broken_rules(docstrings_of(file)) == [], file.name
        assert [turn for comment in comments_of(file) for turn in turns_in(comment, ANYWHERE)] == [], file.name


@pytest.mark.parametrize(
    "sentence",
    [
        "The service says so.",
        "It does.",
        "A document whose service counts anew is followed.",
        "The listener hears of it and takes in what it is told.",
        "What was removed is let go.",
        "A message for those outside, with a medium.",
        "The own user.",
    ],
)
def test_the_rules_find(sentence: str) -> None:
    """Each sentence that started the rules is found by them."""
    assert list(turns_in(sentence, ANYWHERE))


def test_code_is_left_out() -> None:
    """Names in backticks and fenced blocks may hold anything."""
    page = "Call `tells_who`.\n\n```python\n# it says so\n```\n\n| `hears` | a table |\n"
    assert [text for _, text in prose_of_page(page)] == ["Call ....", "| ... | a table |"]


@pytest.mark.parametrize(
    "line", ["What a client is set to.", "Who is in it.", "How many there are.", "Says whether it runs.", "It does."]
)
def test_first_lines(line: str) -> None:
    """A first line that is a clause or a riddle is found."""
    assert list(turns_in(line, FIRST_LINES))


def test_first_lines_of_functions() -> None:
    """A function is described by a verb, a property by a noun."""
    assert list(turns_in("The participants.", FIRST_LINES_OF_FUNCTIONS))
    assert not list(turns_in("Return the participants.", FIRST_LINES_OF_FUNCTIONS))
