"""Read horizon of the current user in one conversation."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from twilio_conversations.errors import ForbiddenError, NotFoundError
from twilio_conversations.util.futures import Deadline, SharedFuture
from twilio_conversations.util.json import parse_index

if TYPE_CHECKING:
    from twilio_conversations.models.conversation_parts import LiveConversation
    from twilio_conversations.values.conversation import ConversationData


class ReadHorizon:
    """Moves the horizon (``POST {my_conversations}/{sid}``), one request after another, so that none overtakes."""

    def __init__(self, live: LiveConversation) -> None:
        self._live = live
        self._runtime = live.runtime
        self._queue = threading.Lock()
        self._last_in_line: SharedFuture[None] | None = None
        self._passed: list[int | None] | None = None  # marks whose events come while one is posted

    def advance(self, index: int, timeout: float | None) -> int | None:
        """Move to `index` unless the horizon is beyond it already, here or on another device; returns the unread count."""
        deadline = self._runtime.deadline(timeout)
        with self._in_turn(deadline):
            known = self._known
            answer = self._read(deadline)
            if any(_reaches(mark, index) for mark in (known, self._known, _mark(answer))):
                return _unread(answer)
            return self._post_forward(index, deadline)

    def update(self, index: int | None, timeout: float | None) -> int | None:
        """Move to `index`, also back; returns the unread count."""
        deadline = self._runtime.deadline(timeout)
        with self._in_turn(deadline):
            return self._post(index, deadline)

    def all_read(self, timeout: float | None) -> int | None:
        """Move to the newest message; without any nothing is sent."""
        deadline = self._runtime.deadline(timeout)
        newest = self._live.messages.pages.newest_index(deadline.remaining())
        return 0 if newest is None else self.advance(newest, deadline.remaining())

    def unread_count(self, timeout: float | None) -> int | None:
        """Return the service's count (``GET {my_conversations}/{sid}``)."""
        return _unread(self._read(self._runtime.deadline(timeout)))

    def told(self, former: ConversationData | None, current: ConversationData) -> None:
        """Note a change from Sync; on the io thread."""
        mark = current.last_read_message_index
        if former is not None and former.last_read_message_index != mark and (passed := self._passed) is not None:
            passed.append(mark)

    @property
    def _known(self) -> int | None:
        return self._live.state.visible.last_read_message_index

    def _read(self, deadline: Deadline) -> Mapping[str, Any]:
        """Read the user's membership as the service has it now; a mark further on is shown before its event comes."""
        live = self._live
        told = _replica_mark(live)
        try:
            answer = self._runtime.rest.get(live.my_url, timeout=deadline.remaining())
        except ForbiddenError:
            answer = None
        if not isinstance(answer, dict) or answer.get("conversation_sid") != live.sid:
            raise NotFoundError(f"{live.sid} is not among the user's conversations")
        mark = _mark(answer)
        # What Sync told meanwhile may be newer than the answer.
        if mark is not None and not _reaches(self._known, mark) and _replica_mark(live) == told:
            self._show(mark)
        return answer

    def _post(self, index: int | None, deadline: Deadline) -> int | None:
        fields = {"last_read_message_index": index}
        live = self._live
        answer = live.post(live.conversation, live.my_url, fields, fields, deadline.remaining())
        if index is not None and (mark := _mark(answer)) is not None and mark != index:
            self._show(mark)
        return _unread(answer)

    def _post_forward(self, index: int, deadline: Deadline) -> int | None:
        """POST `index`, and whatever further mark of another device it took back because it was on its way at the same time."""
        while True:
            self._passed = []
            try:
                count = self._post(index, deadline)
            finally:
                passed, self._passed = self._passed, None
            before = passed[: passed.index(index)] if index in passed else passed
            overtaken = before[-1] if before else None
            if overtaken is None or overtaken < index:
                return count
            index = overtaken

    def _show(self, mark: int) -> None:
        self._live.show(self._live.conversation, {"last_read_message_index": mark})

    @contextmanager
    def _in_turn(self, deadline: Deadline) -> Iterator[None]:
        """Wait for those who came before; no lock is held meanwhile."""
        mine: SharedFuture[None] = SharedFuture()
        with self._queue:
            before, self._last_in_line = self._last_in_line, mine
        if before is not None:
            try:
                self._runtime.wait(before, deadline, "moving the read horizon")
            except BaseException:
                before.add_done_callback(lambda _: mine.settle(None))  # who comes next waits for the same one
                raise
        try:
            yield
        finally:
            mine.settle(None)


def _reaches(mark: int | None, index: int) -> bool:
    return mark is not None and mark >= index


def _replica_mark(live: LiveConversation) -> int | None:
    replica = live.state.replica
    return None if replica is None else replica.last_read_message_index


def _mark(answer: Any) -> int | None:
    return parse_index(answer.get("last_read_message_index")) if isinstance(answer, dict) else None


def _unread(answer: Any) -> int | None:
    count = answer.get("unread_messages_count") if isinstance(answer, dict) else None
    return count if isinstance(count, int) else None
