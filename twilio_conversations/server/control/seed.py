"""Seed data for a test, a demonstration or development; created as a whole or not at all.

The data is an object, as JSON or YAML::

    settings: {index_gap: 2}
    roles: [{friendly_name: reader, type: conversation, permissions: [leaveConversation]}]
    users: [{identity: alice, friendly_name: Alice, attributes: {team: 1}, role: service admin}]
    templates: [{friendly_name: greeting, variables: {name: you}, variants: {"twilio/text": {body: "Hi {{name}}"}}}]
    conversations:
      - {friendly_name: Lunch, unique_name: lunch, attributes: {}, created_by: alice, state: active,
         timers: {inactive: PT1M}, bindings: {},
         participants: [{identity: alice, role: reader},
                        {messaging_binding: {address: "+15550100", proxy_address: "+15550199"}}],
         messages: [{author: alice, body: Hi, attributes: {}, subject: null, index: 7, channel_metadata: null}]}

Attributes are values or JSON text. An author may be an identity, an address, or a name of no participant such as the default,
``system``. Missing fields have defaults; unknown ones are refused.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import bindparam, or_, select

from twilio_conversations.server.control.seed_file import Steps
from twilio_conversations.server.domain import channels, content, conversations, limits, messages, participants, states, users
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.storage.rows import Role
from twilio_conversations.server.storage.statements import Values
from twilio_conversations.server.storage.tables import participants as participants_table
from twilio_conversations.server.storage.tables import roles as roles_table
from twilio_conversations.server.storage.tables import users as users_table
from twilio_conversations.server.storage.writer import Transaction
from twilio_conversations.server.text import to_json

Made = TypeVar("Made")

_FIELDS = {
    "roles": {"friendly_name", "type", "permissions"},
    "users": {"identity", "friendly_name", "attributes", "role"},
    "templates": {"sid", "friendly_name", "variables", "variants"},
    "conversations": {"friendly_name", "unique_name", "attributes", "created_by", "state", "timers", "bindings"}
    | {"participants", "messages"},
    "participants": {"identity", "attributes", "role", "messaging_binding"},
    "messages": {"author", "body", "attributes", "subject", "index", "content_sid", "channel_metadata"},
}
_ANYTHING = Values(str, select(users_table.c.sid).limit(1))
_ROLE = Values(str, select(roles_table.c.sid).where(roles_table.c.friendly_name == bindparam("name")))
_AUTHOR = Values(
    str,
    select(participants_table.c.sid).where(
        participants_table.c.conversation_sid == bindparam("conversation"),
        or_(participants_table.c.identity == bindparam("author"), participants_table.c.address == bindparam("author")),
    ),
)


class SeedError(Refusal):
    """The refusal of a seed, with the path of its entry."""

    def __init__(self, refusal: Refusal, steps: Steps) -> None:
        self.steps = steps
        self.reason = refusal.message
        super().__init__(refusal.code, f"{_spelled(steps)}: {self.reason}")

    @classmethod
    def at(cls, steps: Steps, refusal: Refusal) -> SeedError:
        """Return the refusal of an entry below `steps`."""
        if isinstance(refusal, SeedError):
            return cls(Refusal(refusal.code, refusal.reason), steps + refusal.steps)
        return cls(refusal, steps)


def _spelled(steps: Steps) -> str:
    """Return a path such as ``conversations[1].messages[0]``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")


def apply(tx: Transaction, data: Mapping[str, Any], *, if_empty: bool = False) -> dict[str, Any]:
    """Create everything and return it, with sids, in the given order. With `if_empty`, create nothing if there are users.

    Raises:
        Refusal: 20422 for unknown fields and wrong shapes, or the refusal of a command; the message has the path of the entry.
    """
    unknown = set(data) - {"roles", "users", "templates", "conversations"}
    if unknown:
        error = Refusal(20422, f"unknown in a seed: {', '.join(sorted(map(str, unknown)))}")
        raise SeedError(error, (next(name for name in data if name in unknown),))
    if if_empty and tx.value(_ANYTHING) is not None:
        data = {}
    _each(data, "roles", lambda entry: _role(tx, entry))
    return {
        "users": _each(data, "users", lambda entry: _user(tx, entry)),
        "templates": _each(data, "templates", lambda entry: content.create(tx, entry).sid),
        "conversations": _each(data, "conversations", lambda entry: _conversation(tx, entry)),
    }


