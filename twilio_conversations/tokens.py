"""Access tokens: mint them (servers, tests), read them, and name what is wrong with one before the service has to.

Tokens of three parts (JWT) can be read by everybody. Those of five parts (JWE), as Twilio Flex issues them, are encrypted: only
the service can read them, so nothing of them is known here.
"""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from typing import Any, Final

import attrs

from twilio_conversations.errors import ArgumentTypeError, InvalidArgumentError, TokenError
from twilio_conversations.util import checks

CONTENT_TYPE = "twilio-fpa;v=1"
"""The `cty` header by which Twilio tells its access tokens from other JWTs."""
ALGORITHM = "HS256"
_PARTS_OF_A_JWE: Final = 5
_PART_OF_A_JWT: Final = r"(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?"
"""Base64 without bits that are left over after the last byte, which some versions of PyJWT accept and others refuse."""
_JWT: Final = re.compile(r"\.".join([_PART_OF_A_JWT] * 3), re.ASCII)
_UNUSUAL: Final = frozenset({"b64", "crit", "kid"})
"""Headers that say more about a token than its parts do."""
_END_OF_TIME = 253_402_300_800
"""The year 10000: no time in a token is later."""
CLOCK_SKEW = 60.0
"""Seconds by which this machine's clock may differ from the service's before a token is called expired here."""


@attrs.frozen
class Claims:
    """Claims of a token; they have not been verified. Those of an encrypted token are all `None`.

    Attributes:
        identity: who the bearer is.
        expires_at: seconds since the epoch, by the issuer's clock.
        not_before: seconds since the epoch, if the token starts later than its issue.
        service_sid: the Conversations service (``IS...``).
        issued_at: seconds since the epoch, by the issuer's clock, if the token has it.
    """

    identity: str | None
    expires_at: float | None
    not_before: float | None
    service_sid: str | None
    issued_at: float | None = None

    def life_left(self, now: float) -> float | None:
        """Return the largest remaining lifetime in seconds if the token is valid now; `None` if unknown.

        `now` is this machine's time, which may be wrong: a token that should have expired and was accepted shows that. But
        whatever the time, no token lives longer than from its issue to its expiry.
        """
        if self.expires_at is None:
            return None
        left = self.expires_at - now
        whole = None if self.issued_at is None else self.expires_at - self.issued_at
        if left > 0:
            return left if whole is None else min(left, whole)
        return whole


_ENCRYPTED: Final = Claims(None, None, None, None)


def mint(
    identity: str,
    *,
    account_sid: str,
    api_key_sid: str,
    api_key_secret: str,
    service_sid: str,
    ttl: float = 3600,
    now: float | None = None,
    region: str | None = None,
) -> str:
    """Make an access token with a chat grant.

    Args:
        identity: who the bearer will be.
        account_sid: ``AC...``.
        api_key_sid: ``SK...``, the issuer.
        api_key_secret: signs the token; keep it on servers.
        service_sid: ``IS...``, the Conversations service.
        ttl: seconds until it expires; Twilio accepts up to 24 hours. A negative one makes an expired token, for tests.
        now: the time of issue, seconds since the epoch.
        region: Twilio's region that the API key belongs to, such as ``ie1``, for the header ``twr``; without it that is ``us1``.

    Raises:
        InvalidArgumentError: an argument is empty, or no text, or no time.
    """
    names = {"identity": identity, "account_sid": account_sid, "api_key_sid": api_key_sid, "service_sid": service_sid}
    for name, value in names.items():
        checks.filled(value, name)
    secret: object = api_key_secret
    if not isinstance(secret, str) or not secret:
        raise ArgumentTypeError("api_key_secret must be non-empty text")  # and is not shown, whatever it is
    if not all(abs(checks.seconds(value, "a time")) < _END_OF_TIME for value in (ttl, now or 0)):
        raise InvalidArgumentError("ttl and now must be times of this era")
    issued = int(time.time() if now is None else now)
    payload: dict[str, Any] = {
        "jti": f"{api_key_sid}-{uuid.uuid4().hex}",
        "iss": api_key_sid,
        "sub": account_sid,
        "iat": min(issued, issued + int(ttl)),
        "exp": issued + int(ttl),
        "grants": {"identity": identity, "chat": {"service_sid": service_sid}},
    }
    import jwt

    headers = {"cty": CONTENT_TYPE} if region is None else {"cty": CONTENT_TYPE, "twr": checks.filled(region, "region")}
    return jwt.encode(payload, api_key_secret, algorithm=ALGORITHM, headers=headers)


