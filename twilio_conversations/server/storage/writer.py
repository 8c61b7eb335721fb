"""The writer: the only thread that changes the database.

Every command is all or nothing: its changes, the replicated objects, the events of their log and its mutation id are committed
together or not at all. Commands run in the order of their arrival; an accepted one runs to its end, even if its connection ends
before. Nothing is answered before it is committed.

Commands that wait while another one runs share the next commit, each inside a savepoint of its own.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import queue
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import attrs
from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from twilio_conversations.server.calls import Response
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.settings import Clock, LiveSettings, Settings
from twilio_conversations.server.start_errors import explained
from twilio_conversations.server.storage import rows
from twilio_conversations.server.storage.database import DATABASE_FILE, Connection, timestamp
from twilio_conversations.server.storage.rows import Event
from twilio_conversations.server.storage.statements import Query, R, V, Values
from twilio_conversations.server.storage.tables import mutations, sync_events
from twilio_conversations.util import logs
from twilio_conversations.util.futures import Role, mark_thread
from twilio_conversations.util.values import value

_log = logs.logger(__name__)

MAX_MUTATION_ID = 64
SWEEP_EVERY = 10_000
"""Fewest commands between two deletions of expired mutation ids."""
SWEEPS_PER_LIFETIME = 24
"""Most deletions while one of them lives: each reads all that there are."""
MAX_TOGETHER = 64
"""Most commands in one commit: the first of them waits for the last."""


@value
class Commit:
    """The changes of a transaction, in order, for the followers: the subscriptions and the caches."""

    events: tuple[Event, ...] = ()
    members_changed: frozenset[str] = frozenset()
    revoked: tuple[tuple[str, str], ...] = ()
    """Pairs of identity and conversation sid: users who lost access."""
    timers_changed: bool = False
    """Whether a conversation may become inactive or closed earlier than before."""
    media_dropped: tuple[str, ...] = ()
    """Sids of deleted media."""

    @property
    def is_visible(self) -> bool:
        """Whether the commit concerns any follower."""
        return self != _NOTHING


_NOTHING = Commit()


@attrs.define
class Transaction:
    """The transaction of a command: the connection, the time, the settings, and the changes announced so far."""

    connection: Connection
    now: str
    settings: Settings = attrs.field(factory=Settings)
    events: list[Event] = attrs.field(factory=list)
    members_changed: set[str] = attrs.field(factory=set)
    revoked: list[tuple[str, str]] = attrs.field(factory=list)
    timers_changed: bool = False
    media_dropped: list[str] = attrs.field(factory=list)

    def execute(self, statement: Any, values: Mapping[str, Any]) -> None:
        """Run a statement that returns nothing."""
        self.connection.execute(statement, values)

    def insert(self, row: NamedTuple) -> None:
        """Add a row to the table of its class. Raises SQLAlchemy's `IntegrityError`."""
        self.connection.insert(row)

    def update(self, before: R, after: R) -> R:
        """Write the columns in which a row has become another; return that one. Raises SQLAlchemy's `IntegrityError`."""
        return self.connection.update(before, after)

    def first(self, query: Query[R], **values: Any) -> R | None:
        """Return the first row, or `None`."""
        return self.connection.first(query, **values)

    def all(self, query: Query[R], **values: Any) -> list[R]:
        """Return all rows."""
        return self.connection.all(query, **values)

    def value(self, query: Values[V], **values: Any) -> V | None:
        """Return the first value of a statement with one column; `None` without a row."""
        return self.connection.value(query, **values)

    def values(self, query: Values[V], **values: Any) -> list[V]:
        """Return the values of a statement with one column."""
        return self.connection.values(query, **values)

    def finish(self) -> Commit:
        """Write the events into the log; return what to publish after the commit."""
        if self.events:
            self.connection.execute_many(_LOG, [event._asdict() for event in self.events])
        return Commit(
            tuple(self.events),
            frozenset(self.members_changed),
            tuple(self.revoked),
            self.timers_changed,
            tuple(self.media_dropped),
        )


Command = Callable[[Transaction], Response]
Reply = Callable[[Response], None]


@value
class Mutation:
    """The id of one logical command, which clients repeat with resends (header ``X-Twilio-Mutation-Id``)."""

    service_sid: str
    identity: str
    mutation_id: str
    method: str
    base_url: str

    def repeated(self, resource: str | None) -> Response:
        """Return the answer to a command that was executed before."""
        if self.method == "DELETE" or resource is None:
            return Response(204)
        return Response.json(202, {"resource_url": f"{self.base_url}{resource}"})


@value
class Job:
    """A submitted command, and the callback for its response."""

    command: Command
    reply: Reply
    mutation: Mutation | None = None


@value
class Outcome:
    """The outcome of a command: its changes (none if it failed), its response, and the callback for it."""

    commit: Commit
    response: Response
    reply: Reply


_THIS = (
    mutations.c.service_sid == bindparam("service"),
    mutations.c.identity == bindparam("who"),
    mutations.c.mutation_id == bindparam("id"),
)
_SETTLE = update(mutations).where(*_THIS).values(resource=bindparam("made"))
_EARLIER = Query(rows.Mutation, select(mutations).where(*_THIS))
_EXPIRE = delete(mutations).where(*_THIS)
_LOG = insert(sync_events)
_SWEEP = delete(mutations).where(mutations.c.date_created < bindparam("before"))


