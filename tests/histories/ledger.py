"""What the service has written down: its database, read beside it."""

from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

import attrs

from twilio_conversations.server.storage.database import DATABASE_FILE


@attrs.frozen
class Logged:
    """One event of a list or map: what happened to which item."""

    id: int
    what: str  # added, updated, removed
    key: Any


@attrs.frozen
class Room:
    """One conversation as the tables have it; `row` is `None` when it was deleted."""

    row: sqlite3.Row | None
    participants: dict[str, sqlite3.Row]
    messages: dict[int, sqlite3.Row]

    def member(self, identity: str) -> sqlite3.Row | None:
        """The participant with that identity."""
        return next((row for row in self.participants.values() if row["identity"] == identity), None)


_KEEP = """
CREATE TABLE kept (name TEXT, id INTEGER, type TEXT, body TEXT, PRIMARY KEY (name, id));
CREATE TRIGGER keep AFTER INSERT ON sync_events BEGIN
    INSERT INTO kept SELECT unique_name, NEW.id, NEW.type, NEW.body FROM sync_entities WHERE sid = NEW.entity_sid;
END;
"""


class Ledger:
    """Reads the service's tables; from any thread.

    The service forgets events that nobody needs any more. The database itself is told to keep a copy of each.
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
        """The newest event id of every Sync object that is there."""
        return {row["sid"]: row["head"] for row in self._all("SELECT sid, head FROM sync_entities WHERE removed = 0")}

    def head(self, name: str) -> int:
        """The newest event id of one object, by name; of one that is gone it is as good as endless."""
        rows = self._all("SELECT head FROM sync_entities WHERE unique_name = ? AND removed = 0", name)
        return int(rows[0]["head"]) if rows else 2**60

    def room(self, sid: str) -> Room:
        """One conversation."""
        rows = self._all("SELECT * FROM conversations WHERE sid = ?", sid)
        participants = self._all("SELECT * FROM participants WHERE conversation_sid = ?", sid)
        messages = self._all('SELECT * FROM messages WHERE conversation_sid = ? ORDER BY "index"', sid)
        return Room(
            rows[0] if rows else None,
            {row["sid"]: row for row in participants},
            {row["index"]: row for row in messages},
        )

    def log(self, name: str) -> list[Logged]:
        """Everything that happened to the items of one object, also of one that is gone."""
        rows = self._all("SELECT * FROM kept WHERE name = ? AND type LIKE '%_item_%' ORDER BY id", name)
        bodies = [json.loads(row["body"]) for row in rows]
        return [
            Logged(row["id"], row["type"].rsplit("_", 1)[1], body.get("item_index", body.get("item_key")))
            for row, body in zip(rows, bodies, strict=True)
        ]

    def forget(self) -> None:
        """Begin anew: the next history has other objects."""
        with self._lock, self._database:
            self._database.execute("DELETE FROM kept")
