"""The database file: who may open it, and how it is read and written."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import NullPool

from twilio_conversations.server.tables import metadata

DATABASE_FILE = "conversations.sqlite3"
LOCK_FILE = "service.lock"
BUSY_TIMEOUT_MS = 10_000


def timestamp(moment: dt.datetime | None = None) -> str:
    """Now, or `moment`, as the wire and the tables write times."""
    value = moment or dt.datetime.now(dt.UTC)
    return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"


class DataDirectoryInUseError(RuntimeError):
    """Another service works on this data directory."""


class Lock:
    """Holds a data directory for one service. SQLite's own file locks do it: they are portable and end with the process."""

    def __init__(self, data_dir: Path) -> None:
        self._connection = sqlite3.connect(data_dir / LOCK_FILE, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            self._connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            self._connection.close()
            raise DataDirectoryInUseError(
                f"another local service is using the data directory {data_dir}; stop it, or choose another directory"
            ) from error

    def release(self) -> None:
        """Let others in."""
        self._connection.close()


class Database:
    """A SQLite file in WAL mode: one writer, and readers that never wait for it."""

    def __init__(self, path: Path, *, durable: bool) -> None:
        # NORMAL survives the end of the process at any moment; FULL survives the loss of power as well.
        self._synchronous = "FULL" if durable else "NORMAL"
        # Transactions are begun by `transaction`, as IMMEDIATE; to SQLAlchemy every statement stands alone.
        self._engine = create_engine(
            f"sqlite+pysqlite:///{path}",
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={"check_same_thread": False},
        )
        event.listen(self._engine, "connect", self._prepare)
        with self._engine.connect() as connection, transaction(connection):
            metadata.create_all(connection)
            _add_columns(connection)

    def _prepare(self, connection: sqlite3.Connection, _record: object) -> None:
        for pragma in (
            "journal_mode=WAL",
            f"synchronous={self._synchronous}",
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "foreign_keys=OFF",  # the order of writes in the domain keeps them; checking doubles the cost of a command
            "cache_size=-16000",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    def writer(self) -> Connection:
        """A connection for writing, to be used with `transaction`."""
        return self._engine.connect()

    def reader(self) -> Reader:
        """A connection for reading."""
        return Reader(self._engine.connect())

    def dispose(self) -> None:
        """Close what is left open."""
        self._engine.dispose()


def _add_columns(connection: Connection) -> None:
    """A data directory of an earlier version lacks the columns that came since; all of those may be null."""
    for table in metadata.sorted_tables:
        known = {row.name for row in connection.exec_driver_sql(f"PRAGMA table_info({table.name})")}
        for column in table.columns:
            if column.name not in known:
                kind = column.type.compile(connection.dialect)
                connection.exec_driver_sql(f'ALTER TABLE {table.name} ADD COLUMN "{column.name}" {kind}')


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """All or nothing; the right to write is taken at the beginning, so that nothing can come between reading and writing."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        yield
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        if connection.connection.in_transaction:  # a full disk ends it without being asked
            connection.exec_driver_sql("ROLLBACK")
        raise


class Reader:
    """Reads on behalf of one thread. Each statement sees the newest commit; inside `snapshot` all see the same one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self, statement: Any, **values: Any) -> list[Any]:
        """All rows."""
        return list(self._connection.execute(statement, values).all())

    def first(self, statement: Any, **values: Any) -> Any:
        """The first row, or `None`."""
        return self._connection.execute(statement, values).first()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let several statements see one state."""
        self._connection.exec_driver_sql("BEGIN")
        try:
            yield
        finally:
            self._connection.exec_driver_sql("COMMIT")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
