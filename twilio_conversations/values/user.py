"""What the wire says of a user, in our names: the items of their Sync map, or the answer to a look-up."""

from __future__ import annotations

from typing import Any

import attrs

from twilio_conversations.enums import UserUpdateReason
from twilio_conversations.errors import ProtocolError
from twilio_conversations.util.json import Attributes, parse_text
from twilio_conversations.values.fields import Reasons

REASONS = Reasons(
    {
        "friendly_name": UserUpdateReason.FRIENDLY_NAME,
        "attributes": UserUpdateReason.ATTRIBUTES,
        "is_online": UserUpdateReason.REACHABILITY_ONLINE,
        "is_notifiable": UserUpdateReason.REACHABILITY_NOTIFIABLE,
    }
)
"""Fields whose changes are announced, in the order of detection."""


@attrs.frozen
class UserData:
    """What a user's Sync map says, in our names."""

    friendly_name: str | None = None
    attributes: Attributes = attrs.field(factory=Attributes)
    is_online: bool | None = None
    is_notifiable: bool | None = None

    def with_item(self, key: object, data: Any) -> UserData:
        """This state after the map's item `key` became `data`; unknown keys and malformed data change nothing."""
        if not isinstance(data, dict):
            return self
        if key == "friendlyName":
            return attrs.evolve(self, friendly_name=parse_text(data.get("value")))
        if key == "attributes":
            return attrs.evolve(self, attributes=Attributes(data.get("value")))
        if key == "reachability":
            return attrs.evolve(self, is_online=_flag(data.get("online")), is_notifiable=_flag(data.get("notifiable")))
        return self

    @classmethod
    def from_rest(cls, body: Any) -> UserData:
        """Read the answer to ``GET .../Users/{identity}``."""
        if not isinstance(body, dict):
            raise ProtocolError("the answer is not a user", body=body)
        return cls(
            parse_text(body.get("friendly_name")),
            Attributes(body.get("attributes")),
            _flag(body.get("is_online")),
            _flag(body.get("is_notifiable")),
        )


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None
