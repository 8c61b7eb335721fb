"""The field's closed sets of words. Values are the official strings; members compare equal to them."""

from __future__ import annotations

import enum
from typing import Any, Self


class _Words(enum.StrEnum):
    """A set of official strings that can also be looked up by member name, whatever the case."""

    @classmethod
    def _missing_(cls, value: Any) -> Self | None:
        return cls.__members__.get(str(value).upper())


class ConnectionState(_Words):
    """What the connection to the service is doing (payload of ``connection_state_changed``)."""

    UNKNOWN = "unknown"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    RETRYING = "retrying"
    DENIED = "denied"
    DISCONNECTING = "disconnecting"
    DISCONNECTED = "disconnected"
    ERROR = "error"


class State(_Words):
    """How the start of a client ended (payload of ``state_changed``)."""

    INITIALIZED = "initialized"
    FAILED = "failed"


class ConversationStatus(_Words):
    """Membership of the client's own identity."""

    NOT_PARTICIPATING = "notParticipating"
    JOINED = "joined"


class ConversationStateValue(_Words):
    """Life of a conversation on the service."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    CLOSED = "closed"


class NotificationLevel(_Words):
    """Whether a conversation pushes to this identity."""

    DEFAULT = "default"
    MUTED = "muted"


class ParticipantType(_Words):
    """Channel of a participant; the service may know more."""

    CHAT = "chat"
    SMS = "sms"
    WHATSAPP = "whatsapp"
    EMAIL = "email"


class MessageType(_Words):
    """Whether a message carries media."""

    TEXT = "text"
    MEDIA = "media"


class Direction(_Words):
    """Which way a page of messages extends from its anchor."""

    BACKWARDS = "backwards"
    FORWARD = "forward"


class ConversationUpdateReason(_Words):
    """What changed in a conversation."""

    ATTRIBUTES = "attributes"
    CREATED_BY = "createdBy"
    DATE_CREATED = "dateCreated"
    DATE_UPDATED = "dateUpdated"
    FRIENDLY_NAME = "friendlyName"
    LAST_READ_MESSAGE_INDEX = "lastReadMessageIndex"
    STATE = "state"
    STATUS = "status"
    UNIQUE_NAME = "uniqueName"
    LAST_MESSAGE = "lastMessage"
    NOTIFICATION_LEVEL = "notificationLevel"
    BINDINGS = "bindings"


class ParticipantUpdateReason(_Words):
    """What changed in a participant."""

    ATTRIBUTES = "attributes"
    DATE_UPDATED = "dateUpdated"
    DATE_CREATED = "dateCreated"
    ROLE_SID = "roleSid"
    LAST_READ_MESSAGE_INDEX = "lastReadMessageIndex"
    LAST_READ_TIMESTAMP = "lastReadTimestamp"
    BINDINGS = "bindings"


class MessageUpdateReason(_Words):
    """What changed in a message."""

    BODY = "body"
    SUBJECT = "subject"
    LAST_UPDATED_BY = "lastUpdatedBy"
    AUTHOR = "author"
    DATE_UPDATED = "dateUpdated"
    DATE_CREATED = "dateCreated"
    ATTRIBUTES = "attributes"
    DELIVERY_RECEIPT = "deliveryReceipt"
    MEDIA = "media"


class UserUpdateReason(_Words):
    """What changed in a user."""

    FRIENDLY_NAME = "friendlyName"
    ATTRIBUTES = "attributes"
    REACHABILITY_ONLINE = "reachabilityOnline"
    REACHABILITY_NOTIFIABLE = "reachabilityNotifiable"
