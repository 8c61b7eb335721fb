"""Recipients of a message on its channel, such as the lines To and Cc of an e-mail."""

from __future__ import annotations

import json
from typing import Any, Literal

import attrs

from twilio_conversations.enums import EmailRecipientLevel, known
from twilio_conversations.util.json import compact, text_or_empty


@attrs.frozen
class EmailRecipientDescriptor:
    """Sender or recipient of an e-mail.

    Attributes:
        message_sid: the message (``IM...``).
        level: address line of the e-mail.
        name: display name.
        address: e-mail address.
        type: ``"email"``.
    """

    message_sid: str
    level: EmailRecipientLevel | str
    name: str
    address: str
    type: Literal["email"] = attrs.field(default="email", init=False)


@attrs.frozen
class UnknownRecipientDescriptor:
    """A recipient of a kind that this package does not know.

    Attributes:
        type: the service's name of the kind.
        message_sid: the message (``IM...``).
        raw_data: JSON text from the service.
    """

    type: str
    message_sid: str
    raw_data: str

    @property
    def raw(self) -> Any:
        """`raw_data`, decoded; a fresh copy each time."""
        return json.loads(self.raw_data)


RecipientDescriptor = EmailRecipientDescriptor | UnknownRecipientDescriptor


def parse_recipient(value: Any) -> RecipientDescriptor | None:
    """Read one entry of ``message_recipients``; anything but an object is `None`."""
    if not isinstance(value, dict):
        return None
    message_sid = text_or_empty(value.get("message_sid"))
    kind = text_or_empty(value.get("type"))
    if kind != "email":
        return UnknownRecipientDescriptor(kind, message_sid, compact(value))
    return EmailRecipientDescriptor(
        message_sid,
        known(EmailRecipientLevel, value.get("level"), EmailRecipientLevel.TO),
        text_or_empty(value.get("name")),
        text_or_empty(value.get("address")),
    )
