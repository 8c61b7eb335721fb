"""Types of handlers for type checkers: their results, and the decorator that `on` returns without a handler."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from asyncio import Handle
    from collections.abc import Callable, Collection
    from concurrent.futures import Future
    from enum import Enum
    from pathlib import PurePath
    from typing import Any

    from twilio_conversations.events.emitter import EventEmitter
    from twilio_conversations.events.signals import Subscription
    from twilio_conversations.sending.uploads import UploadHandle

P = ParamSpec("P")
R = TypeVar("R", bound="Ignored")
T = TypeVar("T")
Ignored: TypeAlias = (
    "int | float | Collection[Any] | Enum | PurePath | Future[Any] | Handle | EventEmitter | Subscription | UploadHandle | None"
)
"""What a handler may return, which is ignored: whatever handlers of one line give, but no coroutine, which nobody would run."""
Handler: TypeAlias = "Callable[[T], Ignored]"
"""Receives a payload."""


class Registrar(Protocol[P]):
    """Result of `on` without a handler: a decorator that returns the function unchanged."""

    def __call__(self, handler: Callable[P, R], /) -> Callable[P, R]:
        """Register `handler`."""
        ...
