"""Participants: addition and removal, by themselves or others; attributes, read horizon and notification level."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, func, or_, select
from sqlalchemy.exc import IntegrityError

from twilio_conversations.server.domain import conversations, limits, roles, users
from twilio_conversations.server.domain.conversations import Access, roster
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.storage.rows import Conversation, Participant
from twilio_conversations.server.storage.statements import Query, Values
from twilio_conversations.server.storage.tables import participants
from twilio_conversations.server.storage.writer import Transaction
from twilio_conversations.server.sync import projection
from twilio_conversations.server.text import is_text, to_json

CHAT, SMS, WHATSAPP, EMAIL = "chat", "sms", "whatsapp", "email"


class Counts(NamedTuple):
    """Numbers of a conversation's participants."""

    total: int
    non_chat: int


BY_SID = Query(Participant, select(participants).where(participants.c.sid == bindparam("sid")))
BY_REFERENCE = Query(
    Participant,
    select(participants).where(
        participants.c.conversation_sid == bindparam("conversation"),
        or_(participants.c.sid == bindparam("ref"), participants.c.identity == bindparam("ref")),
    ),
)
_COUNT = Query(
    Counts,
    select(func.count(), func.count() - func.count(participants.c.identity)).where(  # the index has both columns
        participants.c.conversation_sid == bindparam("conversation")
    ),
)
_COUNT_OF_IDENTITY = Values(int, select(func.count()).where(participants.c.identity == bindparam("identity")))
_DROP = delete(participants).where(participants.c.sid == bindparam("of"))


def roster_item(participant: Participant, user_sid: str | None) -> dict[str, Any]:
    """Return the item of a participant in the roster."""
    read_at = participant.last_read_timestamp
    return {
        "identity": participant.identity,
        "type": participant.type,
        "roleSid": participant.role_sid,
        "attributes": participant.attributes,
        "userInfo": user_sid and users.info_map(user_sid),
        "dateCreated": participant.date_created,
        "dateUpdated": participant.date_updated,
        "lastConsumedMessageIndex": participant.last_read_index,
        "lastConsumptionTimestamp": read_at and int(dt.datetime.fromisoformat(read_at).timestamp() * 1000),
        "bindings": {participant.type: json.loads(participant.binding)} if participant.binding else {},
    }


def membership_item(participant: Participant) -> dict[str, Any]:
    """Return a conversation among those of a user."""
    return {
        "channel": conversations.document(participant.conversation_sid),
        "status": "joined",
        "lastConsumedMessageIndex": participant.last_read_index,
        "notificationLevel": participant.notification_level,
    }


def add(tx: Transaction, caller: str, reference: str, body: dict[str, Any]) -> Participant:
    """Join (the caller's `identity`), or add a chat (`identity`) or non-chat participant (`messaging_binding`)."""
    access = conversations.enter_open(tx, caller, reference)
    if body.get("messaging_binding") is not None:
        access.require("addNonChatParticipant")
        return _add_non_chat(tx, access, body)
    identity = limits.identity(body.get("identity"))
    if access.member is not None or identity != caller:
        access.require("addParticipant")
    elif "joinConversation" not in roles.permissions(tx, users.ensure(tx, caller).role_sid):
        raise Refusal(50107)
    return _add_chat(tx, access, identity, body)


def _add_chat(tx: Transaction, access: Access, identity: str, body: dict[str, Any]) -> Participant:
    conversation = access.conversation
    if tx.first(conversations.MEMBER, conversation=conversation.sid, identity=identity) is not None:
        raise Refusal(50433)
    user = users.ensure(tx, identity)
    if (tx.value(_COUNT_OF_IDENTITY, identity=identity) or 0) >= tx.settings.conversations_per_identity_limit:
        raise Refusal(50214)
    role = roles.CHANNEL_ADMIN if identity == conversation.created_by else roles.CHANNEL_USER
    participant = _insert(tx, access, {"identity": identity, "type": CHAT, "role_sid": roles.sid_of(tx, role)}, body)
    projection.add_item(tx, roster(conversation.sid), participant.sid, roster_item(participant, user.sid))
    projection.add_item(tx, users.conversations_map(user.identity), conversation.sid, membership_item(participant))
    tx.members_changed.add(conversation.sid)
    return participant


def _add_non_chat(tx: Transaction, access: Access, body: dict[str, Any]) -> Participant:
    type_, binding = _binding(body["messaging_binding"])
    values = {
        "type": type_,
        "address": binding["address"],
        "proxy_address": binding["proxy_address"],
        "binding": to_json(binding),
        "role_sid": roles.sid_of(tx, roles.CHANNEL_USER),
    }
    participant = _insert(tx, access, values, body)
    projection.add_item(tx, roster(access.conversation.sid), participant.sid, roster_item(participant, None))
    return participant


