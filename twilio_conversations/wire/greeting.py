"""The first frame of a connection: the product, the notifications that the client wants, and its capabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from twilio_conversations.wire import message_types
from twilio_conversations.wire.credentials import Credentials
from twilio_conversations.wire.packets import PRODUCT, Init

CAPABILITIES: Final = ("client_update", "offline_storage")


def init(id_: str, credentials: Credentials, metadata: Mapping[str, Any]) -> Init:
    """Return an init with the latest token, which is the one sent from now on."""
    registration = {
        "product": PRODUCT,
        "type": "ers",
        "notification_protocol_version": 0,
        "message_types": list(message_types.ALL),
    }
    return Init(
        id_,
        credentials.send(),
        credentials.continuation_token,
        metadata,
        (registration,),
        capabilities=CAPABILITIES,
    )
