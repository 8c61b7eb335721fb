"""Attachments of a message: from a path, bytes, text or a file object to bytes that can be read repeatedly."""

from __future__ import annotations

import io
import mimetypes
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final, TypeGuard

import attrs

from twilio_conversations.errors import ArgumentTypeError, FileError, InvalidArgumentError
from twilio_conversations.util import checks
from twilio_conversations.util.os_errors import file_errors

CHUNK: Final = 64 * 1024
"""Bytes that are read, and held, at a time."""

_BYTES: Final = "application/octet-stream"

MediaContent = str | bytes | bytearray | memoryview | os.PathLike[str] | BinaryIO
"""The bytes of an attachment. A `str` is text, not a path; a file object is read from where it stands."""

FileTuple = tuple[str, MediaContent] | tuple[str, MediaContent, str]
"""File name, content and perhaps content type, as `requests` takes them."""


@attrs.define(kw_only=True)
class SendMediaOptions:
    """One attachment.

    Attributes:
        media: the content: bytes, an open binary file, a path as `pathlib.Path`, or text, which is sent as UTF-8.
        content_type: MIME type; guessed from the file name when `None`.
        filename: name for the recipients; taken from the path or the file object when `None`.
    """

    media: MediaContent | None = attrs.field(default=None, repr=False)
    content_type: str | None = None
    filename: str | None = None


Attachment = SendMediaOptions | FileTuple | bytes | bytearray | memoryview | os.PathLike[str] | BinaryIO
"""What `send_message` and `MessageBuilder.add_media` take."""


@attrs.define
class SendEmailOptions:
    """Parts of a message that only e-mails have.

    Attributes:
        subject: subject of the e-mail.
    """

    subject: str | None = None


def attachment(value: Attachment) -> SendMediaOptions:
    """`value` as options of its own that pass `checked`.

    Raises:
        InvalidArgumentError: it cannot be an attachment.
    """
    if isinstance(value, SendMediaOptions):
        return checked(attrs.evolve(value))
    if isinstance(value, tuple) and len(value) in (2, 3):
        content_type = value[2] if len(value) == 3 else None
        return checked(SendMediaOptions(filename=value[0], media=value[1], content_type=content_type))
    if isinstance(value, str):
        raise InvalidArgumentError(
            "text as an attachment could be a path or the content: use pathlib.Path(...) or SendMediaOptions(media=...)"
        )
    return checked(SendMediaOptions(media=value))  # type: ignore[arg-type]


def attachments(value: Attachment | Iterable[Attachment]) -> list[SendMediaOptions]:
    """Return one attachment, or several, each as `attachment` returns it.

    Raises:
        InvalidArgumentError: it is neither.
    """
    if isinstance(value, tuple) and not value:
        return []
    # No attachment is a bare `str`, so what begins with one is a file tuple and not a sequence.
    is_file_tuple = isinstance(value, tuple) and len(value) > 0 and isinstance(value[0], str)
    is_content = isinstance(value, SendMediaOptions | str | os.PathLike) or _is_bytes(value) or hasattr(value, "read")
    several: Any = value if isinstance(value, Iterable) and not (is_file_tuple or is_content) else [value]
    return [attachment(one) for one in several]


def checked(options: SendMediaOptions) -> SendMediaOptions:
    """`options` with a content type and a file name where there can be one.

    Raises:
        InvalidArgumentError: content or content type is of a kind that cannot be sent.
    """
    media = options.media
    if isinstance(media, io.TextIOBase):
        raise InvalidArgumentError("the file is open for text; open it in binary mode")
    if not (isinstance(media, str | os.PathLike) or _is_bytes(media) or hasattr(media, "read")):
        raise ArgumentTypeError(f"media must be bytes, text, a path or a binary file, not {checks.shown(media)}")
    name = _own_name(media) if options.filename is None else checks.text(options.filename, "filename")
    content_type = _guess(media, name) if options.content_type is None else _content_type(options.content_type)
    return SendMediaOptions(media=media, content_type=content_type, filename=name or None)


def _is_bytes(value: Any) -> TypeGuard[bytes | bytearray | memoryview]:
    return isinstance(value, bytes | bytearray | memoryview)


