"""Statements with the class of their rows, and statements that write one row."""

from __future__ import annotations

import functools
from typing import Any, Generic, NamedTuple, TypeVar

import attrs
from sqlalchemy import Insert, Update, bindparam, insert, update

from twilio_conversations.server.storage.rows import TABLES

R = TypeVar("R", bound=NamedTuple)
V = TypeVar("V")
OLD, NEW = "old_", "new_"
"""Prefixes of the parameters: the key of the row, and the new values."""


@attrs.frozen(eq=False)
class Query(Generic[R]):
    """A statement and the class of its rows. Created once, when its module is imported."""

    row: type[R]
    statement: Any


@attrs.frozen(eq=False)
class Values(Generic[V]):
    """A statement with one column, and the class of its values. Created once, when its module is imported."""

    value: type[V]
    statement: Any


@functools.cache
def insert_into(row: type[NamedTuple]) -> Insert:
    """Return the statement that adds a row of this class; its parameters are the columns."""
    return insert(TABLES[row])


@functools.cache
def update_of(row: type[NamedTuple], names: tuple[str, ...]) -> Update:
    """Return the statement that sets these columns of one row (`NEW`), found by its primary key (`OLD`)."""
    table = TABLES[row]
    key = [column == bindparam(OLD + column.name) for column in table.primary_key]
    return update(table).where(*key).values({table.c[name]: bindparam(NEW + name) for name in names})


@functools.cache
def key_of(row: type[NamedTuple]) -> tuple[str, ...]:
    """Return the columns of the primary key."""
    return tuple(column.name for column in TABLES[row].primary_key)
