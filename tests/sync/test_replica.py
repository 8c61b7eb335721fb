"""Replicas: what each event means, given everything that is known already."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from twilio_conversations.errors import ProtocolError
from twilio_conversations.sync.changes import (
    DocumentUpdated,
    Item,
    ItemAdded,
    ItemRemoved,
    ItemUpdated,
    Resynced,
)
from twilio_conversations.sync.replica import MAX_RECORDS, CollectionReplica, DocumentReplica, ItemAction

REQUESTED = -1
"""From where the replays of `take` are requested; each goes on until it is completed."""


def take(
    replica: CollectionReplica, action: ItemAction, event_id: int, key: str = "k", data: Any = None, ordered: bool = False
) -> Any:
    """Let the replica take one event of a map in."""
    event = {"id": event_id, "item_key": key, "item_data": data}
    if ordered:
        replica.begin_replay(event_id, REQUESTED)
    return replica.apply(action, event, ordered)


def kinds(*changes: Any) -> list[Any]:
    """What was announced, without the details."""
    return [None if change is None else type(change) for change in changes]


def test_stale_removal() -> None:
    """T8: the removal 8 after the addition 9 is ignored."""
    replica = CollectionReplica("map", 7)
    assert take(replica, ItemAdded, 9) == ItemAdded("k", None, 9)
    assert take(replica, ItemRemoved, 8) is None


def test_update_that_overtook_its_addition() -> None:
    """An addition that comes after a newer update is still news, with the newest data."""
    replica = CollectionReplica("map", 7)
    assert kinds(take(replica, ItemUpdated, 9, data="new")) == [ItemUpdated]
    assert take(replica, ItemAdded, 8, data="old") == ItemAdded("k", "new", 9)


def test_removal_that_overtook_its_addition() -> None:
    """An addition that comes after the removal is not told."""
    replica = CollectionReplica("map", 7)
    assert kinds(take(replica, ItemRemoved, 9), take(replica, ItemAdded, 8)) == [ItemRemoved, None]


def test_overtaken_update() -> None:
    """An update that a newer one overtook is not told."""
    replica = CollectionReplica("map", 7)
    assert kinds(take(replica, ItemUpdated, 9), take(replica, ItemUpdated, 8)) == [ItemUpdated, None]


def test_an_update_that_stands_for_the_addition_too() -> None:
    """The addition never came; a replay of a compacted log says that the update, which did come, is all there is of it."""
    replica = CollectionReplica("map", 7)
    assert kinds(take(replica, ItemUpdated, 9, data="new")) == [ItemUpdated]
    assert take(replica, ItemAdded, 9, data="new", ordered=True) == ItemAdded("k", "new", 9)
    assert take(replica, ItemAdded, 9, data="new", ordered=True) is None


def test_an_addition_that_a_compacted_replay_tells_again() -> None:
    """It came ahead of a gap; the replay of the gap calls the item's newest event its addition, and it is an update."""
    replica = CollectionReplica("map", 7)
    assert kinds(take(replica, ItemAdded, 9, "a")) == [ItemAdded]
    assert kinds(take(replica, ItemAdded, 8, "b", ordered=True)) == [ItemAdded]
    assert kinds(take(replica, ItemAdded, 10, "a", "new", ordered=True)) == [ItemUpdated]
    assert replica.completed(10, 7) is None
    assert replica._records == {}


def test_added_although_a_page_showed_it() -> None:
    """T6: an item that a page has shown is still announced as added, once."""
    replica = CollectionReplica("map", 4)
    fetch = replica.begin_fetch()
    assert replica.end_fetch(fetch, [Item("k", "new", 5)]) == (Item("k", "new", 5),)
    assert kinds(take(replica, ItemAdded, 5, data="new"), take(replica, ItemAdded, 5)) == [ItemAdded, None]


def test_added_while_present() -> None:
    """An addition of an item that was announced and not removed since is an update."""
    replica = CollectionReplica("map", 0)
    assert kinds(take(replica, ItemAdded, 3), take(replica, ItemAdded, 4)) == [ItemAdded, ItemUpdated]


