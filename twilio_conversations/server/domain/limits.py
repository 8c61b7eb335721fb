"""Twilio's limits, and the checks of fields that clients send. Sizes of JSON and bodies are UTF-8 bytes, names are characters."""

from __future__ import annotations

import json
import re
from typing import Any

from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.text import is_text

FRIENDLY_NAME = 256
UNIQUE_NAME = 256
IDENTITY = 256
SYSTEM = "system"
"""The author of messages, and creator of conversations, without a user."""
ADDRESS = 256
SUBJECT = 256
ROLE_NAME = 64
CONVERSATION_ATTRIBUTES = 16 * 1024
MESSAGE_ATTRIBUTES = 4 * 1024
PARTICIPANT_ATTRIBUTES = 4 * 1024
USER_ATTRIBUTES = 4 * 1024
BODY = 32 * 1024
CONTENT_VARIABLES, CONTENT_KEY, CONTENT_VALUE = 100, 16, 256

_CONVERSATION_SID = re.compile(r"CH[0-9a-f]{32}")
_USER_SID = re.compile(r"US[0-9a-f]{32}")
_CONTENT_SID = re.compile(r"HX[0-9a-f]{32}")


def text(body: dict[str, Any], name: str, limit: int, code: int) -> str | None:
    """Return the text field `name`, `None` when absent or null; too long raises `code`, not text raises 20422."""
    value = body.get(name)
    if value is None:
        return None
    if not is_text(value):
        raise Refusal(20422, f"'{name}' must be text")
    if len(value) > limit:
        raise Refusal(code)
    return value


def unique_name(body: dict[str, Any]) -> str | None:
    """Return a unique name; the empty one means none. Raises 50004 or 50390."""
    value = text(body, "unique_name", UNIQUE_NAME, 50004)
    if value and _CONVERSATION_SID.fullmatch(value):
        raise Refusal(50390)
    return value or None


def attributes(body: dict[str, Any], limit: int) -> str:
    """Return attributes: JSON text, stored as it was written. Raises 50303 or 50304."""
    value = body.get("attributes", "{}")
    if not is_text(value):
        raise Refusal(50304)
    if len(value.encode()) > limit:
        raise Refusal(50303)
    try:
        json.loads(value, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Refusal(50304) from error
    return value


def identity(value: Any) -> str:
    """Return an identity. Raises 50203, 50204, 50206 or 50207."""
    if not is_text(value) or not value:
        raise Refusal(50204)
    if len(value) > IDENTITY:
        raise Refusal(50207)
    if _USER_SID.fullmatch(value):
        raise Refusal(50206)
    if value == SYSTEM:
        raise Refusal(50203)
    return value


def message_body(body: dict[str, Any]) -> str | None:
    """Return the text of a message, `None` when absent or null. Raises 50504."""
    value = body.get("body")
    if value is None:
        return None
    if not is_text(value):
        raise Refusal(50503, "Message body must be text")
    if len(value.encode()) > BODY:
        raise Refusal(50504)
    return value


def content_sid(body: dict[str, Any]) -> str | None:
    """Return the sid of a message's template. Raises 50526."""
    value = body.get("content_sid")
    if value is None:
        return None
    if not isinstance(value, str) or not _CONTENT_SID.fullmatch(value):
        raise Refusal(50526)
    return value


def content_variables(body: dict[str, Any]) -> dict[str, str]:
    """Return the values for a template's variables, given as JSON text. Raises 50527, 50528, 50529, 50540 or 50541."""
    given = body.get("content_variables")
    if given is None:
        return {}
    if body.get("content_sid") is None:
        raise Refusal(50528)
    try:
        values = json.loads(given) if is_text(given) else None
    except (ValueError, RecursionError) as error:
        raise Refusal(50527) from error
    if not isinstance(values, dict) or not all(is_text(value) for value in values.values()):
        raise Refusal(50527)
    if len(values) > CONTENT_VARIABLES:
        raise Refusal(50529)
    if any(len(name) > CONTENT_KEY for name in values):
        raise Refusal(50540)
    if any(len(value) > CONTENT_VALUE for value in values.values()):
        raise Refusal(50541)
    return values


def read_index(value: Any) -> int | None:
    """Return a read horizon: a message index or null. Raises 50421."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**12):
        raise Refusal(50421)
    return value


def notification_level(value: Any) -> str:
    """Return ``default`` or ``muted``. Raises 50210."""
    if value not in ("default", "muted"):
        raise Refusal(50210)
    return str(value)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
