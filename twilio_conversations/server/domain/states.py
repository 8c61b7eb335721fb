"""States of conversations and the timers that change them.

An `active` conversation becomes `inactive` after its timer without a message, and an active or inactive one `closed`. A message
makes an inactive one active and restarts both timers. A closed one cannot be changed, and the address pairs of its non-chat
participants become free.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from sqlalchemy import bindparam, or_, select, update

from twilio_conversations.server.domain import conversations
from twilio_conversations.server.domain.conversations import ACTIVE, CLOSED, INACTIVE
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.storage.database import timestamp
from twilio_conversations.server.storage.rows import Conversation
from twilio_conversations.server.storage.statements import Query, Values
from twilio_conversations.server.storage.tables import conversations as table
from twilio_conversations.server.storage.tables import participants
from twilio_conversations.server.storage.writer import Transaction
from twilio_conversations.server.text import to_json

STATES = (ACTIVE, INACTIVE, CLOSED)
MIN_INACTIVE, MIN_CLOSED = 60, 600
"""Seconds."""
_DURATION = re.compile(r"P(?=[\dT])(?:(\d{1,5})D)?(?:T(?=\d)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?)?")

_FREE_ADDRESSES = (
    update(participants).where(participants.c.conversation_sid == bindparam("of")).values(address=None, proxy_address=None)
)
_DUE = Query(
    Conversation, select(table).where(or_(table.c.date_inactive <= bindparam("at"), table.c.date_closed <= bindparam("at")))
)
NEXT_INACTIVE = Values(
    str, select(table.c.date_inactive).where(table.c.date_inactive.is_not(None)).order_by(table.c.date_inactive).limit(1)
)
NEXT_CLOSED = Values(
    str, select(table.c.date_closed).where(table.c.date_closed.is_not(None)).order_by(table.c.date_closed).limit(1)
)
"""Dates of the next timer of each kind."""


def seconds(value: Any, least: int, too_short: int, malformed: int) -> int:
    """Return an ISO-8601 duration of days, hours, minutes and seconds. Raises the code of its error."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Refusal(malformed)
    days, hours, minutes, rest = (int(group or 0) for group in match.groups())
    total = ((days * 24 + hours) * 60 + minutes) * 60 + rest
    if total < least:
        raise Refusal(too_short)
    return total


def deadlines(tx: Transaction, inactive: str | None, closed: str | None, state: str) -> tuple[str | None, str | None]:
    """Return the dates of the timers that start now: `date_inactive` and `date_closed`."""
    date_inactive = date_closed = None
    if inactive is not None and state == ACTIVE:
        date_inactive = _after(tx, seconds(inactive, MIN_INACTIVE, 50375, 50379))
    if closed is not None and state != CLOSED:
        date_closed = _after(tx, seconds(closed, MIN_CLOSED, 50376, 50380))
    if date_inactive or date_closed:
        tx.timers_changed = True
    return date_inactive, date_closed


def _after(tx: Transaction, delay: int) -> str:
    try:
        return timestamp(dt.datetime.fromisoformat(tx.now) + dt.timedelta(seconds=delay))
    except OverflowError as error:
        raise Refusal(50379) from error


def administer(tx: Transaction, reference: str, body: dict[str, Any]) -> Conversation:
    """Change `state`, `timers` (``{"inactive": "PT1M", "closed": "PT10M"}``) or `bindings`, which clients cannot.

    Raises:
        Refusal: 50350, 50374, 50375, 50376, 50377, 50378, 50379, 50380, 20422.
    """
    row = conversations.of_sid(tx, reference)
    if row.state == CLOSED:
        raise Refusal(50377)
    state = _state(body["state"]) if "state" in body else row.state
    timers = _mapping(body, "timers")
    inactive = timers.get("inactive", row.timer_inactive)
    closed = timers.get("closed", row.timer_closed)
    dates = row.date_inactive, row.date_closed
    if "timers" in body or state != row.state:
        dates = deadlines(tx, inactive, closed, state)
    bindings = to_json(_mapping(body, "bindings")) if "bindings" in body else row.bindings
    after = row._replace(state=state, timer_inactive=inactive, timer_closed=closed, bindings=bindings)
    return _write(tx, row, after._replace(date_inactive=dates[0], date_closed=dates[1]))


def expire(tx: Transaction) -> None:
    """Change the state of every conversation whose timer is due."""
    for row in tx.all(_DUE, at=tx.now):
        closing = row.date_closed is not None and row.date_closed <= tx.now
        state = CLOSED if closing else INACTIVE
        _write(tx, row, row._replace(state=state, date_inactive=None, date_closed=None if closing else row.date_closed))


def _write(tx: Transaction, row: Conversation, after: Conversation) -> Conversation:
    """Write and publish a changed conversation; a closed one frees its addresses."""
    moved = after.state != row.state
    after = tx.update(row, after._replace(date_updated=tx.now, state_updated=tx.now if moved else row.state_updated))
    if after.state == CLOSED:
        tx.execute(_FREE_ADDRESSES, {"of": row.sid})
    conversations.publish(tx, after)
    return after


def _state(value: Any) -> str:
    if value in (None, ""):
        raise Refusal(50374)
    if value not in STATES:
        raise Refusal(50378)
    return str(value)


def _mapping(body: dict[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise Refusal(20422, f"'{name}' must be an object")
    return value
