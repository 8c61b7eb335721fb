"""What the wire says of a conversation, in our names: its document and the own membership."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs

from twilio_conversations.enums import ConversationStateValue, ConversationStatus, ConversationUpdateReason, NotificationLevel
from twilio_conversations.errors import ProtocolError
from twilio_conversations.util.json import Attributes, parse_index, parse_text, parse_time
from twilio_conversations.values.bindings import ConversationBindings
from twilio_conversations.values.fields import Reasons

REASONS = Reasons(
    {
        "attributes": ConversationUpdateReason.ATTRIBUTES,
        "friendly_name": ConversationUpdateReason.FRIENDLY_NAME,
        "unique_name": ConversationUpdateReason.UNIQUE_NAME,
        "created_by": ConversationUpdateReason.CREATED_BY,
        "date_created": ConversationUpdateReason.DATE_CREATED,
        "date_updated": ConversationUpdateReason.DATE_UPDATED,
        "last_message": ConversationUpdateReason.LAST_MESSAGE,
        "state": ConversationUpdateReason.STATE,
        "bindings": ConversationUpdateReason.BINDINGS,
        "last_read_message_index": ConversationUpdateReason.LAST_READ_MESSAGE_INDEX,
        "notification_level": ConversationUpdateReason.NOTIFICATION_LEVEL,
    }
)
"""Fields whose changes are announced, in the order of detection."""


@attrs.frozen
class LastMessage:
    """The newest message of a conversation: its index, and when it was sent (UTC)."""

    index: int | None = None
    date_created: dt.datetime | None = None

    @classmethod
    def parse(cls, value: Any) -> LastMessage | None:
        """Read ``{index?, timestamp?}``; anything empty is `None`."""
        if not isinstance(value, dict) or not value:
            return None
        return cls(parse_index(value.get("index")), parse_time(value.get("timestamp")))


@attrs.frozen
class ConversationState:
    """Life of a conversation, and since when (UTC)."""

    current: ConversationStateValue | str
    date_updated: dt.datetime | None = None

    @classmethod
    def parse(cls, value: Any) -> ConversationState | None:
        """Read ``{current, dateUpdated}``; anything else is `None`."""
        current = value.get("current") if isinstance(value, dict) else None
        if not isinstance(current, str):
            return None
        try:
            current = ConversationStateValue(current)
        except ValueError:
            pass
        return cls(current, parse_time(value.get("dateUpdated")))


@attrs.frozen
class ConversationData:
    """What the conversation's document and the own membership say, in our names."""

    friendly_name: str | None = None
    unique_name: str | None = None
    attributes: Attributes = attrs.field(factory=Attributes)
    created_by: str = ""
    date_created: dt.datetime | None = None
    date_updated: dt.datetime | None = None
    last_message: LastMessage | None = None
    state: ConversationState | None = None
    bindings: ConversationBindings = attrs.field(factory=ConversationBindings)
    status: ConversationStatus = ConversationStatus.NOT_PARTICIPATING
    last_read_message_index: int | None = None
    notification_level: NotificationLevel | str = NotificationLevel.DEFAULT

    def with_document(self, document: Any, former: Any = None) -> ConversationData:
        """This state after the document, which was `former`, became `document`; what it does not mention stays.

        Every message changes the document, and mostly one field of it: what is as it was is not read again.

        Raises:
            ProtocolError: the document is not an object.
        """
        if not isinstance(document, dict):
            raise ProtocolError("a conversation document that is not an object")
        known = former if isinstance(former, dict) else {}
        changed = {
            name: read(document[key])
            for key, (name, read) in _DOCUMENT_FIELDS.items()
            if key in document and (key not in known or known[key] != document[key])
        }
        return attrs.evolve(self, **changed) if changed else self

    def with_membership(self, item: Any) -> ConversationData:
        """This state after the own membership became `item`; what it does not mention stays."""
        if not isinstance(item, dict):
            return self
        return attrs.evolve(self, **{name: read(item[key]) for key, (name, read) in _MEMBERSHIP_FIELDS.items() if key in item})


def _level(value: Any) -> NotificationLevel | str:
    try:
        return NotificationLevel(value or "default")
    except ValueError:
        return str(value)


_DOCUMENT_FIELDS: dict[str, tuple[str, Any]] = {
    "friendlyName": ("friendly_name", lambda value: parse_text(value) or None),
    "uniqueName": ("unique_name", lambda value: parse_text(value) or None),
    "attributes": ("attributes", Attributes),
    "createdBy": ("created_by", lambda value: parse_text(value) or ""),
    "dateCreated": ("date_created", parse_time),
    "dateUpdated": ("date_updated", parse_time),
    "lastMessage": ("last_message", LastMessage.parse),
    "state": ("state", ConversationState.parse),
    "bindings": ("bindings", ConversationBindings.parse),
}
DOCUMENT_FIELDS = frozenset(name for name, _ in _DOCUMENT_FIELDS.values())
"""What the document says of a conversation, in our names."""
_MEMBERSHIP_FIELDS: dict[str, tuple[str, Any]] = {
    "lastConsumedMessageIndex": ("last_read_message_index", parse_index),
    "notificationLevel": ("notification_level", _level),
}
