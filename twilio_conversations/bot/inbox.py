"""Messages and new participants of one conversation that wait for the bot, in order, each once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator

import attrs

from twilio_conversations.bot.errors import DialogueCutError
from twilio_conversations.models.conversation import Conversation
from twilio_conversations.models.message import Message
from twilio_conversations.models.participant import Participant
from twilio_conversations.util.futures import SharedFuture

_SLICE = 0.5
"""Seconds after which a full inbox looks whether it was closed."""
Item = Message | Participant


@attrs.define(eq=False)
class Question:
    """A question that was asked: the next message above `index` of `person` answers it (of anybody if `None`)."""

    person: str | None
    index: int
    answer: SharedFuture[Message] = attrs.field(factory=SharedFuture)

    def fits(self, item: Item) -> bool:
        """Return whether an item is the answer."""
        return isinstance(item, Message) and item.index > self.index and self.person in (None, item.author)


class Inbox:
    """Items of one conversation. `put` belongs to the events thread, `take` to the one turn that runs at a time.

    At most `limit` items wait. Further messages stay with the service: the oldest that waits is dropped, and `take` reads what
    is missing page by page, as it reads what came while the bot was away (`missed`). Where new participants alone fill it, `put`
    waits for room. `start` returns the index above which the missed messages begin.
    """

    def __init__(self, conversation: Conversation, limit: int, start: Callable[[], int | None], *, missed: bool) -> None:
        self._conversation = conversation
        self._limit = limit
        self._start: Callable[[], int | None] | None = start if missed else None
        self._missed = missed
        self._changed = threading.Condition()
        self._waiting: deque[Item] = deque()
        self._reading: Iterator[Message] | None = None
        self._position: int | None = None  # the highest index that was taken
        self._read: int | None = None  # the highest index that was read: up to it, what comes live was read, too
        self._question: Question | None = None
        self._answers: set[int] = set()
        self._busy = missed
        self._closed = False

    # -- on the events thread -----------------------------------------------------------------------------------------

    def put(self, item: Item) -> bool:
        """Add an item; return whether a turn is to begin, since none is under way."""
        with self._changed:
            if self._closed or self._answered(item):
                return False
            while len(self._waiting) >= self._limit and not self._dropped():
                self._changed.wait(_SLICE)
                if self._closed:
                    return False
            self._waiting.append(item)
            begins, self._busy = not self._busy, True
            return begins

    def _answered(self, item: Item) -> bool:
        question = self._question
        if question is None or not isinstance(item, Message) or not question.fits(item):
            return False
        self._answers.add(item.index)
        self._question = None
        question.answer.settle(item)
        return True

    def _dropped(self) -> bool:
        """Drop the oldest message that waits; `False` if there is none."""
        oldest = next((item for item in self._waiting if isinstance(item, Message)), None)
        if oldest is None:
            return False
        self._waiting.remove(oldest)
        self._missed = True
        if self._position is None and self._start is None:
            self._position = oldest.index - 1
        return True

    # -- in a turn ----------------------------------------------------------------------------------------------------

    def take(self) -> Item | None:
        """Return the next item; `None` if there is none.

        Raises:
            ConversationsError: missed messages could not be read; the next call goes on with them.
        """
        while (item := self._next()) is not None:
            if isinstance(item, Participant):
                return item
            with self._changed:
                self._position = item.index if self._position is None else max(self._position, item.index)
                if item.index not in self._answers:
                    return item
                self._answers.discard(item.index)
        return None

    def rest(self) -> bool:
        """End the turns until something comes; return `False` if something has come meanwhile."""
        with self._changed:
            self._busy = bool(self._waiting or self._missed)
            return not self._busy

    def covered(self) -> int | None:
        """Return the index up to which nothing is left to hand over: of the last message that was taken, or of an answer.

        For the end of a turn; `None` before the first message. A message that came late holds it back.
        """
        with self._changed:
            messages = (item.index for item in self._waiting if isinstance(item, Message) and not self._was_read(item))
            left = min(messages, default=None)
            if not self._missed and self._reading is None:
                passed = {answer for answer in self._answers if left is None or answer < left}
                self._position = max([*passed, *([] if self._position is None else [self._position])], default=None)
                self._answers -= passed
            if self._position is None or left is None or left > self._position:
                return self._position
            return left - 1 if left > 0 else None

    def _next(self) -> Item | None:
        while True:
            if (message := self._next_missed()) is not None:
                return message
            with self._changed:
                if self._missed:
                    continue
                item = self._waiting.popleft() if self._waiting else None
                self._changed.notify_all()
                if not (isinstance(item, Message) and self._was_read(item)):
                    return item

    def _was_read(self, message: Message) -> bool:
        return self._read is not None and message.index <= self._read

    def _next_missed(self) -> Message | None:
        """Return the next message that is read from the service; `None` if there are no further ones."""
        try:
            if self._start is not None:
                self._position = self._read = self._start()
                self._start = None
            with self._changed:
                if self._reading is None and self._missed:
                    self._missed, after = False, self._position
                    start = after if after is not None and after >= 0 else None
                    self._reading = self._conversation.iter_messages(newest_first=False, after=start)
            message = None if self._reading is None else next(self._reading, None)
        except BaseException:
            self._reading, self._missed = None, True
            raise
        if message is None:
            self._reading = None
        else:
            self._read = message.index
        return message

    # -- dialogues ----------------------------------------------------------------------------------------------------

    def expect(self, person: str | None, index: int) -> Question:
        """Return the question that was asked with the message of `index`; its answer may be there already.

        Raises:
            DialogueCutError: no further message will come.
        """
        question = Question(person, index)
        with self._changed:
            if self._closed:
                raise DialogueCutError
            found = next((item for item in self._waiting if question.fits(item)), None)
            if isinstance(found, Message):
                self._waiting.remove(found)
                self._answers.add(found.index)
                question.answer.settle(found)
            else:
                self._question = question
        return question

    def withdraw(self, question: Question) -> bool:
        """Expect no answer any more; `False` if there is one."""
        with self._changed:
            self._question = None
            return not question.answer.done()

    def close(self) -> None:
        """Accept nothing more, and cut a dialogue that waits."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            question, self._question = self._question, None
            self._changed.notify_all()
        if question is not None:
            question.answer.fail(DialogueCutError())
