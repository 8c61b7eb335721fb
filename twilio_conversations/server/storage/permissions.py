"""Files and directories for their owner only, whatever the umask and their former rights."""

from __future__ import annotations

import os
import stat
import uuid
from pathlib import Path

from twilio_conversations.server.start_errors import DataDirectoryPermissionError
from twilio_conversations.util import logs

_log = logs.logger(__name__)

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def data_directory(path: Path) -> None:
    """Create the data directory, for its owner only, or check the existing one.

    Raises:
        DataDirectoryPermissionError: others may write to it, or it belongs to another user: they could replace the secrets.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name != "posix":
        return  # there, rights are inherited and no mode describes them
    facts = path.stat()
    if facts.st_mode & stat.S_IWOTH:
        raise DataDirectoryPermissionError(f"others may write to the data directory {path}; choose another one, or chmod o-w it")
    if os.geteuid() not in (0, facts.st_uid) and facts.st_uid != 0:
        raise DataDirectoryPermissionError(f"the data directory {path} belongs to another user; choose another one")


def directory(path: Path) -> None:
    """Create a directory inside the data directory; others lose their rights to an existing one."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    tighten(path)


def file(path: Path) -> None:
    """Create an empty file; others lose their rights to an existing one."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        tighten(path)


def replace(path: Path, content: bytes) -> None:
    """Write a file atomically, in place of an existing one."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as target:
            target.write(content)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def tighten(path: Path) -> bool:
    """Remove all rights of others and return whether they had any. Log a warning where that is not possible."""
    mode = path.stat().st_mode
    if os.name != "posix" or not mode & _OTHERS:
        return False
    try:
        path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
    except OSError as error:
        _log.warning("other users of this machine may be able to read %s: %s", path, error)
    return True
