"""Fields of a participant on the wire, under our names: an item of the roster, or the response to an add."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs

from twilio_conversations.enums import ParticipantType, ParticipantUpdateReason
from twilio_conversations.errors import ProtocolError
from twilio_conversations.util.json import Attributes, parse_index, parse_text, parse_time, text_or_empty
from twilio_conversations.values.bindings import ParticipantBindings
from twilio_conversations.values.fields import Fields, Reasons, field, word

_Reason = ParticipantUpdateReason


@attrs.frozen
class ParticipantData:
    """Fields of a roster item, under our names."""

    identity: str | None = field(parse_text, "identity", rest="identity")
    type: ParticipantType | str = field(word(ParticipantType, ParticipantType.CHAT), "type")
    role_sid: str = field(text_or_empty, "roleSid", rest="role_sid", reason=_Reason.ROLE_SID)
    attributes: Attributes = field(Attributes, "attributes", rest="attributes", reason=_Reason.ATTRIBUTES)
    date_created: dt.datetime | None = field(parse_time, "dateCreated", rest="date_created", reason=_Reason.DATE_CREATED)
    date_updated: dt.datetime | None = field(parse_time, "dateUpdated", rest="date_updated", reason=_Reason.DATE_UPDATED)
    last_read_message_index: int | None = field(
        parse_index, "lastConsumedMessageIndex", rest="last_read_message_index", reason=_Reason.LAST_READ_MESSAGE_INDEX
    )
    last_read_timestamp: dt.datetime | None = field(  # once there it never goes back to None
        parse_time, "lastConsumptionTimestamp", rest="last_read_timestamp", reason=_Reason.LAST_READ_TIMESTAMP, keeps=True
    )
    bindings: ParticipantBindings = field(ParticipantBindings.parse, "bindings", reason=_Reason.BINDINGS)
    user_info: str | None = field(parse_text, "userInfo")

    @classmethod
    def parse(cls, item: Any, base: ParticipantData | None = None) -> ParticipantData:
        """Read an item; what it does not mention stays as in `base`.

        Raises:
            ProtocolError: neither identity nor type, so that it cannot be a participant.
        """
        if not isinstance(item, dict) or not (item.get("identity") or item.get("type") or base):
            raise ProtocolError("a participant without identity and type")
        return _FIELDS.read(item, base)

    @classmethod
    def from_rest(cls, body: Any) -> ParticipantData:
        """Read the answer to an add."""
        item = {"type": "chat", **_FIELDS.from_rest(body, "the answer to an add is not a participant")}
        binding = body.get("messaging_binding")
        if isinstance(binding, dict) and isinstance(binding.get("type"), str):
            item |= {"type": binding["type"], "bindings": {binding["type"]: binding}}
        return cls.parse(item)


_FIELDS = Fields(ParticipantData)
REASONS: Reasons[ParticipantUpdateReason] = Reasons.of(ParticipantData, ParticipantUpdateReason)
"""Fields whose changes are announced, in the order of detection."""
