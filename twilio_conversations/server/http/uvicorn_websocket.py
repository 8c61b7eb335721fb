"""uvicorn's websocket protocol with a direct socket for its session.

The ordinary way through ASGI takes a queue, two task switches and a write for each message, which is more than a command costs
otherwise. The direct socket passes messages on as they arrive and sends many frames in one write: a commit is three frames to
its sender (two events and the answer), the opening of a list of conversations hundreds. Everything else stays with ASGI:
accepting, closing, and the end of a connection.

The rate of a peer's frames is limited here, where pings and fragments are seen too. So is the time for which a peer may read
nothing: a stopped process would keep its connection open for ever.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Any

from starlette.types import Receive
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.protocol import State

from twilio_conversations.server.http.admission import ADMISSION, Admission, Meter
from twilio_conversations.server.http.sockets import DIRECT_SOCKET

PONG = b"\x8a"
"""First byte of a pong."""
MAX_FRAGMENTS = 1024
"""Most frames that make up one message; empty ones count against no other limit."""
BAD_HANDSHAKE = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
DISCARD = struct.pack("ii", 1, 0)
"""Value of ``SO_LINGER`` with which closing a socket discards unsent data and resets the connection."""
BUSY, TOO_FAST, CLOGGED = "busy", "too fast", "clogged"
"""Reasons to stop reading: the session is busy, frames arrive too fast, or pongs are not read by the peer."""


class DirectSocket:
    """A frame socket straight to the transport."""

    as_text = False

    def __init__(self, protocol: DirectSocketProtocol) -> None:
        self._protocol = protocol

    def listen(self, on_message: Callable[[bytes | None], None], on_writable: Callable[[], None], meter: Meter) -> None:
        """Call `on_message` with each message (`None` for text), `on_writable` when frames may be sent again.

        Frames are read at the pace of `meter`.
        """
        self._protocol.on_message = on_message
        self._protocol.on_writable = on_writable
        self._protocol.meter = meter

    @property
    def is_writable(self) -> bool:
        """Whether frames may be sent now."""
        protocol = self._protocol
        return protocol.writable.is_set() and protocol.conn.state is State.OPEN and not protocol.transport.is_closing()

    def send(self, frames: Iterable[bytes]) -> None:
        """Send messages in one write. Only when `is_writable`."""
        connection = self._protocol.conn
        send = connection.send_text if self.as_text else connection.send_binary
        for frame in frames:
            send(frame)
        self._protocol.transport.write(b"".join(connection.data_to_send()))

    def read_on(self, wanted: bool) -> None:
        """Stop reading, or read again."""
        if wanted:
            self._protocol.read_on(BUSY)
        else:
            self._protocol.stop_reading(BUSY)

    async def until_disconnected(self, receive: Receive) -> None:
        """Return when ASGI reports the end; messages from before `listen` are passed on."""
        while (message := await receive())["type"] != "websocket.disconnect":
            if self._protocol.on_message is not None:
                self._protocol.on_message(message.get("bytes"))


class DirectSocketProtocol(WebSocketsSansIOProtocol):
    """The websocket protocol that offers a `FrameSocket`. Messages from before `listen` go through ASGI."""

    on_message: Callable[[bytes | None], None] | None = None
    on_writable: Callable[[], None] | None = None
    meter: Meter | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._admission: Admission = self.app_state[ADMISSION]
        self._not_reading: set[str] = set()
        self._unsent = 0
        self._stall_timer: asyncio.TimerHandle | None = None

    def handle_connect(self, event: Any) -> None:
        """Offer the direct socket in the scope, which the application receives in the loop's next turn."""
        self.conn.debug = False  # it would log frames, and in them tokens
        super().handle_connect(event)
        if self.response.status_code == 101:
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[DIRECT_SOCKET] = DirectSocket(self)

    def send_receive_event_to_app(self) -> None:
        """Pass a complete message to the session."""
        if self.on_message is None or self.close_sent:
            super().send_receive_event_to_app()
            return
        data = b"".join(self.frames)
        self.frames = []
        self.on_message(data if self.curr_msg_data_type == "bytes" else None)

    def pause_writing(self) -> None:
        """Start the time in which the peer must read something."""
        super().pause_writing()
        self._expect_progress()

    def resume_writing(self) -> None:
        """End that time, and report that frames may be sent."""
        super().resume_writing()
        self._expect_nothing()
        self.read_on(CLOGGED)
        if self.on_writable is not None:
            self.on_writable()

    def connection_lost(self, exc: Exception | None) -> None:
        """Release what the connection holds."""
        self._expect_nothing()
        super().connection_lost(exc)

    def keepalive_timeout(self) -> None:
        """End the connection after a missing pong, unless reading is stopped."""
        if self._not_reading:
            self.schedule_ping()
            return
        super().keepalive_timeout()
        self._bound_the_end()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Close the socket of a session that has ended."""
        super().on_task_complete(task)
        self._bound_the_end()

    def _bound_the_end(self) -> None:
        """Limit the time in which a closing socket waits for the peer to read the rest."""
        if self.transport.is_closing() and self._stall_timer is None and self._buffered():
            self._expect_progress()

    def _expect_progress(self) -> None:
        """Drop the peer unless it reads something in time."""
        self._expect_nothing()
        self._unsent = self._buffered()
        if patience := self._admission.patience:
            self._stall_timer = self.loop.call_later(patience, self._look_for_progress)

    def _expect_nothing(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _look_for_progress(self) -> None:
        """Drop the peer if it has read nothing. Writing is paused: the unsent data only grow by a ping."""
        if self._buffered() < self._unsent:
            self._expect_progress()
        else:
            self._reset()

    def _reset(self) -> None:
        """Drop the connection at once. After a mere close, the system would hold the unsent data until the peer has read them."""
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, DISCARD)
        self.transport.abort()

    def _buffered(self) -> int:
        """Return the number of unsent bytes. A TLS transport that was closed twice has discarded them, and ends by itself."""
        try:
            return self.transport.get_write_buffer_size()
        except AttributeError:
            return 0

    def data_received(self, data: bytes) -> None:
        """Parse bytes. A malformed handshake is answered too."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.transport.is_closing():
            self.transport.write(b"".join(self.conn.data_to_send()) or BAD_HANDSHAKE)
            self.transport.close()

    def handle_events(self) -> None:
        """Handle complete frames. All of them count; beyond the rate, reading pauses."""
        arrived = len(self.conn.events)
        super().handle_events()
        if self.meter is not None and (pause := self.meter.take(arrived)) and TOO_FAST not in self._not_reading:
            self.stop_reading(TOO_FAST)
            self.loop.call_later(pause, self.read_on, TOO_FAST)

    def handle_cont(self, event: Frame) -> None:
        """Add a further part to a message, up to `MAX_FRAGMENTS`."""
        if len(self.frames) < MAX_FRAGMENTS:
            super().handle_cont(event)
        elif not self.close_sent:
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
            self.handle_parser_exception()

    def send_keepalive_ping(self) -> None:
        """Ping the peer, unless the service does without pings."""
        if self._admission.pings:
            super().send_keepalive_ping()
        else:
            self.schedule_ping()

    def handle_ping(self) -> None:
        """Answer a ping. Reading stops while the peer does not read its pongs."""
        if self._admission.pings:
            super().handle_ping()
        else:
            self.transport.write(b"".join(data for data in self.conn.data_to_send() if data[:1] != PONG))
        if not self.writable.is_set():
            self.stop_reading(CLOGGED)

    def stop_reading(self, why: str) -> None:
        """Read nothing, until `read_on` has been called for each reason."""
        self._not_reading.add(why)
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def read_on(self, why: str) -> None:
        """Withdraw a reason; read when none is left."""
        self._not_reading.discard(why)
        if not self._not_reading and not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()
