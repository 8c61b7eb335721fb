"""Access tokens: the only place where they are verified."""

from __future__ import annotations

import time
from typing import Any

import attrs
import jwt

from twilio_conversations.server.domain import limits
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.storage.credentials import Credentials
from twilio_conversations.tokens import ALGORITHM, CONTENT_TYPE

MAX_TOKEN = 16 * 1024
"""Most characters of a token."""
LEEWAY = 5
"""Seconds by which `nbf` and `iat` may be ahead of this clock; `exp` has no leeway."""


@attrs.frozen
class Grant:
    """The grant of a verified token: to be `identity` until `expires_at` (seconds since the epoch)."""

    identity: str
    expires_at: float


def verify(token: str, credentials: Credentials) -> Grant:
    """Verify signature (HS256 only), kind, times, issuer, subject and the chat grant.

    Raises:
        Refusal: 20101, 20102, 20103, 20104, 20105, 20106 or 20107, all with status 401.
    """
    claims = _claims(token, credentials.api_key_secret)
    if claims.get("iss") != credentials.api_key_sid or claims.get("sub") != credentials.account_sid:
        raise Refusal(20103)
    _check_times(claims)
    grants = claims.get("grants")
    identity = grants.get("identity") if isinstance(grants, dict) else None
    chat = (grants.get("chat") or grants.get("ip_messaging")) if isinstance(grants, dict) else None
    if not isinstance(chat, dict):
        raise Refusal(20106)
    if chat.get("service_sid") != credentials.service_sid:
        raise Refusal(20106, "The chat grant is for another service")
    return Grant(_identity(identity), float(claims["exp"]))


def _identity(value: Any) -> str:
    """Return the identity. Raises 20106 for one that no participant can have, as it could be taken for another."""
    try:
        return limits.identity(value)
    except Refusal as error:
        raise Refusal(20106, error.message) from error


def _claims(token: str, secret: str) -> dict[str, Any]:
    if len(token) > MAX_TOKEN:
        raise Refusal(20101)
    try:
        complete = jwt.PyJWT().decode_complete(  # the module's own function came with 2.10
            token,
            secret,
            algorithms=[ALGORITHM],
            options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False, "verify_sub": False},
        )
    except jwt.InvalidSignatureError as error:
        raise Refusal(20107) from error
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise Refusal(20101) from error
    # Another kind of token that was signed with the same key is no access token.
    if complete["header"].get("cty") != CONTENT_TYPE:
        raise Refusal(20102)
    claims: dict[str, Any] = complete["payload"]
    return claims


def _check_times(claims: dict[str, Any]) -> None:
    now = time.time()
    expires = _time(claims.get("exp"))
    if expires is None:
        raise Refusal(20104, "Access Token has no valid expiry")
    if expires <= now:
        raise Refusal(20104)
    for name in ("nbf", "iat"):
        starts = _time(claims.get(name, 0))
        if starts is None or starts > now + LEEWAY:
            raise Refusal(20105)


def _time(value: Any) -> float | None:
    """Return seconds since the epoch, or `None` for an invalid value."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if abs(value) < 1e12 else None