def test_removal_older_than_a_page() -> None:
    """A removal does not count when a page has shown that the item came back since."""
    replica = CollectionReplica("map", 4)
    replica.end_fetch(replica.begin_fetch(), [Item("k", "back", 6)])
    assert kinds(take(replica, ItemRemoved, 5), take(replica, ItemAdded, 6)) == [None, ItemAdded]


def test_page_with_an_item_removed_meanwhile() -> None:
    """T21: an item that was removed while the page was on its way is left out of it."""
    replica = CollectionReplica("map", 4)
    fetch = replica.begin_fetch()
    take(replica, ItemRemoved, 5)
    page = replica.end_fetch(fetch, [Item("j", 1, 1), Item("k", 2, 2)])
    assert page == (Item("j", 1, 1),)


def test_page_with_an_item_updated_meanwhile() -> None:
    """A page never shows an item older than an update that was told while it was on its way."""
    replica = CollectionReplica("map", 4)
    fetch = replica.begin_fetch()
    take(replica, ItemUpdated, 5, data="new")
    assert replica.end_fetch(fetch, [Item("k", "old", 2)]) == (Item("k", "new", 5),)


def test_tombstone_outlives_a_younger_fetch() -> None:
    """A removal is remembered until every page that was asked for before it has come."""
    replica = CollectionReplica("map", 4)
    old = replica.begin_fetch()
    take(replica, ItemRemoved, 5)
    young = replica.begin_fetch()
    assert replica.end_fetch(young, []) == ()
    assert replica.end_fetch(old, [Item("k", 2, 2)]) == ()


def test_page_after_readding() -> None:
    """A page that is newer than the removal shows the item again."""
    replica = CollectionReplica("map", 4)
    fetch = replica.begin_fetch()
    take(replica, ItemRemoved, 5)
    assert replica.end_fetch(fetch, [Item("k", "back", 6)]) == (Item("k", "back", 6),)


def test_failed_fetch_leaves_nothing() -> None:
    """A fetch without an answer ends like one."""
    replica = CollectionReplica("map", 4)
    replica.end_fetch(replica.begin_fetch())
    assert kinds(take(replica, ItemRemoved, 5)) == [ItemRemoved]
    assert replica._records == {}


def test_replayed_events_close_gaps() -> None:
    """An event of a replay says that nothing below it is missing: a chunked replay makes progress over holes."""
    replica = CollectionReplica("map", 4)
    take(replica, ItemUpdated, 9, ordered=True)
    assert (replica.cursor, replica.gaps) == (9, False)


def test_live_events_leave_gaps() -> None:
    """A live event says nothing about those below it."""
    replica = CollectionReplica("map", 4)
    take(replica, ItemUpdated, 9)
    assert (replica.cursor, replica.head, replica.gaps) == (4, 9, True)


def test_completed_closes_gaps() -> None:
    """T10, the other end: what a complete replay did not bring does not come any more."""
    replica = CollectionReplica("map", 4)
    take(replica, ItemUpdated, 9)
    assert replica.completed(9, asked_from=4) is None
    assert (replica.cursor, replica.gaps) == (9, False)


@pytest.mark.parametrize(("head", "asked_from"), [(7, 4), (3, 4)])
def test_completed_elsewhere(head: int, asked_from: int) -> None:
    """A replay that ends ahead of its events, or below where it was asked from, says that pages are to be read again."""
    replica = CollectionReplica("map", 4)
    is_restart = head < asked_from
    assert replica.completed(head, asked_from) == Resynced(head, is_restart=is_restart, known_to=-1 if is_restart else asked_from)
    assert replica.cursor == head


def test_a_replay_that_begins_too_late() -> None:
    """Changes may be missing before its first event, and only there: it may leave out what newer events replace."""
    replica = CollectionReplica("map", 4)
    assert replica.begin_replay(5, 4) is None
    assert take(replica, ItemAdded, 5) is not None
    assert replica.begin_replay(9, 4) is None
    assert replica.completed(9, 4) == Resynced(9, known_to=4)
    assert replica.begin_replay(12, 9) == Resynced(11, is_certain=False, known_to=9)
    assert replica.cursor == 11


