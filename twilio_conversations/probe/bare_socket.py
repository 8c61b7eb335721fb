"""A WebSocket without a session: frames of the service, one by one."""

from __future__ import annotations

import select
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any, Self

import attrs

from twilio_conversations.options import Options
from twilio_conversations.probe.outcomes import Stopped
from twilio_conversations.transport import ws_codec
from twilio_conversations.transport.client_metadata import client_metadata
from twilio_conversations.transport.connect import open_socket
from twilio_conversations.transport.dialling import Connecting
from twilio_conversations.transport.route import ProxyRoute
from twilio_conversations.util.futures import Deadline
from twilio_conversations.wire import greeting
from twilio_conversations.wire.credentials import Credentials
from twilio_conversations.wire.inflight import new_id

_SLICE = 0.25
_READ = 64 * 1024


@attrs.frozen
class Frame:
    """A message or control frame, and the time of its arrival on the monotonic clock."""

    at: float
    opcode: int
    payload: bytes


class BareSocket:
    """One open WebSocket; use it as a context manager."""

    def __init__(self, options: Options, deadline: Deadline, stop: threading.Event) -> None:
        """Open it; nothing is sent yet."""
        url = options.endpoints.twilsock
        connecting = Connecting()
        self._socket: Any = open_socket(url, ProxyRoute.find(url, None), deadline, connecting)
        connecting.finish()
        self._stream = ws_codec.Stream(options.max_frame_bytes)
        self._stop = stop

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def greet(self, credentials: Credentials) -> None:
        """Send an init."""
        self.send(ws_codec.BINARY, greeting.init(new_id(), credentials, client_metadata({})).encode())

    def send(self, opcode: int, payload: bytes) -> None:
        """Send one frame; they are small, so that the system takes them at once."""
        self._socket.send(ws_codec.build(opcode, payload))

    def frames(self, deadline: Deadline) -> Iterator[Frame]:
        """Yield what arrives, until the deadline or the end of the connection; pings are answered."""
        while not deadline.passed:
            if self._stop.is_set():
                raise Stopped
            data = self._receive(deadline)
            if data == b"":
                return
            for opcode, payload in self._stream.feed(data) if data else ():
                if opcode == ws_codec.PING:
                    self.send(ws_codec.PONG, payload)
                yield Frame(time.monotonic(), opcode, payload)

    def _receive(self, deadline: Deadline) -> bytes | None:
        """Return what has arrived; `None` if nothing has, and no bytes at the end."""
        try:
            return self._socket.recv(_READ)  # type: ignore[no-any-return]
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            select.select([self._socket], [], [], min(_SLICE, deadline.remaining() or 0.0))
            return None
        except OSError:
            return b""
