"""Other channels, simulated: incoming and outgoing messages by SMS, WhatsApp and e-mail."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select

from twilio_conversations.server.domain import conversations, limits, media, messages
from twilio_conversations.server.domain.media import Attachment
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.storage.rows import Message, Participant
from twilio_conversations.server.storage.statements import Query, Values
from twilio_conversations.server.storage.tables import messages as messages_table
from twilio_conversations.server.storage.tables import participants, receipts
from twilio_conversations.server.storage.writer import Transaction
from twilio_conversations.server.text import is_text, to_json

_BY_PAIR = Query(
    Participant,
    select(participants).where(
        participants.c.address == bindparam("address"), participants.c.proxy_address == bindparam("proxy_address")
    ),
)
_MESSAGE = Query(Message, select(messages_table).where(messages_table.c.sid == bindparam("sid")))
_BY_ADDRESS = Values(
    str,
    select(receipts.c.participant_sid).where(
        receipts.c.message_sid == bindparam("of"), receipts.c.address == bindparam("address")
    ),
)


class Sent(NamedTuple):
    """An outgoing message to one address."""

    channel_message_sid: str
    message_sid: str
    conversation_sid: str
    participant_sid: str
    type: str
    address: str
    proxy_address: str
    author: str
    index: int  # type: ignore[assignment]  # a tuple has a method of this name
    body: str | None
    subject: str | None
    status: str
    error_code: int
    date_created: str
    date_updated: str


_R, _M = receipts.c, messages_table.c
SENT = Query(
    Sent,
    select(
        *(_R.channel_message_sid, _R.message_sid, _R.conversation_sid, _R.participant_sid, _R.type, _R.address, _R.proxy_address),
        *(_M.author, _M.index, _M.body, _M.subject, _R.status, _R.error_code, _R.date_created, _R.date_updated),
    )
    .join_from(receipts, messages_table, _M.sid == _R.message_sid)
    .order_by(_R.date_created, _M.index, _R.sid),
)
"""All outgoing messages."""


def receive(tx: Transaction, body: dict[str, Any], attachments: list[Attachment]) -> Message:
    """Add an incoming message from `address` to `proxy_address`; the pair identifies conversation and participant.

    Raises:
        Refusal: 20404 for an unknown pair of addresses; 50303, 50304, 50503, 50504, 20422.
    """
    pair = {"address": _address(body, "address"), "proxy_address": _address(body, "proxy_address")}
    participant = tx.first(_BY_PAIR, **pair)
    if participant is None:
        raise Refusal(20404, f"Nobody is in a conversation as {pair['address']} through {pair['proxy_address']}")
    conversation = conversations.of_sid(tx, participant.conversation_sid)
    sid = f"IM{uuid.uuid4().hex}"
    content = message_fields(body)
    if attachments:
        place = {"message_sid": sid, "conversation_sid": conversation.sid}
        content["medias"] = to_json([media.attach_new(tx, pair["address"], item, **place) for item in attachments])
    elif content["body"] is None:
        raise Refusal(50503)
    return messages.add(tx, conversation, pair["address"], participant.sid, {"sid": sid, **content})


def message_fields(body: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of a message that is not sent by a client."""
    metadata = body.get("channel_metadata")
    if metadata is not None and not (isinstance(metadata, dict) and is_text(metadata.get("type"))):
        raise Refusal(20422, "'channel_metadata' must be an object with 'type' and 'data'")
    return {
        "body": limits.message_body(body),
        "subject": limits.text(body, "subject", limits.SUBJECT, 20422),
        "attributes": limits.attributes(body, limits.MESSAGE_ATTRIBUTES),
        "content_sid": limits.content_sid(body),
        "channel_metadata": None if metadata is None else to_json(metadata),
        "medias": None,
    }


def deliver(tx: Transaction, body: dict[str, Any]) -> Message:
    """Set `status` and `error_code` of the delivery of `message_sid`, to one `address` or to all recipients.

    Raises:
        Refusal: 50500, 50432, 20422.
    """
    message = tx.first(_MESSAGE, sid=body.get("message_sid"))
    if message is None:
        raise Refusal(50500)
    error_code = body.get("error_code") or 0
    if type(error_code) is not int:
        raise Refusal(20422, "'error_code' must be a number")
    participant_sid = None
    if body.get("address") is not None:
        participant_sid = tx.value(_BY_ADDRESS, of=message.sid, address=body["address"])
        if participant_sid is None:
            raise Refusal(50432, "The message did not go out to this address")
    return messages.deliver(tx, message, str(body.get("status")), participant_sid, error_code)


def _address(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not is_text(value) or not value:
        raise Refusal(20422, f"'{name}' must be an address")
    return value
