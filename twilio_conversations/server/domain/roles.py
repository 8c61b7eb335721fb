"""Roles and their permissions.

A user has a service role, a participant a conversation role. The four standard roles carry Twilio's permission names. The
standard *channel user* may also add and remove participants and rename the conversation: applications without
roles of their own expect that of members, and the official SDK's examples do it. It may not change other members' messages or
attributes, or delete the conversation; the creator, who gets *channel admin*, may.
"""

from __future__ import annotations

import functools
import json
import uuid

from sqlalchemy import bindparam, select

from twilio_conversations.server.storage.rows import Role
from twilio_conversations.server.storage.statements import Values
from twilio_conversations.server.storage.tables import roles
from twilio_conversations.server.storage.writer import Transaction

OWN = (
    "sendMessage",
    "sendMediaMessage",
    "leaveConversation",
    "editOwnMessage",
    "editOwnMessageAttributes",
    "deleteOwnMessage",
    "editOwnParticipantAttributes",
    "editNotificationLevel",
)
TOGETHER = (
    "addParticipant",
    "addNonChatParticipant",
    "removeParticipant",
    "editConversationName",
    "editConversationAttributes",
)
ANY = (
    "editAnyMessage",
    "editAnyMessageAttributes",
    "deleteAnyMessage",
    "editAnyParticipantAttributes",
    "deleteConversation",
)
SERVICE = ("createConversation", "joinConversation", "editOwnUserInfo")

CHANNEL_USER, CHANNEL_ADMIN = "channel user", "channel admin"
SERVICE_USER, SERVICE_ADMIN = "service user", "service admin"

STANDARD: dict[str, tuple[str, tuple[str, ...]]] = {
    CHANNEL_USER: ("conversation", OWN + TOGETHER),
    CHANNEL_ADMIN: ("conversation", OWN + TOGETHER + ANY),
    SERVICE_USER: ("service", SERVICE),
    SERVICE_ADMIN: ("service", OWN + TOGETHER + ANY + SERVICE + ("editAnyUserInfo",)),
}

_ALL = Values(str, select(roles.c.friendly_name))
_BY_NAME = Values(str, select(roles.c.sid).where(roles.c.friendly_name == bindparam("name")))
_PERMISSIONS = Values(str, select(roles.c.permissions).where(roles.c.sid == bindparam("sid")))


def install(tx: Transaction) -> None:
    """Create missing standard roles."""
    known = set(tx.values(_ALL))
    for name, (type_, permissions) in STANDARD.items():
        if name not in known:
            tx.insert(Role(f"RL{uuid.uuid4().hex}", name, type_, json.dumps(permissions), tx.now, tx.now))


def sid_of(tx: Transaction, name: str) -> str:
    """Return the sid of a standard role."""
    (sid,) = tx.values(_BY_NAME, name=name)
    return sid


def permissions(tx: Transaction, role_sid: str) -> frozenset[str]:
    """Return the permissions of a role."""
    (permissions,) = tx.values(_PERMISSIONS, sid=role_sid)
    return parse(permissions)


@functools.lru_cache(maxsize=256)
def parse(text: str) -> frozenset[str]:
    """Return permissions from their JSON in the table."""
    return frozenset(json.loads(text))
