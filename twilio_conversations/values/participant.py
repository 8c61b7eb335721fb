"""What the wire says of a participant, in our names: an item of the roster, or the answer to an add."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs

from twilio_conversations.enums import ParticipantType, ParticipantUpdateReason
from twilio_conversations.errors import ProtocolError
from twilio_conversations.util.json import Attributes, parse_index, parse_text, parse_time
from twilio_conversations.values.bindings import ParticipantBindings
from twilio_conversations.values.fields import Reasons, renamed

_REST_NAMES = {
    "identity": "identity",
    "role_sid": "roleSid",
    "attributes": "attributes",
    "date_created": "dateCreated",
    "date_updated": "dateUpdated",
    "last_read_message_index": "lastConsumedMessageIndex",
    "last_read_timestamp": "lastConsumptionTimestamp",
}

REASONS = Reasons(
    {
        "attributes": ParticipantUpdateReason.ATTRIBUTES,
        "date_updated": ParticipantUpdateReason.DATE_UPDATED,
        "date_created": ParticipantUpdateReason.DATE_CREATED,
        "role_sid": ParticipantUpdateReason.ROLE_SID,
        "last_read_message_index": ParticipantUpdateReason.LAST_READ_MESSAGE_INDEX,
        "last_read_timestamp": ParticipantUpdateReason.LAST_READ_TIMESTAMP,
        "bindings": ParticipantUpdateReason.BINDINGS,
    }
)
"""Fields whose changes are announced, in the order of detection."""


@attrs.frozen
class ParticipantData:
    """What a roster item says, in our names."""

    identity: str | None = None
    type: ParticipantType | str = ParticipantType.CHAT
    role_sid: str = ""
    attributes: Attributes = attrs.field(factory=Attributes)
    date_created: dt.datetime | None = None
    date_updated: dt.datetime | None = None
    last_read_message_index: int | None = None
    last_read_timestamp: dt.datetime | None = None
    bindings: ParticipantBindings = attrs.field(factory=ParticipantBindings)
    user_info: str | None = None

    @classmethod
    def parse(cls, item: Any, base: ParticipantData | None = None) -> ParticipantData:
        """Read an item; what it does not mention stays as in `base`.

        Raises:
            ProtocolError: neither identity nor type, so that it cannot be a participant.
        """
        if not isinstance(item, dict) or not (item.get("identity") or item.get("type") or base):
            raise ProtocolError("a participant without identity and type")
        known = {name: read(item[key]) for key, (name, read) in _FIELDS.items() if key in item}
        if known.get("last_read_timestamp", True) is None:
            del known["last_read_timestamp"]  # once there it never goes back to None
        return attrs.evolve(base or cls(), **known)

    @classmethod
    def from_rest(cls, body: Any) -> ParticipantData:
        """Read the answer to an add."""
        if not isinstance(body, dict):
            raise ProtocolError("the answer to an add is not a participant")
        item = renamed(body, _REST_NAMES)
        binding = body.get("messaging_binding")
        if isinstance(binding, dict) and isinstance(binding.get("type"), str):
            item |= {"type": binding["type"], "bindings": {binding["type"]: binding}}
        return cls.parse({"type": "chat", **item})


def _type(value: Any) -> ParticipantType | str:
    try:
        return ParticipantType(value or "chat")
    except ValueError:
        return str(value)


_FIELDS: dict[str, tuple[str, Any]] = {
    "identity": ("identity", parse_text),
    "type": ("type", _type),
    "roleSid": ("role_sid", lambda value: parse_text(value) or ""),
    "attributes": ("attributes", Attributes),
    "dateCreated": ("date_created", parse_time),
    "dateUpdated": ("date_updated", parse_time),
    "lastConsumedMessageIndex": ("last_read_message_index", parse_index),
    "lastConsumptionTimestamp": ("last_read_timestamp", parse_time),
    "bindings": ("bindings", ParticipantBindings.parse),
    "userInfo": ("user_info", parse_text),
}
