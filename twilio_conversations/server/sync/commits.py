"""Delivery of commits to their followers, in commit order, on the event loop.

In one process this is a hop from the writer's thread to the loop. With several processes on one PostgreSQL it will be LISTEN
and NOTIFY, without a change to the followers.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
from collections.abc import Callable

from twilio_conversations.server.storage.writer import Commit, Outcome
from twilio_conversations.util import logs

_log = logs.logger(__name__)

Follower = Callable[[Commit], None]


class Commits:
    """Commits, and the answers that must not overtake them, on their way to the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: collections.deque[Outcome] = collections.deque()
        self._followers: list[Follower] = []

    def follow(self, follower: Follower) -> None:
        """Call `follower` on the loop for each commit; followers are called in the order of their registration."""
        self._followers.append(follower)

    def deliver(self, outcomes: list[Outcome]) -> None:
        """Pass each commit to the followers, then send its answer, after the events; called on any thread."""
        self._waiting.extend(outcomes)
        with contextlib.suppress(RuntimeError):  # the service has stopped; answers are dropped
            self._loop.call_soon_threadsafe(self.catch_up)

    def catch_up(self) -> None:
        """Pass on at once what was given to `deliver`; called on the loop."""
        while self._waiting:
            outcome = self._waiting.popleft()
            if outcome.commit.is_visible:
                self._notify(outcome.commit)
            try:
                outcome.reply(outcome.response)
            except Exception:
                _log.exception("an answer could not be given")

    def _notify(self, commit: Commit) -> None:
        for follower in self._followers:
            try:
                follower(commit)
            except Exception:
                _log.exception("a follower of the commits failed")
