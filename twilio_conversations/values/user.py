"""Fields of a user on the wire, under our names: the items of the Sync map, or the response to a look-up."""

from __future__ import annotations

import collections
from typing import Any

import attrs

from twilio_conversations.enums import UserUpdateReason
from twilio_conversations.util.json import Attributes, parse_text
from twilio_conversations.values.fields import Fields, Reasons, field, flag


@attrs.frozen
class UserData:
    """Fields of a user's Sync map, under our names; Sync's names are those of an item of the map and of a field in it."""

    friendly_name: str | None = field(
        parse_text, "friendlyName.value", rest="friendly_name", reason=UserUpdateReason.FRIENDLY_NAME
    )
    attributes: Attributes = field(Attributes, "attributes.value", rest="attributes", reason=UserUpdateReason.ATTRIBUTES)
    is_online: bool | None = field(flag, "reachability.online", rest="is_online", reason=UserUpdateReason.REACHABILITY_ONLINE)
    is_notifiable: bool | None = field(
        flag, "reachability.notifiable", rest="is_notifiable", reason=UserUpdateReason.REACHABILITY_NOTIFIABLE
    )

    def with_item(self, key: object, data: Any) -> UserData:
        """Return this state after the map's item `key` became `data`; unknown keys and malformed data change nothing."""
        if not isinstance(data, dict) or not (names := _ITEMS.get(key)):
            return self
        return _FIELDS.read({f"{key}.{name}": data.get(name) for name in names}, self)

    @classmethod
    def from_rest(cls, body: Any) -> UserData:
        """Read the answer to ``GET .../Users/{identity}``."""
        return _FIELDS.read(_FIELDS.from_rest(body, "the answer is not a user"))


_FIELDS = Fields(UserData)
_ITEMS: dict[object, list[str]] = collections.defaultdict(list)
"""Items of the map, and the fields in them that are read."""
for _name in _FIELDS.names:
    _ITEMS[_name.partition(".")[0]].append(_name.partition(".")[2])
REASONS: Reasons[UserUpdateReason] = Reasons.of(UserData, UserUpdateReason)
"""Fields whose changes are announced, in the order of detection."""
