"""WebSocket messages from bytes, however the network cut them, and frames for what is sent.

Pure: no socket, no clock. websocket-client makes the connection; its parser and its builder of frames call some thirty functions
for a frame, which was a fifth of the time of an event (see ``docs/performance.md``), so that both are written out here. The tests
compare them with websocket-client's on generated input. Stricter than its are: sizes are checked before anything is buffered,
control frames are neither long nor fragmented, the service does not mask.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from typing import Final

from websocket import ABNF

from twilio_conversations.errors import ProtocolError

TEXT: Final[int] = ABNF.OPCODE_TEXT
BINARY: Final[int] = ABNF.OPCODE_BINARY
CLOSE: Final[int] = ABNF.OPCODE_CLOSE
PING: Final[int] = ABNF.OPCODE_PING
PONG: Final[int] = ABNF.OPCODE_PONG

_CONTINUATION: Final[int] = ABNF.OPCODE_CONT
_OPCODES: Final = frozenset(ABNF.OPCODES)
_FIRST_CONTROL: Final = 8
_LONGEST_CONTROL: Final = 125
_SHORT, _LONG = 126, 127
"""Lengths from here on say how many bytes the length has: two, or eight."""
_FINAL: Final = 0x80
_MASKED: Final = 0x80
_WHOLE_BINARY: Final = _FINAL | BINARY

WsMessage = tuple[int, bytes]
"""Opcode and payload of one whole message (BINARY, TEXT) or control frame (CLOSE, PING, PONG)."""

_KEYS_AT_ONCE: Final = 256
KEY_SIZE: Final = 4
_keys: deque[bytes] = deque()


def mask_key() -> bytes:
    """Return an unpredictable key, drawn from the system many at a time: a call for each costs more than the frame."""
    while True:
        try:
            return _keys.popleft()
        except IndexError:
            drawn = os.urandom(KEY_SIZE * _KEYS_AT_ONCE)
            _keys.extend(drawn[at : at + KEY_SIZE] for at in range(0, len(drawn), KEY_SIZE))


def build(opcode: int, payload: bytes) -> bytes:
    """Return one whole, masked frame."""
    size, key = len(payload), mask_key()
    return b"".join((head(opcode, size), key, xored(payload, (key * (size // KEY_SIZE + 1))[:size])))


def head(opcode: int, size: int) -> bytes:
    """Return the beginning of a whole, masked frame, up to its key."""
    if size < _SHORT:
        return bytes((_FINAL | opcode, _MASKED | size))
    if size < 1 << 16:
        return bytes((_FINAL | opcode, _MASKED | _SHORT)) + size.to_bytes(2, "big")
    return bytes((_FINAL | opcode, _MASKED | _LONG)) + size.to_bytes(8, "big")


def xored(data: bytes, mask: bytes) -> bytes:
    """Return `data`, masked byte by byte; the mask is as long."""
    return (int.from_bytes(data, "little") ^ int.from_bytes(mask, "little")).to_bytes(len(data), "little")


class Stream:
    """The receiving half of one WebSocket connection, after the handshake. One thread may use it."""

    def __init__(self, max_bytes: int) -> None:
        """Messages of more than `max_bytes` are refused."""
        self._max_bytes = max_bytes
        self._room = max_bytes
        self._opcode: int | None = None  # of the message whose fragments arrive
        self._parts: list[bytes] = []
        self._data = b""
        self._at = 0
        self._waiting: list[bytes] = []
        self._missing = 0

    def feed(self, data: bytes) -> Iterator[WsMessage]:
        """Accept bytes and yield the messages that they complete.

        Raises:
            ProtocolError: after the good messages before it; the connection is of no further use.
        """
        if not self._supply(data):
            return
        data, at = self._data, self._at
        end = len(data)
        while at + 2 <= end:
            first, size = data[at], data[at + 1]
            start = at + 2
            if size >= _SHORT:
                start, size = self._long_size(size, start)
                if start > end:
                    self._missing = start - end
                    return
            if first != _WHOLE_BINARY or self._opcode is not None:
                self._check(first, size)
            if size > self._room:
                raise ProtocolError(f"a message of more than {size} bytes is over the limit")
            at = start + size
            if at > end:
                self._missing = at - end
                return
            self._at = at
            if first == _WHOLE_BINARY:
                yield BINARY, data[start:at]
            elif (message := self._collect(first, data[start:at])) is not None:
                yield message
        self._missing = at + 2 - end
        if at == end:
            self._data, self._at = b"", 0  # an idle connection holds nothing

    def _supply(self, data: bytes) -> bool:
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

    def _long_size(self, size: int, start: int) -> tuple[int, int]:
        """Return where the payload starts, and its size; the size means nothing if the payload starts behind what is there."""
        if size & _MASKED:
            raise ProtocolError("the service must not mask its frames")
        payload = start + (2 if size == _SHORT else 8)
        return payload, int.from_bytes(self._data[start:payload], "big")

    def _check(self, first: int, size: int) -> None:
        """Raise for a frame that must not come now."""
        opcode = first & 0xF
        if first & 0x70:
            raise ProtocolError("a WebSocket frame of an extension that was not agreed")
        if opcode not in _OPCODES:
            raise ProtocolError(f"a WebSocket frame of the unknown kind {opcode}")
        if opcode >= _FIRST_CONTROL:
            if not first & _FINAL or size > _LONGEST_CONTROL:
                raise ProtocolError("a fragmented or oversized control frame")
        elif (opcode == _CONTINUATION) is (self._opcode is None):
            raise ProtocolError("fragments out of order")

    def _collect(self, first: int, payload: bytes) -> WsMessage | None:
        """Return a control frame, or the message that a frame completes."""
        opcode = first & 0xF
        if opcode == CLOSE:
            _check_close(payload)
        if opcode >= _FIRST_CONTROL:
            return opcode, payload
        if self._opcode is None:
            self._opcode = opcode
        if payload:
            self._parts.append(payload)
        self._room -= len(payload)
        if not first & _FINAL:
            return None
        message = self._opcode, b"".join(self._parts)
        self._opcode, self._parts, self._room = None, [], self._max_bytes
        return message


_CLOSE_CODES: Final = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})


def _check_close(payload: bytes) -> None:
    """Raise for a close frame whose code is none."""
    if payload and (len(payload) < 2 or int.from_bytes(payload[:2], "big") not in _CLOSE_CODES):
        raise ProtocolError("a close frame without a code that may be sent")
