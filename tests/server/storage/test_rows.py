"""Rows: their classes agree with the tables, and only what has changed is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from twilio_conversations.server.storage.database import Connection, Database
from twilio_conversations.server.storage.rows import TABLES, Role, SyncItem
from twilio_conversations.server.storage.statements import Query, Values
from twilio_conversations.server.storage.tables import metadata, roles, sync_items

NOW, LATER = "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:01.000Z"
ROLE = Role("RL1", "reader", "conversation", "[]", NOW, NOW)
ROLES = Query(Role, select(roles))


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A connection to an empty database."""
    database = Database(tmp_path / "rows.sqlite3", durable=False)
    opened = database.connect()
    yield opened
    opened.close()
    database.dispose()


def test_every_table_has_a_class() -> None:
    """One for one."""
    assert sorted(table.name for table in TABLES.values()) == sorted(metadata.tables)


@pytest.mark.parametrize("row", TABLES, ids=lambda row: row.__name__)
def test_fields_are_columns(row: type[Any]) -> None:
    """The same names in the same order, of the same types, which may be null where the column may."""
    columns = {column.name: column.type.python_type for column in TABLES[row].columns}
    nullable = {column.name for column in TABLES[row].columns if column.nullable}
    expected = {name: type_ | None if name in nullable else type_ for name, type_ in columns.items()}
    hints = get_type_hints(row)
    assert list(hints) == list(expected)
    assert hints == expected


def test_what_is_inserted_is_found(connection: Connection) -> None:
    """A row comes back as it was; the same key again is refused."""
    connection.insert(ROLE)
    assert connection.all(ROLES) == [ROLE]
    assert type(connection.first(ROLES)) is Role
    with pytest.raises(IntegrityError):
        connection.insert(ROLE._replace(friendly_name="other"))


def test_values_of_one_column(connection: Connection) -> None:
    """A statement with one column returns its values; the first one, or `None` without a row."""
    names = Values(str, select(roles.c.friendly_name).order_by(roles.c.sid))
    assert (connection.values(names), connection.value(names)) == ([], None)
    connection.insert(ROLE)
    connection.insert(ROLE._replace(sid="RL2", friendly_name="writer"))
    assert (connection.values(names), connection.value(names)) == (["reader", "writer"], "reader")


def test_only_what_has_changed_is_written(connection: Connection) -> None:
    """A column that somebody else has set meanwhile stays; a row that has not changed is not written at all."""
    connection.insert(ROLE)
    connection.update(ROLE, ROLE._replace(permissions='["read"]'))
    after = connection.update(ROLE, ROLE._replace(date_updated=LATER))
    assert after.date_updated == LATER
    assert connection.all(ROLES) == [ROLE._replace(permissions='["read"]', date_updated=LATER)]
    assert connection.update(ROLE, ROLE) is ROLE
    assert connection.all(ROLES) == [ROLE._replace(permissions='["read"]', date_updated=LATER)]


def test_a_row_is_found_by_its_whole_key(connection: Connection) -> None:
    """Of items with the same key, only that of the one object is changed; a key may change too."""
    items = [SyncItem(sid, "key", 0, 0, "{}", NOW, NOW) for sid in ("MP1", "MP2")]
    for item in items:
        connection.insert(item)
    connection.update(items[0], items[0]._replace(data='{"a":1}', event_id=1))
    connection.update(items[1], items[1]._replace(key="other"))
    found = connection.all(Query(SyncItem, select(sync_items).order_by(sync_items.c.entity_sid)))
    assert found == [items[0]._replace(data='{"a":1}', event_id=1), items[1]._replace(key="other")]
