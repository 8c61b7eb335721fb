"""uvicorn's websocket protocol with a direct line between a socket and its session.

The ordinary way through ASGI takes a queue, two task switches and a write for each message, which is more than a command costs
otherwise. The line hands messages over as they come and takes many frames for one write: a commit is three frames to its sender
(two events and the answer), the opening of a list of conversations hundreds. Everything else stays with ASGI: accepting,
closing, and the news that a connection has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

LINE = "twilio_conversations.line"
"""The ASGI extension under which an accepted websocket has its `Line`."""


class Line:
    """What a session needs of its socket."""

    def __init__(self, protocol: LineProtocol) -> None:
        self._protocol = protocol

    def listen(self, on_message: Callable[[bytes | None], None], on_writable: Callable[[], None]) -> None:
        """Have `on_message` called with each message (`None` for text), `on_writable` when the peer takes more again."""
        self._protocol.on_message = on_message
        self._protocol.on_writable = on_writable

    @property
    def is_writable(self) -> bool:
        """Whether frames may be sent now."""
        protocol = self._protocol
        return protocol.writable.is_set() and protocol.conn.state is State.OPEN and not protocol.transport.is_closing()

    def send(self, frames: Iterable[bytes]) -> None:
        """Send binary messages in one write. Only when `is_writable`."""
        connection = self._protocol.conn
        for frame in frames:
            connection.send_binary(frame)
        self._protocol.transport.write(b"".join(connection.data_to_send()))

    def read_on(self, wanted: bool) -> None:
        """Stop reading, or go on."""
        if wanted:
            self._protocol.transport.resume_reading()
        else:
            self._protocol.transport.pause_reading()


class LineProtocol(WebSocketsSansIOProtocol):
    """The websocket protocol that offers a `Line`. What comes before somebody listens takes the ordinary way."""

    on_message: Callable[[bytes | None], None] | None = None
    on_writable: Callable[[], None] | None = None

    def handle_connect(self, event: Any) -> None:
        """Offer the line in the scope, which the application sees in the loop's next turn."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[LINE] = Line(self)

    def send_receive_event_to_app(self) -> None:
        """A message is complete."""
        if self.on_message is None or self.close_sent:
            super().send_receive_event_to_app()
            return
        data = b"".join(self.frames)
        self.frames = []
        self.on_message(data if self.curr_msg_data_type == "bytes" else None)

    def resume_writing(self) -> None:
        """The peer takes more again."""
        super().resume_writing()
        if self.on_writable is not None:
            self.on_writable()
