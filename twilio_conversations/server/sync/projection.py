"""What the domain does, as Sync clients see it: documents, lists and maps, their items, and the log of their changes.

Every visible change takes the next number of its object and appends one row to the log, in the transaction that makes the
change. Numbers are never used twice, nor are sids. Each event names those that it makes needless, which go when it has grown
old enough (`twilio_conversations.server.sync.retention`).

=========  ==========  ============  =======================================
kind       sid         empty head    revision
=========  ==========  ============  =======================================
document   ``ET...``   0             the newest number, in hexadecimal
list       ``ES...``   -1            the newest number plus one
map        ``MP...``   -1            the newest number plus one
=========  ==========  ============  =======================================
"""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from twilio_conversations.server.storage.tables import sync_entities, sync_events, sync_items
from twilio_conversations.server.storage.writer import Event, Transaction
from twilio_conversations.server.text import to_json

DOCUMENT, LIST, MAP = "document", "list", "map"
PREFIXES = {DOCUMENT: "ET", LIST: "ES", MAP: "MP"}
EMPTY_HEADS = {DOCUMENT: 0, LIST: -1, MAP: -1}
INDEX_DIGITS = 12

_NEW = insert(sync_entities)
_STEP = (
    update(sync_entities)
    .where(sync_entities.c.unique_name == bindparam("name"), sync_entities.c.removed.is_(False))
    .values(head=sync_entities.c.head + 1, date_updated=bindparam("at"))
    .returning(sync_entities.c.sid, sync_entities.c.kind, sync_entities.c.head)
)
_STEP_DOCUMENT = _STEP.values(data=bindparam("new_data"))
_STEP_REMOVED = _STEP.values(removed=True, data=None)
_ADD_ITEM = insert(sync_items)
_SET_ITEM = (
    update(sync_items)
    .where(sync_items.c.entity_sid == bindparam("of"), sync_items.c.key == bindparam("at_key"))
    .values(event_id=bindparam("new_id"), added_id=bindparam("added"), data=bindparam("new_data"), date_updated=bindparam("at"))
)
_ITEM = select(sync_items.c.event_id, sync_items.c.added_id).where(
    sync_items.c.entity_sid == bindparam("of"), sync_items.c.key == bindparam("at_key")
)
_DROP_ITEM = (
    delete(sync_items)
    .where(sync_items.c.entity_sid == bindparam("of"), sync_items.c.key == bindparam("at_key"))
    .returning(sync_items.c.data, sync_items.c.event_id, sync_items.c.added_id)
)
_DROP_ITEMS = delete(sync_items).where(sync_items.c.entity_sid == bindparam("of"))
_DROP_EVENTS = delete(sync_events).where(sync_events.c.entity_sid == bindparam("of"))


def index_key(index: int) -> str:
    """The key under which a list item is kept."""
    return f"{index:0{INDEX_DIGITS}d}"


def revision(kind: str, head: int) -> str:
    """The revision of an object whose newest change has number `head`."""
    return f"{head if kind == DOCUMENT else head + 1:x}"


def create(
    tx: Transaction,
    kind: str,
    name: str,
    *,
    data: Any = None,
    owner: str | None = None,
    conversation_sid: str | None = None,
) -> None:
    """Make an empty list or map, or a document with `data`. Nobody can be subscribed yet, so nothing is announced."""
    values = {
        "sid": f"{PREFIXES[kind]}{uuid.uuid4().hex}",
        "unique_name": name,
        "kind": kind,
        "owner": owner,
        "conversation_sid": conversation_sid,
        "head": EMPTY_HEADS[kind],
        "data": None if data is None else to_json(data),
        "compacted": None,
        "removed": False,
        "date_created": tx.now,
        "date_updated": tx.now,
    }
    tx.execute(_NEW, values)


def set_document(tx: Transaction, name: str, data: Any) -> None:
    """Replace a document."""
    text = to_json(data)
    row = tx.first(_STEP_DOCUMENT, name=name, at=tx.now, new_data=text)
    fields = f'"document_unique_name":{to_json(name)},"document_data":{text},"date_expires":null'
    _announce(tx, row, "document_updated", fields, replaces=row.head - 1)


def add_item(tx: Transaction, name: str, key: str | int, data: Any) -> None:
    """Add an item to a list (numeric `key`) or a map (text)."""
    row = tx.first(_STEP, name=name, at=tx.now)
    text = to_json(data)
    values = {"entity_sid": row.sid, "key": _stored(key), "event_id": row.head, "added_id": row.head, "data": text}
    tx.execute(_ADD_ITEM, {**values, "date_created": tx.now, "date_updated": tx.now})
    _announce_item(tx, row, "added", key, text)


def set_item(tx: Transaction, name: str, key: str | int, data: Any) -> None:
    """Replace an item."""
    row = tx.first(_STEP, name=name, at=tx.now)
    text = to_json(data)
    where = {"of": row.sid, "at_key": _stored(key)}
    added, update_before = _told(tx.first(_ITEM, **where))
    tx.execute(_SET_ITEM, {**where, "new_id": row.head, "added": added, "new_data": text, "at": tx.now})
    _announce_item(tx, row, "updated", key, text, replaces=update_before)


def remove_item(tx: Transaction, name: str, key: str | int) -> None:
    """Remove an item."""
    row = tx.first(_STEP, name=name, at=tx.now)
    gone = tx.first(_DROP_ITEM, of=row.sid, at_key=_stored(key))
    added, update_before = _told(gone)
    _announce_item(tx, row, "removed", key, gone.data, replaces=update_before, withdraws=added)


def remove(tx: Transaction, name: str) -> None:
    """Remove an object with everything in it. Its row stays for those who are still to be told, and of its log the last event."""
    row = tx.first(_STEP_REMOVED, name=name, at=tx.now)
    tx.execute(_DROP_EVENTS, {"of": row.sid})
    if row.kind != DOCUMENT:
        tx.execute(_DROP_ITEMS, {"of": row.sid})
    _announce(tx, row, f"{row.kind}_removed", f'"{row.kind}_unique_name":{to_json(name)}')


def _stored(key: str | int) -> str:
    return index_key(key) if isinstance(key, int) else key


def _told(item: Any) -> tuple[int, int | None]:
    """Which events have told of an item: the one that added it, and the newest update if there was one.

    In a data directory of an earlier version the first is not known; the newest one then counts as it.
    """
    added = item.event_id if item.added_id is None else item.added_id
    return added, None if item.event_id == added else item.event_id


def _announce_item(tx: Transaction, row: Any, change: str, key: str | int, data: str, **needless: int | None) -> None:
    key_field = f'"item_index":{key}' if isinstance(key, int) else f'"item_key":{to_json(key)}'
    fields = f'{key_field},"item_revision":"{row.head:x}","item_data":{data},"date_expires":null'
    _announce(tx, row, f"{row.kind}_item_{change}", fields, **needless)


def _announce(tx: Transaction, row: Any, type_: str, fields: str, **needless: int | None) -> None:
    kind = row.kind
    body = (
        f'{{"id":{row.head},"{kind}_sid":"{row.sid}","{kind}_revision":"{revision(kind, row.head)}",'
        f'{fields},"date_created":"{tx.now}"}}'
    )
    tx.events.append(Event(row.sid, row.head, type_, body, **needless))
