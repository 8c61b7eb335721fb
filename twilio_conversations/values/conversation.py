"""Fields of a conversation on the wire, under our names: its document and the current user's membership."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs

from twilio_conversations.enums import (
    ConversationStateValue,
    ConversationStatus,
    ConversationUpdateReason,
    NotificationLevel,
    known,
)
from twilio_conversations.errors import ProtocolError
from twilio_conversations.util.json import Attributes, parse_index, parse_time, text_or_empty, text_or_none
from twilio_conversations.util.values import value
from twilio_conversations.values.bindings import ConversationBindings
from twilio_conversations.values.fields import Fields, Reasons, field, word

_Reason = ConversationUpdateReason
_MEMBERSHIP = "membership"


@attrs.frozen
class LastMessage:
    """The newest message of a conversation: its index, and the time of sending (UTC)."""

    index: int | None = None
    date_created: dt.datetime | None = None

    @classmethod
    def parse(cls, value: Any) -> LastMessage | None:
        """Read ``{index?, timestamp?}``; return `None` if it is empty."""
        if not isinstance(value, dict) or not value:
            return None
        return cls(parse_index(value.get("index")), parse_time(value.get("timestamp")))


@attrs.frozen
class ConversationState:
    """State of a conversation, and the time of its last change (UTC)."""

    current: ConversationStateValue | str
    date_updated: dt.datetime | None = None

    @classmethod
    def parse(cls, value: Any) -> ConversationState | None:
        """Read ``{current, dateUpdated}``; return `None` for anything else."""
        current = value.get("current") if isinstance(value, dict) else None
        if not isinstance(current, str):
            return None
        return cls(known(ConversationStateValue, current, current), parse_time(value.get("dateUpdated")))


@value
class ConversationData:
    """Fields of the conversation's document and of the current user's membership, under our names."""

    friendly_name: str | None = field(text_or_none, "friendlyName", reason=_Reason.FRIENDLY_NAME)
    unique_name: str | None = field(text_or_none, "uniqueName", reason=_Reason.UNIQUE_NAME)
    attributes: Attributes = field(Attributes, "attributes", reason=_Reason.ATTRIBUTES)
    created_by: str = field(text_or_empty, "createdBy", reason=_Reason.CREATED_BY)
    date_created: dt.datetime | None = field(parse_time, "dateCreated", reason=_Reason.DATE_CREATED)
    date_updated: dt.datetime | None = field(parse_time, "dateUpdated", reason=_Reason.DATE_UPDATED)
    last_message: LastMessage | None = field(LastMessage.parse, "lastMessage", reason=_Reason.LAST_MESSAGE)
    state: ConversationState | None = field(ConversationState.parse, "state", reason=_Reason.STATE)
    bindings: ConversationBindings = field(ConversationBindings.parse, "bindings", reason=_Reason.BINDINGS)
    status: ConversationStatus = ConversationStatus.NOT_PARTICIPATING
    last_read_message_index: int | None = field(
        parse_index, "lastConsumedMessageIndex", reason=_Reason.LAST_READ_MESSAGE_INDEX, part=_MEMBERSHIP
    )
    notification_level: NotificationLevel | str = field(
        word(NotificationLevel, NotificationLevel.DEFAULT),
        "notificationLevel",
        reason=_Reason.NOTIFICATION_LEVEL,
        part=_MEMBERSHIP,
    )

    def with_document(self, document: Any, former: Any = None) -> ConversationData:
        """Return this state after the document, which was `former`, became `document`; what it does not mention stays.

        Every message changes the document, and mostly one field of it: what is as it was is not read again.

        Raises:
            ProtocolError: the document is not an object.
        """
        if not isinstance(document, dict):
            raise ProtocolError("a conversation document that is not an object")
        before = former if isinstance(former, dict) else {}
        changed = {key: value for key, value in document.items() if key not in before or before[key] != value}
        return _DOCUMENT.read(changed, self) if changed else self

    def with_membership(self, item: Any) -> ConversationData:
        """Return this state after the current user's membership became `item`; missing fields are kept."""
        return _MEMBER.read(item, self) if isinstance(item, dict) else self


_DOCUMENT = Fields(ConversationData)
_MEMBER = Fields(ConversationData, _MEMBERSHIP)
DOCUMENT_FIELDS = frozenset(_DOCUMENT.names.values())
"""What the document says of a conversation, in our names."""
REASONS: Reasons[ConversationUpdateReason] = Reasons.of(ConversationData, ConversationUpdateReason)
"""Fields whose changes are announced, in the order of detection."""
