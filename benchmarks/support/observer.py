"""Reading the frames that pass, without touching them.

Written from the protocol's description and not with the package's own codec, so that a mistake of the codec cannot hide itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import attrs

MAGIC = re.compile(rb"TWILSOCK V3\.0 (\d+)\r\n")
DATA_OPCODES = (0x0, 0x1, 0x2)


@attrs.frozen
class Packet:
    """One TWILSOCK packet: its header, its payload as bytes, and where in the stream its last byte stood."""

    header: dict[str, Any]
    payload: bytes = attrs.field(repr=False)
    end: int = 0

    @property
    def method(self) -> str:
        """What kind of packet it is."""
        return str(self.header.get("method"))

    @property
    def id(self) -> str:
        """The id that its reply repeats."""
        return str(self.header.get("id"))

    @property
    def request(self) -> tuple[str, str] | None:
        """Verb and path of a tunnelled HTTP request."""
        http = self.header.get("http_request")
        return (str(http.get("method")), str(http.get("path"))) if isinstance(http, dict) else None

    @property
    def is_command(self) -> bool:
        """A request that changes something: not a read, and not a poke, which may be repeated at will."""
        verb, path = self.request or ("GET", "")
        return verb != "GET" and not path.endswith("/Subscriptions")

    def json(self) -> Any:
        """The payload read as JSON; None when there is none or it is something else."""
        try:
            return json.loads(self.payload)
        except ValueError:
            return None


def parse(message: bytes, end: int = 0) -> Packet | None:
    """One WebSocket message as a packet; None when it is none."""
    match = MAGIC.match(message)
    if match is None:
        return None
    start = match.end()
    stop = start + int(match.group(1))
    try:
        header = json.loads(message[start:stop])
    except ValueError:
        return None
    if not isinstance(header, dict):
        return None
    size = header.get("payload_size") or 0
    return Packet(header, message[stop + 2 : stop + 2 + size], end)


class Observer:
    """Fed with one direction of a connection, any way it is split, `feed` yields the packets that became complete."""

    def __init__(self) -> None:
        self.position = 0  # bytes of the stream consumed so far
        self._buffer = bytearray()
        self._upgraded = False
        self._fragments = bytearray()

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Add bytes; yield the packets that are complete."""
        self._buffer += data
        if not self._upgraded:
            head, gap, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not gap:
                return
            self._upgraded = True
            self.position = len(head) + len(gap)
            self._buffer = bytearray(rest)
        while (message := self._next_message()) is not None:
            packet = parse(message, self.position)
            if packet is not None:
                yield packet

    def _next_message(self) -> bytes | None:
        """The next complete data message; control frames are passed over."""
        while (frame := self._next_frame()) is not None:
            final, opcode, payload = frame
            if opcode not in DATA_OPCODES:
                continue
            self._fragments += payload
            if final:
                message = bytes(self._fragments)
                self._fragments.clear()
                return message
        return None

    def _next_frame(self) -> tuple[bool, int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, at = buffer[1] & 0x7F, 2
        if length >= 126:
            at = 4 if length == 126 else 10
            if len(buffer) < at:
                return None
            length = int.from_bytes(buffer[2:at], "big")
        mask = b""
        if buffer[1] & 0x80:
            mask = bytes(buffer[at : at + 4])
            at += 4
        if len(buffer) < at + length:
            return None
        first = buffer[0]
        payload = unmask(bytes(buffer[at : at + length]), mask)
        del buffer[: at + length]
        self.position += at + length
        return bool(first & 0x80), first & 0x0F, payload


def unmask(payload: bytes, mask: bytes) -> bytes:
    """XOR with the repeated mask, done on one large integer."""
    if not mask or not payload:
        return payload
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
