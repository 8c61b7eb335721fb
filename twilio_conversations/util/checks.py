"""Checks of arguments, made before anything is sent."""

from __future__ import annotations

import inspect
import os
import types
import uuid
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeVar

from twilio_conversations.errors import ArgumentTypeError, InvalidArgumentError
from twilio_conversations.util import naming

E = TypeVar("E", bound=Enum)
T = TypeVar("T")

LONGEST_KEY = 64
"""Characters of an idempotency key."""
_LONGEST_SHOWN = 80


def shown(value: Any) -> str:
    """`value` for the text of an error: short, and whatever its `repr` does."""
    text = naming.shown(value[: 2 * _LONGEST_SHOWN] if isinstance(value, str | bytes) else value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."


def brief(value: object) -> str:
    """Text of the service's for a `repr`: without line ends and what a terminal cannot show, and short."""
    text = str(value)
    text = text if text.isprintable() else repr(text[: 2 * _LONGEST_SHOWN])[1:-1]
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."


def text(value: Any, name: str) -> str:
    """`value` if it is text that UTF-8 can carry."""
    if not isinstance(value, str):
        raise ArgumentTypeError(f"{name} must be text, not {shown(value)}")
    if not is_unicode(value):
        raise InvalidArgumentError(f"{name} is not valid Unicode text: {shown(value)}")
    return value


def is_unicode(value: str) -> bool:
    """Return whether UTF-8 can carry `value`: it has no lone surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def filled(value: Any, name: str) -> str:
    """`value` if it is text and not empty."""
    if not text(value, name):
        raise InvalidArgumentError(f"{name} must be non-empty text, not {value!r}")
    return value  # type: ignore[no-any-return]


def index(value: Any, name: str) -> int:
    """`value` if it is a whole number of zero or more that JSON readers agree on."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ArgumentTypeError(f"{name} must be a whole number of 0 or more, not {shown(value)}")
    if not 0 <= value <= LARGEST_NUMBER:
        raise InvalidArgumentError(f"{name} must be a whole number of 0 or more (and below 2**53), not {shown(value)}")
    return value


LARGEST_NUMBER = 2**53 - 1
"""The largest whole number that every JSON reader takes for itself."""


def positive(value: Any, name: str) -> int:
    """`value` if it is a whole number above zero."""
    if index(value, name) == 0:
        raise InvalidArgumentError(f"{name} must be 1 or more")
    return int(value)


def seconds(value: Any, name: str) -> float:
    """`value` if it is a number of seconds; infinity is one, "not a number" is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ArgumentTypeError(f"{name} must be a number of seconds, not {shown(value)}")
    if value != value:  # `math.isnan` raises for large whole numbers
        raise InvalidArgumentError(f"{name} must be a number of seconds, not {value!r}")
    return value


def key(value: Any, name: str) -> str | None:
    """Return an idempotency key as text: a UUID, or text that a header can carry; `None` stays `None`."""
    if value is None or isinstance(value, uuid.UUID):
        return None if value is None else str(value)
    if not isinstance(value, str):
        raise ArgumentTypeError(f"{name} must be a UUID or text, not {shown(value)}")
    if not 0 < len(value) <= LONGEST_KEY or not value.isascii() or not value.isprintable() or value.strip() != value:
        raise InvalidArgumentError(f"{name} must be 1 to {LONGEST_KEY} printable ASCII characters, not {shown(value)}")
    return value


def path(value: Any, name: str) -> Path:
    """`value` as a path, if it is one or its text."""
    if not isinstance(value, str | os.PathLike):
        raise ArgumentTypeError(f"{name} must be a path, not {shown(value)}")
    return Path(value)


def several(value: Any, name: str) -> list[Any]:
    """Return the items of `value`, if it is a collection other than text or bytes."""
    if isinstance(value, str | bytes | bytearray | memoryview) or not isinstance(value, Iterable):
        raise ArgumentTypeError(f"{name} must be a sequence, not {shown(value)}")
    return list(value)


def instance(kind: type[T], value: Any, name: str) -> T:
    """`value` if it is of that type."""
    if not isinstance(value, kind):
        raise ArgumentTypeError(f"{name} must be {kind.__name__}, not {shown(value)}")
    return value


def member(kind: type[E], value: Any, name: str) -> E:
    """Return the member of `kind` that `value` is or means."""
    if not isinstance(value, str | kind):
        raise ArgumentTypeError(f"{name} must be one of {_members(kind)}, not {shown(value)}")
    try:
        return kind(value)
    except ValueError:
        raise InvalidArgumentError(f"{name} must be one of {_members(kind)}, not {shown(value)}") from None


def function(value: Any, name: str) -> Any:
    """`value` if it can be called and does its work when it is called, as `async def` and generators do not."""
    if not callable(value):
        raise ArgumentTypeError(f"{name} must be a function, not {shown(value)}")
    inner = naming.innermost(value)
    for code in (inner, naming.innermost(type(inner).__call__)):
        for is_one, what, remedy in _LAZY:
            if _holds(is_one, code):
                raise ArgumentTypeError(
                    f"{name} must be a plain function, but {naming.name_of(value)} is {what}"
                    + remedy.format(naming.name_of(value))
                )
    return value


def ran(result: Any, name: str, value: Any) -> None:
    """Raise if the function `value` has only returned what would do its work."""
    if isinstance(result, _UNFINISHED):
        if not isinstance(result, types.AsyncGeneratorType):
            result.close()  # it will not be awaited, and that is said here
        remedy = _HAND_OVER.format(naming.name_of(value)) if isinstance(result, types.CoroutineType) else ""
        raise ArgumentTypeError(
            f"{name} must be a plain function, but {naming.name_of(value)} returned {shown(result)}, which nobody runs{remedy}"
        )


_HAND_OVER: Final = "; give the work to your event loop: asyncio.run_coroutine_threadsafe({}(...), loop)"
_LAZY: Final[tuple[tuple[Callable[[Any], bool], str, str], ...]] = (
    (inspect.iscoroutinefunction, "`async def`, and no event loop runs it", _HAND_OVER),
    (inspect.isasyncgenfunction, "an async generator, whose body is not run by calling it", ""),
    (inspect.isgeneratorfunction, "a generator, whose body is not run by calling it", ""),
)
_UNFINISHED: Final = (types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType)


def _holds(is_one: Callable[[Any], bool], value: Any) -> bool:
    try:
        return is_one(value)
    except Exception:  # an object whose own `__getattr__` raises
        return False


def _members(kind: type[Enum]) -> str:
    return ", ".join(str(item.value) for item in kind)
