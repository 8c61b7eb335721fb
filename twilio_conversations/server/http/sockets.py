"""Frame sockets: the frames of a websocket, for its session.

`AsgiSocket` works on every ASGI server, with a queue, two task switches and a write for each frame. A protocol with a faster
way puts a socket of its own into the scope.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from starlette.types import Receive
from starlette.websockets import WebSocket, WebSocketDisconnect

from twilio_conversations.server.http.admission import Meter
from twilio_conversations.util import logs

_log = logs.logger(__name__)

DIRECT_SOCKET = "twilio_conversations.direct_socket"
"""ASGI extension with the server's own `FrameSocket` for an accepted websocket."""


class FrameSocket(Protocol):
    """A websocket as its session uses it."""

    as_text: bool
    """Whether messages are sent as text."""

    def listen(self, on_message: Callable[[bytes | None], None], on_writable: Callable[[], None], meter: Meter) -> None:
        """Call `on_message` with each message (`None` for text), `on_writable` when frames may be sent again.

        Frames are read at the pace of `meter`.
        """

    @property
    def is_writable(self) -> bool:
        """Whether frames may be sent now."""

    def send(self, frames: Iterable[bytes]) -> None:
        """Send messages, when `is_writable`."""

    def read_on(self, wanted: bool) -> None:
        """Stop reading, or read again."""

    async def until_disconnected(self, receive: Receive) -> None:
        """Return when the websocket has ended. Messages that arrive through ASGI are passed to `on_message`."""


def socket_of(websocket: WebSocket, patience: int) -> FrameSocket:
    """Return the frame socket of an accepted websocket; a peer may read nothing for `patience` seconds (0: any time)."""
    socket: FrameSocket | None = websocket.scope.get("extensions", {}).get(DIRECT_SOCKET)
    return AsgiSocket(websocket, patience) if socket is None else socket


class AsgiSocket:
    """A frame socket through ASGI, on the event loop."""

    as_text = False

    def __init__(self, websocket: WebSocket, patience: int) -> None:
        self._websocket = websocket
        self._patience = patience or None
        self._unsent: deque[bytes] = deque()
        self._sender: asyncio.Task[None] | None = None
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._failed = asyncio.Event()

    def listen(self, on_message: Callable[[bytes | None], None], on_writable: Callable[[], None], meter: Meter) -> None:
        """Call `on_message` with each message, and `on_writable` when frames may be sent again."""
        self._on_message = on_message
        self._on_writable = on_writable
        self._meter = meter

    @property
    def is_writable(self) -> bool:
        """Whether all frames have been written."""
        return self._sender is None and not self._failed.is_set()

    def send(self, frames: Iterable[bytes]) -> None:
        """Send messages one after the other, in a task."""
        self._unsent.extend(frames)
        self._sender = asyncio.create_task(self._send(), name="conversations-sender")

    def read_on(self, wanted: bool) -> None:
        """Stop receiving, or receive again."""
        if wanted:
            self._may_read.set()
        else:
            self._may_read.clear()

    async def until_disconnected(self, receive: Receive) -> None:
        """Receive messages; return when no further one can arrive, or nothing can be sent any more."""
        receiving = asyncio.create_task(self._receive(receive), name="conversations-receiver")
        failing = asyncio.create_task(self._failed.wait(), name="conversations-failing")
        try:
            await asyncio.wait({receiving, failing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            tasks = [task for task in (receiving, failing, self._sender) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _receive(self, receive: Receive) -> None:
        while (message := await receive())["type"] != "websocket.disconnect":
            self._on_message(message.get("bytes"))
            if pause := self._meter.take():
                await asyncio.sleep(pause)
            await self._may_read.wait()

    async def _send_one(self, frame: bytes) -> None:
        if self.as_text:
            await self._websocket.send_text(frame.decode())
        else:
            await self._websocket.send_bytes(frame)

    async def _send(self) -> None:
        try:
            while self._unsent:
                async with asyncio.timeout(self._patience):
                    await self._send_one(self._unsent.popleft())
        except (WebSocketDisconnect, RuntimeError, OSError) as error:  # a `TimeoutError` is an `OSError`
            _log.debug("a websocket takes nothing more: %r", error)
            self._failed.set()
        self._sender = None
        self._on_writable()
