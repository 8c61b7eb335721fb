"""Messages: sending, editing and deleting them. Indexes grow by one and are never reused."""

from __future__ import annotations

import json
import uuid
from typing import Any, NamedTuple

import attrs
from sqlalchemy import bindparam, delete, select

from twilio_conversations.server.domain import conversations, delivery, limits, media, states
from twilio_conversations.server.domain.conversations import ACTIVE, Access, message_list
from twilio_conversations.server.domain.media import Attachment
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.settings import AT_ONCE
from twilio_conversations.server.storage.rows import Conversation, Message
from twilio_conversations.server.storage.statements import Query
from twilio_conversations.server.storage.tables import messages
from twilio_conversations.server.storage.writer import Transaction
from twilio_conversations.server.sync import projection
from twilio_conversations.server.text import to_json


class Newest(NamedTuple):
    """The newest message of a conversation, as the conversation's row has it."""

    number: int
    date: str
    sid: str
    author: str


BY_SID = Query(
    Message,
    select(messages).where(messages.c.conversation_sid == bindparam("conversation"), messages.c.sid == bindparam("sid")),
)
_NEWEST = Query(
    Newest,
    select(messages.c.index, messages.c.date_created, messages.c.sid, messages.c.author)
    .where(messages.c.conversation_sid == bindparam("conversation"))
    .order_by(messages.c.index.desc())
    .limit(1),
)
_DROP = delete(messages).where(messages.c.sid == bindparam("of"))


def list_item(message: Message) -> dict[str, Any]:
    """Return the item of a message in the list of messages."""
    medias = [] if message.medias is None else json.loads(message.medias)
    item: dict[str, Any] = {
        "sid": message.sid,
        "type": "media" if medias else "text",
        "author": message.author,
        "memberSid": message.participant_sid,
        "text": message.body,
        "subject": message.subject,
        "timestamp": message.date_created,
        "dateUpdated": message.date_updated,
        "lastUpdatedBy": message.last_updated_by,
        "attributes": message.attributes,
        "contentSid": message.content_sid,
        "channelMetadata": message.channel_metadata is not None,
    }
    if message.delivery:
        item["delivery"] = json.loads(message.delivery)
    if medias:
        item["medias"] = medias
    attached = [entry for entry in medias if entry["category"] == media.MEDIA]
    if attached:
        item["media"] = attached[0]  # read by clients from before there could be several
    return item


@attrs.frozen
class Template:
    """The text and the rich content that a template gives a message."""

    text: str | None
    rich: Attachment


def send(tx: Transaction, caller: str, reference: str, body: dict[str, Any], template: Template | None = None) -> Message:
    """Add a message of a member. A template's content replaces text and media."""
    access = conversations.enter_open(tx, caller, reference)
    if access.member is None:
        raise Refusal(50430)
    sid = f"IM{uuid.uuid4().hex}"
    content = {"sid": sid, **_new_content(tx, access, sid, body if template is None else {**body, "media_sids": []})}
    if template is not None:
        where = {"message_sid": sid, "conversation_sid": access.conversation.sid}
        content |= {"body": template.text, "medias": to_json([media.attach_new(tx, caller, template.rich, **where)])}
    return add(tx, access.conversation, caller, access.member.sid, content)


def add(
    tx: Transaction, conversation: Conversation, author: str, participant_sid: str | None, content: dict[str, Any]
) -> Message:
    """Add a message of a member, of a non-chat participant, or of the system, which is no participant.

    It makes an inactive conversation active, and is sent to all non-chat participants.

    Args:
        tx: the transaction.
        conversation: its row.
        author: identity or address.
        participant_sid: the author's participant, if any.
        content: columns of the message: `sid`, and all that have no default here.
    """
    sender, recipients = delivery.non_chat_participants(tx, conversation.sid, participant_sid)
    row = {
        "conversation_sid": conversation.sid,
        "index": conversation.next_index,
        "author": author,
        "participant_sid": participant_sid,
        "outside": sender is not None,
        "channel_metadata": None,
        "delivery": delivery.summary([delivery.QUEUED] * len(recipients)),
        "last_updated_by": None,
        "date_created": tx.now,
        "date_updated": tx.now,
        **content,
    }
    message = Message(**row)
    tx.insert(message)
    projection.add_item(tx, message_list(conversation.sid), message.index, list_item(message))
    _activate(tx, conversation, message)
    delivery.queue(tx, message, sender, recipients)
    if recipients and tx.settings.delivery == AT_ONCE:
        for status in (delivery.SENT, delivery.DELIVERED):
            message = deliver(tx, message, status)
    return message


