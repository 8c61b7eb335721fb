"""Timers of conversations: their states change when they are due."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable

from twilio_conversations.server.calls import Response
from twilio_conversations.server.domain import states
from twilio_conversations.server.settings import Clock
from twilio_conversations.server.storage.database import Connection
from twilio_conversations.server.storage.writer import Command, Commit, Transaction

LONGEST = 3600.0
"""Most seconds between two reads of the timers."""
Submit = Callable[[Command, Callable[[Response], None]], None]


class Timers:
    """The next timer of all conversations, on the event loop."""

    def __init__(self, reader: Connection, clock: Clock, submit: Submit) -> None:
        self._reader = reader
        self._clock = clock
        self._submit = submit
        self._timer: asyncio.TimerHandle | None = None

    def on_commit(self, commit: Commit) -> None:
        """Read the timers again when one has changed."""
        if commit.timers_changed:
            self.watch()

    def watch(self) -> None:
        """Wait for the timer that is due next."""
        self.stop()
        dates = [date for query in (states.NEXT_INACTIVE, states.NEXT_CLOSED) if (date := self._reader.value(query))]
        if dates:
            left = (dt.datetime.fromisoformat(min(dates)) - self._clock.now()).total_seconds()
            self._timer = asyncio.get_running_loop().call_later(min(max(left, 0.0), LONGEST), self.expire)

    def expire(self, then: Callable[[Response], None] = lambda _response: None) -> None:
        """Execute the timers that are due, then call `then`."""

        def done(response: Response) -> None:
            self.watch()
            then(response)

        self._submit(_expire, done)

    def stop(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _expire(tx: Transaction) -> Response:
    states.expire(tx)
    return Response(204)
