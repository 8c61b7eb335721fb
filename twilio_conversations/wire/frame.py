"""The TWILSOCK V3.0 frame codec.

A frame is one binary WebSocket message::

    TWILSOCK V3.0 <bytes of the header>CRLF<header: one JSON object>CRLF[<payload>]

Sizes are UTF-8 bytes. `payload_size` in the header bounds the payload; a CRLF after it is tolerated, and so is a missing
CRLF after the header of a frame without payload.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from twilio_conversations.errors import ProtocolError
from twilio_conversations.util import json_text

MAX_FRAME = 32 * 1024 * 1024
"""Largest frame that is read or written unless told otherwise, in bytes."""

_MAGIC: Final = b"TWILSOCK V3.0 "
_CRLF: Final = b"\r\n"
_LINE_END: Final = len(_CRLF)
_SIZE_START: Final = len(_MAGIC)
_SIZE_END: Final = _SIZE_START + 10 + _LINE_END
"""Where the size of the header begins, and where its line has ended at the latest."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


Frame = tuple[dict[str, Any], bytes]
"""A decoded frame: its header, and its payload as bytes."""


def encode(header: Mapping[str, Any], payload: bytes = b"") -> bytes:
    """Return one frame; `payload_size` is filled in."""
    head = json_bytes({**header, "payload_size": len(payload)})
    return b"".join((_MAGIC, str(len(head)).encode(), _CRLF, head, _CRLF, payload))


def decode(data: bytes, *, max_bytes: int = MAX_FRAME) -> Frame:
    """Read one frame.

    Raises:
        ProtocolError: the bytes are not a frame, or exceed `max_bytes`.
    """
    length = len(data)
    if length > max_bytes:
        raise ProtocolError(f"a frame of {length} bytes is over the limit of {max_bytes}")
    if not data.startswith(_MAGIC):
        raise ProtocolError("not a TWILSOCK V3.0 frame")
    line_end = data.find(_CRLF, _SIZE_START, _SIZE_END)
    size_text = data[_SIZE_START:line_end] if line_end >= 0 else b""
    if not size_text.isdigit():
        raise ProtocolError("the header size is not a number")
    head_start = line_end + _LINE_END
    head_end = head_start + int(size_text)
    if head_end > length:
        raise ProtocolError("the header is longer than the frame")
    header = parse_json(data[head_start:head_end])
    if type(header) is not dict:
        raise ProtocolError("the header is not a JSON object")
    size = header.get("payload_size", 0)
    if size is None or size == 0:
        return header, b""
    if type(size) is not int or size < 0:
        raise ProtocolError("payload_size is not a size")
    start = head_end + _LINE_END
    if not data.startswith(_CRLF, head_end):
        raise ProtocolError("no line end between header and payload")
    if start + size > length:
        raise ProtocolError("the payload is shorter than payload_size")
    return header, data[start : start + size]


def parse_json(data: bytes) -> Any:
    """Return the JSON value in `data`, as `json_text.loads` reads it.

    Raises:
        ProtocolError: the bytes are not UTF-8 or not JSON.
    """
    try:
        return json_text.loads(data.decode())
    except ValueError as error:
        raise ProtocolError(f"not JSON: {error}") from error


def json_bytes(value: Any) -> bytes:
    """Compact JSON of `value` in UTF-8; lone surrogates, which UTF-8 cannot carry, are escaped."""
    try:
        return _encode(value).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
