"""The database file: its lock, its connections, its transactions."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import attrs
from sqlalchemy import Connection as Checkout
from sqlalchemy import Dialect, create_engine, event
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import NullPool

from twilio_conversations.server.start_errors import DataDirectoryError, DataDirectoryInUseError, storage
from twilio_conversations.server.storage import permissions, schema
from twilio_conversations.server.storage.statements import NEW, OLD, Query, R, V, Values, insert_into, key_of, update_of

DATABASE_FILE = "conversations.sqlite3"
LOCK_FILE = "service.lock"
BUSY_TIMEOUT_MS = 10_000
CHECKPOINT_PAGES = 8_000
"""Pages in the log after which a commit copies them into the file: a page that changed many times is written once."""


def timestamp(moment: dt.datetime | None = None) -> str:
    """Return now, or `moment`, in the format of the wire and the tables."""
    value = moment or dt.datetime.now(dt.UTC)
    return f"{value.isoformat(timespec='milliseconds')[:23]}Z"


_IN_USE = "another local service is using the data directory {directory}; stop it, or choose another directory"
_DAMAGED_LOCK = "{path} is damaged; delete it: nothing is kept in it, and no service holds it"
_NO_LOCK = {
    sqlite3.SQLITE_BUSY: _IN_USE,
    sqlite3.SQLITE_LOCKED: _IN_USE,
    sqlite3.SQLITE_NOTADB: _DAMAGED_LOCK,
    sqlite3.SQLITE_CORRUPT: _DAMAGED_LOCK,
}


class Lock:
    """Lock of a data directory for one service, by SQLite's file locks: they are portable and end with the process."""

    def __init__(self, data_dir: Path) -> None:
        path = data_dir / LOCK_FILE
        with storage(path):
            permissions.file(path)
            self._connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
            try:
                self._connection.execute("BEGIN EXCLUSIVE")
            except sqlite3.Error as error:
                self._connection.close()
                text = _NO_LOCK.get(error.sqlite_errorcode & 0xFF)
                if text is None:
                    raise
                kind = DataDirectoryError if text is _DAMAGED_LOCK else DataDirectoryInUseError
                raise kind(text.format(path=path, directory=data_dir)) from error

    def release(self) -> None:
        """Release the directory for other services."""
        self._connection.close()