def _activate(tx: Transaction, conversation: Conversation, message: Message) -> None:
    date_inactive, date_closed = states.deadlines(tx, conversation.timer_inactive, conversation.timer_closed, ACTIVE)
    after = conversation._replace(
        next_index=message.index + 1 + tx.settings.index_gap,
        last_index=message.index,
        last_timestamp=message.date_created,
        last_sid=message.sid,
        last_author=message.author,
        messages_count=conversation.messages_count + 1,
        state=ACTIVE,
        state_updated=conversation.state_updated if conversation.state == ACTIVE else tx.now,
        date_inactive=date_inactive,
        date_closed=date_closed,
    )
    conversations.publish(tx, tx.update(conversation, after))


def deliver(tx: Transaction, message: Message, status: str, participant_sid: str | None = None, error_code: int = 0) -> Message:
    """Set the delivery status of a message, for one recipient or all; return the message with its new summary."""
    statuses = delivery.mark(tx, message.sid, status, participant_sid, error_code)
    changed = tx.update(message, message._replace(delivery=delivery.summary(statuses)))
    projection.set_item(tx, message_list(changed.conversation_sid), changed.index, list_item(changed))
    return changed


def _new_content(tx: Transaction, access: Access, sid: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return the sender's fields as columns of the message `sid`."""
    text, content_sid = limits.message_body(body), limits.content_sid(body)
    media_sids = body.get("media_sids") or []
    medias = media.attach(tx, access.caller, media_sids, message_sid=sid, conversation_sid=access.conversation.sid)
    with_media = any(entry["category"] == media.MEDIA for entry in medias)
    if with_media:
        access.require("sendMediaMessage")
    if text is not None or not with_media:
        access.require("sendMessage")
    if text is None and content_sid is None and not medias:
        raise Refusal(50503)
    return {
        "body": text,
        "subject": limits.text(body, "subject", limits.SUBJECT, 20422),
        "attributes": limits.attributes(body, limits.MESSAGE_ATTRIBUTES),
        "content_sid": content_sid,
        "medias": to_json(medias) if medias else None,
    }


def change(tx: Transaction, caller: str, reference: str, sid: str, body: dict[str, Any]) -> Message:
    """Change a message's `body` or `attributes`. Only a new body changes who edited it last."""
    access, message = _find(tx, caller, reference, sid)
    whose = "Own" if _is_own(message, caller) else "Any"
    access.require_for(body, {"body": f"edit{whose}Message", "attributes": f"edit{whose}MessageAttributes"})
    changed = message._replace(date_updated=tx.now)
    if "body" in body:
        text = limits.message_body(body)
        if text is None:
            raise Refusal(50503)
        changed = changed._replace(body=text, last_updated_by=caller)
    if "attributes" in body:
        changed = changed._replace(attributes=limits.attributes(body, limits.MESSAGE_ATTRIBUTES))
    tx.update(message, changed)
    projection.set_item(tx, message_list(changed.conversation_sid), changed.index, list_item(changed))
    return changed


def remove(tx: Transaction, caller: str, reference: str, sid: str) -> None:
    """Delete a message; after the newest one, the message before it is the conversation's last."""
    access, message = _find(tx, caller, reference, sid)
    access.require("deleteOwnMessage" if _is_own(message, caller) else "deleteAnyMessage")
    conversation = access.conversation
    media.drop_of_message(tx, sid)
    delivery.forget(tx, sid)
    tx.execute(_DROP, {"of": sid})
    projection.remove_item(tx, message_list(conversation.sid), message.index)
    fewer = tx.update(conversation, conversation._replace(messages_count=conversation.messages_count - 1))
    if message.index == conversation.last_index:
        newest = tx.first(_NEWEST, conversation=conversation.sid)
        index, date, of, author = (None, None, None, None) if newest is None else newest
        after = fewer._replace(last_index=index, last_timestamp=date, last_sid=of, last_author=author)
        conversations.publish(tx, tx.update(fewer, after))


def _is_own(message: Message, caller: str) -> bool:
    """Return whether the caller is the author. The address of a non-chat author may equal the identity of a user."""
    return message.author == caller and not message.outside


def _find(tx: Transaction, caller: str, reference: str, sid: str) -> tuple[Access, Message]:
    access = conversations.enter_open(tx, caller, reference)
    message = tx.first(BY_SID, conversation=access.conversation.sid, sid=sid)
    if message is None:
        raise Refusal(50500)
    return access, message
