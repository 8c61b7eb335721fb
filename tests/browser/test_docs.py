"""The docs in a browser: nothing is cut off, on a phone and on a desktop, and the search works without a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.site import Site
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

ENTER = "\ue007"


@pytest.fixture(scope="module")
def pages() -> list[Path]:
    """The pages as the last build of the docs left them; `.ci/run` builds them before the tests."""
    found = [page for page in sorted(BUILT.rglob("*.html")) if page.name not in WITHOUT_PROSE]
    if not found:
        pytest.skip("the docs are not built (CONTRIBUTING.md has the command)")
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    """A browser of its own, with a window of any size, that finds no other host."""
    browser = Chromium(["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost"])
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


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("register for push notifications", "guides/push.html"),
        ("send_message", "reference.html#twilio_conversations.Conversation.send_message"),
        ("xyzzyplugh", None),
    ],
)
def test_search_of_files(pages: list[Path], browser: Chromium, words: str, place: str | None) -> None:
    """Words that are typed on a page opened as a file lead to the places that have them; no host is asked, and nothing fails."""
    browser.show_as(1280, 900)
    browser.open((BUILT / "index.html").as_uri())
    browser.told()
    browser.type(".sidebar-search", words + ENTER)
    outcome = "Your search did not match" if place is None else "Search finished"
    browser.until("document.querySelector('.search-summary')?.innerText.startsWith(arguments[0])", outcome)
    if place is not None:
        browser.click(f'#search-results a[href="{place}"]')
        browser.until("location.href.startsWith(arguments[0])", (BUILT / place.partition("#")[0]).as_uri())
    assert browser.told() == []


def test_search_on_a_host(pages: list[Path], browser: Chromium) -> None:
    """On a web server the search shows lines of what it finds."""
    with Site(BUILT, BUILT) as site:
        browser.open(f"{site.url}/search.html?q=idempotency_key")
        browser.until("document.querySelector('#search-results li p.context')")
