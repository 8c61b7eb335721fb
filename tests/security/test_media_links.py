"""Temporary links to media: whatever is changed in one, it opens nothing."""

from __future__ import annotations

import string
from urllib.parse import parse_qs, urlsplit

import pytest

from twilio_conversations.server.api.media_links import LIFETIME, MediaLinks
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.settings import Clock

SID = "ME" + "0123456789abcdef" * 2


def made(links: MediaLinks, sid: str = SID) -> tuple[str, str, str]:
    """Sid, end and signature of a new link."""
    parts = urlsplit(links.make("http://service", sid))
    query = parse_qs(parts.query)
    return parts.path.rpartition("/")[2], query["Expires"][0], query["Signature"][0]


def opens(links: MediaLinks, sid: str, expires: str, signature: str) -> bool:
    """Whether a link with these parts works."""
    try:
        links.check(sid, expires, signature)
    except Refusal as refused:
        return (refused.status, refused.code) != (403, 20403)
    return True


def test_any_changed_letter_ends_a_link() -> None:
    """Every letter of sid, end and signature counts, and nothing may be added, left out or spelled otherwise."""
    links = MediaLinks(Clock(), "a secret")
    sid, expires, signature = made(links)
    assert opens(links, sid, expires, signature)
    for place in range(len(signature)):
        for letter in set(string.hexdigits) - {signature[place]}:
            assert not opens(links, sid, expires, signature[:place] + letter + signature[place + 1 :])
    for place in range(len(expires)):
        for digit in set(string.digits) - {expires[place]}:
            assert not opens(links, sid, expires[:place] + digit + expires[place + 1 :], signature)
    for place in range(2, len(sid)):
        other = "0" if sid[place] != "0" else "1"
        assert not opens(links, sid[:place] + other + sid[place + 1 :], expires, signature)
    for end in ("", f" {expires}", f"+{expires}", f"0{expires}", f"{expires}.0", f"{expires}_0", "٣" * 10):
        assert not opens(links, sid, end, signature)
    for wrong in ("", signature[:-1], signature + "0", signature.upper(), f" {signature}", signature.encode().hex()):
        assert not opens(links, sid, expires, wrong)
    for moved in (sid + " " + expires[:1], sid.upper(), f"{sid}/", f"media {sid}"):
        assert not opens(links, moved, expires[1:], signature)


def test_links_are_not_guessable() -> None:
    """The signature has 512 bits and hangs on the secret, so that another service's link opens nothing here."""
    clock = Clock()
    links, others = MediaLinks(clock, "a secret"), MediaLinks(clock, "another")
    assert len(made(links)[2]) == 128
    assert not opens(links, *made(others))


@pytest.mark.parametrize(("after", "open_still"), [(LIFETIME - 1, True), (LIFETIME + 1, False)])
def test_links_end(after: int, open_still: bool) -> None:
    """A link works for five minutes of the service's clock."""
    clock = Clock()
    links = MediaLinks(clock, "a secret")
    link = made(links)
    clock.advance(after)
    assert opens(links, *link) is open_still
