"""Retention of the event log: which events are deleted, and when.

Of each object, the newest `events_retained` events stay as they were written. Of the older ones, an event is deleted when another
older event supersedes it: an update by the item's next change, the adding of an item by its removal. So the older part has at
most two events of each present item (its adding and its newest update), one of each removed item, and one of a document.

Two, because a cursor is one number and a replay may end anywhere: to a client that returns in the middle of the older part, a
single event for both would mean "added" or "updated" depending on where the replay began. This way, the log from any cursor is
a history that leads to the present, each item added once and before it is updated.

Compacting is a command like any other, submitted once the events that supersede others have been sent: what the log lacks is
never ahead of what subscribers have been sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import bindparam, delete, select, union_all, update

from twilio_conversations.server.calls import Response
from twilio_conversations.server.settings import LiveSettings
from twilio_conversations.server.storage.statements import Query
from twilio_conversations.server.storage.tables import sync_entities, sync_events
from twilio_conversations.server.storage.writer import Command, Commit, Transaction
from twilio_conversations.server.sync.objects import MAX_OBJECTS, BoundedDict

MAX_AT_ONCE = 1_000
"""Most numbers for one command; the rest is left to a further one, behind the commands that wait."""
STRIDES = 10
"""The log is compacted when it exceeds the retained events by a tenth of them, so that most commits leave it alone."""
NOTHING = -1


class Compacted(NamedTuple):
    """The number up to which an object's log is compacted, if at all."""

    compacted: int | None


Submit = Callable[[Command, Callable[[Response], None]], None]

_later = sync_events.alias()
_WINDOW = (_later.c.entity_sid == bindparam("of"), _later.c.id > bindparam("after"), _later.c.id <= bindparam("until"))
_SUPERSEDED = union_all(
    *(select(column).where(*_WINDOW, column.is_not(None)) for column in (_later.c.replaces, _later.c.withdraws))
)
_DROP = delete(sync_events).where(sync_events.c.entity_sid == bindparam("of"), sync_events.c.id.in_(_SUPERSEDED))
_COMPACTED = Query(Compacted, select(sync_entities.c.compacted).where(sync_entities.c.sid == bindparam("of")))
_SET_COMPACTED = update(sync_entities).where(sync_entities.c.sid == bindparam("of")).values(compacted=bindparam("until"))
_REMOVED = select(sync_entities.c.sid).where(sync_entities.c.removed.is_(True))
_DROP_REMOVED = (
    delete(sync_events).where(sync_events.c.entity_sid.in_(_REMOVED)),
    delete(sync_entities).where(sync_entities.c.removed.is_(True)),
)


class Retention:
    """Compaction of the log, object by object, as events arrive; used on the event loop."""

    def __init__(self, settings: LiveSettings, submit: Submit) -> None:
        self._settings = settings
        self._submit = submit
        self._asked: BoundedDict[str, int] = BoundedDict(MAX_OBJECTS)

    def on_commit(self, commit: Commit) -> None:
        """Compact the objects whose logs have grown."""
        retained = self._settings.current.events_retained
        stride = max(1, retained // STRIDES)
        for event in commit.events:
            until = event.id - retained
            if until - self._asked.get(event.entity_sid, NOTHING) >= stride:
                self._asked[event.entity_sid] = until
                self._compact(event.entity_sid, until)

    def _compact(self, sid: str, until: int) -> None:
        more = False

        def command(tx: Transaction) -> Response:
            nonlocal more
            more = compact(tx, sid, until)
            return Response(204)

        self._submit(command, lambda _response: self._compact(sid, until) if more else None)


def compact(tx: Transaction, sid: str, until: int) -> bool:
    """Delete the events of an object that its events up to number `until` supersede; return whether some are left for later."""
    row = tx.first(_COMPACTED, of=sid)
    if row is None:
        return False
    done = NOTHING if row.compacted is None else row.compacted
    reached = min(until, done + MAX_AT_ONCE)
    if reached <= done:
        return False
    tx.execute(_DROP, {"of": sid, "after": done, "until": reached})
    tx.execute(_SET_COMPACTED, {"of": sid, "until": reached})
    return reached < until


def drop_removed_objects(tx: Transaction) -> None:
    """Delete the removed objects. Called at start, when there are no subscribers to be notified."""
    for statement in _DROP_REMOVED:
        tx.execute(statement, {})
