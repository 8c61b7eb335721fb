"""The bot in one conversation: its items are handed over one after another, each in a turn of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import attrs

from twilio_conversations.bot.calls import Calls
from twilio_conversations.bot.context import JoinedContext, MessageContext
from twilio_conversations.bot.errors import DialogueCutError, NoAnswerError
from twilio_conversations.bot.handlers import Handler
from twilio_conversations.bot.horizon import Horizon
from twilio_conversations.bot.inbox import Inbox, Item
from twilio_conversations.bot.workers import Workers
from twilio_conversations.client.client import Client
from twilio_conversations.enums import ConversationStatus
from twilio_conversations.errors import (
    ClientClosedError,
    ConversationsError,
    InitializationError,
    RequestTimeoutError,
)
from twilio_conversations.models.conversation import Conversation
from twilio_conversations.models.message import Message
from twilio_conversations.models.participant import Participant
from twilio_conversations.util import logs
from twilio_conversations.util.futures import Deadline, wait

_log = logs.logger(__name__)
MOST_WAITING: Final = 100
"""Items of one conversation that wait in memory; further messages stay with the service."""
_RETRIES: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds until a turn is repeated that the service has failed; the last one for ever."""
_OVER: Final = (ClientClosedError, InitializationError)


@attrs.frozen
class Desk:
    """Parts that all conversations of a bot share.

    Attributes:
        later: runs a function after some seconds.
        catch_up: whether messages that came while the bot was away are handed over.
    """

    client: Client
    workers: Workers
    calls: Calls
    messages: Sequence[Handler]
    joined: Sequence[Handler]
    later: Callable[[float, Callable[[], object]], None]
    catch_up: bool


class Room:
    """One conversation: an inbox, and turns that hand over one item each."""

    def __init__(self, desk: Desk, conversation: Conversation) -> None:
        self._desk = desk
        self._conversation = conversation
        self._horizon = Horizon(conversation, desk.client.identity) if desk.catch_up else None
        start = self._horizon.start if self._horizon is not None else lambda: None
        self._inbox = Inbox(conversation, MOST_WAITING, start, missed=desk.catch_up)
        self._failures = 0
        if desk.catch_up:
            desk.workers.add(self._turn)

    def put(self, item: Item) -> None:
        """Add a message or a new participant; on the events thread."""
        if self._inbox.put(item):
            self._desk.workers.add(self._turn)

    def close(self) -> None:
        """Hand over nothing more; a dialogue that waits is cut."""
        self._inbox.close()

    def ask(self, question: str, person: str | None, timeout: float) -> Message:
        """Send a question and return the next message of `person`; other conversations go on meanwhile.

        Raises:
            NoAnswerError: there was none in time.
        """
        limit = Deadline(timeout)
        asked = self._inbox.expect(person, self._conversation.send_message(question).index)
        try:
            with self._desk.workers.away(asked.answer):
                return wait(asked.answer, limit, "ask()")
        except RequestTimeoutError:
            if self._inbox.withdraw(asked):
                raise NoAnswerError(f"no answer within {timeout:g} s") from None
            return asked.answer.result()

    # -- turns --------------------------------------------------------------------------------------------------------

    def _turn(self) -> bool:
        """Hand over one item; return whether another turn is to follow."""
        try:
            more = self._hand_over_next()
        except (DialogueCutError, *_OVER):
            return False
        except Exception as error:  # mostly of the service; whatever it is, it holds up this conversation only
            if self._conversation.status is ConversationStatus.JOINED:
                self._repeat(error)
            return False
        self._failures = 0
        return more

    def _repeat(self, error: Exception) -> None:
        pause = _RETRIES[min(self._failures, len(_RETRIES) - 1)]
        self._failures += 1
        fault = None if isinstance(error, ConversationsError) else error
        _log.warning("%r: %s; trying again in %.0f s", self._conversation, error, pause, exc_info=fault)
        self._desk.workers.promise()
        self._desk.later(pause, lambda: self._desk.workers.keep_promise(self._turn))

    def _hand_over_next(self) -> bool:
        if self._horizon is not None:
            self._horizon.keep_finished()
        item = self._inbox.take()
        if item is None:
            covered = self._inbox.covered()
            if self._horizon is not None:
                self._horizon.keep(covered)
            return not self._inbox.rest()
        if isinstance(item, Participant):
            self._participant(item)
        elif item.author != self._desk.client.identity:
            self._message(item)
        return True

    def _message(self, message: Message) -> None:
        desk = self._desk
        context = MessageContext(desk.client, message, self.ask, keyed=desk.catch_up)
        chosen = desk.calls.first(desk.messages, message, context)
        if chosen is None:
            return
        handler, context.found = chosen
        desk.calls.call(handler, context, f"message {message.index} of {self._conversation.sid}")
        if self._horizon is not None:
            self._horizon.finished(self._inbox.covered())
            self._horizon.keep_finished()

    def _participant(self, participant: Participant) -> None:
        context = JoinedContext(self._desk.client, participant, self.ask)
        for handler in self._desk.joined:
            self._desk.calls.call(handler, context, f"{participant.sid} in {self._conversation.sid}")
