"""Attachments of a message: metadata, and the content itself."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import attrs

from twilio_conversations.enums import MediaCategory
from twilio_conversations.errors import InvalidArgumentError, NotPicklableError
from twilio_conversations.models.media_links import Link, described, media_error
from twilio_conversations.transport.content_stream import ContentStream, OnBytes
from twilio_conversations.transport.media_http import Transfer
from twilio_conversations.util import checks
from twilio_conversations.util.futures import Deadline
from twilio_conversations.util.json import plain
from twilio_conversations.util.saving import destination
from twilio_conversations.values.media import MediaData
from twilio_conversations.values.progress import DownloadProgress, OnDownloadProgress

if TYPE_CHECKING:
    import requests

    from twilio_conversations.runtime import Runtime

_PIECE: Final = 64 * 1024


@attrs.frozen(repr=False)
class Media:
    """An attachment of a message, or a part of an e-mail; it holds no content. Objects for the same attachment are equal.

    `timeout` is in seconds, for the whole call; `None` is the client's default.
    """

    _data: MediaData
    _runtime: Runtime = attrs.field(eq=False)

    @property
    def sid(self) -> str:
        """``ME...``."""
        return self._data.sid

    @property
    def filename(self) -> str | None:
        """File name chosen by the sender; do not use it as a path."""
        return self._data.filename

    @property
    def content_type(self) -> str:
        """MIME type, chosen by the sender."""
        return self._data.content_type

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self._data.size

    @property
    def category(self) -> MediaCategory | str:
        """Category: an attachment, or the body or the history of an e-mail."""
        return self._data.category

    def get_content_temporary_url(self, *, timeout: float | None = None) -> str | None:
        """Return a new link that works without credentials for some minutes (``GET {media}/{sid}``).

        `None` when the service returns none.

        Raises:
            MediaError: there is no such attachment, or it is not visible to this identity.
        """
        with self._transfer(timeout, "get_content_temporary_url()") as transfer:
            return described(self._runtime, self.sid, transfer).temporary

    def read(
        self,
        max_bytes: int | None = None,
        *,
        on_progress: OnDownloadProgress | None = None,
        timeout: float | None = None,
    ) -> bytes:
        """Return the content; with `max_bytes`, raise `MediaError` for larger content.

        An interrupted download is resumed, and an expired link is renewed once.

        Args:
            max_bytes: largest accepted size.
            on_progress: receives a `DownloadProgress` after each piece, on this thread; an exception in it ends the download.
            timeout: seconds for everything together.

        Raises:
            MediaError: the service returned an error, or the content is larger than `max_bytes`.
        """
        most = None if max_bytes is None else checks.positive(max_bytes, "max_bytes")
        content = io.BytesIO()
        with self._transfer(timeout, "read()") as transfer:
            for piece in self._pieces(transfer, on_progress):
                if most is not None and content.tell() + len(piece) > most:
                    raise media_error(self.sid, f"{self.sid} has more than {most} bytes")
                content.write(piece)
        return content.getvalue()

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        on_progress: OnDownloadProgress | None = None,
        timeout: float | None = None,
    ) -> Path:
        """Write the content to a file, piece by piece, and return the path.

        A regular file is replaced when the content is complete, and keeps its permissions; a failed download leaves it unchanged.
        Otherwise `path` is used as by `open(path, "wb")`: links are followed, a write-protected file raises an error,
        devices and pipes are written to.

        Args:
            path: the file to write; do not use `filename` for it unchecked.
            on_progress: receives a `DownloadProgress` after each piece, on this thread; an exception in it ends the download.
            timeout: seconds for everything together, including the wait for a pipe's reader.

        Raises:
            MediaError: the service returned an error.
            FileError: the file cannot be written.
        """
        with self._transfer(timeout, "save()") as transfer, destination(path, transfer.pause) as write:
            for piece in self._pieces(transfer, on_progress):
                write(piece)
        return Path(path)

    def open(self, *, on_progress: OnDownloadProgress | None = None, timeout: float | None = None) -> io.BufferedReader:
        """Return a binary file object that streams the content; close it, preferably by ``with``.

        Args:
            on_progress: receives a `DownloadProgress` after each piece, on the thread that reads; an exception in it is raised by
                the reading call.
            timeout: seconds for opening; each later read waits at most the client's default for the next byte.

        Raises:
            MediaError: the service returned an error.
        """
        on_bytes = self._reporter(on_progress)
        runtime = self._runtime
        opening = runtime.deadline(timeout)
        transfer = Transfer(Deadline(None))
        runtime.media.begin(transfer, "open()")
        try:
            return io.BufferedReader(self._stream(transfer, opening, on_bytes), _PIECE)
        except BaseException:
            runtime.media.end(transfer)
            raise

    def to_dict(self) -> dict[str, Any]:
        """Return the metadata as data that `json` can write; see `Model.to_dict`."""
        data: dict[str, Any] = plain(self._data)
        return data

    def _transfer(self, timeout: float | None, what: str) -> AbstractContextManager[Transfer]:
        return self._runtime.media.transfer(self._runtime.deadline(timeout), what)

    def _pieces(self, transfer: Transfer, on_progress: OnDownloadProgress | None) -> Iterator[bytes]:
        with self._stream(transfer, transfer.deadline, self._reporter(on_progress)) as stream:
            while piece := stream.read(_PIECE):
                yield piece

    def _reporter(self, on_progress: OnDownloadProgress | None) -> OnBytes:
        """Return a function that reports the number of received bytes to the program."""
        if on_progress is None:
            return lambda received: None
        report: OnDownloadProgress = checks.function(on_progress, "on_progress")
        return lambda received: report(DownloadProgress(received, max(received, self.size)))

    def _stream(self, transfer: Transfer, opening: Deadline, on_bytes: OnBytes) -> ContentStream:
        """Return a stream of the content; `opening` is the limit until the first byte can be read."""
        link = Link(self._runtime, self.sid)

        def connect(start: int) -> requests.Response:
            if start:
                return link.get(transfer, start)
            with self._runtime.media.transfer(opening, "opening the content") as first:
                return link.get(first, 0)

        return ContentStream(self._runtime.media, transfer, connect, on_bytes)

    def __repr__(self) -> str:
        facts = (self.sid, self.filename or self.category, self.content_type)
        return f"<Media {' '.join(map(checks.brief, facts))} {self.size} bytes>"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise NotPicklableError("a Media reaches the service and cannot be pickled; use to_dict()")


def media_sids_of(content_set: Any) -> list[str]:
    """Return the sids of `Media` objects.

    Raises:
        InvalidArgumentError: there are none, or something is no `Media`.
    """
    found = checks.several(content_set, "content_set")
    if not found or not all(isinstance(media, Media) for media in found):
        raise InvalidArgumentError("content_set must be a non-empty sequence of Media")
    return [media.sid for media in found]
