"""Fields of a message on the wire, under our names: an item of the message list, or the response to a send."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs

from twilio_conversations.enums import MessageType, MessageUpdateReason
from twilio_conversations.errors import ProtocolError
from twilio_conversations.util.json import Attributes, parse_text, parse_time, text_or_none
from twilio_conversations.util.values import value
from twilio_conversations.values.fields import Fields, Reasons, field, row, word
from twilio_conversations.values.media import MediaData, parse_medias
from twilio_conversations.values.receipts import AggregatedDeliveryReceipt

_Reason = MessageUpdateReason


@value
class MessageData:
    """Fields of a message list item, under our names."""

    sid: str = attrs.field(metadata=row(text_or_none, "sid", rest="sid", keeps=True))
    author: str | None = field(parse_text, "author", rest="author", reason=_Reason.AUTHOR)
    body: str | None = field(parse_text, "text", rest="body", reason=_Reason.BODY)
    subject: str | None = field(parse_text, "subject", rest="subject", reason=_Reason.SUBJECT)
    content_sid: str | None = field(parse_text, "contentSid", rest="content_sid")
    participant_sid: str | None = field(parse_text, "memberSid", rest="participant_sid")
    last_updated_by: str | None = field(parse_text, "lastUpdatedBy", reason=_Reason.LAST_UPDATED_BY)
    date_created: dt.datetime | None = field(parse_time, "timestamp", rest="date_created", reason=_Reason.DATE_CREATED)
    date_updated: dt.datetime | None = field(parse_time, "dateUpdated", rest="date_updated", reason=_Reason.DATE_UPDATED)
    attributes: Attributes = field(Attributes, "attributes", rest="attributes", reason=_Reason.ATTRIBUTES)
    type: MessageType | str = field(word(MessageType, MessageType.TEXT), "type")
    medias: tuple[MediaData, ...] = field(parse_medias, "medias", rest="media", reason=_Reason.MEDIA)
    delivery: AggregatedDeliveryReceipt | None = field(  # an empty summary has no information
        AggregatedDeliveryReceipt.parse, "delivery", rest="delivery", reason=_Reason.DELIVERY_RECEIPT, keeps=True
    )
    has_channel_metadata: bool = field(lambda value: value is True, "channelMetadata")

    @classmethod
    def parse(cls, item: Any, base: MessageData | None = None) -> MessageData:
        """Read an item; what it does not mention stays as in `base`.

        Raises:
            ProtocolError: the item does not identify a message.
        """
        if not isinstance(item, dict):
            raise ProtocolError("a message that is not an object")
        if "media" in item and not isinstance(item.get("medias"), list):
            item = {**item, "medias": [item["media"]]}  # a legacy single one counts as a list of one
        found = _FIELDS.read(item, base)
        if not found.sid:
            raise ProtocolError("a message without sid")
        return found

    @classmethod
    def from_rest(cls, body: Any) -> MessageData:
        """Read the answer to a send."""
        item = _FIELDS.from_rest(body, "the answer to a send is not a message")
        if isinstance(item.get("medias"), list) and item["medias"]:
            item["type"] = "media"
        return cls.parse(item)


_FIELDS = Fields(MessageData)
REASONS: Reasons[MessageUpdateReason] = Reasons.of(MessageData, MessageUpdateReason)
"""Fields whose changes are announced, in the order of detection."""
