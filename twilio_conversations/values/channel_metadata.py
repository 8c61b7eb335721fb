"""Additional data about a message from its channel."""

from __future__ import annotations

from typing import Any

import attrs

from twilio_conversations.errors import ProtocolError
from twilio_conversations.util.checks import shown
from twilio_conversations.util.json import copied


@attrs.frozen
class ChannelMetadata:
    """Additional data from the channel of a message; `type` is the service's name of the kind of channel."""

    type: str
    _data: Any = attrs.field(default=None, repr=shown)

    @property
    def data(self) -> Any:
        """Data from the channel; a copy."""
        return copied(self._data)

    @classmethod
    def parse(cls, body: Any) -> ChannelMetadata:
        """Read ``{type, data}``; raise `ProtocolError` for anything else."""
        if not isinstance(body, dict) or not isinstance(body.get("type"), str):
            raise ProtocolError("channel metadata without a type", body=body)
        return cls(body["type"], body.get("data"))
