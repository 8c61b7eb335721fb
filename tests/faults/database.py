"""The service's database, read directly with SQLite."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from pathlib import Path

from twilio_conversations.server.storage.database import DATABASE_FILE


def kept_messages(data: Path) -> dict[str, list[tuple[int, str]]]:
    """Return index and text of each message, in order, by conversation sid."""
    kept: dict[str, list[tuple[int, str]]] = {}
    with contextlib.closing(sqlite3.connect(data / DATABASE_FILE)) as database:
        for (sid,) in database.execute("SELECT sid FROM conversations"):
            kept[sid] = []
        for sid, index, body in database.execute('SELECT conversation_sid, "index", body FROM messages ORDER BY 1, 2'):
            kept[sid].append((index, body))
    return kept


def integrity(data: Path) -> str:
    """Return the result of SQLite's integrity check of the database of a service that was killed: ``ok``.

    A copy of the file and its log is checked, so that the service itself recovers the originals.
    """
    with tempfile.TemporaryDirectory(prefix="integrity-") as copy:
        for part in (DATABASE_FILE, f"{DATABASE_FILE}-wal"):
            if (data / part).exists():
                shutil.copy(data / part, copy)
        with contextlib.closing(sqlite3.connect(Path(copy, DATABASE_FILE))) as database:
            try:
                return "; ".join(row[0] for row in database.execute("PRAGMA integrity_check"))
            except sqlite3.DatabaseError as error:
                return str(error)
