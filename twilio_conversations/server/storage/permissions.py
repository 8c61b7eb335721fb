"""Files and directories that only their owner may look into, whatever the umask is and whatever was there before."""

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
    """Make the directory, for its owner only, or take the one that is there.

    Raises:
        DataDirectoryPermissionError: others may put files there, or it is somebody else's: they could exchange the secrets.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name != "posix":
        return  # rights are inherited there, and not said by a mode
    facts = path.stat()
    if facts.st_mode & stat.S_IWOTH:
        raise DataDirectoryPermissionError(f"others may write to the data directory {path}; choose another one, or chmod o-w it")
    if os.geteuid() not in (0, facts.st_uid) and facts.st_uid != 0:
        raise DataDirectoryPermissionError(f"the data directory {path} belongs to another user; choose another one")


def directory(path: Path) -> None:
    """Make a directory inside the data directory; one that is there loses what rights others have."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    tighten(path)


def file(path: Path) -> None:
    """Make an empty file, unless it is there; then it loses what rights others have."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        tighten(path)


def replace(path: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all, in place of one that is there."""
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
    """Take all rights from others; whether they had any. What cannot be changed is warned about."""
    mode = path.stat().st_mode
    if os.name != "posix" or not mode & _OTHERS:
        return False
    try:
        path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
    except OSError as error:
        _log.warning("other users of this machine may be able to read %s: %s", path, error)
    return True
