"""What happened, told to those who follow: commits, in commit order, on the event loop.

In one process this is a hop from the writer's thread to the loop. With several processes on one PostgreSQL it will be LISTEN
and NOTIFY; followers will not notice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from twilio_conversations.server.http import Response
from twilio_conversations.server.writer import Commit

_log = logging.getLogger(__name__)

_NOTHING = Commit()
Follower = Callable[[Commit], None]


class Bus:
    """Carries commits, and the answers that must not overtake them, to the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._followers: list[Follower] = []

    def follow(self, follower: Follower) -> None:
        """Call `follower` on the loop for each commit; followers are called in the order in which they came."""
        self._followers.append(follower)

    def deliver(self, commit: Commit | None, reply: Callable[[Response], None], response: Response) -> None:
        """Tell the followers, then answer; any thread. A client that waits for the answer has been sent its own events."""
        try:
            self._loop.call_soon_threadsafe(self._deliver, commit, reply, response)
        except RuntimeError:
            _log.debug("the service has stopped; an answer is dropped")

    def _deliver(self, commit: Commit | None, reply: Callable[[Response], None], response: Response) -> None:
        if commit is not None and commit != _NOTHING:
            for follower in self._followers:
                try:
                    follower(commit)
                except Exception:
                    _log.exception("a follower of the bus failed")
        reply(response)
