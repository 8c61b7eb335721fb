"""Access tokens: what is minted is read, and every fault has a name."""

from __future__ import annotations

import base64
import json
import math
import string
import time
from collections.abc import Callable
from typing import Any

import attrs
import jwt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.sealed_tokens import sealed
from twilio_conversations import tokens
from twilio_conversations.errors import InvalidArgumentError, TokenError

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
    assert claims.expires_at is not None
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
        (forged(nbf=time.time() + 43_200, exp=time.time() + 86_400), "not valid for another", 20105),
    ],
)
def test_each_fault_is_named(token: str, text: str, code: int) -> None:
    """The error says what is wrong, and with which code the service would say so."""
    with pytest.raises(TokenError, match=text) as caught:
        tokens.check(token)
    assert caught.value.code == code


@pytest.mark.parametrize("token", [None, 5, b"a.b.c", bytearray(b"a.b.c"), ["a.b.c"], "a.b.\ud800", "a." + "[" * 5000 + ".c"])
def test_what_is_no_text_is_refused_in_words(token: Any) -> None:
    """Bytes are the usual mistake: the text says what to do, and does not repeat them."""
    with pytest.raises(TokenError) as caught:
        tokens.check(token)
    assert "a.b.c" not in str(caught.value)
    assert not isinstance(token, bytes) or "decode()" in str(caught.value)


@pytest.mark.parametrize("time", [10**400, -5, 1e300, True, "soon", None, [1]])
@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
def test_times_without_bounds_are_no_times(claim: str, time: Any) -> None:
    """No number in a token raises anything else, however large."""
    token = _raw(claim, time)
    if claim == "exp":
        with pytest.raises(TokenError, match="no expiry"):
            tokens.read(token)
    else:
        assert tokens.read(token).life_left(0) is not None


