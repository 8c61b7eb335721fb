"""uvicorn's websocket protocol with fewer system calls.

The frames of one turn of the event loop are written together: a commit is three frames to its sender (two events and the
answer), the opening of a list of conversations hundreds. Each in a write of its own costs more than everything else about it,
here and at the receiver. And reading is paused only when a message is not taken at once: uvicorn pauses and resumes it for
every message, which the selector is told of each time.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

MAX_GATHERED = 64 * 1024
"""Bytes after which waiting stops, so that the transport's flow control still sees what is going on."""


class GatheringTransport:
    """A transport that writes at the end of the loop's turn and pauses a turn late. Everything else is the transport's own."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []
        self._size = 0
        self._pausing = False

    def write(self, data: bytes) -> None:
        """Write soon."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)
        self._size += len(data)
        if self._size >= MAX_GATHERED:
            self._flush()

    def pause_reading(self) -> None:
        """Pause, unless resumed within a turn."""
        self._pausing = True
        self._loop.call_soon(self._pause)

    def resume_reading(self) -> None:
        """Go on reading."""
        self._pausing = False
        self._transport.resume_reading()

    def close(self) -> None:
        """Write what is left and close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._parts:
            data = b"".join(self._parts)
            self._parts.clear()
            self._size = 0
            self._transport.write(data)

    def _pause(self) -> None:
        if self._pausing:
            self._pausing = False
            self._transport.pause_reading()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class GatheringProtocol(WebSocketsSansIOProtocol):
    """The websocket protocol over such a transport."""

    def connection_made(self, transport: Any) -> None:
        """A connection was upgraded."""
        super().connection_made(GatheringTransport(transport, self.loop))  # type: ignore[arg-type]
