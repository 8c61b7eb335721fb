"""The field's closed sets of words. Values are the official strings; members compare equal to them."""

from __future__ import annotations

import enum
from typing import Any, Self, TypeVar

Word = TypeVar("Word", bound=enum.StrEnum)


class _Words(enum.StrEnum):
    """A set of official strings that can also be looked up by member name, whatever the case."""

    @classmethod
    def _missing_(cls, value: Any) -> Self | None:
        return cls.__members__.get(str(value).upper())


class ConnectionState(_Words):
    """State of the connection to the service (payload of ``connection_state_changed``)."""

    UNKNOWN = "unknown"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    RETRYING = "retrying"
    DENIED = "denied"
    DISCONNECTING = "disconnecting"
    DISCONNECTED = "disconnected"
    ERROR = "error"


class State(_Words):
    """Result of the start of a client (payload of ``state_changed``)."""

    INITIALIZED = "initialized"
    FAILED = "failed"


class ConversationStatus(_Words):
    """Membership of the current user in a conversation."""

    NOT_PARTICIPATING = "notParticipating"
    JOINED = "joined"


class ConversationStateValue(_Words):
    """State of a conversation on the service."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    CLOSED = "closed"


class NotificationLevel(_Words):
    """Whether a conversation sends push notifications to this identity."""

    DEFAULT = "default"
    MUTED = "muted"


class ParticipantType(_Words):
    """Channel of a participant; the service may use further ones."""

    CHAT = "chat"
    SMS = "sms"
    WHATSAPP = "whatsapp"
    EMAIL = "email"


class MessageType(_Words):
    """Type of a message: with or without media."""

    TEXT = "text"
    MEDIA = "media"


class MediaCategory(_Words):
    """Role of an attachment in its message."""

    MEDIA = "media"
    BODY = "body"
    HISTORY = "history"


class Direction(_Words):
    """Direction in which a page of messages extends from its anchor."""

    BACKWARDS = "backwards"
    FORWARD = "forward"


class ConversationUpdateReason(_Words):
    """Changed field of a conversation."""

    ATTRIBUTES = "attributes"
    FRIENDLY_NAME = "friendlyName"
    UNIQUE_NAME = "uniqueName"
    CREATED_BY = "createdBy"
    DATE_CREATED = "dateCreated"
    DATE_UPDATED = "dateUpdated"
    LAST_MESSAGE = "lastMessage"
    STATE = "state"
    BINDINGS = "bindings"
    LAST_READ_MESSAGE_INDEX = "lastReadMessageIndex"
    NOTIFICATION_LEVEL = "notificationLevel"
    STATUS = "status"


class ParticipantUpdateReason(_Words):
    """Changed field of a participant."""

    ATTRIBUTES = "attributes"
    DATE_UPDATED = "dateUpdated"
    DATE_CREATED = "dateCreated"
    ROLE_SID = "roleSid"
    LAST_READ_MESSAGE_INDEX = "lastReadMessageIndex"
    LAST_READ_TIMESTAMP = "lastReadTimestamp"
    BINDINGS = "bindings"


class MessageUpdateReason(_Words):
    """Changed field of a message."""

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
    """Changed field of a user."""

    FRIENDLY_NAME = "friendlyName"
    ATTRIBUTES = "attributes"
    REACHABILITY_ONLINE = "reachabilityOnline"
    REACHABILITY_NOTIFIABLE = "reachabilityNotifiable"


class ParticipantEmailLevel(_Words):
    """Address line of an e-mail participant; ``to`` includes the sender."""

    TO = "to"
    CC = "cc"


class EmailRecipientLevel(_Words):
    """Address line of a sender or recipient of an e-mail."""

    TO = "to"
    FROM = "from"
    CC = "cc"


class DeliveryAmount(_Words):
    """Share of a message's recipients that have reached a delivery status. `NONE` is a member, not Python's `None`."""

    NONE = "none"
    SOME = "some"
    ALL = "all"


class DeliveryStatus(_Words):
    """Delivery status of a message to one participant."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    UNDELIVERED = "undelivered"
    FAILED = "failed"


class NotificationsChannelType(_Words):
    """Channel of push notifications to devices."""

    FCM = "fcm"
    APN = "apn"


class NotificationTypes(_Words):
    """All types of notifications that a device can be registered for."""

    TYPING_INDICATOR = "twilio.ipmsg.typing_indicator"
    NEW_MESSAGE = "twilio.conversations.new_message"
    ADDED_TO_CONVERSATION = "twilio.conversations.added_to_conversation"
    REMOVED_FROM_CONVERSATION = "twilio.conversations.removed_from_conversation"
    CONSUMPTION_UPDATE = "twilio.channel.consumption_update"


class PushNotificationType(_Words):
    """Type of a push notification."""

    NEW_MESSAGE = "twilio.conversations.new_message"
    ADDED_TO_CONVERSATION = "twilio.conversations.added_to_conversation"
    REMOVED_FROM_CONVERSATION = "twilio.conversations.removed_from_conversation"


def known(kind: type[Word], value: Any, default: Word | str) -> Word | str:
    """Return the member for the service's `value`; its text if this package does not know it; `default` if it is missing."""
    if not isinstance(value, str) or not value:
        return default
    try:
        return kind(value)
    except ValueError:
        return value
