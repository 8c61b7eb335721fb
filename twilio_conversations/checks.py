"""Checks of arguments, made before anything is sent."""

from __future__ import annotations

from enum import Enum
from typing import Any, TypeVar

from twilio_conversations.errors import InvalidArgumentError

E = TypeVar("E", bound=Enum)


def text(value: Any, name: str) -> str:
    """`value` if it is text."""
    if not isinstance(value, str):
        raise InvalidArgumentError(f"{name} must be text, not {value!r}")
    return value


def filled(value: Any, name: str) -> str:
    """`value` if it is text and not empty."""
    if not isinstance(value, str) or not value:
        raise InvalidArgumentError(f"{name} must be non-empty text, not {value!r}")
    return value


def index(value: Any, name: str) -> int:
    """`value` if it is a whole number of zero or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidArgumentError(f"{name} must be a whole number of 0 or more, not {value!r}")
    return value


def positive(value: Any, name: str) -> int:
    """`value` if it is a whole number above zero."""
    if index(value, name) == 0:
        raise InvalidArgumentError(f"{name} must be 1 or more")
    return int(value)


def member(kind: type[E], value: Any, name: str) -> E:
    """The member of `kind` that `value` is or means."""
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(str(item.value) for item in kind)
        raise InvalidArgumentError(f"{name} must be one of {known}, not {value!r}") from None
