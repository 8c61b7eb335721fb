"""Conversations: their creation, change and deletion, and the permissions of each caller."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, or_, select
from sqlalchemy.exc import IntegrityError

from twilio_conversations.server.domain import limits, media, roles, users
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.storage.database import Connection
from twilio_conversations.server.storage.rows import Conversation
from twilio_conversations.server.storage.statements import Query, Values
from twilio_conversations.server.storage.tables import conversations, messages, participants, receipts, recipients
from twilio_conversations.server.storage.tables import roles as roles_table
from twilio_conversations.server.storage.tables import users as users_table
from twilio_conversations.server.storage.writer import Transaction
from twilio_conversations.server.sync import projection
from twilio_conversations.util.values import value

ACTIVE, INACTIVE, CLOSED = "active", "inactive", "closed"


class Member(NamedTuple):
    """The caller's participant, with the permissions of its role."""

    sid: str
    last_read_index: int | None
    notification_level: str
    permissions: str


BY_REFERENCE = Query(
    Conversation,
    select(conversations).where(or_(conversations.c.sid == bindparam("ref"), conversations.c.unique_name == bindparam("ref"))),
)
MEMBER = Query(
    Member,
    select(participants.c.sid, participants.c.last_read_index, participants.c.notification_level, roles_table.c.permissions)
    .join(roles_table, roles_table.c.sid == participants.c.role_sid)
    .where(participants.c.conversation_sid == bindparam("conversation"), participants.c.identity == bindparam("identity")),
)
"""The member with an identity."""
_SERVICE_ROLE = Values(
    str,
    select(roles_table.c.permissions)
    .join(users_table, users_table.c.role_sid == roles_table.c.sid)
    .where(users_table.c.identity == bindparam("identity")),
)
_MEMBERS = Values(
    str,
    select(participants.c.identity)
    .where(participants.c.conversation_sid == bindparam("conversation"), participants.c.identity.is_not(None))
    .order_by(participants.c.sid),
)
_DROP_MESSAGES = delete(messages).where(messages.c.conversation_sid == bindparam("of"))
_DROP_RECEIPTS = delete(receipts).where(receipts.c.conversation_sid == bindparam("of"))
_DROP_RECIPIENTS = delete(recipients).where(recipients.c.conversation_sid == bindparam("of"))
_DROP_PARTICIPANTS = delete(participants).where(participants.c.conversation_sid == bindparam("of"))
_DROP = delete(conversations).where(conversations.c.sid == bindparam("of"))

_EDITS = {
    "friendly_name": "editConversationName",
    "unique_name": "editConversationName",
    "attributes": "editConversationAttributes",
}
_AS_OWNER = frozenset(roles.STANDARD[roles.CHANNEL_ADMIN][1]) - {"sendMessage", "sendMediaMessage"}


def document(sid: str) -> str:
    """Return the name of the conversation's document."""
    return f"{sid}.channel"


def message_list(sid: str) -> str:
    """Return the name of the list of messages."""
    return f"{sid}.messages"


def roster(sid: str) -> str:
    """Return the name of the map of participants."""
    return f"{sid}.roster"


@value
class Access:
    """A caller's access to a conversation: its row, the caller's participant if a member, and the permissions."""

    conversation: Conversation
    caller: str
    member: Member | None
    permissions: frozenset[str]

    def require(self, permission: str) -> None:
        """Raise 50107 without this permission."""
        if permission not in self.permissions:
            raise Refusal(50107)

    def require_for(self, body: dict[str, Any], needed: Mapping[str, str]) -> None:
        """Raise 50107 unless all fields may be changed; `needed` has their permissions.

        An empty change needs one of the permissions: it is announced, too.
        """
        if self.permissions.isdisjoint(needed.values()):
            raise Refusal(50107)
        for field in needed.keys() & body.keys():
            self.require(needed[field])


def enter(source: Transaction | Connection, caller: str, reference: str) -> Access:
    """Return the access of `caller` to a conversation, found by sid or unique name.

    A creator who is no member has all permissions of a channel admin but sending, a service admin those of its role.

    Raises:
        Refusal: 50350 no such conversation; 50430 no access.
    """
    conversation = source.first(BY_REFERENCE, ref=reference)
    if conversation is None:
        raise Refusal(50350)
    member = source.first(MEMBER, conversation=conversation.sid, identity=caller)
    if member is not None:
        return Access(conversation, caller, member, roles.parse(member.permissions))
    if conversation.created_by == caller:
        return Access(conversation, caller, None, _AS_OWNER)
    permissions = source.value(_SERVICE_ROLE, identity=caller)
    allowed = frozenset() if permissions is None else roles.parse(permissions)
    if "editAnyUserInfo" not in allowed:
        raise Refusal(50430)
    return Access(conversation, caller, None, allowed)


