"""The service's database, read directly with SQLite while the service runs."""

from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

import attrs

from twilio_conversations.server.storage.database import DATABASE_FILE


@attrs.frozen
class LoggedEvent:
    """One event of a Sync list or map: the kind of change and the item's key."""

    id: int
    what: str  # added, updated, removed
    key: Any


@attrs.frozen
class Room:
    """The rows of one conversation; `row` is `None` when it was deleted."""

    row: sqlite3.Row | None
    participants: dict[str, sqlite3.Row]
    messages: dict[int, sqlite3.Row]

    def member(self, identity: str) -> sqlite3.Row | None:
        """Return the participant with that identity."""
        return next((row for row in self.participants.values() if row["identity"] == identity), None)


_KEEP = """
CREATE TABLE kept (name TEXT, id INTEGER, type TEXT, body TEXT, PRIMARY KEY (name, id));
CREATE TRIGGER keep AFTER INSERT ON sync_events BEGIN
    INSERT INTO kept SELECT unique_name, NEW.id, NEW.type, NEW.body FROM sync_entities WHERE sid = NEW.entity_sid;
END;
"""


class ServiceTables:
    """Reader of the service's tables, for any thread.

    The service deletes superseded events. A trigger in the database keeps a copy of each.
    """

    def __init__(self, data_dir: Path) -> None:
        self._database = sqlite3.connect(data_dir / DATABASE_FILE, timeout=30, check_same_thread=False)
        self._database.row_factory = sqlite3.Row
        self._database.executescript(_KEEP)
        self._lock = threading.Lock()

    def close(self) -> None:
        self._database.close()

    def _all(self, statement: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._database.execute(statement, values).fetchall()

    def heads(self) -> dict[str, int]:
        """Return the newest event id of every Sync object."""
        return {row["sid"]: row["head"] for row in self._all("SELECT sid, head FROM sync_entities WHERE removed = 0")}

    def head(self, name: str) -> int:
        """Return the newest event id of one object, by name; a very large number for an object that was removed."""
        rows = self._all("SELECT head FROM sync_entities WHERE unique_name = ? AND removed = 0", name)
        return int(rows[0]["head"]) if rows else 2**60

    def room(self, sid: str) -> Room:
        """Return the rows of one conversation."""
        rows = self._all("SELECT * FROM conversations WHERE sid = ?", sid)
        participants = self._all("SELECT * FROM participants WHERE conversation_sid = ?", sid)
        messages = self._all('SELECT * FROM messages WHERE conversation_sid = ? ORDER BY "index"', sid)
        return Room(
            rows[0] if rows else None,
            {row["sid"]: row for row in participants},
            {row["index"]: row for row in messages},
        )

    def log(self, name: str) -> list[LoggedEvent]:
        """Return all events of the items of one object, also of one that was removed."""
        rows = self._all("SELECT * FROM kept WHERE name = ? AND type LIKE '%_item_%' ORDER BY id", name)
        bodies = [json.loads(row["body"]) for row in rows]
        return [
            LoggedEvent(row["id"], row["type"].rsplit("_", 1)[1], body.get("item_index", body.get("item_key")))
            for row, body in zip(rows, bodies, strict=True)
        ]

    def clear(self) -> None:
        """Discard the kept events: the next history has other objects."""
        with self._lock, self._database:
            self._database.execute("DELETE FROM kept")