class Writer:
    """Executes commands one after the other on its own thread.

    `publish` is called on that thread with the outcomes of each commit, in order; it must not block.
    """

    def __init__(
        self, connection: Connection, clock: Clock, settings: LiveSettings, publish: Callable[[list[Outcome]], None]
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._settings = settings
        self._publish = publish
        self._committing = threading.Lock()  # held from each commit until its outcomes are published
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._until_sweep = 0
        self._no_sweep_before = dt.datetime.min.replace(tzinfo=dt.UTC)
        self._thread = threading.Thread(target=self._loop, name="conversations-writer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def prepare(self, command: Command) -> None:
        """Execute a command before `start`, on the caller's thread. Raises the error of a failed command."""
        with self._connection.transaction():
            tx = Transaction(self._connection, timestamp(self._clock.now()), self._settings.current)
            command(tx)
            tx.finish()

    def submit(self, job: Job) -> None:
        """Queue a command; called on any thread."""
        self._jobs.put(job)

    def await_publication(self, timeout: float) -> None:
        """Wait until a commit that is under way, and may be read already, is published; `timeout` seconds at most."""
        if self._committing.acquire(timeout=timeout):
            self._committing.release()

    def stop(self, timeout: float = 10.0) -> None:
        """Finish the commands that were submitted, then end."""
        self._jobs.put(None)
        self._thread.join(timeout)

    def _loop(self) -> None:
        mark_thread(Role.SERVICE)
        while jobs := self._take():
            self._sweep(len(jobs))
            self._carry_out_together(jobs)
        self._connection.close()

    def _take(self) -> list[Job]:
        """Return the next command, with those that wait behind it; an empty list at the end."""
        jobs = []
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == MAX_TOGETHER or self._jobs.empty():
                return jobs
            job = self._jobs.get()
        if jobs:
            self._jobs.put(None)  # the end is for the next call
        return jobs

    def _carry_out_together(self, jobs: list[Job]) -> None:
        """Execute commands and commit them together; if that fails, each by itself, so that none fails because of another."""
        with contextlib.ExitStack() as until_published:
            try:
                with self._connection.transaction():
                    outcomes = [self._run(job) for job in jobs]
                    until_published.enter_context(self._committing)
            except Exception as error:
                until_published.close()  # nothing can be read, and what follows logs
                if len(jobs) > 1:
                    for job in jobs:
                        self._carry_out_together([job])
                    return
                outcomes = [Outcome(Commit(), Response.error(_failure(error)), jobs[0].reply)]
            try:
                self._publish(outcomes)
            except Exception:
                until_published.close()
                _log.exception("nobody took the outcome of a command")

    def _run(self, job: Job) -> Outcome:
        tx = Transaction(self._connection, timestamp(self._clock.now()), self._settings.current)
        try:
            with self._connection.savepoint():
                response = _carry_out(tx, job)
                return Outcome(tx.finish(), response, job.reply)
        except Refusal as error:
            return Outcome(Commit(), Response.error(error), job.reply)

    def _sweep(self, count: int) -> None:
        self._until_sweep -= count
        now = dt.datetime.now(dt.UTC)
        if self._until_sweep >= 0 or now < self._no_sweep_before:
            return
        lifetime = dt.timedelta(seconds=self._settings.current.mutation_id_lifetime)
        self._until_sweep, self._no_sweep_before = SWEEP_EVERY, now + lifetime / SWEEPS_PER_LIFETIME
        try:
            self._connection.execute(_SWEEP, {"before": timestamp(now - lifetime)})
        except Exception:
            _log.exception("old mutation ids could not be deleted")


def _failure(error: Exception) -> Refusal:
    """Return the refusal for a command that was rolled back, with the reason if it is one of storage."""
    told = explained(error, Path(DATABASE_FILE))
    if told is None:
        _log.error("a command failed and was rolled back", exc_info=error)
        return Refusal(20500)
    _log.error("a command was rolled back: %s", told)
    return Refusal(20500, str(told))


def _carry_out(tx: Transaction, job: Job) -> Response:
    """Execute a command, unless it repeats one: a repetition runs after the original, so it reads the outcome."""
    mutation = job.mutation
    if mutation is None:
        return job.command(tx)
    key = {"service": mutation.service_sid, "who": mutation.identity, "id": mutation.mutation_id}
    row = rows.Mutation(mutation.service_sid, mutation.identity, mutation.mutation_id, None, tx.now)
    try:
        tx.insert(row)
    except IntegrityError:
        (earlier,) = tx.all(_EARLIER, **key)
        lifetime = dt.timedelta(seconds=tx.settings.mutation_id_lifetime)
        if dt.datetime.fromisoformat(tx.now) - dt.datetime.fromisoformat(earlier.date_created) < lifetime:
            return mutation.repeated(earlier.resource)
        tx.execute(_EXPIRE, key)
        tx.insert(row)
    response = job.command(tx)
    tx.execute(_SETTLE, {**key, "made": response.resource})
    return response
