"""The bytes of media, each in a file of its own below the data directory, named by its sid."""

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
    """A medium that is being written; unknown to everybody until `keep`. To be used on any one thread at a time."""

    sid: str
    size: int
    _draft: Path
    _final: Path
    _file: BinaryIO
    _durable: bool

    def write(self, data: bytes) -> None:
        """Append. Raises `OSError` when the disk is full."""
        self._file.write(data)
        self.size += len(data)

    def keep(self) -> None:
        """Finish: from now on the file has its name."""
        self._file.flush()
        if self._durable:
            os.fsync(self._file.fileno())
        self._file.close()
        self._draft.replace(self._final)
        if self._durable:
            _sync_directory(self._final.parent)

    def discard(self) -> None:
        """Delete it, kept or not."""
        self._file.close()
        self._draft.unlink(missing_ok=True)
        self._final.unlink(missing_ok=True)


class MediaFiles:
    """The directory of media. Only its owner may look into it."""

    def __init__(self, data_dir: Path, *, durable: bool) -> None:
        self._directory = data_dir / DIRECTORY
        permissions.directory(self._directory)
        self._durable = durable

    def path(self, sid: str) -> Path:
        """Return where the bytes of a medium are. `sid` comes from the database, never from a request."""
        return self._directory / sid

    def begin(self) -> Incoming:
        """Return a new medium, with a new sid."""
        sid = f"ME{uuid.uuid4().hex}"
        draft = self._directory / f"{_UNFINISHED}{sid}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        return Incoming(sid, 0, draft, self.path(sid), os.fdopen(descriptor, "wb"), self._durable)

    def put(self, data: bytes) -> Incoming:
        """Return a medium at once, kept already; `discard` it if its row cannot be written."""
        incoming = self.begin()
        try:
            incoming.write(data)
            incoming.keep()
        except BaseException:
            incoming.discard()
            raise
        return incoming

    def remove(self, sids: Iterable[str]) -> None:
        """Delete the bytes of media whose rows are gone."""
        for sid in sids:
            try:
                self.path(sid).unlink(missing_ok=True)
            except OSError as error:  # Windows keeps what is being downloaded; the next start sweeps
                _log.warning("%s could not be deleted: %s", sid, error)

    def sweep(self, known: Collection[str]) -> None:
        """Delete what a process that was killed has left: unfinished uploads, and files without a row."""
        for file in self._directory.iterdir():
            if file.name not in known:
                file.unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    """Make a new name survive the loss of power, where the system can be told to."""
    flag = getattr(os, "O_DIRECTORY", None)
    if flag is None:
        return
    descriptor = os.open(directory, os.O_RDONLY | flag)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
