"""Uploads: from the socket to a file, block by block, raw or as a form, in constant memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import attrs
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.storage.media_files import Incoming

BLOCK = 256 * 1024
FORM_OVERHEAD = 64 * 1024
"""Most bytes of a form besides its file."""
MAX_DISCARDED = 1024 * 1024 * 1024
"""Bytes of a too large upload that are read and discarded: most clients read an answer only after they have sent all."""
DEFAULT_TYPE = "application/octet-stream"


@attrs.frozen
class Description:
    """The uploader's description of a file."""

    content_type: str
    filename: str | None
    multipart: bool


async def receive(request: Request, incoming: Incoming, limit: int) -> Description:
    """Write the file in the body of `request` to `incoming`; `limit` is in bytes.

    Raises:
        Refusal: 20413 too large, 20001 not a valid form.
        ClientDisconnect: the uploader closed the connection.
    """
    given = request.headers.get("content-type", DEFAULT_TYPE)
    form = Form(given) if given.lower().startswith("multipart/form-data") else None
    allowed = limit if form is None else limit + FORM_OVERHEAD
    if _declared(request) > allowed + MAX_DISCARDED:
        raise Refusal(20413)
    received = 0
    async for block in _blocks(request):
        received += len(block)
        if received > allowed + MAX_DISCARDED:
            raise Refusal(20413)
        if received <= allowed:
            data = block if form is None else form.feed(block)
            await asyncio.to_thread(incoming.write, data)
    if received > allowed or incoming.size > limit:
        raise Refusal(20413)
    if form is None:
        return Description(given, request.query_params.get("Filename") or None, multipart=False)
    content_type, filename = form.finish()
    return Description(content_type, filename or None, multipart=True)


def _declared(request: Request) -> int:
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else 0


async def _blocks(request: Request) -> AsyncIterator[bytes]:
    """Yield the body in blocks large enough for a hop to another thread."""
    parts: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        parts.append(chunk)
        size += len(chunk)
        if size >= BLOCK:
            yield b"".join(parts)
            parts.clear()
            size = 0
    yield b"".join(parts)


class Form:
    """The first file of ``multipart/form-data``, as browsers send it; other fields are skipped.

    Starlette's own form parser is no alternative: it bounds fields but not files, which it writes whole to the system's temporary
    directory before they can be refused; then they would have to be copied.
    """

    def __init__(self, content_type: str) -> None:
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise Refusal(20001, "The form has no boundary")
        self._description: tuple[str, str] | None = None
        self._inside = False
        self._ended = False
        self._name, self._value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        self._data: list[bytes] = []
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._headers.clear,
                "on_header_field": self._on_name,
                "on_header_value": self._on_value,
                "on_header_end": self._on_header,
                "on_headers_finished": self._on_headers,
                "on_part_data": self._on_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )

    def feed(self, block: bytes) -> bytes:
        """Return the part of the file in the next block of the body. Raises `Refusal` 20001."""
        try:
            self._parser.write(block)
        except FormParserError as error:
            raise Refusal(20001, "The body is not a form") from error
        data = b"".join(self._data)
        self._data.clear()
        return data

    def finish(self) -> tuple[str, str]:
        """Return content type and name of the file. Raises `Refusal` 20001 when the form ended early or had no file."""
        if not self._ended:
            raise Refusal(20001, "The form ends early")
        if self._description is None:
            raise Refusal(20001, "The form has no file")
        return self._description

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name, self._value = b"", b""

    def _on_headers(self) -> None:
        filename = parse_options_header(self._headers.get(b"content-disposition"))[1].get(b"filename")
        self._inside = filename is not None and self._description is None
        if filename is not None and self._inside:
            content_type = self._headers.get(b"content-type", DEFAULT_TYPE.encode())
            self._description = content_type.decode("latin-1"), filename.decode("utf-8", "replace")

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._inside:
            self._data.append(data[start:end])

    def _on_part_end(self) -> None:
        self._inside = False

    def _on_end(self) -> None:
        self._ended = True
