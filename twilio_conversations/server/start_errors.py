"""Errors of a local service that cannot start or cannot go on, each in one sentence that names the place and the remedy."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from twilio_conversations.errors import ConversationsError


class LocalServerError(ConversationsError, RuntimeError):
    """The local service cannot start, was not started, or had to stop; the text is the reason."""


class AddressError(LocalServerError, OSError):
    """The service cannot listen on the address: it is in use, not allowed, or not one of this machine."""


class DataDirectoryError(LocalServerError):
    """The data directory cannot be used: full, damaged, of a newer version, or gone."""


class DataDirectoryInUseError(DataDirectoryError):
    """Another service is using this data directory."""


class DataDirectoryPermissionError(DataDirectoryError, PermissionError):
    """The data directory is not writable, or is writable by others."""


DAMAGED: Final = "restore it from a copy, or move it away to begin without it"
_FULL: Final = "the disk of {place} is full; make room, or choose another directory"
_NOT_WRITABLE: Final = "{place} cannot be written ({reason}); change its rights, or choose another directory"
_DAMAGED: Final = "{place} is damaged ({reason}); " + DAMAGED
_CANNOT_OPEN: Final = "{place} cannot be opened ({reason}); look at its rights and at what it is, or choose another directory"
_NO_DIRECTORY: Final = "{place} is no directory; choose another one"
_GONE: Final = "{place} is not there; it was removed meanwhile, or is a link that leads nowhere"
_FAULTY: Final = "{place} cannot be read or written ({reason}); look whether its disk is full or faulty"
_NO_DESCRIPTORS: Final = "no more files can be opened for {place}: the process has reached its limit (ulimit -n)"

_BY_ERRNO: Final[Mapping[int, tuple[type[DataDirectoryError], str]]] = {
    errno.ENOSPC: (DataDirectoryError, _FULL),
    errno.EDQUOT: (DataDirectoryError, _FULL),
    errno.EACCES: (DataDirectoryPermissionError, _NOT_WRITABLE),
    errno.EPERM: (DataDirectoryPermissionError, _NOT_WRITABLE),
    errno.EROFS: (DataDirectoryPermissionError, _NOT_WRITABLE),
    errno.ENOTDIR: (DataDirectoryError, _NO_DIRECTORY),
    errno.EEXIST: (DataDirectoryError, _NO_DIRECTORY),
    errno.ENOENT: (DataDirectoryError, _GONE),
    errno.EMFILE: (DataDirectoryError, _NO_DESCRIPTORS),
    errno.ENFILE: (DataDirectoryError, _NO_DESCRIPTORS),
}

_BY_SQLITE: Final[Mapping[int, tuple[type[DataDirectoryError], str]]] = {
    sqlite3.SQLITE_FULL: (DataDirectoryError, _FULL),
    sqlite3.SQLITE_READONLY: (DataDirectoryPermissionError, _NOT_WRITABLE),
    sqlite3.SQLITE_PERM: (DataDirectoryPermissionError, _NOT_WRITABLE),
    sqlite3.SQLITE_NOTADB: (DataDirectoryError, _DAMAGED),
    sqlite3.SQLITE_CORRUPT: (DataDirectoryError, _DAMAGED),
    sqlite3.SQLITE_CANTOPEN: (DataDirectoryError, _CANNOT_OPEN),
    sqlite3.SQLITE_IOERR: (DataDirectoryError, _FAULTY),
}
"""Sentences by primary result code."""


def explained(error: BaseException, place: Path) -> LocalServerError | None:
    """Return the sentence for what went wrong with `place`, a file or directory; `None` for an error that is not one of storage.

    For an `OSError` with a file name the sentence names that file. Of SQLAlchemy's errors the cause counts.
    """
    if isinstance(error, LocalServerError):
        return error
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
        kind, text = _BY_SQLITE.get(code, (None, ""))
    elif isinstance(cause, OSError):
        kind, text = _BY_ERRNO.get(cause.errno or 0, (DataDirectoryError, _FAULTY))
        place = place if cause.filename is None or text is _FULL else Path(os.fsdecode(cause.filename))
    else:
        return None
    if kind is None:
        return None
    reason = cause.strerror or str(cause) if isinstance(cause, OSError) else str(cause)
    return kind(text.format(place=place, reason=reason))


@contextmanager
def storage(place: Path) -> Iterator[None]:
    """Raise errors of storage with a sentence about `place`; the original error is the cause."""
    try:
        yield
    except Exception as error:
        told = explained(error, place)
        if told is None or told is error:
            raise
        raise told from error


_WHY_NO_ADDRESS: Final[Mapping[int, str]] = {
    errno.EADDRINUSE: "the port is in use; stop what listens there, or choose another one (0 for a free one)",
    errno.EACCES: "this user may not listen there; choose a port above 1023",
    errno.EADDRNOTAVAIL: "this machine has no such address",
}


def address_error(host: str, port: int, error: OSError | UnicodeError) -> AddressError:
    """Return the sentence for an address that cannot be listened on."""
    known = _WHY_NO_ADDRESS.get(error.errno or 0, error.strerror) if isinstance(error, OSError) else None
    reason = known or str(error)
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return AddressError(f"cannot listen on {address}: {reason}")
