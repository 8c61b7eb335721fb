"""Skeleton: the signatures that the models build on; the inside follows."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from twilio_conversations.futures import Deadline, Future
from twilio_conversations.sync.changes import Change, Item, Key, Kind, Page

Listener = Callable[["Entity", Change], None]


class Answer(Protocol):
    """An HTTP answer (what `transport.tunnel.HttpResponse` is)."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    def json(self) -> Any: ...


class Request(Protocol):
    """The tunnel's door (`Tunnel.request`)."""

    def __call__(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, deadline: Deadline, idempotent: bool
    ) -> Future[Any]: ...


class Timer(Protocol):
    """Something that was scheduled."""

    def cancel(self) -> None: ...


class Timers(Protocol):
    """The io thread's clock (`transport.timers.Timers`)."""

    def call_later(self, delay: float, fn: Callable[[], None]) -> Timer: ...


class Entity:
    """A handle on one Sync object."""

    @property
    def sid(self) -> str: ...
    @property
    def unique_name(self) -> str | None: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def data(self) -> Any: ...
    @property
    def items(self) -> Mapping[Key, Item]: ...
    @property
    def established(self) -> bool: ...
    @property
    def open(self) -> bool: ...
    def close(self) -> None: ...
    def page(
        self,
        *,
        start: Key | None = None,
        size: int = 50,
        order: Literal["asc", "desc"] = "asc",
        bounds: Literal["inclusive", "exclusive"] = "inclusive",
    ) -> Future[Page]: ...
    def item(self, key: Key) -> Future[Item | None]: ...


class SyncClient:
    """Opens Sync objects and keeps them current."""

    def __init__(
        self,
        request: Request,
        timers: Timers,
        base_url: str,
        *,
        now: Callable[[], float] = time.monotonic,
        rng: Callable[[], float] = random.random,
        request_timeout: float = 30.0,
    ) -> None: ...
    def open_document(self, name: str, listener: Listener) -> Future[Entity]: ...
    def open_list(self, name: str, listener: Listener) -> Future[Entity]: ...
    def open_map(self, name: str, listener: Listener, *, include_items: bool = False) -> Future[Entity]: ...
    def notification(self, message_type: str, payload: Any) -> None: ...
    def connected(self) -> None: ...
    def disconnected(self) -> None: ...
    def token_updated(self) -> None: ...
    def hold(self, entity: Entity) -> None: ...
    def release(self, entity: Entity) -> None: ...
    def close(self) -> None: ...
