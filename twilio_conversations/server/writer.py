"""The one thread that changes anything.

Every command is one transaction: what it changes, what Sync clients will see of it, the events that tell them, and its
mutation id are committed together or not at all. Commands run in the order in which they arrived; one that was accepted
runs to its end, whatever becomes of the connection it came over. Nothing is answered before it is committed.
"""

from __future__ import annotations

import datetime as dt
import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

import attrs
from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from twilio_conversations.server.errors import ServiceError
from twilio_conversations.server.http import Response
from twilio_conversations.server.store import timestamp, transaction
from twilio_conversations.server.tables import mutations
from twilio_conversations.server.world import Settings, World

_log = logging.getLogger(__name__)

MUTATION_LIFETIME = dt.timedelta(hours=24)
MAX_MUTATION_ID = 64
SWEEP_EVERY = 10_000
"""Mutation ids that have outlived their time are deleted once per so many commands."""


@attrs.frozen
class Event:
    """One row of the event log: change number `id` of one Sync object. `body` is its JSON."""

    entity_sid: str
    id: int
    type: str
    body: str


@attrs.frozen
class Commit:
    """What a transaction changed, in order, for those who follow: the feed and the caches."""

    events: tuple[Event, ...] = ()
    members_changed: frozenset[str] = frozenset()
    revoked: tuple[tuple[str, str], ...] = ()
    """Pairs of identity and conversation sid: who may no longer read what."""
    timers_changed: bool = False
    """Whether some conversation may become inactive or closed earlier than was known."""
    media_dropped: tuple[str, ...] = ()
    """Sids of media whose bytes nobody can ask for any more."""


@attrs.define
class Transaction:
    """What a command works with: the connection, the time, and what it has announced so far."""

    connection: Connection
    now: str
    settings: Settings = attrs.field(factory=Settings)
    events: list[Event] = attrs.field(factory=list)
    members_changed: set[str] = attrs.field(factory=set)
    revoked: list[tuple[str, str]] = attrs.field(factory=list)
    timers_changed: bool = False
    media_dropped: list[str] = attrs.field(factory=list)

    def execute(self, statement: Any, values: Any = None) -> Any:
        """Run one statement, or the same one once for each of a list of values."""
        return self.connection.execute(statement, values)

    def first(self, statement: Any, **values: Any) -> Any:
        """The first row, or `None`."""
        return self.connection.execute(statement, values).first()

    def all(self, statement: Any, **values: Any) -> list[Any]:
        """All rows."""
        return list(self.connection.execute(statement, values).all())

    def commit(self) -> Commit:
        """What to publish once this is committed."""
        return Commit(
            tuple(self.events),
            frozenset(self.members_changed),
            tuple(self.revoked),
            self.timers_changed,
            tuple(self.media_dropped),
        )


Command = Callable[[Transaction], Response]
Done = Callable[[Commit | None, Response], None]


@attrs.frozen
class Mutation:
    """The name of one logical command, which clients keep over resends (header ``X-Twilio-Mutation-Id``)."""

    service_sid: str
    identity: str
    mutation_id: str
    method: str
    base_url: str

    def repeated(self, resource: str | None) -> Response:
        """The answer to a command that was carried out before."""
        if self.method == "DELETE" or resource is None:
            return Response(204)
        return Response.json(202, {"resource_url": f"{self.base_url}{resource}"})


@attrs.frozen
class Job:
    """A command on its way. `done` is called on the writer's thread, after the commit or the failure; it must not block."""

    command: Command
    done: Done
    mutation: Mutation | None = None


_CLAIM = insert(mutations).values(
    service_sid=bindparam("service"), identity=bindparam("who"), mutation_id=bindparam("id"), date_created=bindparam("at")
)
_THIS = (
    mutations.c.service_sid == bindparam("service"),
    mutations.c.identity == bindparam("who"),
    mutations.c.mutation_id == bindparam("id"),
)
_SETTLE = update(mutations).where(*_THIS).values(resource=bindparam("made"))
_EARLIER = select(mutations.c.resource).where(*_THIS)
_SWEEP = delete(mutations).where(mutations.c.date_created < bindparam("before"))


class Writer:
    """Runs commands one after the other on a thread of its own."""

    def __init__(self, connection: Connection, world: World) -> None:
        self._connection = connection
        self._world = world
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._count = 0
        self._thread = threading.Thread(target=self._loop, name="conversations-writer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a command; any thread."""
        self._jobs.put(job)

    def stop(self, timeout: float = 10.0) -> None:
        """Finish the commands that were submitted, then end."""
        self._jobs.put(None)
        self._thread.join(timeout)

    def _loop(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self._count % SWEEP_EVERY == 0:
                self._sweep()
            self._count += 1
            commit, response = self._attempt(job)
            try:
                job.done(commit, response)
            except Exception:
                _log.exception("nobody took the outcome of a command")
        self._connection.close()

    def _attempt(self, job: Job) -> tuple[Commit | None, Response]:
        try:
            with transaction(self._connection):
                return self._run(job)
        except ServiceError as error:
            return None, Response.error(error)
        except Exception:
            _log.exception("a command failed and was rolled back")
            return None, Response.error(ServiceError(20500))

    def _run(self, job: Job) -> tuple[Commit, Response]:
        """One transaction. A repetition waits its turn behind the original, so it always sees how that one ended."""
        tx = Transaction(self._connection, timestamp(self._world.clock.now()), self._world.settings)
        mutation = job.mutation
        if mutation is None:
            response = job.command(tx)
            return tx.commit(), response
        key = {"service": mutation.service_sid, "who": mutation.identity, "id": mutation.mutation_id}
        try:
            tx.execute(_CLAIM, {**key, "at": tx.now})
        except IntegrityError:
            return Commit(), mutation.repeated(tx.first(_EARLIER, **key).resource)
        response = job.command(tx)
        tx.execute(_SETTLE, {**key, "made": response.resource})
        return tx.commit(), response

    def _sweep(self) -> None:
        before = timestamp(dt.datetime.now(dt.UTC) - MUTATION_LIFETIME)
        try:
            with transaction(self._connection):
                self._connection.execute(_SWEEP, {"before": before})
        except Exception:
            _log.exception("old mutation ids could not be deleted")