def of_sid(tx: Transaction, sid: str) -> Conversation:
    """Return the conversation with this sid or unique name. Raises 50350."""
    conversation = tx.first(BY_REFERENCE, ref=sid)
    if conversation is None:
        raise Refusal(50350)
    return conversation


def enter_open(tx: Transaction, caller: str, reference: str) -> Access:
    """Return the access for a change: as `enter`, but raises 50377 when the conversation is closed."""
    access = enter(tx, caller, reference)
    if access.conversation.state == CLOSED:
        raise Refusal(50377)
    return access


def content(conversation: Conversation) -> dict[str, Any]:
    """Return the conversation's document."""
    fields = {
        "sid": conversation.sid,
        "friendlyName": conversation.friendly_name,
        "uniqueName": conversation.unique_name,
        "attributes": conversation.attributes,
        "createdBy": conversation.created_by,
        "dateCreated": conversation.date_created,
        "dateUpdated": conversation.date_updated,
        "messages": message_list(conversation.sid),
        "roster": roster(conversation.sid),
        "state": {"current": conversation.state, "dateUpdated": conversation.state_updated},
        "lastMessage": None,
        "bindings": json.loads(conversation.bindings or "{}"),
    }
    if conversation.last_index is not None:
        fields["lastMessage"] = {
            "index": conversation.last_index,
            "timestamp": conversation.last_timestamp,
            "sid": conversation.last_sid,
            "author": conversation.last_author,
        }
    return fields


def publish(tx: Transaction, conversation: Conversation) -> None:
    """Bring the document up to date with the row."""
    projection.set_document(tx, document(conversation.sid), content(conversation))


def create(tx: Transaction, caller: str, body: dict[str, Any]) -> Conversation:
    """Create a conversation. Its creator is not a participant until joining."""
    if "createConversation" not in roles.permissions(tx, users.ensure(tx, caller).role_sid):
        raise Refusal(50107)
    sid = f"CH{uuid.uuid4().hex}"
    conversation = Conversation(
        sid=sid,
        friendly_name=limits.text(body, "friendly_name", limits.FRIENDLY_NAME, 50003),
        unique_name=limits.unique_name(body),
        attributes=limits.attributes(body, limits.CONVERSATION_ATTRIBUTES),
        created_by=caller,
        state=ACTIVE,
        state_updated=tx.now,
        next_index=0,
        last_index=None,
        last_timestamp=None,
        last_sid=None,
        last_author=None,
        messages_count=0,
        timer_inactive=None,
        timer_closed=None,
        date_inactive=None,
        date_closed=None,
        bindings=None,
        date_created=tx.now,
        date_updated=tx.now,
    )
    with _unique_names():
        tx.insert(conversation)
    projection.create(tx, projection.LIST, message_list(sid), owner=caller, conversation_sid=sid)
    projection.create(tx, projection.MAP, roster(sid), owner=caller, conversation_sid=sid)
    projection.create(tx, projection.DOCUMENT, document(sid), data=content(conversation), owner=caller, conversation_sid=sid)
    return conversation


def change(tx: Transaction, caller: str, reference: str, body: dict[str, Any]) -> Conversation:
    """Change `friendly_name`, `unique_name` (empty: remove it) or `attributes`."""
    access = enter_open(tx, caller, reference)
    access.require_for(body, _EDITS)
    after = access.conversation._replace(date_updated=tx.now)
    if "friendly_name" in body:
        after = after._replace(friendly_name=limits.text(body, "friendly_name", limits.FRIENDLY_NAME, 50003))
    if "unique_name" in body:
        after = after._replace(unique_name=limits.unique_name(body))
    if "attributes" in body:
        after = after._replace(attributes=limits.attributes(body, limits.CONVERSATION_ATTRIBUTES))
    with _unique_names():
        tx.update(access.conversation, after)
    publish(tx, after)
    return after


@contextmanager
def _unique_names() -> Iterator[None]:
    """Raise 50353 for the unique name of another conversation."""
    try:
        yield
    except IntegrityError as error:
        raise Refusal(50353) from error


def destroy(tx: Transaction, caller: str, reference: str) -> None:
    """Delete a conversation: it is removed from its members' lists before its objects."""
    access = enter(tx, caller, reference)
    access.require("deleteConversation")
    sid = access.conversation.sid
    for identity in tx.values(_MEMBERS, conversation=sid):
        projection.remove_item(tx, users.conversations_map(identity), sid)
    for name in (document(sid), message_list(sid), roster(sid)):
        projection.remove(tx, name)
    media.drop_of_conversation(tx, sid)
    for statement in (_DROP_RECEIPTS, _DROP_RECIPIENTS, _DROP_MESSAGES, _DROP_PARTICIPANTS, _DROP):
        tx.execute(statement, {"of": sid})
    tx.members_changed.add(sid)
