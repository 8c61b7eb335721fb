"""Tokens made by hand, correct but for what a test changes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt

from twilio_conversations import tokens
from twilio_conversations.server import LocalServer

Forge = Callable[[LocalServer], str]


def encoded(value: bytes) -> str:
    """Base64url without padding, as in tokens."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def part(value: Any) -> str:
    """A part of a token."""
    return encoded(json.dumps(value).encode())


def claims(service: LocalServer, **changes: Any) -> dict[str, Any]:
    """The claims of a good token of alice's, with some changed."""
    good: dict[str, Any] = jwt.decode(service.token("alice"), options={"verify_signature": False})
    return {**good, **changes}


def signed(service: LocalServer, header: Any, body: str | None = None, digest: str = "sha256", key: bytes | None = None) -> str:
    """A token with any header and any text as its claims, signed with the right key all the same."""
    text = f"{header if isinstance(header, str) else part(header)}.{body or part(claims(service))}"
    secret = service.api_key[1].encode() if key is None else key
    return f"{text}.{encoded(hmac.new(secret, text.encode(), getattr(hashlib, digest)).digest())}"


def header(**fields: Any) -> dict[str, Any]:
    """A right header, with fields changed."""
    return {"typ": "JWT", "alg": "HS256", "cty": tokens.CONTENT_TYPE, **fields}


def grants(service: LocalServer, **changes: Any) -> dict[str, Any]:
    """Claims with their grants changed."""
    good = claims(service)
    return {**good, "grants": {**good["grants"], **changes}}


PUBLIC = "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAK\n-----END PUBLIC KEY-----"

FORGED: dict[str, tuple[int, Forge]] = {
    "alg none": (20101, lambda service: f"{part(header(alg='none'))}.{part(claims(service))}."),
    "alg None, signed": (20101, lambda service: signed(service, header(alg="None"))),
    "alg nOnE, no signature": (20101, lambda service: f"{part(header(alg='nOnE'))}.{part(claims(service))}."),
    "alg empty": (20101, lambda service: signed(service, header(alg=""))),
    "alg missing": (20101, lambda service: signed(service, {"cty": tokens.CONTENT_TYPE})),
    "alg a list": (20101, lambda service: signed(service, header(alg=["HS256"]))),
    "alg an object": (20101, lambda service: signed(service, header(alg={"HS256": 1}))),
    "alg null": (20101, lambda service: signed(service, header(alg=None))),
    "HS384 with the right key": (20101, lambda service: signed(service, header(alg="HS384"), digest="sha384")),
    "HS512 with the right key": (20101, lambda service: signed(service, header(alg="HS512"), digest="sha512")),
    "RS256, signed with what looks like a public key": (
        20101,
        lambda service: signed(service, header(alg="RS256"), key=PUBLIC.encode()),
    ),
    "HS256 in lower case": (20101, lambda service: signed(service, header(alg="hs256"))),
    "kid of a file": (20107, lambda service: signed(service, header(kid="../../../../dev/null"), key=b"")),
    "kid with SQL": (20107, lambda service: signed(service, header(kid="' UNION SELECT 'k"), key=b"k")),
    "kid not text": (20101, lambda service: signed(service, header(kid=7))),
    "a key in the header": (20107, lambda service: signed(service, header(jwk={"kty": "oct", "k": "aw"}), key=b"k")),
    "a key elsewhere": (20107, lambda service: signed(service, header(jku="http://127.0.0.1:9/k"), key=b"k")),
    "a critical extension": (20101, lambda service: signed(service, header(crit=["x"], x=1))),
    "claims outside": (20101, lambda service: signed(service, header(b64=False, crit=["b64"]))),
    "another kind of token": (20102, lambda service: signed(service, header(cty="twilio-fpa;v=2"))),
    "no kind of token": (20102, lambda service: signed(service, {"typ": "JWT", "alg": "HS256"})),
    "one key for all": (20107, lambda service: signed(service, header(), key=b"secret")),
    "signature cut": (20107, lambda service: service.token("alice")[:-3]),
    "no signature": (20107, lambda service: service.token("alice").rpartition(".")[0] + "."),
    "two parts": (20101, lambda service: service.token("alice").rpartition(".")[0]),
    "header no JSON": (20101, lambda service: signed(service, encoded(b"{"))),
    "header a list": (20101, lambda service: signed(service, [])),
    "claims no JSON": (20101, lambda service: signed(service, header(), encoded(b"{]"))),
    "claims a list": (20101, lambda service: signed(service, header(), part([]))),
    "claims not UTF-8": (20101, lambda service: signed(service, header(), encoded(b'{"a":"\xff"}'))),
    "claims nested deeply": (20101, lambda service: signed(service, header(), encoded(b'{"a":' * 5_000 + b"1" + b"}" * 5_000))),
    "huge": (20101, lambda service: signed(service, header(), part(claims(service, extra="x" * 40_000)))),
    "not ASCII": (20101, lambda service: service.token("alice") + "é"),
    "not base64": (20101, lambda service: "a.b!.c"),
    "issuer a list": (20103, lambda service: signed(service, header(), part(claims(service, iss=[service.api_key[0]])))),
}

CLAIMS: dict[str, tuple[int, dict[str, Any]]] = {
    "issuer missing": (20103, {"iss": None}),
    "subject missing": (20103, {"sub": None}),
    "expired just now": (20104, {"exp": time.time()}),
    "expiry a boolean": (20104, {"exp": True}),
    "expiry infinite": (20104, {"exp": float("inf")}),
    "expiry no number": (20104, {"exp": float("nan")}),
    "expiry with a thousand digits": (20104, {"exp": 10**1000}),
    "not yet valid": (20105, {"nbf": time.time() + 86_400}),
    "validity no number": (20105, {"nbf": "now"}),
}

GRANTS: dict[str, tuple[int, dict[str, Any]]] = {
    "identity not text": (20106, {"identity": ["alice"]}),
    "identity empty": (20106, {"identity": ""}),
    "identity too long": (20106, {"identity": "x" * 257}),
    "identity of the system": (20106, {"identity": "system"}),
    "identity that is a user's sid": (20106, {"identity": f"US{0:032x}"}),
    "identity half a character": (20106, {"identity": "\ud800"}),
    "grant not an object": (20106, {"chat": True}),
    "grant for no service": (20106, {"chat": {"x": 1}}),
    "grant for a list of services": (20106, {"chat": {"service_sid": ["*"]}}),
    "only another product": (20106, {"chat": None, "video": {"room": "r"}}),
}


def _changing(make: Callable[..., dict[str, Any]], changes: dict[str, Any]) -> Forge:
    return lambda service: signed(service, header(), part(make(service, **changes)))


FORGED |= {name: (code, _changing(claims, changes)) for name, (code, changes) in CLAIMS.items()}
FORGED |= {name: (code, _changing(grants, changes)) for name, (code, changes) in GRANTS.items()}
