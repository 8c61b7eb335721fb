"""The newest frames of all websockets, as sent and received. Tokens are removed when they are read."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import time
from collections import deque
from typing import Any

import attrs

from twilio_conversations.errors import ProtocolError
from twilio_conversations.server.storage.database import timestamp
from twilio_conversations.util.values import value
from twilio_conversations.wire import frame

MAX_FRAMES, MAX_BYTES = 5_000, 8 * 1024 * 1024
"""Beyond either, the oldest frames are discarded."""
IN, OUT = "in", "out"
REDACTED = "(redacted)"
_SECRET = frozenset({"token", "continuation_token", "storage_id", "x-twilio-token", "authorization"})
_numbers = itertools.count(1)


@attrs.define(eq=False)
class Peer:
    """One connection: its number, and its identity once known."""

    number: int = attrs.field(factory=lambda: next(_numbers))
    identity: str = ""


@value
class RecordedFrame:
    """A frame, with its time, connection and direction."""

    time: float
    peer: Peer
    direction: str
    data: bytes = attrs.field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return ``time``, ``connection``, ``identity``, ``direction`` (as seen by the service), ``header`` and ``payload``."""
        fields: dict[str, Any] = {
            "time": timestamp(dt.datetime.fromtimestamp(self.time, dt.UTC)),
            "connection": self.peer.number,
            "identity": self.peer.identity,
            "direction": self.direction,
        }
        try:
            header, payload = frame.decode(self.data)
        except ProtocolError as error:
            return {**fields, "unreadable": str(error), "bytes": len(self.data)}
        return {**fields, "header": _redacted(header), "payload": _redacted(_payload(payload))}


class Traffic:
    """The newest frames. Lives on the event loop."""

    def __init__(self) -> None:
        self._frames: deque[RecordedFrame] = deque()
        self._bytes = 0
        self.count = 0
        """Number of frames so far, also of those that were discarded."""

    def record(self, peer: Peer, direction: str, data: bytes) -> None:
        """Keep a frame."""
        self.count += 1
        self._frames.append(RecordedFrame(time.time(), peer, direction, data))
        self._bytes += len(data)
        while len(self._frames) > MAX_FRAMES or self._bytes > MAX_BYTES:
            self._bytes -= len(self._frames.popleft().data)

    def frames(self, identity: str | None = None) -> list[dict[str, Any]]:
        """Return the recorded frames of one user or of all, oldest first."""
        return [item.to_json() for item in self._frames if identity is None or item.peer.identity == identity]

    def clear(self) -> None:
        """Discard the recorded frames."""
        self._frames.clear()
        self._bytes = 0


def _payload(data: bytes) -> Any:
    if not data:
        return None
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data.decode("utf-8", "replace")


def _redacted(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: REDACTED if name.lower() in _SECRET and item is not None else _redacted(item) for name, item in value.items()
        }
    if isinstance(value, list):
        return [_redacted(item) for item in value]
    return value
