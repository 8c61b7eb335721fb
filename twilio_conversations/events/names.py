"""The names of events, in every spelling, and the small values that travel with them.

An event may be named ``"message_added"``, ``"messageAdded"`` or ``ClientEvent.MESSAGE_ADDED``; all three are the same.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import attrs

from twilio_conversations.errors import ConnectionErrorInfo, UnknownEventError
from twilio_conversations.util import checks

Payload = TypeVar("Payload")


class EventName(enum.StrEnum):
    """Base of the sets of event names. A member equals its Python name: ``ClientEvent.MESSAGE_ADDED == "message_added"``."""

    @property
    def python_name(self) -> str:
        """The snake_case spelling, such as ``message_added``."""
        return self.value

    @property
    def official_name(self) -> str:
        """The camelCase spelling of the JavaScript SDK, such as ``messageAdded``."""
        head, *tail = self.value.split("_")
        return head + "".join(word.capitalize() for word in tail)

    @classmethod
    def parse(cls, name: str) -> EventName:
        """Return the member for `name` in any spelling.

        Raises:
            UnknownEventError: this object has no such event.
        """
        for member in cls:
            if name in (member.python_name, member.official_name):
                return member
        known = ", ".join(member.python_name for member in cls)
        raise UnknownEventError(f"unknown event {checks.shown(name)}; there are: {known}")


class ClientEvent(EventName):
    """Events of a `Client`."""

    CONVERSATION_ADDED = "conversation_added"
    CONVERSATION_JOINED = "conversation_joined"
    CONVERSATION_LEFT = "conversation_left"
    CONVERSATION_REMOVED = "conversation_removed"
    CONVERSATION_UPDATED = "conversation_updated"
    CONVERSATION_RESYNCED = "conversation_resynced"
    PARTICIPANT_JOINED = "participant_joined"
    PARTICIPANT_LEFT = "participant_left"
    PARTICIPANT_UPDATED = "participant_updated"
    MESSAGE_ADDED = "message_added"
    MESSAGE_REMOVED = "message_removed"
    MESSAGE_UPDATED = "message_updated"
    TYPING_STARTED = "typing_started"
    TYPING_ENDED = "typing_ended"
    USER_UPDATED = "user_updated"
    PUSH_NOTIFICATION = "push_notification"
    USER_SUBSCRIBED = "user_subscribed"
    USER_UNSUBSCRIBED = "user_unsubscribed"
    TOKEN_ABOUT_TO_EXPIRE = "token_about_to_expire"
    TOKEN_EXPIRED = "token_expired"
    STATE_CHANGED = "state_changed"
    INITIALIZED = "initialized"
    INIT_FAILED = "init_failed"
    CONNECTION_STATE_CHANGED = "connection_state_changed"
    CONNECTION_ERROR = "connection_error"
    ERROR = "error"


class ConversationEvent(EventName):
    """Events of a `Conversation`."""

    UPDATED = "updated"
    REMOVED = "removed"
    RESYNCED = "resynced"
    PARTICIPANT_JOINED = "participant_joined"
    PARTICIPANT_LEFT = "participant_left"
    PARTICIPANT_UPDATED = "participant_updated"
    MESSAGE_ADDED = "message_added"
    MESSAGE_REMOVED = "message_removed"
    MESSAGE_UPDATED = "message_updated"
    TYPING_STARTED = "typing_started"
    TYPING_ENDED = "typing_ended"


class MessageEvent(EventName):
    """Events of a `Message`."""

    UPDATED = "updated"


class ParticipantEvent(EventName):
    """Events of a `Participant`."""

    UPDATED = "updated"
    TYPING_STARTED = "typing_started"
    TYPING_ENDED = "typing_ended"


class UserEvent(EventName):
    """Events of a `User`."""

    UPDATED = "updated"
    USER_SUBSCRIBED = "user_subscribed"
    USER_UNSUBSCRIBED = "user_unsubscribed"


WITHOUT_PAYLOAD: frozenset[EventName] = frozenset(
    {ClientEvent.INITIALIZED, ClientEvent.TOKEN_ABOUT_TO_EXPIRE, ClientEvent.TOKEN_EXPIRED}
)
"""Events whose handlers are called without an argument."""

STICKY: frozenset[EventName] = frozenset({ClientEvent.INITIALIZED, ClientEvent.INIT_FAILED})
"""Events that also reach handlers added after they happened."""


@attrs.frozen
class InitFailedEventArgs:
    """Payload of ``init_failed``."""

    error: ConnectionErrorInfo


@attrs.frozen
class HandlerError:
    """Payload of ``error``: a handler raised, or the client had an error that no call could raise.

    Attributes:
        error: the exception.
        event: the event of the handler, `None` when no handler was involved.
        handler: the function that raised.
    """

    error: BaseException
    event: EventName | None = None
    handler: Callable[..., Any] | None = None


@attrs.frozen
class Event(Generic[Payload]):
    """One event, as `Client.events` yields it.

    Attributes:
        name: name of the event, as for handlers: ``event.name == "message_added"``.
            payload: argument of handlers, `None` for events without payload.
            source: the object that raised it.
            received_at: time at which it was queued for this iterator, UTC.
    """

    name: EventName
    payload: Payload
    source: Any
    received_at: dt.datetime
