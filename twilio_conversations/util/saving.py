"""Target of a download: the same that Python's `open(path, "wb")` writes to.

A regular file is replaced as soon as its new content is complete, or written over where it cannot be replaced; devices and pipes
are written to as they are.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import shutil
import stat
import tempfile
import uuid
from collections.abc import Callable, Iterator
from typing import IO, Any, Final

from twilio_conversations.errors import ArgumentTypeError, InvalidArgumentError
from twilio_conversations.util import checks
from twilio_conversations.util.os_errors import file_errors

Write = Callable[[bytes], object]
Pause = Callable[[float], object]
"""Waits so many seconds; raises when the transfer is over."""

_NO_WAITING: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_LOOK_AGAIN: Final = 0.05
"""Seconds between looks whether a pipe has a reader by now, or the transfer is over."""
_MOST_LINKS: Final = 40


@contextlib.contextmanager
def destination(path: str | os.PathLike[str], pause: Pause) -> Iterator[Write]:
    """Yield a function that writes the bytes of a download; the file is complete when the block ends without an exception.

    Args:
        path: as for `open`; symbolic links are followed.
        pause: is called while a pipe has no reader, or one that does not read.

    Raises:
        InvalidArgumentError: `path` is empty or no path.
        FileError: it cannot be written.
    """
    name = _name(path)
    with file_errors():
        status = _status(name)
    replaceable = status is None or stat.S_ISREG(status.st_mode)
    with _replaced(name, status) if replaceable else _written_to(name, pause) as write:
        yield write


def _name(path: Any) -> str:
    if not isinstance(path, str | os.PathLike) or not isinstance(name := os.fspath(path), str):
        raise ArgumentTypeError(f"path must be text or a path, not {checks.shown(path)}")
    if not name:
        raise InvalidArgumentError("path must not be empty")
    return name


def _status(name: str) -> os.stat_result | None:
    """Return the status of the file; `None` if there is none."""
    try:
        return os.stat(name)
    except (FileNotFoundError, NotADirectoryError) as error:
        if name.endswith((os.sep, os.altsep or os.sep)):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name) from None
        if isinstance(error, NotADirectoryError):
            raise
        return None


# -- regular files ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _replaced(name: str, status: os.stat_result | None) -> Iterator[Write]:
    target = os.path.realpath(name)
    part: str | None = os.path.join(os.path.dirname(target), f".{uuid.uuid4().hex}.part")
    with file_errors():
        if status is not None:
            os.close(os.open(name, os.O_WRONLY))  # the rights of the file count, not only those of its directory
        if status is not None and _is_descriptor(name):
            part = None  # whoever holds the descriptor would not see a new file
        part, content = _spool(part, status)
    try:
        with content:
            yield lambda data: _write(content, data)
            with file_errors():
                content.flush()
                if part is None or not _moved(part, target, status):
                    content.seek(0)
                    with open(name, "wb") as file:
                        shutil.copyfileobj(content, file)
    finally:
        if part is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)


def _spool(part: str | None, status: os.stat_result | None) -> tuple[str | None, IO[bytes]]:
    """Return a file for the incomplete content: beside the target, or in the directory of temporary files.

    A new file gets the rights that `open` would give it.
    """
    if part is not None:
        try:
            descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), _mode(status))
            return part, os.fdopen(descriptor, "w+b")
        except OSError:
            if status is None:
                raise  # there can be no new file in that directory
    return None, tempfile.TemporaryFile()


def _mode(status: os.stat_result | None) -> int:
    return 0o666 if status is None else 0o600


def _moved(part: str, target: str, status: os.stat_result | None) -> bool:
    """Return whether the part is the target now, with the rights that it had. It may be somebody else's, in use, or mounted."""
    try:
        if status is not None:
            if hasattr(os, "chown") and (status.st_uid, status.st_gid) != (os.stat(part).st_uid, os.stat(part).st_gid):
                os.chown(part, status.st_uid, status.st_gid)
            os.chmod(part, status.st_mode & 0o777)
        os.replace(part, target)
    except OSError:
        if status is None:
            raise
        return False
    return True


def _is_descriptor(name: str) -> bool:
    """Return whether the path leads to an open file by its descriptor, as ``/dev/stdout`` does."""
    for _ in range(_MOST_LINKS):
        directory = os.path.realpath(os.path.dirname(name))
        if directory.startswith(("/proc/", "/dev/fd")):
            return True
        if not os.path.islink(name):
            return False
        name = os.path.join(directory, os.readlink(name))
    return False


def _write(content: IO[bytes], data: bytes) -> None:
    with file_errors():
        content.write(data)


# -- devices and pipes ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _written_to(name: str, pause: Pause) -> Iterator[Write]:
    with file_errors():
        descriptor = _opened(name, pause)
    try:
        yield lambda data: _write_all(descriptor, data, pause)
    finally:
        os.close(descriptor)


def _opened(name: str, pause: Pause) -> int:
    while True:
        try:
            return os.open(name, os.O_WRONLY | _NO_WAITING)
        except OSError as error:
            if error.errno != errno.ENXIO or not stat.S_ISFIFO(os.stat(name).st_mode):
                raise
        pause(_LOOK_AGAIN)  # no reader yet


def _write_all(descriptor: int, data: bytes, pause: Pause) -> None:
    left = memoryview(data)
    with file_errors():
        while left:
            try:
                left = left[os.write(descriptor, left) :]
            except BlockingIOError:
                _await_room(descriptor)
                pause(0)


def _await_room(descriptor: int) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_WRITE)
        selector.select(_LOOK_AGAIN)
