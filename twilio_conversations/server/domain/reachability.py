"""Reachability in user info: whether users are online and can be notified. Only where a setting enables it."""

from __future__ import annotations

import json
from typing import NamedTuple

from sqlalchemy import bindparam, func, select

from twilio_conversations.server.domain import users
from twilio_conversations.server.storage.statements import Query, Values
from twilio_conversations.server.storage.tables import registrations, sync_entities, sync_items
from twilio_conversations.server.storage.tables import users as users_table
from twilio_conversations.server.storage.writer import Transaction
from twilio_conversations.server.sync import projection

KEY = "reachability"


class Item(NamedTuple):
    """The reachability of a user: the name of the user's info map, and the item's data."""

    name: str
    data: str


ITEM = Values(
    str,
    select(sync_items.c.data)
    .join(sync_entities, sync_entities.c.sid == sync_items.c.entity_sid)
    .where(sync_entities.c.unique_name == bindparam("name"), sync_items.c.key == KEY),
)
_ITEMS = Query(
    Item,
    select(sync_entities.c.unique_name, sync_items.c.data)
    .select_from(users_table)
    .join(sync_entities, sync_entities.c.unique_name == users_table.c.sid + users.INFO)
    .join(sync_items, sync_items.c.entity_sid == sync_entities.c.sid)
    .where(sync_items.c.key == KEY),
)
_COUNT = Values(int, select(func.count()).select_from(registrations).where(registrations.c.identity == bindparam("identity")))


def publish(tx: Transaction, identity: str, *, online: bool | None = None) -> None:
    """Publish that a user is `online` or not, or (`None`) that the user's registrations may have changed."""
    if not tx.settings.reachability_enabled:
        return
    name = users.info_map(users.ensure(tx, identity).sid)
    data = tx.value(ITEM, name=name)
    before = parse(data)
    notifiable = (tx.value(_COUNT, identity=identity) or 0) > 0
    after = {"online": before.get("online", False) if online is None else online, "notifiable": notifiable}
    if data is None:
        projection.add_item(tx, name, KEY, after)
    elif after != before:
        projection.set_item(tx, name, KEY, after)


def parse(data: str | None) -> dict[str, bool]:
    """Return the value of an `ITEM`; an empty dict without one."""
    return {} if data is None else dict(json.loads(data))


def set_all_offline(tx: Transaction) -> None:
    """Mark all users as offline, at the start of the service."""
    for item in tx.all(_ITEMS):
        before = parse(item.data)
        if before["online"]:
            projection.set_item(tx, item.name, KEY, {**before, "online": False})
