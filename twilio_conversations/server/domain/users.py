"""Users: created at the first use of an identity, by a connection or as a participant."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import bindparam, or_, select

from twilio_conversations.server.domain import limits, roles
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.storage.rows import User
from twilio_conversations.server.storage.statements import Query
from twilio_conversations.server.storage.tables import users
from twilio_conversations.server.storage.writer import Transaction
from twilio_conversations.server.sync import projection

BY_IDENTITY = Query(User, select(users).where(users.c.identity == bindparam("identity")))
BY_REFERENCE = Query(User, select(users).where(or_(users.c.sid == bindparam("ref"), users.c.identity == bindparam("ref"))))

INFO = ".info"


def info_map(user_sid: str) -> str:
    """Return the name of the map with a user's friendly name and attributes."""
    return f"{user_sid}{INFO}"


def conversations_map(identity: str) -> str:
    """Return the name of the map with a user's conversations."""
    return f"{identity}.channels"


def ensure(tx: Transaction, identity: str) -> User:
    """Return the user's row; the user and its two maps are created if needed."""
    return tx.first(BY_IDENTITY, identity=identity) or _create(tx, identity)


def _create(tx: Transaction, identity: str) -> User:
    sid = f"US{uuid.uuid4().hex}"
    user = User(
        sid=sid,
        identity=identity,
        friendly_name=None,
        attributes="{}",
        role_sid=roles.sid_of(tx, roles.SERVICE_USER),
        date_created=tx.now,
        date_updated=tx.now,
    )
    tx.insert(user)
    projection.create(tx, projection.MAP, info_map(sid))
    projection.add_item(tx, info_map(sid), "friendlyName", {"value": None})
    projection.add_item(tx, info_map(sid), "attributes", {"value": "{}"})
    if tx.settings.reachability_enabled:
        projection.add_item(tx, info_map(sid), "reachability", {"online": False, "notifiable": False})
    projection.create(tx, projection.MAP, conversations_map(identity), owner=identity)
    return user


def change(tx: Transaction, caller: str, reference: str, body: dict[str, Any]) -> User:
    """Change a user's `friendly_name` or `attributes`; those of others with the permission ``editAnyUserInfo``."""
    user = tx.first(BY_REFERENCE, ref=reference)
    own = ensure(tx, caller)
    needed = "editOwnUserInfo" if user is not None and user.identity == caller else "editAnyUserInfo"
    if needed not in roles.permissions(tx, own.role_sid):
        raise Refusal(50107)
    if user is None:
        raise Refusal(50200)
    if "friendly_name" in body:
        name = limits.text(body, "friendly_name", limits.FRIENDLY_NAME, 50003)
        user = tx.update(user, user._replace(friendly_name=name, date_updated=tx.now))
        projection.set_item(tx, info_map(user.sid), "friendlyName", {"value": name})
    if "attributes" in body:
        attributes = limits.attributes(body, limits.USER_ATTRIBUTES)
        user = tx.update(user, user._replace(attributes=attributes, date_updated=tx.now))
        projection.set_item(tx, info_map(user.sid), "attributes", {"value": attributes})
    return user
