"""Sync objects and their readers in memory: an open is answered from here, without a database, a thread or a wait.

All of it is used on the event loop. A read from the database is at least as new as the commits that were delivered, and every
later commit invalidates the entries that it changes, so nothing here is older than the events that clients have received.
"""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Generic, NamedTuple, TypeVar

import attrs
from sqlalchemy import bindparam, select

from twilio_conversations.server.calls import Caller
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.settings import Clock, LiveSettings
from twilio_conversations.server.storage.database import Connection, timestamp
from twilio_conversations.server.storage.rows import SyncEntity
from twilio_conversations.server.storage.statements import Query, Values
from twilio_conversations.server.storage.tables import participants, sync_entities
from twilio_conversations.server.storage.writer import Commit
from twilio_conversations.server.sync.projection import DOCUMENT, LIST, MAP, PREFIXES, revision
from twilio_conversations.wire.frame import json_bytes

MAX_OBJECTS = 20_000
MAX_MEMBERSHIPS = 5_000


class Membership(NamedTuple):
    """A chat participant of a conversation."""

    conversation_sid: str
    identity: str


COLLECTIONS = {DOCUMENT: "Documents", LIST: "Lists", MAP: "Maps"}
NOT_FOUND = {DOCUMENT: 54100, LIST: 54150, MAP: 54200}
_BY_SID = Query(SyncEntity, select(sync_entities).where(sync_entities.c.sid == bindparam("sid")))
_BY_NAME = Query(SyncEntity, select(sync_entities).where(sync_entities.c.unique_name == bindparam("name")))
_OF_CONVERSATIONS = Query(
    SyncEntity,
    select(sync_entities).where(
        sync_entities.c.conversation_sid.in_(bindparam("sids", expanding=True)), sync_entities.c.removed.is_(False)
    ),
)
_MEMBERS = select(participants.c.conversation_sid, participants.c.identity).where(participants.c.identity.is_not(None))
_MEMBERS_OF_ONE = Query(Membership, _MEMBERS.where(participants.c.conversation_sid == bindparam("conversation")))
_IS_MEMBER = Values(
    str,
    select(participants.c.identity).where(
        participants.c.conversation_sid == bindparam("conversation"), participants.c.identity == bindparam("identity")
    ),
)
_MEMBERS_OF_SEVERAL = Query(Membership, _MEMBERS.where(participants.c.conversation_sid.in_(bindparam("sids", expanding=True))))

K = TypeVar("K")
V = TypeVar("V")


