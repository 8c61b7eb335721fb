"""The names of events, in every spelling, with what handlers of each receive, and the small values that travel with them.

`events/typed.py` is generated from these tables: after a change run ``python .ci/generate_typed_events.py``.

An event may be named ``"message_added"``, ``"messageAdded"`` or ``ClientEvent.MESSAGE_ADDED``; all three are the same.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar

import attrs

from twilio_conversations.errors import ConnectionErrorInfo, UnknownEventError
from twilio_conversations.util import checks

Payload = TypeVar("Payload")


class EventName(enum.StrEnum):
    """Base of the sets of event names. A member equals its Python name: ``ClientEvent.MESSAGE_ADDED == "message_added"``."""

    payload_type: str  # the name of what handlers receive; "None" where they receive no argument

    def __new__(cls, value: str, payload_type: str) -> Self:
        """Make the member of one row."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.payload_type = payload_type
        return member

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

    CONVERSATION_ADDED = "conversation_added", "Conversation"
    CONVERSATION_JOINED = "conversation_joined", "Conversation"
    CONVERSATION_LEFT = "conversation_left", "Conversation"
    CONVERSATION_REMOVED = "conversation_removed", "Conversation"
    CONVERSATION_UPDATED = "conversation_updated", "ConversationUpdatedEventArgs"
    CONVERSATION_RESYNCED = "conversation_resynced", "Conversation"
    PARTICIPANT_JOINED = "participant_joined", "Participant"
    PARTICIPANT_LEFT = "participant_left", "Participant"
    PARTICIPANT_UPDATED = "participant_updated", "ParticipantUpdatedEventArgs"
    MESSAGE_ADDED = "message_added", "Message"
    MESSAGE_REMOVED = "message_removed", "Message"
    MESSAGE_UPDATED = "message_updated", "MessageUpdatedEventArgs"
    TYPING_STARTED = "typing_started", "Participant"
    TYPING_ENDED = "typing_ended", "Participant"
    USER_UPDATED = "user_updated", "UserUpdatedEventArgs"
    PUSH_NOTIFICATION = "push_notification", "PushNotification"
    USER_SUBSCRIBED = "user_subscribed", "User"
    USER_UNSUBSCRIBED = "user_unsubscribed", "User"
    TOKEN_ABOUT_TO_EXPIRE = "token_about_to_expire", "None"
    TOKEN_EXPIRED = "token_expired", "None"
    STATE_CHANGED = "state_changed", "State"
    INITIALIZED = "initialized", "None"
    INIT_FAILED = "init_failed", "InitFailedEventArgs"
    CONNECTION_STATE_CHANGED = "connection_state_changed", "ConnectionState"
    CONNECTION_ERROR = "connection_error", "ConnectionErrorInfo"
    ERROR = "error", "HandlerError"


class ConversationEvent(EventName):
    """Events of a `Conversation`."""

    UPDATED = "updated", "ConversationUpdatedEventArgs"
    REMOVED = "removed", "Conversation"
    RESYNCED = "resynced", "Conversation"
    PARTICIPANT_JOINED = "participant_joined", "Participant"
    PARTICIPANT_LEFT = "participant_left", "Participant"
    PARTICIPANT_UPDATED = "participant_updated", "ParticipantUpdatedEventArgs"
    MESSAGE_ADDED = "message_added", "Message"
    MESSAGE_REMOVED = "message_removed", "Message"
    MESSAGE_UPDATED = "message_updated", "MessageUpdatedEventArgs"
    TYPING_STARTED = "typing_started", "Participant"
    TYPING_ENDED = "typing_ended", "Participant"


class MessageEvent(EventName):
    """Events of a `Message`."""

    UPDATED = "updated", "MessageUpdatedEventArgs"


class ParticipantEvent(EventName):
    """Events of a `Participant`."""

    UPDATED = "updated", "ParticipantUpdatedEventArgs"
    TYPING_STARTED = "typing_started", "Participant"
    TYPING_ENDED = "typing_ended", "Participant"


class UserEvent(EventName):
    """Events of a `User`."""

    UPDATED = "updated", "UserUpdatedEventArgs"
    USER_SUBSCRIBED = "user_subscribed", "User"
    USER_UNSUBSCRIBED = "user_unsubscribed", "User"


WITHOUT_PAYLOAD: frozenset[EventName] = frozenset(event for event in ClientEvent if event.payload_type == "None")
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
