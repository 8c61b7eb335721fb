"""URLs: what they are built from stays what it is, and what the service calls a link is one."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_conversations.errors import InvalidArgumentError, ProtocolError
from twilio_conversations.util import urls

HOSTILE = ["/", "?", "#", "%", "%2e%2e", " ", "+", "a/../b", "zoë+tag@ex ample.com ☃", "😀", "\x00", "a&b=c", "\\"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_one_path_segment(name: str) -> None:
    """Whatever a name contains, it stays one segment and comes back unchanged."""
    url = urls.join("http://h/base", name, "Items")

    assert url.count("/") == 5
    assert "?" not in url
    assert unquote(url.split("/")[4]) == name


@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_of_dots_is_not_resolved(name: str) -> None:
    """Joining URLs keeps the segment, which comes back unchanged when it is decoded."""
    url = urls.join("http://h/base", name)

    assert urljoin(url, urlsplit(url).path) == url
    assert unquote(url.rpartition("/")[2]) == name


@pytest.mark.parametrize("name", ["", "\ud800"])
def test_a_name_that_no_path_can_hold_is_refused(name: str) -> None:
    """A path with an empty segment would be another path."""
    with pytest.raises(InvalidArgumentError):
        urls.join("http://h", name)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_query_value_survives(value: str) -> None:
    """Values are percent-encoded whole; a space is never a plus."""
    url = urls.with_query("http://h/x", [("a", value), ("skipped", None), ("n", 1)])
    pairs = dict(pair.split("=") for pair in url.partition("?")[2].split("&"))

    assert "+" not in url
    assert {name: unquote(text) for name, text in pairs.items()} == {"a": value, "n": "1"}


LINKS: list[Any] = ["http://[::1/x", "http://h:99999999/x", "http://h:-1/", "http://h:0/", "h/x", "ftp://h/x", "//h/x", "http://"]


LINKS += ["http://a b/", 5, None]


LINKS += ["http://h/\x00", "http://h/\ud800", "http://\\h", [], {"a": 1}, 10**400, math.nan]


@pytest.mark.parametrize("value", LINKS, ids=lambda value: repr(value)[:20])
def test_a_link_that_is_no_url_is_an_error_of_the_service(value: Any) -> None:
    """Found where it is read, not by some library later."""
    with pytest.raises(ProtocolError, match="the link is no URL"):
        urls.link(value, "the link")


def test_a_link_shows_no_signature() -> None:
    """What is wrong with a signed link is told without the part that opens it."""
    with pytest.raises(ProtocolError) as caught:
        urls.link("http://h:99999/x?Signature=secret", "the link")
    assert "secret" not in str(caught.value)
    assert urls.link("https://H:1/x?Signature=a%2Fb", "the link") == "https://H:1/x?Signature=a%2Fb"
