"""Text that UTF-8 and the database can carry."""

from __future__ import annotations

import json
from typing import Any, TypeGuard

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def is_text(value: Any) -> TypeGuard[str]:
    """Return whether the value is text without lone surrogates, which JSON can spell and UTF-8 cannot."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def to_json(value: Any) -> str:
    """Return compact JSON text. Lone surrogates are escaped."""
    text = _encode(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    return text