class BoundedDict(OrderedDict[K, V], Generic[K, V]):
    """A dictionary of limited size that discards its oldest entry."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        if len(self) > self._limit:
            self.popitem(last=False)


@attrs.frozen
class Entity:
    """The fixed part of a Sync object."""

    sid: str
    unique_name: str
    kind: str
    owner: str | None
    conversation_sid: str | None

    def path(self) -> str:
        """Return its REST path."""
        return f"/v3/{COLLECTIONS[self.kind]}/{self.sid}"


@attrs.define
class Entry:
    """An object in the cache: its newest event number, its data, and its root as JSON by base URL."""

    entity: Entity
    head: int
    data: str | None
    date_created: str
    date_updated: str
    removed: bool
    fresh: bool = True
    roots: dict[str, bytes] = attrs.field(factory=dict)


class SyncObjects:
    """Sync objects, their roots and their readers."""

    def __init__(self, reader: Connection, clock: Clock, settings: LiveSettings, account_sid: str, service_sid: str) -> None:
        self._reader = reader
        self._clock = clock
        self._settings = settings
        self._account_sid = account_sid
        self._service_sid = service_sid
        self.belonging = f'"account_sid":"{account_sid}","service_sid":"{service_sid}"'
        """What every item says, as JSON, of whose it is."""
        self._entries: BoundedDict[str, Entry] = BoundedDict(MAX_OBJECTS)
        self._names: BoundedDict[str, str] = BoundedDict(MAX_OBJECTS)
        self._members: BoundedDict[str, frozenset[str]] = BoundedDict(MAX_MEMBERSHIPS)

    def on_commit(self, commit: Commit) -> None:
        """Invalidate the entries that a commit changes. Heads only grow: the cache may be ahead of this commit."""
        for event in commit.events:
            entry = self._entries.get(event.entity_sid)
            if entry is not None:
                entry.fresh = False
                entry.head = max(entry.head, event.id)
        for conversation_sid in commit.members_changed:
            self._members.pop(conversation_sid, None)

    def clear(self) -> None:
        """Discard all entries: the database was emptied."""
        for kept in (self._entries, self._names, self._members):
            kept.clear()

    def open(self, caller: Caller, kind: str, reference: str) -> Entity:
        """Return the object of this kind with this sid or unique name.

        Raises:
            Refusal: 54100, 54150, 54200 (no such sid), 54300 (no such name), 54007 (not for this caller).
        """
        entry = self._by_reference(reference)
        if entry is None or entry.removed or entry.entity.kind != kind or self._is_late(entry):
            is_sid = len(reference) == 34 and reference[:2] in PREFIXES.values()
            raise Refusal(NOT_FOUND[kind] if is_sid else 54300)
        if not self.may_read(caller.identity, entry.entity):
            raise Refusal(54007)
        return entry.entity

    def find(self, sid: str) -> Entity | None:
        """Return the object with this sid, unless it was removed."""
        entry = self._by_reference(sid)
        return None if entry is None or entry.removed or self._is_late(entry) else entry.entity

    def head(self, entity: Entity) -> int:
        """Return the number of the object's newest event."""
        entry = self._entries.get(entity.sid) or self._load(_BY_SID, sid=entity.sid)
        return entry.head if entry is not None else -1

    def root(self, entity: Entity, base_url: str) -> bytes:
        """Return the object's root as JSON, with links that start with `base_url`."""
        entry = self._fresh(entity.sid)
        root = entry.roots.get(base_url)
        if root is None:
            if len(entry.roots) >= 8:
                entry.roots.clear()  # base URLs come from clients' Host headers: their number needs a bound
            root = entry.roots[base_url] = self._encode(entry, base_url)
        return root

    def may_read(self, identity: str, entity: Entity) -> bool:
        """Return whether a user may read an object.

        User info is for everybody, a list of conversations for its owner, a conversation for its creator and members.
        """
        if entity.owner is None or entity.owner == identity:
            return True
        return entity.conversation_sid is not None and self.is_member(identity, entity.conversation_sid)

    def is_member(self, identity: str, conversation_sid: str) -> bool:
        """Return whether a user is a chat participant. All of them are not read for one: they may have changed a moment ago."""
        members = self._members.get(conversation_sid)
        if members is None:
            return self._reader.value(_IS_MEMBER, conversation=conversation_sid, identity=identity) is not None
        return identity in members

    def members(self, conversation_sid: str) -> frozenset[str]:
        """Return the identities of a conversation's chat participants."""
        members = self._members.get(conversation_sid)
        if members is None:
            rows = self._reader.all(_MEMBERS_OF_ONE, conversation=conversation_sid)
            members = self._members[conversation_sid] = frozenset(row.identity for row in rows)
        return members

    def prepare(self, conversation_sids: Iterable[str]) -> None:
        """Read objects and members of several conversations at once: a client that lists them is about to open them."""
        wanted = [sid for sid in conversation_sids if f"{sid}.channel" not in self._names]
        if not wanted:
            return
        for row in self._reader.all_in(_OF_CONVERSATIONS, sids=wanted):
            self._keep(row)
        members: dict[str, set[str]] = {sid: set() for sid in wanted}
        for member in self._reader.all_in(_MEMBERS_OF_SEVERAL, sids=wanted):
            members[member.conversation_sid].add(member.identity)
        for sid, identities in members.items():
            self._members[sid] = frozenset(identities)

    def _is_late(self, entry: Entry) -> bool:
        """Return whether a user's list of conversations is kept from existing for a while."""
        delay = self._settings.current.own_map_delay
        if not delay or entry.entity.owner is None or entry.entity.conversation_sid is not None:
            return False
        return timestamp(self._clock.now() - dt.timedelta(seconds=delay)) < entry.date_created

    def _by_reference(self, reference: str) -> Entry | None:
        sid = self._names.get(reference, reference)
        entry = self._entries.get(sid)
        if entry is not None:
            return self._fresh(sid) if not entry.fresh else entry
        return self._load(_BY_SID, sid=sid) or self._load(_BY_NAME, name=reference)

    def _fresh(self, sid: str) -> Entry:
        entry = self._entries.get(sid)
        if entry is None or not entry.fresh:
            entry = self._load(_BY_SID, sid=sid)
        if entry is None:
            raise Refusal(20404)
        return entry

    def _load(self, statement: Query[SyncEntity], **values: Any) -> Entry | None:
        row = self._reader.first(statement, **values)
        return None if row is None else self._keep(row)

    def _keep(self, row: SyncEntity) -> Entry:
        entity = Entity(row.sid, row.unique_name, row.kind, row.owner, row.conversation_sid)
        entry = Entry(entity, row.head, row.data, row.date_created, row.date_updated, bool(row.removed))
        self._entries[row.sid] = entry
        self._names[row.unique_name] = row.sid
        return entry

    def _encode(self, entry: Entry, base_url: str) -> bytes:
        entity = entry.entity
        url = f"{base_url}{entity.path()}"
        fields: dict[str, Any] = {
            "sid": entity.sid,
            "unique_name": entity.unique_name,
            "account_sid": self._account_sid,
            "service_sid": self._service_sid,
            "url": url,
            "revision": revision(entity.kind, entry.head),
            "last_event_id": entry.head,
            "date_created": entry.date_created,
            "date_updated": entry.date_updated,
            "date_expires": None,
            "created_by": "system",
            "type": entity.kind,
            "eventing": "reliable",
        }
        if entity.kind == DOCUMENT:
            return json_bytes(fields)[:-1] + f',"data":{entry.data}}}'.encode()
        fields["links"] = {"items": f"{url}/Items"}
        if entity.kind == LIST:
            fields["links"]["context"] = f"{url}/Context"
        return json_bytes(fields)