def _each(data: Mapping[str, Any], name: str, make: Callable[[dict[str, Any]], Made]) -> list[Made]:
    """Call `make` with each entry of a list. Raises `SeedError`."""
    entries = data.get(name) or []
    if not isinstance(entries, list):
        raise SeedError(Refusal(20422, f"'{name}' must be a list of objects"), (name,))
    made = []
    for number, entry in enumerate(entries):
        try:
            made.append(make(_checked(entry, name)))
        except Refusal as error:
            raise SeedError.at((name, number), error) from error
    return made


def _checked(entry: Any, name: str) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise Refusal(20422, f"'{name}' must be a list of objects")
    unknown = set(entry) - _FIELDS[name]
    if unknown:
        raise Refusal(20422, f"unknown in '{name}': {', '.join(sorted(map(str, unknown)))}")
    return _with_text_attributes(entry)


def _with_text_attributes(entry: dict[str, Any]) -> dict[str, Any]:
    if "attributes" not in entry or isinstance(entry["attributes"], str):
        return entry
    return {**entry, "attributes": to_json(entry["attributes"])}


def _role(tx: Transaction, entry: dict[str, Any]) -> None:
    name, permissions = limits.text(entry, "friendly_name", limits.ROLE_NAME, 50003), entry.get("permissions") or []
    if not name or not isinstance(permissions, list) or tx.value(_ROLE, name=name) is not None:
        raise Refusal(20422, "a role needs a new 'friendly_name' and a list of 'permissions'")
    type_ = entry.get("type", "conversation")
    tx.insert(Role(f"RL{uuid.uuid4().hex}", name, type_, json.dumps(permissions), tx.now, tx.now))


def _role_sid(tx: Transaction, entry: dict[str, Any]) -> str:
    sid = tx.value(_ROLE, name=entry["role"])
    if sid is None:
        raise Refusal(20422, f"there is no role {entry['role']!r}")
    return sid


def _user(tx: Transaction, entry: dict[str, Any]) -> dict[str, Any]:
    identity = entry.get("identity")
    if not isinstance(identity, str) or not identity:
        raise Refusal(50204)
    users.ensure(tx, identity)
    user = users.change(tx, identity, identity, entry)
    if "role" in entry:
        tx.update(user, user._replace(role_sid=_role_sid(tx, entry)))
    return {"sid": user.sid, "identity": identity}


def _conversation(tx: Transaction, entry: dict[str, Any]) -> dict[str, Any]:
    creator = entry.get("created_by", limits.SYSTEM)
    row = conversations.create(tx, creator, entry)
    members = _each(entry, "participants", lambda item: _participant(tx, creator, row.sid, item))
    said = _each(entry, "messages", lambda item: _message(tx, row.sid, item))
    administered = {name: entry[name] for name in ("state", "timers", "bindings") if entry.get(name) is not None}
    if administered.get("state") == conversations.CLOSED and not said:
        raise Refusal(50384)
    if administered:
        states.administer(tx, row.sid, administered)
    return {"sid": row.sid, "unique_name": row.unique_name, "participants": members, "messages": said}


def _participant(tx: Transaction, creator: str, conversation_sid: str, entry: dict[str, Any]) -> str:
    row = participants.add(tx, creator, conversation_sid, entry)
    if "role" in entry:
        participants.publish(tx, tx.update(row, row._replace(role_sid=_role_sid(tx, entry))))
    return str(row.sid)


def _message(tx: Transaction, conversation_sid: str, entry: dict[str, Any]) -> str:
    conversation = conversations.of_sid(tx, conversation_sid)
    author = entry.get("author", limits.SYSTEM)
    participant_sid = tx.value(_AUTHOR, conversation=conversation_sid, author=author)
    fields = {"sid": f"IM{uuid.uuid4().hex}", **channels.message_fields(entry)}
    if "index" in entry:
        if type(entry["index"]) is not int or entry["index"] < conversation.next_index:
            raise Refusal(20422, f"'index' must be a number from {conversation.next_index} on")
        fields["index"] = entry["index"]
    return str(messages.add(tx, conversation, author, participant_sid, fields).sid)