class Database:
    """A SQLite file in WAL mode: one writer, and readers that never wait for it."""

    def __init__(self, path: Path, *, durable: bool) -> None:
        permissions.file(path)  # SQLite gives the log beside it the same rights
        schema.check(path)
        # NORMAL survives the end of the process at any moment; FULL survives the loss of power as well.
        self._synchronous = "FULL" if durable else "NORMAL"
        # Transactions are begun by `transaction`, as IMMEDIATE; to SQLAlchemy every statement is by itself.
        self._engine = create_engine(
            f"sqlite+pysqlite:///{path}",
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            paramstyle="named",
            connect_args={"check_same_thread": False},
        )
        event.listen(self._engine, "connect", self._prepare)
        with self._engine.connect() as checkout, Connection(checkout).transaction():
            schema.prepare(checkout)

    def _prepare(self, connection: sqlite3.Connection, _record: object) -> None:
        for pragma in (
            "journal_mode=WAL",
            f"synchronous={self._synchronous}",
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "foreign_keys=OFF",  # the order of writes in the domain keeps them; checking doubles the cost of a command
            "cache_size=-16000",
            "temp_store=MEMORY",  # what a savepoint might have to undo; the alternative is a file for each command
            f"wal_autocheckpoint={CHECKPOINT_PAGES}",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    def connect(self) -> Connection:
        """Return a connection for one thread."""
        return Connection(self._engine.connect())

    def dispose(self) -> None:
        """Close what is left open."""
        self._engine.dispose()


@attrs.frozen
class Prepared:
    """A statement as the driver accepts it, with its constant values in `constants`."""

    sql: str
    constants: Mapping[str, Any]


class Connection:
    """Statements of SQLAlchemy Core for one thread, each compiled once and then handed straight to the driver.

    SQLAlchemy's own way to execute costs several times what SQLite needs for statements as small as ours, and adds conversions
    that the tables do not use: they hold text, numbers and booleans, which drivers accept and return as they are. An `insert`
    without explicit values names every column of its table.

    Outside `transaction` and `snapshot` each statement is by itself and reads the newest commit.
    """

    def __init__(self, checkout: Checkout) -> None:
        self._checkout = checkout
        self._cursor = checkout.connection.cursor()
        self._prepared: dict[Any, Prepared] = {}

    def execute(self, statement: Any, values: Mapping[str, Any]) -> None:
        """Run a statement that returns nothing. Raises SQLAlchemy's `IntegrityError`."""
        self._run(statement, values)

    def execute_many(self, statement: Any, rows: list[dict[str, Any]]) -> None:
        """Run a statement without constants once for each of `rows`."""
        self._cursor.executemany(self._prepared_for(statement).sql, rows)

    def insert(self, row: NamedTuple) -> None:
        """Add a row to the table of its class. Raises SQLAlchemy's `IntegrityError`."""
        self._run(insert_into(type(row)), row._asdict())

    def update(self, before: R, after: R) -> R:
        """Write the columns in which a row has become another; return that one. Raises SQLAlchemy's `IntegrityError`."""
        names = tuple(name for name, old, new in zip(before._fields, before, after, strict=True) if old != new)
        if names:
            values = {NEW + name: getattr(after, name) for name in names}
            values |= {OLD + name: getattr(before, name) for name in key_of(type(before))}
            self._run(update_of(type(before), names), values)
        return after

    def all(self, query: Query[R], **values: Any) -> list[R]:
        """Return all rows."""
        self._run(query, values)
        to_row = query.row._make
        return [to_row(row) for row in self._cursor.fetchall()]

    def first(self, query: Query[R], **values: Any) -> R | None:
        """Return the first row, or `None`. All are fetched: a statement not read to its end would hold its snapshot open."""
        self._run(query, values)
        rows = self._cursor.fetchall()
        return query.row._make(rows[0]) if rows else None

    def values(self, query: Values[V], **values: Any) -> list[V]:
        """Return the values of a statement with one column."""
        self._run(query, values)
        return [value for (value,) in self._cursor.fetchall()]

    def value(self, query: Values[V], **values: Any) -> V | None:
        """Return the first value of a statement with one column; `None` without a row."""
        found = self.values(query, **values)
        return found[0] if found else None

    def all_in(self, query: Query[R], **values: Any) -> list[R]:
        """Return all rows of a statement with an `IN` list, whose text depends on the list's length."""
        return [query.row._make(row) for row in self._checkout.execute(query.statement, values)]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run a transaction. The write lock is taken at its begin: nothing can come between reading and writing."""
        self._cursor.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._cursor.execute("COMMIT")
        except BaseException:
            if self._in_transaction():
                self._cursor.execute("ROLLBACK")
            raise

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Run a part of a transaction that can fail without the rest."""
        self._cursor.execute("SAVEPOINT command")
        try:
            yield
            self._cursor.execute("RELEASE command")
        except BaseException:
            if self._in_transaction():
                self._cursor.execute("ROLLBACK TO command")
                self._cursor.execute("RELEASE command")
            raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Run several statements on one state."""
        self._cursor.execute("BEGIN")
        try:
            yield
        finally:
            self._cursor.execute("COMMIT")

    def close(self) -> None:
        """Close the connection."""
        self._checkout.close()

    def _in_transaction(self) -> bool:
        """Return whether a transaction is open; a full disk ends one by itself."""
        return bool(self._checkout.connection.dbapi_connection.in_transaction)  # type: ignore[union-attr]

    def _run(self, statement: Any, values: Mapping[str, Any]) -> None:
        prepared = self._prepared_for(statement)
        try:
            self._cursor.execute(prepared.sql, {**prepared.constants, **values} if prepared.constants else values)
        except sqlite3.IntegrityError as error:
            raise IntegrityError(prepared.sql, values, error) from error

    def _prepared_for(self, statement: Any) -> Prepared:
        """Return the compiled statement. Statements are created when their modules are imported, so each is compiled once."""
        prepared = self._prepared.get(statement)
        if prepared is None:
            prepared = self._prepared[statement] = _prepare(statement, self._checkout.dialect)
        return prepared


def _prepare(given: Any, dialect: Dialect) -> Prepared:
    statement = given.statement if isinstance(given, Query | Values) else given
    compiled = statement.compile(dialect=dialect)
    constants = {name: bind.value for bind, name in compiled.bind_names.items() if not bind.required}
    return Prepared(str(compiled), constants)
