"""Newest date of a data directory: after a restart the service's clock continues from it."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import func, select

from twilio_conversations.server.storage.database import Connection
from twilio_conversations.server.storage.statements import Values
from twilio_conversations.server.storage.tables import metadata

_DATED_BY_OBJECTS = ("messages", "participants", "receipts", "recipients", "sync_items")
"""Large tables whose changes are changes of Sync objects too, with the same date."""
_NEWEST = [
    Values(str, select(func.max(table.c.date_updated)))
    for table in metadata.sorted_tables
    if "date_updated" in table.c and table.name not in _DATED_BY_OBJECTS
]


def newest(reader: Connection) -> dt.datetime | None:
    """Return the newest date; `None` when there is none."""
    found = [date for query in _NEWEST if (date := reader.value(query)) is not None]
    return dt.datetime.fromisoformat(max(found)) if found else None
