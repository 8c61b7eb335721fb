"""The names of events, in every spelling, and the small values that travel with them.

An event may be named ``"message_added"``, ``"messageAdded"`` or ``ClientEvent.MESSAGE_ADDED``; all three are the same.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable
from typing import Any

import attrs

from twilio_conversations.errors import ConnectionErrorInfo, InvalidArgumentError


class EventName(enum.StrEnum):
    """Base of the sets of event names; values are the official camelCase names."""

    @property
    def python_name(self) -> str:
        """The snake_case spelling."""
        return self.name.lower()

    @classmethod
    def parse(cls, name: str) -> EventName:
        """The member that `name` means in any spelling.

        Raises:
            InvalidArgumentError: this object has no such event.
        """
        for member in cls:
            if name in (member.value, member.python_name):
                return member
        known = ", ".join(member.python_name for member in cls)
        raise InvalidArgumentError(f"unknown event {name!r}; there are: {known}")


class ClientEvent(EventName):
    """Events of a `Client`."""

    CONVERSATION_ADDED = "conversationAdded"
    CONVERSATION_JOINED = "conversationJoined"
    CONVERSATION_LEFT = "conversationLeft"
    CONVERSATION_REMOVED = "conversationRemoved"
    CONVERSATION_UPDATED = "conversationUpdated"
    CONVERSATION_RESYNCED = "conversationResynced"
    PARTICIPANT_JOINED = "participantJoined"
    PARTICIPANT_LEFT = "participantLeft"
    PARTICIPANT_UPDATED = "participantUpdated"
    MESSAGE_ADDED = "messageAdded"
    MESSAGE_REMOVED = "messageRemoved"
    MESSAGE_UPDATED = "messageUpdated"
    TYPING_STARTED = "typingStarted"
    TYPING_ENDED = "typingEnded"
    USER_UPDATED = "userUpdated"
    PUSH_NOTIFICATION = "pushNotification"
    USER_SUBSCRIBED = "userSubscribed"
    USER_UNSUBSCRIBED = "userUnsubscribed"
    TOKEN_ABOUT_TO_EXPIRE = "tokenAboutToExpire"
    TOKEN_EXPIRED = "tokenExpired"
    STATE_CHANGED = "stateChanged"
    INITIALIZED = "initialized"
    INIT_FAILED = "initFailed"
    CONNECTION_STATE_CHANGED = "connectionStateChanged"
    CONNECTION_ERROR = "connectionError"
    ERROR = "error"


class ConversationEvent(EventName):
    """Events of a `Conversation`."""

    UPDATED = "updated"
    REMOVED = "removed"
    RESYNCED = "resynced"
    PARTICIPANT_JOINED = "participantJoined"
    PARTICIPANT_LEFT = "participantLeft"
    PARTICIPANT_UPDATED = "participantUpdated"
    MESSAGE_ADDED = "messageAdded"
    MESSAGE_REMOVED = "messageRemoved"
    MESSAGE_UPDATED = "messageUpdated"
    TYPING_STARTED = "typingStarted"
    TYPING_ENDED = "typingEnded"


class MessageEvent(EventName):
    """Events of a `Message`."""

    UPDATED = "updated"


class ParticipantEvent(EventName):
    """Events of a `Participant`."""

    UPDATED = "updated"
    TYPING_STARTED = "typingStarted"
    TYPING_ENDED = "typingEnded"


class UserEvent(EventName):
    """Events of a `User`."""

    UPDATED = "updated"
    USER_SUBSCRIBED = "userSubscribed"
    USER_UNSUBSCRIBED = "userUnsubscribed"


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
    """Payload of ``error``: a handler raised, or something of the client's failed that no call could report.

    Attributes:
        error: the exception.
        event: the event that was being delivered, `None` when it was no handler's doing.
        handler: the function that raised.
    """

    error: BaseException
    event: EventName | None = None
    handler: Callable[..., Any] | None = None


@attrs.frozen
class Event:
    """One event, as `Client.events` yields it.

    Attributes:
        name: which event.
        payload: what a handler would be given, `None` for events without payload.
        source: the object it was registered on.
        received_at: when it reached this thread's queue, UTC.
    """

    name: EventName
    payload: Any
    source: Any
    received_at: dt.datetime
