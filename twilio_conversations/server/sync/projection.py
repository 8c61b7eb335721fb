"""The domain's changes as replicated objects: documents, lists and maps, their items, and the log of their events.

Every visible change takes the next number of its object and appends one row to the log, in the transaction that makes the
change. Numbers and sids are never reused. Each event names those that it supersedes, which are deleted when it is old
enough (`twilio_conversations.server.sync.retention`).

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
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, select, update

from twilio_conversations.server.storage.rows import Event, SyncEntity, SyncItem
from twilio_conversations.server.storage.statements import Query
from twilio_conversations.server.storage.tables import sync_entities, sync_events, sync_items
from twilio_conversations.server.storage.writer import Transaction
from twilio_conversations.server.text import to_json

DOCUMENT, LIST, MAP = "document", "list", "map"
PREFIXES = {DOCUMENT: "ET", LIST: "ES", MAP: "MP"}
EMPTY_HEADS = {DOCUMENT: 0, LIST: -1, MAP: -1}
INDEX_DIGITS = 12


class Step(NamedTuple):
    """A Sync object that has just taken the next number, `head`."""

    sid: str
    kind: str
    head: int


class RemovedItem(NamedTuple):
    """An item that was removed."""

    data: str
    event_id: int
    added_id: int | None


_NEXT = (
    update(sync_entities)
    .where(sync_entities.c.unique_name == bindparam("name"), sync_entities.c.removed.is_(False))
    .values(head=sync_entities.c.head + 1, date_updated=bindparam("at"))
    .returning(sync_entities.c.sid, sync_entities.c.kind, sync_entities.c.head)
)
_STEP = Query(Step, _NEXT)
_STEP_DOCUMENT = Query(Step, _NEXT.values(data=bindparam("new_data")))
_STEP_REMOVED = Query(Step, _NEXT.values(removed=True, data=None))
_ITEM = Query(
    SyncItem, select(sync_items).where(sync_items.c.entity_sid == bindparam("of"), sync_items.c.key == bindparam("at_key"))
)
_DROP_ITEM = Query(
    RemovedItem,
    delete(sync_items)
    .where(sync_items.c.entity_sid == bindparam("of"), sync_items.c.key == bindparam("at_key"))
    .returning(sync_items.c.data, sync_items.c.event_id, sync_items.c.added_id),
)
_DROP_ITEMS = delete(sync_items).where(sync_items.c.entity_sid == bindparam("of"))
_DROP_EVENTS = delete(sync_events).where(sync_events.c.entity_sid == bindparam("of"))


def index_key(index: int) -> str:
    """Return the stored key of a list item."""
    return f"{index:0{INDEX_DIGITS}d}"


def revision(kind: str, head: int) -> str:
    """Return the revision of an object whose newest change has number `head`."""
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
    """Create an empty list or map, or a document with `data`. There are no subscribers yet, so nothing is announced."""
    entity = SyncEntity(
        sid=f"{PREFIXES[kind]}{uuid.uuid4().hex}",
        unique_name=name,
        kind=kind,
        owner=owner,
        conversation_sid=conversation_sid,
        head=EMPTY_HEADS[kind],
        data=None if data is None else to_json(data),
        compacted=None,
        removed=False,
        date_created=tx.now,
        date_updated=tx.now,
    )
    tx.insert(entity)


def _step(tx: Transaction, query: Query[Step], name: str, **values: Any) -> Step:
    """Take the next number of an object, which exists: the domain creates it first and removes it last."""
    step = tx.first(query, name=name, at=tx.now, **values)
    if step is None:
        raise LookupError(f"there is no Sync object {name}")
    return step


def set_document(tx: Transaction, name: str, data: Any) -> None:
    """Replace a document."""
    text = to_json(data)
    row = _step(tx, _STEP_DOCUMENT, name, new_data=text)
    fields = f'"document_unique_name":{to_json(name)},"document_data":{text},"date_expires":null'
    _announce(tx, row, "document_updated", fields, replaces=row.head - 1)


def add_item(tx: Transaction, name: str, key: str | int, data: Any) -> None:
    """Add an item to a list (numeric `key`) or a map (text)."""
    row = _step(tx, _STEP, name)
    text = to_json(data)
    tx.insert(SyncItem(row.sid, _stored(key), row.head, row.head, text, tx.now, tx.now))
    _announce_item(tx, row, "added", key, text)


def set_item(tx: Transaction, name: str, key: str | int, data: Any) -> None:
    """Replace an item."""
    row = _step(tx, _STEP, name)
    text = to_json(data)
    item = tx.first(_ITEM, of=row.sid, at_key=_stored(key))
    if item is None:
        raise LookupError(f"{name} has no item {key}")
    added, update_before = _announced(item.event_id, item.added_id)
    tx.update(item, item._replace(event_id=row.head, added_id=added, data=text, date_updated=tx.now))
    _announce_item(tx, row, "updated", key, text, replaces=update_before)


def remove_item(tx: Transaction, name: str, key: str | int) -> None:
    """Remove an item."""
    row = _step(tx, _STEP, name)
    gone = tx.first(_DROP_ITEM, of=row.sid, at_key=_stored(key))
    if gone is None:
        raise LookupError(f"{name} has no item {key}")
    added, update_before = _announced(gone.event_id, gone.added_id)
    _announce_item(tx, row, "removed", key, gone.data, replaces=update_before, withdraws=added)


def remove(tx: Transaction, name: str) -> None:
    """Remove an object with its items. Its row and the last event of its log stay for the subscribers to be notified."""
    row = _step(tx, _STEP_REMOVED, name)
    tx.execute(_DROP_EVENTS, {"of": row.sid})
    if row.kind != DOCUMENT:
        tx.execute(_DROP_ITEMS, {"of": row.sid})
    _announce(tx, row, f"{row.kind}_removed", f'"{row.kind}_unique_name":{to_json(name)}')


def _stored(key: str | int) -> str:
    return index_key(key) if isinstance(key, int) else key


def _announced(event_id: int, added_id: int | None) -> tuple[int, int | None]:
    """Return the events of an item: the one that added it, and its newest update or `None`.

    Data directories of earlier versions lack the first; the newest event then counts as the adding.
    """
    added = event_id if added_id is None else added_id
    return added, None if event_id == added else event_id


def _announce_item(tx: Transaction, row: Step, change: str, key: str | int, data: str, **superseded: int | None) -> None:
    key_field = f'"item_index":{key}' if isinstance(key, int) else f'"item_key":{to_json(key)}'
    fields = f'{key_field},"item_revision":"{row.head:x}","item_data":{data},"date_expires":null'
    _announce(tx, row, f"{row.kind}_item_{change}", fields, **superseded)


def _announce(tx: Transaction, row: Step, type_: str, fields: str, **superseded: int | None) -> None:
    kind = row.kind
    body = (
        f'{{"id":{row.head},"{kind}_sid":"{row.sid}","{kind}_revision":"{revision(kind, row.head)}",'
        f'{fields},"date_created":"{tx.now}"}}'
    )
    tx.events.append(Event(row.sid, row.head, type_, body, **superseded))
