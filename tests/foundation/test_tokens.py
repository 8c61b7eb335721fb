"""Access tokens: what is minted is read, and every fault has a name."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_conversations import tokens
from twilio_conversations.errors import TokenError

SECRET = "a secret that is long enough for HS256"
PARTS: dict[str, Any] = {
    "account_sid": "AC" + "0" * 32,
    "api_key_sid": "SK" + "0" * 32,
    "api_key_secret": SECRET,
    "service_sid": "IS" + "0" * 32,
}


def forged(header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token with some claims replaced."""
    payload = {"exp": time.time() + 600, "grants": {"identity": "alice", "chat": {"service_sid": "IS1"}}} | claims
    return jwt.encode(payload, SECRET, headers={"cty": tokens.CONTENT_TYPE} | (header or {}))


def test_a_minted_token_says_who_for_how_long_and_where() -> None:
    """Reading gives back what was minted."""
    claims = tokens.check(tokens.mint("zoë ☃", ttl=60, **PARTS))

    assert claims.identity == "zoë ☃"
    assert claims.service_sid == PARTS["service_sid"]
    assert 50 < claims.expires_at - time.time() <= 60


@pytest.mark.parametrize(
    ("token", "text", "code"),
    [
        ("", "non-empty", 20101),
        ("not-a-jwt", "not a JWT", 20101),
        ("a.b.c", "not a JWT", 20101),
        (forged({"cty": "other"}), "cty", 20102),
        (forged({"cty": None}), "cty", 20102),
        (forged(grants={"chat": {}}), "identity", 20106),
        (forged(grants={"identity": "", "chat": {}}), "identity", 20106),
        (forged(grants={"identity": "alice"}), "chat grant", 20106),
        (forged(grants="chat"), "identity", 20106),
        (forged(exp=time.time() - 3600), "expired", 20104),
        (forged(nbf=time.time() + 3600), "not valid for another", 20105),
    ],
)
def test_each_fault_is_named(token: str, text: str, code: int) -> None:
    """The error says what is wrong, and with which code the service would say so."""
    with pytest.raises(TokenError, match=text) as caught:
        tokens.check(token)
    assert caught.value.code == code


def test_clocks_may_differ_by_a_minute() -> None:
    """A token that has just expired by this machine's clock is left to the service to judge."""
    assert tokens.check(forged(exp=time.time() - 30)).identity == "alice"


@given(st.text() | st.from_regex(r"[A-Za-z0-9_=-]*\.[A-Za-z0-9_=-]*\.[A-Za-z0-9_=-]*", fullmatch=True))
def test_whatever_is_given_as_a_token_there_is_one_kind_of_error(text: str) -> None:
    """Nothing but `TokenError` leaves the reader."""
    with pytest.raises(TokenError):
        tokens.check(text)


def test_no_error_repeats_the_token() -> None:
    """Texts of errors may be logged; tokens may not."""
    token = forged(exp=1)
    with pytest.raises(TokenError) as caught:
        tokens.check(token)
    assert token not in str(caught.value) + repr(caught.value)
