"""The moment at which nothing is under way: no event is on its way to anybody, and no handler is at work that could cause one.

Service and clients are looked at one after the other, each at a moment of its own, so one quiet look proves nothing: an event
may have gone from a part that was looked at later to one that was looked at earlier. Two rounds of looks do. Each part has a mark
that changes with whatever happens in it. If all parts are quiet in both rounds and no mark has changed between, nothing happened
in any part from its first look to its second; so between the rounds all were quiet at once, and then they stay so.

Between the parts nothing hides: a frame to a client is under way at the service until it was acknowledged, a request is under way
in the client until it was answered, and a client whose connection the service does not know is about to find that out.
"""

from __future__ import annotations

import time
from typing import Final

import attrs

from twilio_conversations.bot import workers
from twilio_conversations.client import underway
from twilio_conversations.errors import WrongThreadError
from twilio_conversations.testing.service import Service
from twilio_conversations.util.futures import Deadline, current_role

_FIRST_PAUSE: Final = 0.0005
_LAST_PAUSE: Final = 0.02
"""Seconds between two rounds; doubled each time."""
_LOOK_LIMIT: Final = 1.0
"""Seconds for the clients to be looked at."""


@attrs.frozen
class _Round:
    """One look at everybody. Rounds are equal if nothing has happened between them."""

    marks: tuple[object, ...]
    under_way: tuple[str, ...]


@attrs.frozen
class Settled:
    """Waits until no event is on its way to anybody: ``settled()``.

    Under way are: commands at the service and their commits; frames that are not acknowledged; requests, subscriptions and
    reconnects of this process's clients; their events, handlers, bots and loops over events, and what these cause in turn. Not
    under way is what has a time of its own: timers of conversations, the end of typing, `Bot.every`, a question of a bot that
    waits for an answer. What a thread of the program is about to do cannot be known either: join it first. Of clients in other
    processes only what they have yet to acknowledge is known.
    """

    service: Service

    def __call__(self, timeout: float = 10.0) -> None:
        """Return when nothing is under way.

        Raises:
            AssertionError: something still was after `timeout` seconds; the text names it.
            WrongThreadError: called by a handler, which is under way itself.
        """
        __tracebackhide__ = True
        if (under_way := self.reached(timeout)) is not None:
            raise AssertionError(f"not settled after {timeout:g} s: {'; '.join(under_way) or 'something new again and again'}")

    def reached(self, timeout: float) -> list[str] | None:
        """Wait; return what was under way at the end of the time, `None` if nothing was."""
        if current_role() is not None:
            raise WrongThreadError("settled() waits until no handler is running, so it cannot be called by one")
        deadline, pause = Deadline(timeout), _FIRST_PAUSE
        before = self._look()
        while True:
            now = self._look()
            if not before.under_way and before == now:
                return None
            if deadline.passed:
                return list(now.under_way)
            if now.under_way:
                time.sleep(pause)
                pause = min(2 * pause, _LAST_PAUSE)
            before = now

    def _look(self) -> _Round:
        activity = self.service.activity()
        looks = [look for look in underway.look(Deadline(_LOOK_LIMIT)) if look.twilsock == self.service.endpoints.twilsock]
        texts = list(activity["under_way"])
        for look in looks:
            texts += [f"{look.identity}: {text}" for text in look.under_way]
            if look.init_id and look.init_id not in activity["connections"]:
                texts.append(f"{look.identity}: a connection that has ended at the service")
        bots = workers.living()
        texts += [text for bot in bots for text in bot.under_way()]
        marks = (activity["count"], *activity["connections"], *(look.mark for look in looks), *(bot.taken for bot in bots))
        return _Round(marks, tuple(texts))
