"""What the wire says of a message, in our names: an item of the message list, or the answer to a send."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs

from twilio_conversations.enums import MessageType, MessageUpdateReason
from twilio_conversations.errors import ProtocolError
from twilio_conversations.util.json import Attributes, parse_text, parse_time
from twilio_conversations.values.fields import Reasons, renamed
from twilio_conversations.values.media import MediaData
from twilio_conversations.values.receipts import AggregatedDeliveryReceipt

_REST_NAMES = {
    "sid": "sid",
    "author": "author",
    "body": "text",
    "subject": "subject",
    "content_sid": "contentSid",
    "participant_sid": "memberSid",
    "attributes": "attributes",
    "delivery": "delivery",
    "date_created": "timestamp",
    "date_updated": "dateUpdated",
}

REASONS = Reasons(
    {
        "body": MessageUpdateReason.BODY,
        "subject": MessageUpdateReason.SUBJECT,
        "last_updated_by": MessageUpdateReason.LAST_UPDATED_BY,
        "author": MessageUpdateReason.AUTHOR,
        "date_updated": MessageUpdateReason.DATE_UPDATED,
        "date_created": MessageUpdateReason.DATE_CREATED,
        "attributes": MessageUpdateReason.ATTRIBUTES,
        "delivery": MessageUpdateReason.DELIVERY_RECEIPT,
        "medias": MessageUpdateReason.MEDIA,
    }
)
"""Fields whose changes are announced, in the order of detection."""


@attrs.frozen
class MessageData:
    """What a message list item says, in our names."""

    sid: str
    author: str | None = None
    body: str | None = None
    subject: str | None = None
    content_sid: str | None = None
    participant_sid: str | None = None
    last_updated_by: str | None = None
    date_created: dt.datetime | None = None
    date_updated: dt.datetime | None = None
    attributes: Attributes = attrs.field(factory=Attributes)
    type: MessageType | str = MessageType.TEXT
    medias: tuple[MediaData, ...] = ()
    delivery: AggregatedDeliveryReceipt | None = None
    has_channel_metadata: bool = False

    @classmethod
    def parse(cls, item: Any, base: MessageData | None = None) -> MessageData:
        """Read an item; what it does not mention stays as in `base`.

        Raises:
            ProtocolError: there is no telling which message it is.
        """
        if not isinstance(item, dict):
            raise ProtocolError("a message that is not an object")
        sid = item.get("sid") or (base.sid if base is not None else None)
        if not isinstance(sid, str):
            raise ProtocolError("a message without sid")
        get = item.get
        if base is None or _ALL_FIELDS <= item.keys():
            return cls(
                sid,
                parse_text(get("author")),
                parse_text(get("text")),
                parse_text(get("subject")),
                parse_text(get("contentSid")),
                parse_text(get("memberSid")),
                parse_text(get("lastUpdatedBy")),
                parse_time(get("timestamp")),
                parse_time(get("dateUpdated")),
                Attributes(get("attributes")),
                _type(get("type")),
                _medias(item),
                AggregatedDeliveryReceipt.parse(get("delivery")) or (base.delivery if base is not None else None),
                get("channelMetadata") is True,
            )
        known = {name: read(item) for key, (name, read) in _FIELDS.items() if key in item}
        if known.get("delivery", True) is None:
            del known["delivery"]  # an empty summary says nothing
        return attrs.evolve(base, sid=sid, **known)

    @classmethod
    def from_rest(cls, body: Any) -> MessageData:
        """Read the answer to a send."""
        if not isinstance(body, dict):
            raise ProtocolError("the answer to a send is not a message")
        item = renamed(body, _REST_NAMES)
        media = body.get("media")
        if isinstance(media, list) and media:
            item["medias"] = media
            item["type"] = "media"
        return cls.parse(item)


def _type(value: Any) -> MessageType | str:
    try:
        return MessageType(value or "text")
    except ValueError:
        return str(value)


def _medias(item: Mapping[str, Any]) -> tuple[MediaData, ...]:
    """All attachments; a legacy single one counts as a list of one."""
    medias = item.get("medias")
    if not isinstance(medias, list):
        medias = [item.get("media")]
    return tuple(data for data in map(MediaData.parse, medias) if data is not None)


_FIELDS: dict[str, tuple[str, Any]] = {
    "author": ("author", lambda item: parse_text(item["author"])),
    "text": ("body", lambda item: parse_text(item["text"])),
    "subject": ("subject", lambda item: parse_text(item["subject"])),
    "contentSid": ("content_sid", lambda item: parse_text(item["contentSid"])),
    "memberSid": ("participant_sid", lambda item: parse_text(item["memberSid"])),
    "lastUpdatedBy": ("last_updated_by", lambda item: parse_text(item["lastUpdatedBy"])),
    "timestamp": ("date_created", lambda item: parse_time(item["timestamp"])),
    "dateUpdated": ("date_updated", lambda item: parse_time(item["dateUpdated"])),
    "attributes": ("attributes", lambda item: Attributes(item["attributes"])),
    "type": ("type", lambda item: _type(item["type"])),
    "medias": ("medias", _medias),
    "media": ("medias", _medias),
    "delivery": ("delivery", lambda item: AggregatedDeliveryReceipt.parse(item["delivery"])),
    "channelMetadata": ("has_channel_metadata", lambda item: item["channelMetadata"] is True),
}
_ALL_FIELDS = _FIELDS.keys()
