"""The secrets of a data directory: created at first use, readable by their owner only."""

from __future__ import annotations

import json
import os
import secrets
import sys
import uuid
from pathlib import Path

import attrs

from twilio_conversations import tokens
from twilio_conversations.server.start_errors import DataDirectoryError, storage
from twilio_conversations.server.storage import permissions
from twilio_conversations.util import logs

_log = logs.logger(__name__)

FILE_NAME = "credentials.json"
_PLACES = {"win32": ("LOCALAPPDATA", "AppData/Local"), "darwin": ("", "Library/Application Support")}
_ELSEWHERE = ("XDG_DATA_HOME", ".local/share")
"""Environment variable with the parent directory, and its path below the home directory if that is not set."""


@attrs.frozen
class Credentials:
    """Account, service and API key of one local service."""

    account_sid: str
    service_sid: str
    api_key_sid: str
    api_key_secret: str = attrs.field(repr=False)

    def mint(self, identity: str, ttl: float = 3600) -> str:
        """Return an access token for `identity`, valid for `ttl` seconds (negative: expired already, for tests)."""
        return tokens.mint(
            identity,
            account_sid=self.account_sid,
            api_key_sid=self.api_key_sid,
            api_key_secret=self.api_key_secret,
            service_sid=self.service_sid,
            ttl=ttl,
        )


def default_data_dir() -> Path:
    """Return the platform's directory for a user's application data.

    Raises:
        DataDirectoryError: this user has no home directory.
    """
    variable, below_home = _PLACES.get(sys.platform, _ELSEWHERE)
    if base := os.environ.get(variable):
        return Path(base) / "twilio-conversations"
    try:
        return Path.home() / below_home / "twilio-conversations"
    except RuntimeError as error:
        raise DataDirectoryError("this user has no home directory; name a data directory with --data") from error


def load_or_create(data_dir: Path) -> Credentials:
    """Return the credentials of `data_dir`; both are created when absent.

    The file appears whole or not at all, so a service and a command that start at the same moment agree on one. If others could
    read it, their rights are removed, with a warning.

    Raises:
        DataDirectoryError: the file is damaged or of a newer version, cannot be created, or others could replace it.
    """
    with storage(data_dir):
        return _load_or_create(data_dir)


def _load_or_create(data_dir: Path) -> Credentials:
    permissions.data_directory(data_dir)
    path = data_dir / FILE_NAME
    if not path.exists():
        _write_once(path, _generate())
    if permissions.tighten(path):
        _log.warning("others could read the secrets in %s until now; if they are not trusted, delete it to have new ones", path)
    return _parse(path)


def _parse(path: Path) -> Credentials:
    try:
        values = json.loads(path.read_text("utf-8"))
    except ValueError as error:  # of JSON, or of UTF-8
        raise _damaged(path, str(error)) from error
    names = [field.name for field in attrs.fields(Credentials)]
    wrong = [name for name in names if not isinstance(values, dict) or not isinstance(values.get(name), str) or not values[name]]
    if wrong:
        raise _damaged(path, f"without {', '.join(wrong)}")
    if unknown := sorted(set(values) - set(names)):
        raise DataDirectoryError(
            f"{path} was written by a newer version of twilio-conversations (it has {', '.join(unknown)}); use that version,"
            " or choose another directory"
        )
    return Credentials(**values)


def _damaged(path: Path, reason: str) -> DataDirectoryError:
    return DataDirectoryError(f"{path} is damaged ({reason}); restore it, or delete it to have new secrets: old tokens end then")


def _generate() -> Credentials:
    return Credentials(f"AC{uuid.uuid4().hex}", f"IS{uuid.uuid4().hex}", f"SK{uuid.uuid4().hex}", secrets.token_urlsafe(32))


def _write_once(path: Path, credentials: Credentials) -> None:
    draft = path.with_name(f".{FILE_NAME}.{uuid.uuid4().hex}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(attrs.asdict(credentials), file)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was faster; its file counts
    finally:
        draft.unlink()