def _raw(claim: str, value: Any) -> str:
    """Return a token with any value at all, which the library for tokens would not write."""

    def part(data: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")

    claims = {"exp": 2e9, "grants": {"identity": "alice", "chat": {}}} | {claim: value}
    return f"{part({'alg': 'HS256', 'cty': tokens.CONTENT_TYPE})}.{part(claims)}.c2ln"


@pytest.mark.parametrize("depth", [500, 100_000])
def test_a_token_nested_without_end_is_refused(depth: int) -> None:
    """A parser's own limit is no other kind of error."""
    body = base64.urlsafe_b64encode(b'{"grants":' + b"[" * depth).decode().rstrip("=")
    with pytest.raises(TokenError):
        tokens.read(f"{body}.{body}.c2ln")


@pytest.mark.parametrize(
    "wrong",
    [
        {"identity": 5},
        {"identity": "\ud800"},
        {"api_key_secret": b"secret"},
        {"ttl": "1"},
        {"ttl": math.inf},
        {"now": math.nan},
        {"region": ""},
        {"region": 1},
    ],
)
def test_minting_checks_its_arguments(wrong: dict[str, Any]) -> None:
    """What cannot be in a token is named; the secret never."""
    with pytest.raises(InvalidArgumentError) as caught:
        tokens.mint(**{"identity": "alice", **PARTS, **wrong})
    assert "secret'" not in str(caught.value)


def test_an_encrypted_token_is_left_to_the_service() -> None:
    """Nothing can be read of it, and nothing is wrong with it."""
    claims = tokens.check(sealed())
    assert claims == tokens.read(sealed()) == tokens.Claims(None, None, None, None)
    assert claims.life_left(time.time()) is None


@pytest.mark.parametrize(
    "token",
    [
        sealed({"alg": "dir"}),
        sealed({"alg": "dir", "enc": 5}),
        "a.b.c.d.e",
        "....",
        "W10.b.c.d.e",
        "\ud800.b.c.d.e",
        sealed().rpartition(".")[0],
        f"{sealed()}.f",
    ],
    ids=range(8),
)
def test_five_parts_alone_are_no_token(token: str) -> None:
    """The first one has to name an encryption."""
    with pytest.raises(TokenError, match="not a JWT"):
        tokens.check(token)


@pytest.mark.parametrize(("region", "header"), [(None, {}), ("us1", {"twr": "us1"}), ("ie1", {"twr": "ie1"})])
def test_a_token_names_the_region_of_its_key(region: str | None, header: dict[str, str]) -> None:
    """In its header, where Twilio's own libraries write it; otherwise it is what it is without a region."""
    token = tokens.mint("alice", region=region, **PARTS)

    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT", "cty": tokens.CONTENT_TYPE, **header}
    assert tokens.check(token).identity == "alice"


def test_clocks_may_differ_by_a_minute() -> None:
    """A token that has just expired by this machine's clock is left to the service to judge."""
    assert tokens.check(forged(exp=time.time() - 30)).identity == "alice"


def told(read: Callable[[str], Any], token: str) -> Any:
    """What a reader makes of a token, or the text of its error."""
    try:
        return read(token)
    except TokenError as error:
        return str(error)


HEADERS = st.fixed_dictionaries(
    {"alg": st.just("HS256")},
    optional={"cty": st.text(), "kid": st.none() | st.text(), "crit": st.none() | st.lists(st.text()), "b64": st.booleans()},
)


CLAIM_NAMES = st.sampled_from(["exp", "nbf", "iat", "iss", "sub", "aud", "jti", "grants"])
CLAIMS = st.dictionaries(CLAIM_NAMES, st.none() | st.integers() | st.text())
ENDS = st.text("aZ_-=+./", max_size=3)
"""What follows a part: none, or characters that may make it another way to write the same bytes."""


@example(header=b'{"":""}', claims=b"{}", ends=("", "", "ZZ"))  # bits left over: PyJWT accepted them until 2.13
@example(header=b'{"":""}', claims=b"{}", ends=("", "", "aa=="))
@given(
    st.binary() | HEADERS.map(lambda header: json.dumps(header).encode()),
    st.binary() | CLAIMS.map(lambda claims: json.dumps(claims).encode()),
    st.tuples(st.just("") | ENDS, st.just("") | ENDS, st.text("aZ_-=+./")),
)
def test_a_usual_token_is_read_as_pyjwt_reads_it(header: bytes, claims: bytes, ends: tuple[str, str, str]) -> None:
    """The way without PyJWT accepts nothing that PyJWT refuses, and finds the same."""
    token = ".".join(part + end for part, end in zip((encoded(header), encoded(claims), ""), ends, strict=True))
    found = tokens._usual_parts(token)
    assert found is None or found == told(tokens._parts, token)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_token_with_bits_left_over_is_left_to_pyjwt(part: int) -> None:
    """Versions of PyJWT differ in whether they accept another way to write the same bytes; each decides for itself."""
    parts = [encoded(b'{"a": 1}'), encoded(b'{"b": 2}'), encoded(b"1")]
    assert tokens._usual_parts(".".join(parts)) is not None
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    parts[part] = parts[part][:-1] + alphabet[alphabet.index(parts[part][-1]) + 1]
    assert tokens._usual_parts(".".join(parts)) is None


def encoded(part: bytes) -> str:
    """A part of a token."""
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


def test_twilios_tokens_are_read_without_pyjwt() -> None:
    """Minted here or elsewhere: three parts, and no header that asks for more."""
    assert tokens._usual_parts(tokens.mint("alice", **PARTS)) is not None
    assert tokens._usual_parts(forged({"crit": ["exp"]})) is None


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


def claims(**changes: Any) -> tokens.Claims:
    """Those of a token that is good for ten minutes at 10,000 seconds."""
    return attrs.evolve(tokens.Claims(identity="alice", expires_at=10_600.0, not_before=None, service_sid="IS1"), **changes)


@pytest.mark.parametrize(
    ("changes", "text", "code"),
    [
        ({"identity": "bob"}, "for 'bob', and this client is 'alice'", 20106),
        ({"service_sid": "IS2"}, "for service IS2, and this client is in IS1", 20106),
        ({"expires_at": 9_999.0}, "has expired, and the one in use has not", 20104),
    ],
)
def test_what_cannot_follow_a_token_is_named(changes: dict[str, Any], text: str, code: int) -> None:
    """The error says what is wrong, and with which code the service would say so."""
    with pytest.raises(TokenError, match=text) as caught:
        tokens.check_successor(claims(**changes), claims(), now=10_000)
    assert caught.value.code == code


@pytest.mark.parametrize("changes", [{}, {"expires_at": 10_100.0}, {"expires_at": 14_000.0}, {"service_sid": None}])
def test_what_can_follow_a_token_may(changes: dict[str, Any]) -> None:
    """A shorter life, a longer one, and a token for the account's default service."""
    tokens.check_successor(claims(**changes), claims(), now=10_000)


def test_an_encrypted_token_may_follow_and_be_followed() -> None:
    """Of what is not known nothing can be wrong; the service decides."""
    unknown = tokens.read(sealed())
    for one, other in ((unknown, claims()), (claims(expires_at=1.0), unknown), (unknown, unknown)):
        tokens.check_successor(one, other, now=10_000)


def test_a_wrong_clock_refuses_no_successor() -> None:
    """By a clock that is hours ahead both are over: what lives longer than the token in use may follow it."""
    tokens.check_successor(claims(expires_at=11_200.0), claims(), now=20_000)
