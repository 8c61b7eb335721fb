"""JSON text of the service, read into a value whatever it holds.

Python's own reader raises for numbers of thousands of digits and for deep nesting, and what it still reads may be too deep for
everything that walks through it later. Here such numbers are infinite, as in JavaScript, and what is nested deeper than `LEVELS`
is read as null: one odd field does not cost the whole event. (What is deep and enormous is refused.)
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

LEVELS: Final = 250
"""Containers within containers that are read: few enough for every recursion of Python's, copying included."""

_SHALLOW: Final = 2 * LEVELS
"""A shorter text has too few brackets, and as many that close, to be too deep."""

_MOST_MARKS = 100_000
"""Brackets and quotation marks in a text that is too deep: going through them takes about a microsecond each."""

_scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
_MARKS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|["\[{}\]]', re.DOTALL)
"""Whole strings, which are passed over, and brackets; a quotation mark alone begins a string that never ends."""


def loads(text: str) -> Any:
    """Return the value in `text`.

    Scanning from the first character is markedly faster than `json.loads`; the scanner does not skip white space, so that
    unusual spelling takes the ordinary way.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        value, end = _scan(text, 0)
        if end == len(text) and (end < _SHALLOW or text.count("[") + text.count("{") <= LEVELS):
            return value
    except (StopIteration, ValueError, RecursionError):
        pass
    return _loads_the_rest(text)


def _loads_the_rest(text: str) -> Any:
    """Read what is unusual: white space around it, long numbers, many brackets, or no JSON at all."""
    try:
        value = _read(text)
        if text.count("[") + text.count("{") <= LEVELS or not _is_deep(value):
            return value
    except RecursionError:
        pass
    return _read(_without_depths(text))


def _read(text: str) -> Any:
    return json.loads(text, parse_int=_whole_number)


def _whole_number(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:  # more digits than Python reads
        return float(digits)


def _is_deep(value: Any) -> bool:
    level = [value] if type(value) is dict or type(value) is list else []
    for _ in range(LEVELS):
        level = [
            member
            for container in level
            for member in (container.values() if type(container) is dict else container)
            if type(member) is dict or type(member) is list
        ]
        if not level:
            return False
    return True


def _without_depths(text: str) -> str:
    """`text` with null in place of what lies too deep, unless finding that would hold up the thread."""
    if sum(map(text.count, '[{"')) > _MOST_MARKS:
        raise ValueError("nested too deeply")
    kept, start, depth = [], 0, 0
    for mark in _MARKS.finditer(text):
        match mark[0]:
            case '"':
                raise ValueError("a string without an end")
            case "[" | "{":
                depth += 1
                if depth == LEVELS + 1:
                    kept.append(text[start : mark.start()])
            case "]" | "}":
                if depth == LEVELS + 1:
                    kept.append("null")
                    start = mark.end()
                depth -= 1
    if depth > LEVELS:
        raise ValueError("brackets without an end")
    return "".join([*kept, text[start:]])