def _own_name(media: Any) -> str | None:
    name = os.fspath(media) if isinstance(media, os.PathLike) else getattr(media, "name", None)
    # A file's name need not be Unicode, and what is no file may have anything as its name.
    return os.path.basename(name).encode(errors="replace").decode() if isinstance(name, str) else None


def _guess(media: Any, name: str | None) -> str:
    if name and (guessed := mimetypes.guess_type(name)[0]):
        return guessed
    return "text/plain" if isinstance(media, str) else _BYTES


def _content_type(value: Any) -> str:
    if not (isinstance(value, str) and value.isascii() and value.isprintable() and "/" in value):
        raise InvalidArgumentError(f"content_type must be like image/png, not {checks.shown(value)}")
    return value


class Content:
    """The bytes of one attachment: how many there are, and from the start as often as they are asked for."""

    def __init__(self, size: int, read: Callable[[int, int], bytes]) -> None:
        """`read` gives at most so many bytes (second argument) from a position (first)."""
        self.size = size
        self._read = read

    def chunks(self) -> Iterator[bytes]:
        """Yield all bytes, a piece at a time.

        Raises:
            FileError: the file cannot be read, or has become shorter.
        """
        position = 0
        while position < self.size:
            with file_errors():
                chunk = self._read(position, min(CHUNK, self.size - position))
            if not chunk:
                raise FileError(f"the file ended after {position} of {self.size} bytes")
            position += len(chunk)
            yield chunk


@contextmanager
def opened(options: SendMediaOptions) -> Iterator[Content]:
    """Yield the content of an attachment, ready for reading.

    A file that cannot be rewound, or does not know its size, is copied to disk first.

    Raises:
        FileError: the file cannot be read.
    """
    media = options.media
    if isinstance(media, os.PathLike):
        with file_errors():
            file = open(media, "rb")  # noqa: SIM115 - closed below; what the block raises is not the file's
        with file, _opened_file(file) as content:
            yield content
    elif isinstance(media, str) or _is_bytes(media):
        view = memoryview(media.encode() if isinstance(media, str) else media).cast("B")
        yield Content(len(view), lambda start, count: bytes(view[start : start + count]))
    else:
        with _opened_file(media) as content:
            yield content


@contextmanager
def _opened_file(file: Any) -> Iterator[Content]:
    size = _rest_of(file)
    if size is not None:
        yield _file_content(file, size)
        return
    with file_errors():
        copy = tempfile.TemporaryFile()  # noqa: SIM115 - closed below; what the block raises is not the file's
    with copy:
        yield _file_content(copy, _copy(file, copy))


def known_size(options: SendMediaOptions) -> int | None:
    """Return the number of bytes, if it is known without reading.

    Raises:
        FileError: there is no such file.
    """
    media = options.media
    if isinstance(media, os.PathLike):
        with file_errors():
            return os.stat(media).st_size
    if isinstance(media, str):
        return len(media.encode())
    if _is_bytes(media):
        return memoryview(media).nbytes
    return _rest_of(media)


def _copy(media: Any, copy: BinaryIO) -> int:
    """Copy what is left of a file that cannot be rewound, and go to the start of the copy. Returns its size."""
    with file_errors():
        while piece := media.read(CHUNK):
            copy.write(_as_bytes(piece))
        size = copy.tell()
        copy.seek(0)
    return size


def _as_bytes(piece: Any) -> bytes:
    if not isinstance(piece, bytes | bytearray | memoryview):
        raise ArgumentTypeError(f"a file of media must give bytes, not {type(piece).__name__}; open it in binary mode")
    return bytes(piece)


def _rest_of(file: Any) -> int | None:
    """Return the number of bytes after the position of the file; `None` if it cannot be rewound, or is unknown.

    A file of ``/proc`` may have bytes to read although its size is 0, or have no size.
    """
    with file_errors():
        if not getattr(file, "seekable", lambda: False)():
            return None
        start: int = file.tell()
        try:
            size: int = file.seek(0, os.SEEK_END) - start
        except OSError:
            return None
        file.seek(start)
        if size <= 0 and file.read(1):
            file.seek(start)
            return None
    return max(0, size)


def _file_content(file: BinaryIO, size: int) -> Content:
    with file_errors():
        start = file.tell()

    def read(position: int, count: int) -> bytes:
        file.seek(start + position)
        return _as_bytes(file.read(count))

    return Content(size, read)
