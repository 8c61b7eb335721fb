"""Messages: sending, editing and deleting them. Indexes grow by one and are never used twice."""

from __future__ import annotations

import json
import uuid
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from twilio_conversations.server import projection
from twilio_conversations.server.domain import conversations, limits, media
from twilio_conversations.server.domain.conversations import ACTIVE, Place, message_list
from twilio_conversations.server.errors import ServiceError
from twilio_conversations.server.tables import conversations as conversations_table
from twilio_conversations.server.tables import messages
from twilio_conversations.server.writer import Transaction

BY_SID = select(messages).where(
    messages.c.conversation_sid == bindparam("conversation"), messages.c.sid == bindparam("sid")
)
_NEWEST = (
    select(messages.c.index, messages.c.date_created)
    .where(messages.c.conversation_sid == bindparam("conversation"))
    .order_by(messages.c.index.desc())
    .limit(1)
)
_NEW = insert(messages).returning(messages)
_SET = (
    update(messages)
    .where(messages.c.sid == bindparam("of"))
    .values(
        body=bindparam("new_body"),
        attributes=bindparam("new_attributes"),
        last_updated_by=bindparam("new_editor"),
        date_updated=bindparam("at"),
    )
    .returning(messages)
)
_DROP = delete(messages).where(messages.c.sid == bindparam("of"))
_SET_LAST = (
    update(conversations_table)
    .where(conversations_table.c.sid == bindparam("of"))
    .values(
        next_index=bindparam("new_next_index"),
        last_index=bindparam("new_last_index"),
        last_timestamp=bindparam("new_last_timestamp"),
        state=bindparam("new_state"),
        state_updated=bindparam("new_state_updated"),
    )
    .returning(conversations_table)
)


def list_item(message: Any) -> dict[str, Any]:
    """A message in the list."""
    medias = [] if message.medias is None else json.loads(message.medias)
    item = {
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
    }
    if medias:
        item["medias"] = medias
    attached = [entry for entry in medias if entry["category"] == media.MEDIA]
    if attached:
        item["media"] = attached[0]  # read by clients from before there could be several
    return item


def send(tx: Transaction, caller: str, reference: str, body: dict[str, Any]) -> Any:
    """Add a message."""
    place = conversations.enter_open(tx, caller, reference)
    if place.member is None:
        raise ServiceError(50430)
    conversation = place.conversation
    sid = f"IM{uuid.uuid4().hex}"
    values = {
        "sid": sid,
        "conversation_sid": conversation.sid,
        "index": conversation.next_index,
        "author": caller,
        "participant_sid": place.member.sid,
        "last_updated_by": None,
        "date_created": tx.now,
        "date_updated": tx.now,
        **_new_content(tx, place, sid, body),
    }
    message = tx.first(_NEW, **values)
    projection.add_item(tx, message_list(conversation.sid), message.index, list_item(message))
    state = ACTIVE, conversation.state_updated if conversation.state == ACTIVE else tx.now
    _set_last(tx, conversation.sid, message.index + 1, (message.index, message.date_created), state)
    return message


def _new_content(tx: Transaction, place: Place, sid: str, body: dict[str, Any]) -> dict[str, Any]:
    """What the sender says, as columns of the message `sid`."""
    text, content_sid = limits.message_body(body), limits.content_sid(body)
    media_sids = body.get("media_sids") or []
    medias = media.attach(tx, place.caller, media_sids, message_sid=sid, conversation_sid=place.conversation.sid)
    with_media = any(entry["category"] == media.MEDIA for entry in medias)
    if with_media:
        place.require("sendMediaMessage")
    if text is not None or not with_media:
        place.require("sendMessage")
    if text is None and content_sid is None and not medias:
        raise ServiceError(50503)
    return {
        "body": text,
        "subject": limits.text(body, "subject", limits.SUBJECT, 20422),
        "attributes": limits.attributes(body, limits.MESSAGE_ATTRIBUTES),
        "content_sid": content_sid,
        "medias": projection.to_json(medias) if medias else None,
    }


def change(tx: Transaction, caller: str, reference: str, sid: str, body: dict[str, Any]) -> Any:
    """Change a message's `body` or `attributes`. Only a new body changes who edited it last."""
    place, message = _find(tx, caller, reference, sid)
    whose = "Own" if message.author == caller else "Any"
    values = {"of": sid, "at": tx.now, "new_body": message.body, "new_attributes": message.attributes}
    values["new_editor"] = message.last_updated_by
    if "body" in body:
        place.require(f"edit{whose}Message")
        text = limits.message_body(body)
        if text is None:
            raise ServiceError(50503)
        values |= {"new_body": text, "new_editor": caller}
    if "attributes" in body:
        place.require(f"edit{whose}MessageAttributes")
        values["new_attributes"] = limits.attributes(body, limits.MESSAGE_ATTRIBUTES)
    changed = tx.first(_SET, **values)
    projection.set_item(tx, message_list(changed.conversation_sid), changed.index, list_item(changed))
    return changed


def remove(tx: Transaction, caller: str, reference: str, sid: str) -> None:
    """Delete a message; when it was the newest, the conversation's last message becomes the one before it."""
    place, message = _find(tx, caller, reference, sid)
    place.require("deleteOwnMessage" if message.author == caller else "deleteAnyMessage")
    conversation = place.conversation
    media.drop_of_message(tx, sid)
    tx.execute(_DROP, {"of": sid})
    projection.remove_item(tx, message_list(conversation.sid), message.index)
    if message.index == conversation.last_index:
        newest = tx.first(_NEWEST, conversation=conversation.sid)
        last = (None, None) if newest is None else (newest.index, newest.date_created)
        _set_last(tx, conversation.sid, conversation.next_index, last, (conversation.state, conversation.state_updated))


def _find(tx: Transaction, caller: str, reference: str, sid: str) -> tuple[Place, Any]:
    place = conversations.enter_open(tx, caller, reference)
    message = tx.first(BY_SID, conversation=place.conversation.sid, sid=sid)
    if message is None:
        raise ServiceError(50500)
    return place, message


def _set_last(
    tx: Transaction, sid: str, next_index: int, last: tuple[int | None, str | None], state: tuple[str, str]
) -> None:
    values = {"of": sid, "new_next_index": next_index, "new_last_index": last[0], "new_last_timestamp": last[1]}
    conversations.publish(tx, tx.first(_SET_LAST, **values, new_state=state[0], new_state_updated=state[1]))
