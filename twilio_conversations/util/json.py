"""Attributes and other values of the caller's: strict JSON in, copies out; and lenient reading of what the service sent."""

from __future__ import annotations

import copy
import datetime as dt
import enum
import json
from typing import Any

import attrs

from twilio_conversations.errors import InvalidArgumentError
from twilio_conversations.util import json_text, logs

JSONValue = None | bool | int | float | str | list["JSONValue"] | dict[str, "JSONValue"]
JSONObject = dict[str, JSONValue]
JSONArray = list[JSONValue]

_log = logs.logger(__name__)
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_MOST = 2**63
_MOST_LEVELS = 200
"""Nesting of a value that is sent: whoever reads it has a limit too, and no better one than a fixed one."""


def dumps(value: Any, what: str = "attributes") -> str:
    """JSON text of a caller's value.

    Raises:
        InvalidArgumentError: the value is not strict JSON (text keys only, no NaN, no foreign objects).
    """
    if type(value) is dict and not value:  # as in nearly every message
        return "{}"
    _check_keys(value, what)
    try:
        text = _encode(value)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgumentError(f"{what} must be plain JSON data: {error}") from error
    return text


def _check_keys(value: Any, what: str) -> None:
    """`json.dumps` would quietly turn a number used as a key into text, and its limits depend on who calls."""
    pending = [(value, 0)]
    seen = 0
    while pending:
        seen += 1
        item, level = pending.pop()
        if seen > 1_000_000 or level > _MOST_LEVELS:
            raise InvalidArgumentError(f"{what}: too large, nested deeper than {_MOST_LEVELS} levels, or refers to itself")
        if isinstance(item, dict):
            if not all(isinstance(key, str) for key in item):
                raise InvalidArgumentError(f"{what}: keys must be text")
            pending.extend((member, level + 1) for member in item.values())
        elif isinstance(item, list | tuple):
            pending.extend((member, level + 1) for member in item)


class Attributes:
    """JSON as the service sent it - text, or data already - parsed only when somebody looks.

    Two are equal when they mean the same, however they are spelled. Malformed text means ``{}``.
    """

    __slots__ = ("raw",)

    def __init__(self, raw: Any = "{}") -> None:
        self.raw = "{}" if raw is None or raw == "" else raw

    def value(self) -> Any:
        """Return the data; a new copy each time, which the caller may change."""
        if not isinstance(self.raw, str):
            return copied(self.raw)
        try:
            return json_text.loads(self.raw)
        except ValueError:
            _log.warning("malformed attributes from the service read as {}")
            self.raw = "{}"
            return {}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Attributes):
            return NotImplemented
        if isinstance(self.raw, str) and self.raw == other.raw:
            return True
        mine, theirs = self.value(), other.value()
        return bool(mine == theirs) and _same_kinds(mine, theirs)

    def __repr__(self) -> str:
        return f"Attributes({self.raw!r})"


def _same_kinds(one: Any, other: Any) -> bool:
    """`1`, `1.0` and `True` are equal in Python but not in JSON."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def parse_time(value: Any) -> dt.datetime | None:
    """Return an aware UTC time from ISO-8601 text or epoch milliseconds; anything else reads as `None`."""
    try:
        if isinstance(value, str) and value:
            parsed = dt.datetime.fromisoformat(value)
            if parsed.tzinfo is dt.UTC:  # as the service writes them
                return parsed
            return parsed.replace(tzinfo=dt.UTC) if parsed.tzinfo is None else parsed.astimezone(dt.UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return dt.datetime.fromtimestamp(value / 1000, dt.UTC)
    except (ValueError, OverflowError, OSError):
        pass
    if value is not None:
        _log.warning("a malformed time from the service reads as None: %.40r", value)
    return None


def whole_number(value: Any) -> int | None:
    """Return a whole number of at most 64 bits, with which all that is reckoned with later goes well; anything else is `None`."""
    return value if type(value) is int and -_MOST <= value < _MOST else None


def parse_index(value: Any) -> int | None:
    """Return a message index: a number, or its decimal text; anything else reads as `None`."""
    if type(value) is int:
        return value if -_MOST <= value < _MOST else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return None


def parse_text(value: Any) -> str | None:
    """Text, or `None` for anything else."""
    return value if isinstance(value, str) else None


def text_or_empty(value: Any) -> str:
    """Text, empty for anything else."""
    return value if isinstance(value, str) else ""


def text_or_none(value: Any) -> str | None:
    """Text that is not empty, or `None` for anything else."""
    return value if isinstance(value, str) and value else None


def plain(value: Any) -> Any:
    """Return a value of ours as data that `json` can write, and reads back as it is; what is private is left out."""
    if isinstance(value, Attributes):
        return value.value()
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return value.value
    if attrs.has(type(value)):
        fields = attrs.fields(type(value))
        return {field.name: plain(getattr(value, field.name)) for field in fields if not field.name.startswith("_")}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def copied(value: Any) -> Any:
    """Return a copy that the caller may change."""
    return copy.deepcopy(value) if isinstance(value, dict | list) else value


def compact(value: Any) -> str:
    """JSON text of what the service sent, without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