def _insert(tx: Transaction, access: Access, values: dict[str, Any], body: dict[str, Any]) -> Participant:
    (counts,) = tx.all(_COUNT, conversation=access.conversation.sid)
    if counts.total >= tx.settings.participants_limit:
        raise Refusal(50417)
    if values["type"] != CHAT and counts.non_chat >= tx.settings.non_chat_participants_limit:
        raise Refusal(50418)
    blank = {"identity": None, "address": None, "proxy_address": None, "binding": None}
    participant = Participant(
        **(blank | values),
        sid=f"MB{uuid.uuid4().hex}",
        conversation_sid=access.conversation.sid,
        attributes=limits.attributes(body, limits.PARTICIPANT_ATTRIBUTES),
        last_read_index=None,
        last_read_timestamp=None,
        notification_level="default",
        date_created=tx.now,
        date_updated=tx.now,
    )
    try:
        tx.insert(participant)
    except IntegrityError as error:
        raise Refusal(50416) from error
    return participant


def _binding(value: Any) -> tuple[str, dict[str, str]]:
    """Return the type of a messaging binding and its checked fields."""
    if not isinstance(value, dict):
        raise Refusal(50407)
    address = _address(value.get("address"), 50411, 50407)
    proxy = _address(value.get("proxy_address"), 50412, 50408)
    if address == proxy:
        raise Refusal(50409)
    type_ = _address_type(address)
    if _address_type(proxy) != type_:
        raise Refusal(50414)
    extras = {name: value[name] for name in ("name", "level") if is_text(value.get(name))}
    if extras and type_ != EMAIL:
        raise Refusal(50420)
    return type_, {"address": address, "proxy_address": proxy, **extras}


def _address(value: Any, missing: int, invalid: int) -> str:
    if value is None or value == "":
        raise Refusal(missing)
    if not is_text(value) or len(value) > limits.ADDRESS:
        raise Refusal(invalid)
    return value


def _address_type(address: str) -> str:
    if address.startswith("whatsapp:"):
        return WHATSAPP
    return EMAIL if "@" in address else SMS


def _find(tx: Transaction, access: Access, reference: str) -> Participant:
    participant = tx.first(BY_REFERENCE, conversation=access.conversation.sid, ref=reference)
    if participant is None:
        raise Refusal(50432)
    return participant


def _user_sid(tx: Transaction, participant: Participant) -> str | None:
    return None if participant.identity is None else str(users.ensure(tx, participant.identity).sid)


def change(tx: Transaction, caller: str, reference: str, participant_reference: str, body: dict[str, Any]) -> Participant:
    """Change a participant's `attributes`."""
    access = conversations.enter_open(tx, caller, reference)
    participant = _find(tx, access, participant_reference)
    access.require("editOwnParticipantAttributes" if participant.identity == caller else "editAnyParticipantAttributes")
    if "attributes" in body:
        attributes = limits.attributes(body, limits.PARTICIPANT_ATTRIBUTES)
        participant = tx.update(participant, participant._replace(attributes=attributes, date_updated=tx.now))
        publish(tx, participant)
    return participant


def publish(tx: Transaction, participant: Participant) -> None:
    """Bring the roster up to date with a participant's row."""
    item = roster_item(participant, _user_sid(tx, participant))
    projection.set_item(tx, roster(participant.conversation_sid), participant.sid, item)


def remove(tx: Transaction, caller: str, reference: str, participant_reference: str) -> None:
    """Leave (the caller's reference) or remove a participant. The user's list changes before the roster."""
    access = conversations.enter_open(tx, caller, reference)
    participant = _find(tx, access, participant_reference)
    access.require("leaveConversation" if participant.identity == caller else "removeParticipant")
    sid = participant.conversation_sid
    if participant.identity is not None:
        projection.remove_item(tx, users.conversations_map(participant.identity), sid)
        tx.members_changed.add(sid)
        if participant.identity != access.conversation.created_by:
            tx.revoked.append((participant.identity, sid))
    projection.remove_item(tx, roster(sid), participant.sid)
    tx.execute(_DROP, {"of": participant.sid})


def read(tx: Transaction, caller: str, reference: str, body: dict[str, Any]) -> tuple[Conversation, Participant]:
    """Change the caller's `last_read_message_index` (null: nothing read) or `notification_level`.

    Returns the rows of the conversation and of the participant.
    """
    access = conversations.enter(tx, caller, reference)
    member = None if access.member is None else tx.first(BY_SID, sid=access.member.sid)
    if member is None:
        raise Refusal(50430)
    changed = member
    if "last_read_message_index" in body:
        index = limits.read_index(body["last_read_message_index"])
        changed = changed._replace(last_read_index=index, last_read_timestamp=tx.now)
    if "notification_level" in body:
        access.require("editNotificationLevel")
        changed = changed._replace(notification_level=limits.notification_level(body["notification_level"]))
    tx.update(member, changed)
    _publish_reading(tx, caller, member, changed)
    return access.conversation, changed


def _publish_reading(tx: Transaction, identity: str, before: Participant, after: Participant) -> None:
    """Publish horizon and level in the user's own list, and the horizon in the roster, which all members read."""
    sid = after.conversation_sid
    user = users.ensure(tx, identity)
    if before.last_read_timestamp != after.last_read_timestamp or before.last_read_index != after.last_read_index:
        projection.set_item(tx, roster(sid), after.sid, roster_item(after, user.sid))
    projection.set_item(tx, users.conversations_map(identity), sid, membership_item(after))
