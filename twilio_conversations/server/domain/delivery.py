"""Delivery by other channels: a receipt for each recipient by SMS, WhatsApp or e-mail, and the addresses of e-mails."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, delete, select

from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.storage.rows import Message, Participant, Receipt, Recipient
from twilio_conversations.server.storage.statements import Query
from twilio_conversations.server.storage.tables import participants, receipts, recipients
from twilio_conversations.server.storage.writer import Transaction
from twilio_conversations.server.sync.projection import index_key
from twilio_conversations.server.text import to_json

QUEUED, SENT, DELIVERED, READ, FAILED, UNDELIVERED = "queued", "sent", "delivered", "read", "failed", "undelivered"
STATUSES = (QUEUED, SENT, DELIVERED, READ, FAILED, UNDELIVERED)
_COUNTED_AS = {
    SENT: {SENT, DELIVERED, READ, UNDELIVERED},
    DELIVERED: {DELIVERED, READ},
    READ: {READ},
    FAILED: {FAILED},
    UNDELIVERED: {UNDELIVERED},
}
"""Statuses that count for each entry of a summary: a read message was delivered, and a delivered one was sent."""

_NON_CHAT = Query(
    Participant,
    select(participants).where(
        participants.c.conversation_sid == bindparam("conversation"),
        participants.c.identity.is_(None),  # by which they are next to each other in the index: chat participants are not read
        participants.c.address.is_not(None),
    ),
)
_OF_MESSAGE = Query(Receipt, select(receipts).where(receipts.c.message_sid == bindparam("of")))
_FORGET = (
    delete(receipts).where(receipts.c.message_sid == bindparam("of")),
    delete(recipients).where(recipients.c.message_sid == bindparam("of")),
)
RECEIPTS = Query(
    Receipt,
    select(receipts)
    .where(receipts.c.message_sid == bindparam("of"), receipts.c.sid > bindparam("after"))
    .order_by(receipts.c.sid)
    .limit(bindparam("limit")),
)
RECIPIENTS_OF_MESSAGE = Query(
    Recipient, select(recipients).where(recipients.c.message_sid == bindparam("of")).order_by(recipients.c.key)
)
RECIPIENTS = Query(
    Recipient,
    select(recipients)
    .where(recipients.c.conversation_sid == bindparam("of"), recipients.c.key > bindparam("after"))
    .order_by(recipients.c.key)
    .limit(bindparam("limit")),
)


def non_chat_participants(
    tx: Transaction, conversation_sid: str, sender_sid: str | None
) -> tuple[Participant | None, list[Participant]]:
    """Return the sender, `None` if that is a chat participant, and all other non-chat participants."""
    everybody = tx.all(_NON_CHAT, conversation=conversation_sid)
    sender = next((participant for participant in everybody if participant.sid == sender_sid), None)
    return sender, [participant for participant in everybody if participant.sid != sender_sid]


def summary(statuses: Iterable[str]) -> str | None:
    """Return the aggregated receipt as JSON: for each status `all`, `some` or `none`; `None` without receipts."""
    known = list(statuses)
    if not known:
        return None
    counts = {name: sum(status in counted for status in known) for name, counted in _COUNTED_AS.items()}
    words = {name: "none" if count == 0 else "all" if count == len(known) else "some" for name, count in counts.items()}
    return to_json({"total": len(known), **words})


def queue(tx: Transaction, message: Message, sender: Participant | None, to: list[Participant]) -> None:
    """Create the receipts of a new message, and the rows of its sender and recipients."""
    for participant in to:
        receipt = Receipt(
            sid=f"DY{uuid.uuid4().hex}",
            message_sid=message.sid,
            conversation_sid=message.conversation_sid,
            participant_sid=participant.sid,
            channel_message_sid=f"SM{uuid.uuid4().hex}",
            type=participant.type,
            address=participant.address or "",
            proxy_address=participant.proxy_address or "",
            status=QUEUED,
            error_code=0,
            date_created=tx.now,
            date_updated=tx.now,
        )
        tx.insert(receipt)
    for number, named in enumerate(_named(sender, to)):
        key = f"{index_key(message.index)}-{number:06d}"
        tx.insert(Recipient(message.conversation_sid, key, message.sid, **named))


def _named(sender: Participant | None, to: list[Participant]) -> list[dict[str, Any]]:
    """Return the non-chat senders and recipients of a message; an outgoing e-mail is from the service's address."""
    named = [_naming(participant, _level(participant)) for participant in to]
    if sender is not None:
        return [_naming(sender, "from"), *named]
    mail = next((participant for participant in to if participant.type == "email"), None)
    if mail is None:
        return named
    return [{"type": "email", "level": "from", "name": None, "address": mail.proxy_address}, *named]


def _naming(participant: Participant, level: str) -> dict[str, Any]:
    name = json.loads(participant.binding or "{}").get("name")
    return {"type": participant.type, "level": level, "name": name, "address": participant.address}


def _level(participant: Participant) -> str:
    return str(json.loads(participant.binding or "{}").get("level") or "to")


def mark(tx: Transaction, message_sid: str, status: str, participant_sid: str | None, error_code: int) -> list[str]:
    """Set the status of one or all receipts of a message; return all its statuses. Raises `Refusal` 20422, 50432."""
    if status not in STATUSES:
        raise Refusal(20422, f"{status!r} is no delivery status; there are: {', '.join(STATUSES)}")
    known = tx.all(_OF_MESSAGE, of=message_sid)
    meant = [receipt for receipt in known if participant_sid in (None, receipt.participant_sid)]
    if not meant:
        raise Refusal(50432, "The message did not go out to this participant")
    for receipt in meant:
        tx.update(receipt, receipt._replace(status=status, error_code=error_code, date_updated=tx.now))
    return [status if receipt in meant else receipt.status for receipt in known]


def forget(tx: Transaction, message_sid: str) -> None:
    """Delete the receipts and recipients of a message."""
    for statement in _FORGET:
        tx.execute(statement, {"of": message_sid})