def read(token: object) -> Claims:
    """Read a token without verifying it, naming the first fault that the service would refuse it for.

    Times are not judged here; see `check`. Of an encrypted token nothing can be read, and no fault be named.

    Raises:
        TokenError: not a JWT, not an access token, no identity, no chat grant, no expiry.
    """
    if isinstance(token, bytes | bytearray):
        raise TokenError(f"the token is {type(token).__name__}, not text: give token.decode()", code=20101)
    if not isinstance(token, str) or not token:
        raise TokenError(f"the token must be non-empty text, or a function that returns it, not {_kind(token)}", code=20101)
    if _is_encrypted(token):
        return _ENCRYPTED
    header, claims = _usual_parts(token) or _parts(token)
    kind = header.get("cty")
    if kind != CONTENT_TYPE:
        raise TokenError(f"the token is not an access token: its cty is {checks.shown(kind)}, not {CONTENT_TYPE!r}", code=20102)
    found = claims.get("grants")
    grants: dict[str, Any] = found if isinstance(found, dict) else {}
    identity = grants.get("identity")
    if not isinstance(identity, str) or not identity or not checks.is_unicode(identity):
        raise TokenError("the token has no identity", code=20106)
    chat = grants.get("chat", grants.get("ip_messaging"))
    if not isinstance(chat, dict):
        raise TokenError("the token has no chat grant", code=20106)
    expires = _moment(claims.get("exp"))
    if expires is None:
        raise TokenError("the token has no expiry", code=20104)
    service_sid = chat.get("service_sid")
    return Claims(
        identity,
        expires,
        _moment(claims.get("nbf")),
        service_sid if isinstance(service_sid, str) else None,
        _moment(claims.get("iat")),
    )


def check_successor(claims: Claims, current: Claims, *, now: float | None = None) -> None:
    """Raise what is wrong with a token that is to follow the one in use, which the service has accepted.

    A clock that is wrong cannot mislead this: over counts only what also ends before the token in use. What is not known of
    one of the two is left to the service.

    Raises:
        TokenError: for another identity or service (code 20106), or over (20104).
    """
    if len({claims.identity, current.identity} - {None}) > 1:
        text = f"the token is for {claims.identity!r}, and this client is {current.identity!r}: make another client"
        raise TokenError(text, code=20106)
    services = {claims.service_sid, current.service_sid} - {None}
    if len(services) > 1:
        text = f"the token is for service {claims.service_sid}, and this client is in {current.service_sid}: make another client"
        raise TokenError(text, code=20106)
    moment = time.time() if now is None else now
    expires, end = claims.expires_at, current.expires_at
    if expires is not None and end is not None and expires <= moment and expires < end:
        raise TokenError("the token has expired, and the one in use has not", code=20104)


def _kind(token: object) -> str:
    """Return a description of a wrong token argument without its value: it may be a token of the wrong type."""
    return "an empty one" if token == "" else type(token).__name__


def _is_encrypted(token: str) -> bool:
    """Return whether a token has the five parts of a JWE, the first of which names the encryption."""
    parts = token.split(".")
    if len(parts) != _PARTS_OF_A_JWE:
        return False
    try:
        header = json.loads(base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
    except (ValueError, RecursionError):
        return False
    return isinstance(header, dict) and isinstance(header.get("enc"), str)


def _usual_parts(token: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return header and claims of a token as Twilio's are; `None` for all others, which are left to PyJWT.

    To import PyJWT, with the cryptography that reading does not need, takes a short program a tenth of its time.
    """
    if not _JWT.fullmatch(token):
        return None
    try:
        *parts, _ = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split("."))
        header, claims = map(json.loads, parts)
    except (ValueError, RecursionError):
        return None
    if not isinstance(header, dict) or not isinstance(claims, dict) or not _UNUSUAL.isdisjoint(header):
        return None
    return header, claims


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of any token.

    Raises:
        TokenError: it is not a JWT.
    """
    import jwt

    try:
        return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise TokenError(f"the token is not a JWT: {error}", code=20101) from None


def _moment(value: Any) -> float | None:
    """Return a time in a token, seconds since the epoch; `None` for values that are out of range."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _END_OF_TIME:
        return None
    return float(value)


def check(token: object, *, now: float | None = None) -> Claims:
    """Read a token and judge its times too, allowing for clocks that differ by a minute.

    Raises:
        TokenError: as `read`; also expired (code 20104) and not yet valid (20105).
    """
    claims = read(token)
    moment = time.time() if now is None else now
    if claims.expires_at is not None and claims.expires_at <= moment - CLOCK_SKEW:
        raise TokenError(f"the token expired {moment - claims.expires_at:.0f} seconds ago by this machine's clock", code=20104)
    if claims.not_before is not None and claims.not_before > moment + CLOCK_SKEW:
        until = claims.not_before - moment
        raise TokenError(f"the token is not valid for another {until:.0f} seconds by this machine's clock", code=20105)
    return claims
