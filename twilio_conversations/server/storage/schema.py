"""The version of the database: recorded in the file, migrated forward, refused when newer."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sqlalchemy import Connection as Checkout

from twilio_conversations.server.start_errors import DAMAGED, DataDirectoryError
from twilio_conversations.server.storage.tables import metadata, timers

Step = Callable[[Checkout], None]


def _add_columns(checkout: Checkout) -> None:
    """Add the columns that a file of an earlier version lacks, without values; a later step has those that may not be null."""
    for table in metadata.sorted_tables:
        known = {row.name for row in checkout.exec_driver_sql(f"PRAGMA table_info({table.name})")}
        for column in table.columns:
            if column.name not in known:
                kind = column.type.compile(checkout.dialect)
                checkout.exec_driver_sql(f'ALTER TABLE {table.name} ADD COLUMN "{column.name}" {kind}')


def _like_the_cloud(checkout: Checkout) -> None:
    """Maps of users' conversations are named by identity; a conversation knows who wrote its last message."""
    _add_columns(checkout)
    checkout.exec_driver_sql(_RENAME_MAPS)
    checkout.exec_driver_sql(_LAST_MESSAGES)


_RENAME_MAPS = (
    "UPDATE sync_entities SET unique_name = owner || '.channels'"
    " WHERE kind = 'map' AND owner IS NOT NULL AND conversation_sid IS NULL AND unique_name LIKE 'US%.conversations'"
)
_LAST_MESSAGES = (
    "UPDATE conversations SET (last_sid, last_author) = (SELECT sid, author FROM messages"
    ' WHERE conversation_sid = conversations.sid AND "index" = conversations.last_index)'
)
_COUNTS = "UPDATE conversations SET messages_count = (SELECT COUNT(*) FROM messages WHERE conversation_sid = conversations.sid)"


def _constant_costs(checkout: Checkout) -> None:
    """Count the messages of each conversation, and index those with timers."""
    _add_columns(checkout)
    checkout.exec_driver_sql(_COUNTS)
    for index in timers:
        index.create(checkout, checkfirst=True)


STEPS: Final[tuple[Step, ...]] = (_add_columns, _like_the_cloud, _constant_costs)
"""Step at index n migrates from version n to n + 1. A change of the tables appends a step."""

VERSION: Final = len(STEPS)
"""The version that this package writes (``PRAGMA user_version``)."""


def check(path: Path) -> None:
    """Check the database before anything is changed in it.

    Raises:
        DataDirectoryError: it is damaged, of a newer version, or of another program.
        sqlite3.Error: it cannot be read.
    """
    connection = sqlite3.connect(path, timeout=0)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise DataDirectoryError(
                f"the database {path} was written by a newer version of twilio-conversations (schema {version}, known up to"
                f" {VERSION}); use that version, or choose another directory"
            )
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if tables and not {"users", "conversations", "sync_entities"} <= tables:
            raise DataDirectoryError(f"{path} is the database of another program; choose another directory")
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise DataDirectoryError(f"{path} is damaged ({' '.join(found.split())}); {DAMAGED}")
    finally:
        connection.close()


def prepare(checkout: Checkout) -> None:
    """Create missing tables, migrate an earlier version, record the version. Called within a transaction."""
    version = checkout.exec_driver_sql("PRAGMA user_version").scalar_one()
    metadata.create_all(checkout)
    for step in STEPS[version:]:
        step(checkout)
    checkout.exec_driver_sql(f"PRAGMA user_version = {VERSION}")
