"""Pages and public docstrings keep the prose rules: no sentence has one of the forbidden turns of phrase."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.project.prose import ANYWHERE, PAGES, ROOT, prose_of_page, turns_in


@pytest.mark.parametrize("page", [pytest.param(page, id=page.relative_to(ROOT).as_posix()) for page in PAGES])
def test_pages(page: Path) -> None:
    """No page has a forbidden turn of phrase."""
    paragraphs = prose_of_page(page.read_text(encoding="utf-8"))
    assert paragraphs or page.name == "changelog.md"
    assert [f"line {number}: {turn}" for number, text in paragraphs for turn in turns_in(text, ANYWHERE)] == []


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
