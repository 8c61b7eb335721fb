"""The docs in a browser: nothing is cut off at the side, on a phone and on a desktop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chromium import Chromium

BUILT = Path(__file__).parents[2] / "docs" / "_build" / "html"
WITHOUT_PROSE = {"genindex.html", "py-modindex.html", "search.html"}

CUT_OFF = """
const wide = (element) => element.clientWidth > 0 && element.scrollWidth > element.clientWidth + 1;
const tables = [...document.querySelectorAll(".table-wrapper, table")].filter(wide);
const found = tables.map((element) => element.innerText.slice(0, 60));
if (document.documentElement.scrollWidth > innerWidth) found.push("the page itself");
return found;
"""


@pytest.fixture(scope="module")
def pages() -> list[Path]:
    """The pages as the last build of the docs left them; `.ci/run` builds them before the tests."""
    found = [page for page in sorted(BUILT.rglob("*.html")) if page.name not in WITHOUT_PROSE]
    if not found:
        pytest.skip("the docs are not built (CONTRIBUTING.md has the command)")
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    """A browser of its own, with a window of any size."""
    browser = Chromium([])
    yield browser
    browser.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_no_table_is_cut_off(pages: list[Path], browser: Chromium, width: int) -> None:
    """Every table of every page fits the width that the page has, and so does the page."""
    browser.show_as(width, 900)
    cut_off = {}
    for page in pages:
        browser.open(page.as_uri())
        if found := browser.run(CUT_OFF):
            cut_off[page.name] = found
    assert cut_off == {}
    assert len(pages) > 20
