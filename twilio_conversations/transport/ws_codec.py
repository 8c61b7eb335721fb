"""WebSocket messages from bytes, however the network cut them, and frames for what is sent.

Pure: no socket, no clock. websocket-client parses and builds the frames. The checks that it omits are here: sizes are checked
before anything is buffered, control frames are neither long nor fragmented, the service does not mask.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from typing import Final

from websocket import ABNF, WebSocketException, frame_buffer

from twilio_conversations.errors import ProtocolError

TEXT: Final[int] = ABNF.OPCODE_TEXT
BINARY: Final[int] = ABNF.OPCODE_BINARY
CLOSE: Final[int] = ABNF.OPCODE_CLOSE
PING: Final[int] = ABNF.OPCODE_PING
PONG: Final[int] = ABNF.OPCODE_PONG

_CONTINUATION: Final[int] = ABNF.OPCODE_CONT
_LONGEST_CONTROL: Final = 125
_FIRST_CONTROL: Final = 8

WsMessage = tuple[int, bytes]
"""Opcode and payload of one whole message (BINARY, TEXT) or control frame (CLOSE, PING, PONG)."""


_KEYS_AT_ONCE: Final = 256
_keys: deque[bytes] = deque()


def _mask_key(size: int) -> bytes:
    """Return an unpredictable key, drawn from the system many at a time: a call for each costs more than the frame."""
    while True:
        try:
            return _keys.popleft()
        except IndexError:
            drawn = os.urandom(size * _KEYS_AT_ONCE)
            _keys.extend(drawn[at : at + size] for at in range(0, len(drawn), size))


def build(opcode: int, payload: bytes) -> bytes:
    """Return one whole, masked frame."""
    frame = ABNF.create_frame(payload, opcode)
    frame.get_mask_key = _mask_key
    return frame.format()


class _Starved(Exception):
    """The next piece of a frame has not arrived."""


class _Frames(frame_buffer):
    """websocket-client's parser, reading from the bytes that are there and going on later where it stopped."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(lambda size: b"", True)  # its own reading is replaced by `recv_strict`
        self.room = max_bytes
        self._data = b""
        self._at = 0
        self._waiting: list[bytes] = []
        self._missing = 0

    def supply(self, data: bytes) -> bool:
        """Add bytes; return whether the missing piece is complete (a long one is put together once, at its end)."""
        self._waiting.append(data)
        self._missing -= len(data)
        if self._missing > 0:
            return False
        if self._at < len(self._data):
            self._waiting.insert(0, self._data[self._at :])
        self._data = b"".join(self._waiting) if len(self._waiting) > 1 else data
        self._at = 0
        self._waiting.clear()
        return True

    def recv_strict(self, bufsize: int) -> bytes:
        """Return the next `bufsize` bytes; raise `_Starved` until all of them are there."""
        start = self._at
        end = start + bufsize
        self._missing = end - len(self._data)
        if self._missing > 0:
            raise _Starved
        self._at = end
        return self._data[start:end]

    def recv_length(self) -> None:
        """Read the length, and refuse a frame that is too long before its payload is buffered."""
        super().recv_length()
        if self.has_mask():
            raise ProtocolError("the service must not mask its frames")
        if (self.length or 0) > self.room:
            raise ProtocolError(f"a message of more than {self.length} bytes is over the limit")


class Stream:
    """The receiving half of one WebSocket connection, after the handshake. One thread may use it."""

    def __init__(self, max_bytes: int) -> None:
        """Messages of more than `max_bytes` are refused."""
        self._max_bytes = max_bytes
        self._frames = _Frames(max_bytes)
        self._opcode: int | None = None  # of the message whose fragments arrive
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> Iterator[WsMessage]:
        """Accept bytes and yield the messages that they complete.

        Raises:
            ProtocolError: after the good messages before it; the connection is of no further use.
        """
        if not self._frames.supply(data):
            return
        while True:
            try:
                frame = self._frames.recv_frame()
            except _Starved:
                return
            except WebSocketException as error:
                raise ProtocolError(f"not a WebSocket frame: {error}") from error
            opcode: int = frame.opcode
            if opcode == BINARY and frame.fin and self._opcode is None:
                yield BINARY, frame.data  # type: ignore[misc] # as received it is bytes
            elif (message := self._collect(opcode, bool(frame.fin), frame.data)) is not None:  # type: ignore[arg-type]
                yield message

    def _collect(self, opcode: int, final: bool, payload: bytes) -> WsMessage | None:
        if opcode >= _FIRST_CONTROL:
            if not final or len(payload) > _LONGEST_CONTROL:
                raise ProtocolError("a fragmented or oversized control frame")
            return opcode, payload
        if (opcode == _CONTINUATION) is (self._opcode is None):
            raise ProtocolError("fragments out of order")
        if self._opcode is None:
            self._opcode = opcode
        if payload:
            self._parts.append(payload)
        self._frames.room -= len(payload)
        if not final:
            return None
        message = self._opcode, b"".join(self._parts)
        self._opcode, self._parts, self._frames.room = None, [], self._max_bytes
        return message
