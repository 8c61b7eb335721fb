"""State of one Sync object: events in, changes out, each change once.

Events may be repeated, reordered and replayed, and pages of items are read while they come. A replica corrects that with two
ids per item: the *state* id (the newest change known from anywhere, for merging) and the *delivered* id (the newest event that
the listener has received, for announcing). A replica of a list or map holds no data of items at rest: the data flows through
the changes to whoever keeps it. Records of items exist only while something could still contradict them - a gap in the ids
below, or a page that was asked for before the change - so a million events leave nothing behind.

Pure: no clock, no sockets, no threads.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import attrs

from twilio_conversations.errors import ProtocolError
from twilio_conversations.sync.changes import (
    DocumentUpdated,
    Item,
    ItemAdded,
    ItemChange,
    ItemRemoved,
    ItemUpdated,
    Key,
    Resynced,
)
from twilio_conversations.sync.event_ids import AppliedIds
from twilio_conversations.util.checks import shown
from twilio_conversations.util.json import parse_index, whole_number

ItemAction = type[ItemAdded] | type[ItemUpdated] | type[ItemRemoved]

_NONE: Final[deque[tuple[int, Any, int]]] = deque(maxlen=0)
"""Stands for an empty one: most collections have nothing to remember, and an empty deque takes 700 bytes."""

MAX_RECORDS = 10_000
"""More are not kept, however long a gap stays open: an overtaken event of a forgotten item would then count as news."""

_NEVER = -(2**63)


def event_id_of(event: Mapping[str, Any], field: str = "id") -> int:
    """Return the id in an event or a root; 0 and -1 are ordinary values.

    Raises:
        ProtocolError: it is missing or not an integer.
    """
    value = whole_number(event.get(field))
    if value is None:
        raise ProtocolError(f"{field!r} is not an event id")
    return value


def parse_key(value: Any, kind: Literal["list", "map"]) -> Key:
    """Return a list index (a number, or its decimal text) or a map key.

    Raises:
        ProtocolError: it is neither.
    """
    if kind == "list":
        index = parse_index(value)
        if index is not None:
            return index
    elif isinstance(value, str):
        return value
    raise ProtocolError(f"not a key of a {kind}: {shown(value)}")


class DocumentReplica:
    """A document: the newest event replaces everything, so one id is all there is to remember."""

    __slots__ = ("cursor", "data")

    def __init__(self, data: Any, event_id: int) -> None:
        self.data: Any = data
        self.cursor: int = event_id

    @property
    def gaps(self) -> bool:
        """Never: what was skipped has been replaced anyway."""
        return False

    def apply(self, event: Mapping[str, Any]) -> DocumentUpdated | None:
        """Take a ``document_updated`` event in; `None` if it is not newer than what is known."""
        event_id = event_id_of(event)
        if "document_data" not in event:
            raise ProtocolError("a document event without data")
        return self.refreshed(event["document_data"], event_id)

    def restart(self, last_event_id: int) -> None:
        """Recover after the service restarted its event ids, now at `last_event_id`: the known ids do not apply to that state."""
        self.cursor = last_event_id - 1

    def refreshed(self, data: Any, event_id: int) -> DocumentUpdated | None:
        """Take a whole state in."""
        if event_id <= self.cursor:
            return None
        self.cursor = event_id
        self.data = data
        return DocumentUpdated(data, event_id)

    def behind(self, last_event_id: int | None) -> bool:
        """Return whether the end of a replay at `last_event_id` shows that an update never came."""
        return last_event_id is not None and last_event_id > self.cursor


@attrs.define
class _Record:
    """Ids of one item while other data could still contradict it."""

    state: int = _NEVER
    item: Item | None = None  # `None`: removed
    delivered: int = _NEVER
    announced: bool = False  # told to the listener as added, and not removed since


class CollectionReplica:
    """A list or a map."""

    __slots__ = ("_applied", "_asked_from", "_fetches", "_key_field", "_kind", "_numbers", "_recent", "_records", "_replay_from")

    def __init__(self, kind: Literal["list", "map"], event_id: int) -> None:
        self._kind: Literal["list", "map"] = kind
        self._key_field = "item_index" if kind == "list" else "item_key"
        self._applied = AppliedIds(event_id)
        self._records: dict[Key, _Record] = {}
        self._replay_from: int | None = None  # where a replay that has begun started: what it calls "added" is new since then
        self._asked_from: int | None = None  # from where its present part was requested, if that has begun
        self._recent: deque[tuple[int, Key, int]] = _NONE  # (state id, key, fetches begun by then), oldest first
        self._numbers = itertools.count(1)
        self._fetches: dict[int, None] = {}  # running ones, oldest first; a dict for its order

    @property
    def cursor(self) -> int:
        """The low-water mark, from which to replay."""
        return self._applied.cursor

    @property
    def head(self) -> int:
        """The newest processed id."""
        return self._applied.head

    @property
    def gaps(self) -> bool:
        """Whether ids are missing below the newest one."""
        return bool(self._applied.gaps)

    # Events

    def begin_replay(self, event_id: int, asked_from: int) -> Resynced | None:
        """Note that the replay that was requested from `asked_from` has reached an event, before that is applied.

        `Resynced` if it is the first one of this request, which may continue an interrupted replay, and does not follow what is
        known: the service may remember no more.
        """
        if self._asked_from == asked_from:
            return None
        self._asked_from = asked_from
        applied = self._applied
        known_to = applied.cursor
        if self._replay_from is None:
            self._replay_from = known_to
        if event_id <= known_to + 1:
            return None
        applied.close_up_to(event_id - 1)
        return Resynced(event_id - 1, is_certain=False, known_to=known_to)

    def apply(self, action: ItemAction, event: Mapping[str, Any], ordered: bool) -> ItemChange | None:
        """Process an item event; return the change to announce, or `None` if there is nothing new.

        `ordered`: the event is part of the replay that was asked for, so nothing below it is still to come.

        Raises:
            ProtocolError: the event is malformed; nothing has changed.
        """
        event_id = event_id_of(event)
        key = parse_key(event.get(self._key_field), self._kind)
        if action is not ItemRemoved and "item_data" not in event:
            raise ProtocolError("an item event without data")
        applied = self._applied
        if ordered:
            applied.close_up_to(event_id - 1)
        if not applied.take(event_id):
            return self._added_after_all(key, event_id) if action is ItemAdded else None
        data = event.get("item_data")
        change: ItemChange | None
        if issubclass(action, ItemRemoved):
            change = ItemRemoved(key, data, event_id)
        else:
            change = action(key, data, event_id, event.get("date_created"))
        if self._records or self._fetches or applied.gaps:
            change = self._weigh(change)
        return change

    def skip(self, event_id: int, ordered: bool) -> None:
        """Process an event that concerns no item."""
        if ordered:
            self._applied.close_up_to(event_id - 1)
        self._applied.take(event_id)

    def _weigh(self, change: ItemChange) -> ItemChange | None:
        """Compare a change with what is known of its item."""
        key, event_id = change.key, change.event_id
        record = self._records.setdefault(key, _Record())
        newer = event_id > record.state
        announced: ItemChange | None = change
        if event_id <= record.delivered:
            announced = self._late(record, change)
        elif isinstance(change, ItemRemoved):
            # A page has shown a newer state: the item was added again, and that event is still to come.
            announced = change if newer else None
        elif isinstance(change, ItemAdded) and record.announced:
            announced = ItemUpdated(key, change.data, event_id, change.date_updated)
        if newer:
            record.state = event_id
            record.item = _item(change)
        if announced is not None:
            record.delivered = max(record.delivered, event_id)
            if not isinstance(announced, ItemUpdated):
                record.announced = isinstance(announced, ItemAdded)
        self._remember(key, record)
        return announced

    def _added_after_all(self, key: Key, event_id: int) -> ItemAdded | None:
        """Return the addition for an event that was processed as an update, if a compacted replay shows that it was both."""
        record = self._records.get(key)
        if record is None or record.delivered != event_id or record.announced or record.item is None:
            return None
        record.announced = True
        return ItemAdded(key, record.item.data, record.item.event_id, record.item.date_updated)

    @staticmethod
    def _late(record: _Record, change: ItemChange) -> ItemAdded | None:
        """Return the change of an event that a newer one of the same item overtook: only an added one, with the newest data."""
        item = record.item
        if not isinstance(change, ItemAdded) or item is None or record.announced:
            return None
        return ItemAdded(item.key, item.data, item.event_id, item.date_updated)

    def completed(self, last_event_id: int | None, asked_from: int) -> Resynced | None:
        """Process the end at `last_event_id` of a replay that was requested from `asked_from`.

        `Resynced` if the service has changes that no event told, or has lost its numbering.
        """
        applied = self._applied
        self._replay_from = self._asked_from = None
        if last_event_id is None:
            last_event_id = applied.head
        if last_event_id < asked_from:
            self._applied = AppliedIds(last_event_id)
            self._records.clear()
            self._recent = _NONE
            return Resynced(last_event_id, is_restart=True)
        untold = last_event_id > applied.head
        applied.close_up_to(last_event_id)
        self._forget()
        return Resynced(last_event_id, known_to=asked_from) if untold else None

    # Pages

    def begin_fetch(self) -> int:
        """Note that a page was requested, whose answer may be older than events that arrive meanwhile."""
        number = next(self._numbers)
        self._fetches[number] = None
        return number

    def end_fetch(self, number: int, items: Iterable[Item] = ()) -> tuple[Item, ...]:
        """Process the answer of a page; return its items, brought up to date, without those removed meanwhile."""
        merged = tuple(item for item in map(self._merge, items) if item is not None)
        self._fetches.pop(number, None)
        self._forget()
        return merged

    def _merge(self, item: Item) -> Item | None:
        record = self._records.get(item.key)
        if record is not None and item.event_id <= record.state:
            return record.item
        if item.event_id > self._applied.cursor:
            # Ahead of the events: remember it, so that an older removal does not count.
            record = self._records.setdefault(item.key, _Record())
            record.state = item.event_id
            record.item = item
            self._remember(item.key, record)
        return item

    # Memory

    def _remember(self, key: Key, record: _Record) -> None:
        started = next(reversed(self._fetches)) if self._fetches else 0
        if self._recent is _NONE:
            self._recent = deque()
        self._recent.append((record.state, key, started))
        self._forget()

    def _forget(self) -> None:
        """Drop the records that nothing can contradict any more."""
        recent = self._recent
        if not recent:
            return
        cursor = self._applied.cursor if self._replay_from is None else min(self._replay_from, self._applied.cursor)
        oldest_fetch = next(iter(self._fetches), None)
        while recent:
            state, key, started = recent[0]
            needed = state > cursor or (oldest_fetch is not None and oldest_fetch <= started)
            if needed and len(recent) <= MAX_RECORDS:
                return
            recent.popleft()
            record = self._records.get(key)
            if record is not None and record.state == state:
                del self._records[key]


def _item(change: ItemChange) -> Item | None:
    """Return the state of an item after a change."""
    if isinstance(change, ItemRemoved):
        return None
    return Item(change.key, change.data, change.event_id, change.date_updated)
