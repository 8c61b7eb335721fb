"""The bytes of media: a file for each below the data directory, named by its sid."""

from __future__ import annotations

import os
import uuid
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import BinaryIO

import attrs

from twilio_conversations.server.storage import permissions
from twilio_conversations.util import logs

_log = logs.logger(__name__)

DIRECTORY = "media"
_UNFINISHED = ".incoming-"


@attrs.define
class Incoming:
    """A media file that is being written, invisible until `keep`. It may be used on any thread, one at a time."""

    sid: str
    size: int
    _draft: Path
    _final: Path
    _file: BinaryIO
    _durable: bool

    def write(self, data: bytes) -> None:
        """Append bytes. Raises `OSError` when the disk is full."""
        self._file.write(data)
        self.size += len(data)

    def keep(self) -> None:
        """Finish the file and give it its name."""
        self._file.flush()
        if self._durable:
            os.fsync(self._file.fileno())
        self._file.close()
        self._draft.replace(self._final)
        if self._durable:
            _sync_directory(self._final.parent)

    def discard(self) -> None:
        """Delete the file, kept or not."""
        self._file.close()
        self._draft.unlink(missing_ok=True)
        self._final.unlink(missing_ok=True)


class MediaFiles:
    """The directory of media, readable by its owner only."""

    def __init__(self, data_dir: Path, *, durable: bool) -> None:
        self._directory = data_dir / DIRECTORY
        permissions.directory(self._directory)
        self._durable = durable

    def path(self, sid: str) -> Path:
        """Return the path of a media file. `sid` is from the database, never from a request."""
        return self._directory / sid

    def begin(self) -> Incoming:
        """Return a new file, with a new sid."""
        sid = f"ME{uuid.uuid4().hex}"
        draft = self._directory / f"{_UNFINISHED}{sid}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        return Incoming(sid, 0, draft, self.path(sid), os.fdopen(descriptor, "wb"), self._durable)

    def put(self, data: bytes) -> Incoming:
        """Write a whole file, kept already; `discard` it if its row cannot be written."""
        incoming = self.begin()
        try:
            incoming.write(data)
            incoming.keep()
        except BaseException:
            incoming.discard()
            raise
        return incoming

    def remove(self, sids: Iterable[str]) -> None:
        """Delete the files of deleted rows."""
        for sid in sids:
            try:
                self.path(sid).unlink(missing_ok=True)
            except OSError as error:  # Windows keeps files that are being downloaded; the next start deletes them
                _log.warning("%s could not be deleted: %s", sid, error)

    def sweep(self, known: Collection[str]) -> None:
        """Delete the remains of a killed process: unfinished uploads, and files without a row."""
        for file in self._directory.iterdir():
            if file.name not in known:
                file.unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    """Make a new name survive the loss of power, where the system supports that."""
    flag = getattr(os, "O_DIRECTORY", None)
    if flag is None:
        return
    descriptor = os.open(directory, os.O_RDONLY | flag)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
