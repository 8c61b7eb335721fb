"""Values that a program may pass by mistake and that Python itself can hardly handle."""

from __future__ import annotations

from typing import Any


class Rude:
    """Cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError


def deep() -> Any:
    """Return lists in lists, deeper than any recursion goes."""
    value: Any = []
    for _ in range(100_000):
        value = [value]
    return value
