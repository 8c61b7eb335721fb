"""Push registrations of users' devices. They are stored; nothing is sent to Apple or Google."""

from __future__ import annotations

import json
import uuid
from typing import Any

from sqlalchemy import bindparam, delete, select

from twilio_conversations.server.domain import reachability
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.storage.rows import Registration
from twilio_conversations.server.storage.statements import Query
from twilio_conversations.server.storage.tables import registrations
from twilio_conversations.server.storage.writer import Transaction
from twilio_conversations.server.text import is_text, to_json

CHANNELS = ("fcm", "apn")
MAX_ADDRESS = 4096
MAX_TEXT = 128
MAX_TYPES = 50

_EVERY = select(registrations).order_by(registrations.c.date_created, registrations.c.id)
ALL = Query(Registration, _EVERY)
OF_IDENTITY = Query(Registration, _EVERY.where(registrations.c.identity == bindparam("identity")))
ONE = Query(
    Registration,
    select(registrations).where(registrations.c.id == bindparam("id"), registrations.c.identity == bindparam("identity")),
)
_THIS_DEVICE = (
    registrations.c.identity == bindparam("whose"),
    registrations.c.channel_type == bindparam("channel"),
    registrations.c.address == bindparam("device"),
)
_KNOWN = Query(Registration, select(registrations).where(*_THIS_DEVICE))
_DROP = delete(registrations).where(registrations.c.id == bindparam("of"), registrations.c.identity == bindparam("whose"))
_DROP_DEVICE = delete(registrations).where(*_THIS_DEVICE)


def register(tx: Transaction, identity: str, body: dict[str, Any]) -> Registration:
    """Register a device of `identity`. A registered device keeps its id and gets the new values. Raises 20422."""
    channel, address = _device(body.get("channel_type"), _member(body.get("data"), "registration_id"))
    platform, version = _text(body, "endpoint_platform"), _text(body, "version")
    types = to_json(_types(body.get("message_types")))
    known = tx.first(_KNOWN, whose=identity, channel=channel, device=address)
    if known is not None:
        after = known._replace(platform=platform, version=version, message_types=types, date_updated=tx.now)
        return tx.update(known, after)
    made = Registration(uuid.uuid4().hex, identity, channel, address, platform, version, types, tx.now, tx.now)
    tx.insert(made)
    reachability.publish(tx, identity)
    return made


def remove(tx: Transaction, identity: str, id_: str) -> None:
    """Delete a registration of the caller, if it exists: deletions are repeated."""
    tx.execute(_DROP, {"of": id_, "whose": identity})
    reachability.publish(tx, identity)


def remove_device(tx: Transaction, identity: str, body: dict[str, Any]) -> None:
    """Delete the caller's registrations of a device: ``binding_type`` and ``address``. Raises 20422."""
    channel, address = _device(body.get("binding_type"), body.get("address"))
    tx.execute(_DROP_DEVICE, {"whose": identity, "channel": channel, "device": address})
    reachability.publish(tx, identity)


def record(row: Registration) -> dict[str, Any]:
    """Return a registration."""
    return {
        "id": row.id,
        "identity": row.identity,
        "channel_type": row.channel_type,
        "endpoint_platform": row.platform,
        "version": row.version,
        "message_types": json.loads(row.message_types),
        "data": {"registration_id": row.address},
        "date_created": row.date_created,
        "date_updated": row.date_updated,
    }


def _device(channel: Any, address: Any) -> tuple[str, str]:
    if channel not in CHANNELS:
        raise Refusal(20422, f"The channel must be one of {', '.join(CHANNELS)}")
    if not is_text(address) or not 0 < len(address) <= MAX_ADDRESS:
        raise Refusal(20422, "The registration id of the device must be text")
    return str(channel), address


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name, "")
    if not is_text(value) or len(value) > MAX_TEXT:
        raise Refusal(20422, f"'{name}' must be text of at most {MAX_TEXT} characters")
    return value


def _types(value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > MAX_TYPES or not all(is_text(item) for item in value):
        raise Refusal(20422, "'message_types' must be a list of text")
    return value