def test_an_interrupted_replay_that_continues_too_late() -> None:
    """The service may forget events between its parts, too."""
    replica = CollectionReplica("map", 4)
    assert replica.begin_replay(5, 4) is None
    assert take(replica, ItemAdded, 5) is not None
    assert replica.begin_replay(7, 5) == Resynced(6, is_certain=False, known_to=5)
    assert replica.begin_replay(9, 5) is None


def test_completed_without_an_id() -> None:
    """A confirmation that names no id changes nothing but the gaps."""
    replica = CollectionReplica("map", 4)
    take(replica, ItemUpdated, 9)
    assert replica.completed(None, 4) is None
    assert replica.cursor == 9


def test_a_document_whose_service_counts_anew() -> None:
    """What comes next is newer than anything before, also while the state that it starts from is still being read."""
    replica = DocumentReplica("old", 9)
    replica.restart(3)
    assert replica.behind(3)
    assert replica.apply({"id": 4, "document_data": "newer"}) == DocumentUpdated("newer", 4)
    assert replica.refreshed("restored", 3) is None
    assert replica.apply({"id": 5, "document_data": "newest"}) == DocumentUpdated("newest", 5)


def test_document_data_and_ids() -> None:
    """A document takes newer events, zero included, and no older ones."""
    replica = DocumentReplica({"v": -1}, -1)
    event = {"id": 0, "document_data": {"v": 0}}
    assert replica.apply(event) == DocumentUpdated({"v": 0}, 0)
    assert replica.apply(event) is None
    assert (replica.data, replica.cursor) == ({"v": 0}, 0)
    assert not replica.gaps


@pytest.mark.parametrize("event", [{}, {"id": None}, {"id": True}, {"id": "1"}, {"id": 1.0}, {"id": 1}])
def test_malformed_document_event(event: dict[str, Any]) -> None:
    """A document event without id or data changes nothing."""
    replica = DocumentReplica({"v": 0}, 0)
    with pytest.raises(ProtocolError):
        replica.apply(event)
    assert (replica.data, replica.cursor) == ({"v": 0}, 0)
    assert not replica.gaps


@pytest.mark.parametrize(
    "event",
    [
        {"item_key": "k", "item_data": 1},
        {"id": 1, "item_data": 1},
        {"id": 1, "item_key": 3, "item_data": 1},
        {"id": 1, "item_key": "k"},
    ],
)
def test_malformed_item_event(event: dict[str, Any]) -> None:
    """An item event without id, key or data changes nothing, so that a replay can bring it again."""
    replica = CollectionReplica("map", 0)
    with pytest.raises(ProtocolError):
        replica.apply(ItemAdded, event, ordered=True)
    assert replica.cursor == 0


def test_a_million_events_leave_nothing_behind() -> None:
    """R10: the memory of a replica does not grow with the events of a list."""
    replica = CollectionReplica("list", -1)
    event: dict[str, Any] = {"id": 0, "item_index": 0, "item_data": {}}
    tracemalloc.start()
    try:
        for n in range(1_000_000):
            event["id"] = event["item_index"] = n
            assert replica.apply(ItemAdded, event, ordered=False) is not None
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 10_000


def test_records_are_bounded() -> None:
    """R10: neither an open gap nor a page that never comes keeps more than a bounded number of items."""
    replica = CollectionReplica("list", -1)
    replica.begin_fetch()
    for n in range(1, 3 * MAX_RECORDS):
        replica.apply(ItemAdded, {"id": n, "item_index": n, "item_data": {}}, ordered=False)
    assert len(replica._records) <= MAX_RECORDS
    assert replica.cursor == -1


def test_records_go_with_their_reason() -> None:
    """R10: once the gap is filled and the page has come, no record is left."""
    replica = CollectionReplica("list", -1)
    fetch = replica.begin_fetch()
    for n in [*range(1, 50), 0]:
        replica.apply(ItemAdded, {"id": n, "item_index": n, "item_data": {}}, ordered=False)
    replica.end_fetch(fetch, [Item(3, {}, 3)])
    assert replica._records == {}
    assert not replica._recent
