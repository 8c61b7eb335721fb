"""Values and functions that a handler receives, by the names of its parameters."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

from twilio_conversations.errors import InvalidArgumentError

if TYPE_CHECKING:
    from twilio_conversations.client.client import Client
    from twilio_conversations.models.conversation import Conversation
    from twilio_conversations.models.media import Media
    from twilio_conversations.models.message import Message
    from twilio_conversations.models.participant import Participant
    from twilio_conversations.sending.attachment import Attachment

ANSWER_TIMEOUT = 60.0
"""Seconds that `ask` waits unless it is given others."""

_REPLIES = uuid.UUID("6f2f8a0e-54a4-4c3e-9a55-0b1f5d0c7a11")


Found = re.Match[str] | list[str] | None
"""Result of looking at a message: the match of a pattern, or the arguments of a command."""
Asks: TypeAlias = "Callable[[str, str | None, float], Message]"
"""Sends a question to a person (to anybody if `None`), and returns the answer within some seconds."""


class Say(Protocol):
    """Type of the parameters `say` and `reply`."""

    def __call__(
        self, body: str | None = None, *, media: Attachment | Iterable[Attachment] = (), attributes: Any = None
    ) -> Message:
        """Send a message and return it."""
        ...


class Ask(Protocol):
    """Type of the parameter `ask`."""

    def __call__(self, question: str, timeout: float = ANSWER_TIMEOUT) -> Message:
        """Send a question and return the answer."""
        ...


class Typing(Protocol):
    """Type of the parameter `typing`."""

    def __call__(self) -> AbstractContextManager[None]:
        """Notify the others that the bot is typing, for the duration of a ``with`` block."""
        ...


class Context:
    """Context of a handler, with what each can receive: ``client``, and the object itself as ``context``.

    A handler names as parameters what it needs, in any order: each is an attribute or method of its context. The context of a
    message is a `MessageContext`, that of a new participant a `JoinedContext`, that of `every` this class.

    Attributes:
        client: the bot's client.
    """

    NAMES: ClassVar[frozenset[str]] = frozenset({"client", "context"})

    def __init__(self, client: Client) -> None:
        self.client: Client = client

    @property
    def context(self) -> Context:
        """This object."""
        return self


class ConversationContext(Context):
    """Context in a conversation, which adds ``conversation``, ``say``, ``ask`` and ``typing``.

    Attributes:
        conversation: the conversation in which it happened.
    """

    NAMES: ClassVar[frozenset[str]] = Context.NAMES | {"conversation", "say", "ask", "typing"}

    def __init__(self, client: Client, conversation: Conversation, person: str | None, asks: Asks) -> None:
        """`person` is whom `ask` addresses; `asks` sends a question and returns the answer."""
        super().__init__(client)
        self.conversation: Conversation = conversation
        self._person = person
        self._asks = asks
        self._keys: Iterator[uuid.UUID | None] | None = None

    def say(self, body: str | None = None, *, media: Attachment | Iterable[Attachment] = (), attributes: Any = None) -> Message:
        """Send a message to the conversation and return it; arguments and errors are those of `Conversation.send_message`."""
        key = None if self._keys is None else next(self._keys)
        return self.conversation.send_message(body, media=media, attributes=attributes, idempotency_key=key)

    def ask(self, question: str, timeout: float = ANSWER_TIMEOUT) -> Message:
        """Send a question and return the next message of the same person; it is not passed to another handler.

        Messages of others wait until this handler has finished; other conversations do not wait.

        Raises:
            NoAnswerError: there was no answer within `timeout` seconds.
        """
        return self._asks(question, self._person, timeout)

    def typing(self) -> AbstractContextManager[None]:
        """Notify the others that the bot is typing, for the duration of a ``with`` block."""
        return self.conversation.typing_indicator()


class MessageContext(ConversationContext):
    """Context of a message, which adds ``message``, ``match``, ``arguments``, ``media`` and ``reply``.

    Attributes:
        message: the message.
        found: the match of the handler's pattern, or the arguments of a command; set before the handler runs.
    """

    NAMES: ClassVar[frozenset[str]] = ConversationContext.NAMES | {"message", "match", "arguments", "media", "reply"}

    def __init__(self, client: Client, message: Message, asks: Asks, *, keyed: bool) -> None:
        """With `keyed`, each message that is sent has an idempotency key made of this message and of its number, so that a
        second run of the handler does not send it twice."""
        super().__init__(client, message.conversation, message.author, asks)
        self.message: Message = message
        self.found: Found = None
        self._keys = _keys_of(message.sid) if keyed else None

    @property
    def match(self) -> re.Match[str] | None:
        """The match of the handler's pattern; `None` for a handler without one."""
        return self.found if isinstance(self.found, re.Match) else None

    @property
    def arguments(self) -> list[str]:
        """The words after a command; those with spaces are in double quotes."""
        return self.found if isinstance(self.found, list) else []

    @property
    def media(self) -> list[Media]:
        """The attachments of the message."""
        return self.message.attached_media

    def reply(self, body: str | None = None, *, media: Attachment | Iterable[Attachment] = (), attributes: Any = None) -> Message:
        """Send a message as `say` does; its attributes name the message that it answers: ``{"reply_to": "IM..."}``.

        Raises:
            InvalidArgumentError: `attributes` is not a JSON object.
        """
        if attributes is not None and not isinstance(attributes, dict):
            raise InvalidArgumentError("the attributes of a reply must be a JSON object (a dict)")
        return self.say(body, media=media, attributes={**(attributes or {}), "reply_to": self.message.sid})


class JoinedContext(ConversationContext):
    """Context of a `joined` handler, which adds ``participant``.

    Attributes:
        participant: the new participant.
    """

    NAMES: ClassVar[frozenset[str]] = ConversationContext.NAMES | {"participant"}

    def __init__(self, client: Client, participant: Participant, asks: Asks) -> None:
        super().__init__(client, participant.conversation, participant.identity, asks)
        self.participant: Participant = participant


def _keys_of(sid: str) -> Iterator[uuid.UUID]:
    number = 0
    while True:
        yield uuid.uuid5(_REPLIES, f"{sid}/{number}")
        number += 1
