"""How far the own identity has read in one conversation."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from twilio_conversations.errors import ForbiddenError, NotFoundError
from twilio_conversations.futures import Deadline, Future, completed, settle

if TYPE_CHECKING:
    from twilio_conversations.conversation import Conversation
    from twilio_conversations.services import Services


class ReadHorizon:
    """Moves the horizon (``POST {my_conversations}/{sid}``), one request after another, so that none overtakes."""

    def __init__(self, conversation: Conversation, services: Services) -> None:
        self._conversation = conversation
        self._services = services
        self._queue = threading.Lock()
        self._last_in_line: Future[None] = completed(None)

    def advance(self, index: int, timeout: float | None) -> int | None:
        """Move to `index` unless the horizon is beyond it already; returns the unread count."""
        deadline = self._services.deadline(timeout)
        with self._in_turn(deadline):
            known = self._conversation.last_read_message_index
            return self._post(index if known is None else max(index, known), deadline)

    def update(self, index: int | None, timeout: float | None) -> int | None:
        """Move to `index`, also back; returns the unread count."""
        deadline = self._services.deadline(timeout)
        with self._in_turn(deadline):
            return self._post(index, deadline)

    def all_read(self, timeout: float | None) -> int | None:
        """Move to the newest message; without any nothing is sent."""
        deadline = self._services.deadline(timeout)
        newest = self._conversation._messages.newest_index(deadline.remaining())
        return 0 if newest is None else self.advance(newest, deadline.remaining())

    def unread_count(self, timeout: float | None) -> int | None:
        """The service's count (``GET {my_conversations}/{sid}``)."""
        try:
            answer = self._services.rest.get(self._conversation._my_url, timeout=timeout)
        except ForbiddenError:
            answer = None
        if not isinstance(answer, dict) or answer.get("conversation_sid") != self._conversation.sid:
            raise NotFoundError(f"{self._conversation.sid} is not among the own conversations")
        return _unread(answer)

    def _post(self, index: int | None, deadline: Deadline) -> int | None:
        fields = {"last_read_message_index": index}
        return _unread(self._conversation._post(self._conversation._my_url, fields, fields, deadline.remaining()))

    @contextmanager
    def _in_turn(self, deadline: Deadline) -> Iterator[None]:
        """Wait for those who came before; no lock is held meanwhile."""
        mine: Future[None] = Future()
        with self._queue:
            before, self._last_in_line = self._last_in_line, mine
        try:
            self._services.wait(before, deadline, "moving the read horizon")
            yield
        finally:
            settle(mine, None)


def _unread(answer: Any) -> int | None:
    count = answer.get("unread_messages_count") if isinstance(answer, dict) else None
    return count if isinstance(count, int) else None
