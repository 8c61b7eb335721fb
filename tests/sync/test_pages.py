"""Reading pages and items through a handle."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from tests.sync.driven import Driven, Watcher
from tests.sync.model_service import Answer, Stored
from twilio_conversations.errors import ProtocolError, SyncError, UnsupportedOperationError
from twilio_conversations.sync.changes import Item, ItemAdded, Page
from twilio_conversations.sync.client import Handle
from twilio_conversations.util.flows import flow


def filled(driven: Driven, count: int) -> Stored:
    """A list of `count` items."""
    messages = driven.service.create("list", "messages")
    for n in range(count):
        driven.service.add(messages, n)
    return messages


def read(driven: Driven, entity: Handle, **query: Any) -> Page:
    """Read one page."""
    future = flow(entity.page)(**query)
    driven.settle()
    return future.result()


def keys(page: Page) -> list[Any]:
    """The keys of a page."""
    return [item.key for item in page.items]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_walk(order: Literal["asc", "desc"], size: int) -> None:
    """T2: a walk in either direction, one item a page or more, ends and shows every item once, index 0 included."""
    driven = Driven()
    entity = driven.open(filled(driven, 7))
    seen: list[Any] = []
    page = read(driven, entity, size=size, order=order)
    assert not page.has_previous
    seen += keys(page)
    while page.has_next:
        page = read(driven, entity, start=seen[-1], size=size, order=order, bounds="exclusive")
        assert page.has_previous
        seen += keys(page)
    assert seen == sorted(range(7), reverse=order == "desc")


def test_values() -> None:
    """An item comes with its key, data, event id and date."""
    driven = Driven()
    page = read(driven, driven.open(filled(driven, 1)))
    assert page == Page((Item(0, 0, 0, "t0"),), has_next=False, has_previous=False)


def test_start_in_the_middle() -> None:
    """A page from the middle says that both sides go on, and begins with the item asked for."""
    driven = Driven()
    entity = driven.open(filled(driven, 9))
    page = read(driven, entity, start=4, size=2, order="desc")
    assert (keys(page), page.has_next, page.has_previous) == ([4, 3], True, True)


def test_start_at_something_deleted() -> None:
    """T22: a start that is not there begins at its neighbour in query order."""
    driven = Driven()
    messages = filled(driven, 9)
    entity = driven.open(messages)
    driven.service.remove(messages, 4)
    assert keys(read(driven, entity, start=4, size=2)) == [5, 6]
    assert keys(read(driven, entity, start=4, size=2, order="desc")) == [3, 2]


def test_large_pages() -> None:
    """T23: the service's own limit shows as a next page."""
    driven = Driven()
    page = read(driven, driven.open(filled(driven, 120)), size=500)
    assert (len(page.items), page.has_next) == (100, True)


def test_exclusive_although_the_service_ignores_it() -> None:
    """An exclusive start is left out even by a service that does not know the parameter."""
    driven = Driven()
    entity = driven.open(filled(driven, 3))
    future = flow(entity.page)(start=0, bounds="exclusive")
    driven.service.requests[0].query.pop("Bounds")
    driven.settle()
    assert keys(future.result()) == [1, 2]


@pytest.mark.parametrize("key", ["a/b", "a b", "a+b", "&Order=desc", "ö☃", "%41"])
def test_hostile_keys(key: str) -> None:
    """Keys with any characters are asked for as they are."""
    driven = Driven()
    roster = driven.service.create("map", "roster")
    driven.service.add(roster, 1, key)
    entity = driven.open(roster)
    future = flow(entity.item)(key)
    driven.settle()
    item = future.result()
    assert item is not None
    assert (item.key, item.data) == (key, 1)
    assert keys(read(driven, entity, start=key)) == [key]


def test_item() -> None:
    """A single item is read by its index, 0 included; one that is not there reads as `None`."""
    driven = Driven()
    entity = driven.open(filled(driven, 1))
    present, absent = flow(entity.item)(0), flow(entity.item)(7)
    driven.settle()
    assert present.result() == Item(0, 0, 0, "t0")
    assert absent.result() is None


def test_item_removed_while_reading() -> None:
    """An item that was removed while it was being read reads as `None`."""
    driven = Driven()
    messages = filled(driven, 1)
    entity = driven.open(messages)
    future = flow(entity.item)(0)
    driven.service.execute(driven.service.requests[0])
    driven.service.remove(messages, 0)
    driven.deliver_one()
    driven.settle()
    assert future.result() is None


def test_pages_announce_nothing() -> None:
    """T6: a page that shows an item before its event announces nothing; the event does, once."""
    driven, watcher = Driven(), Watcher()
    messages = filled(driven, 0)
    entity = driven.open(messages, watcher)
    driven.service.add(messages, "new")
    future = flow(entity.page)()
    driven.service.execute(driven.service.requests[0])
    driven.service.deliver(driven.service.requests[0])
    assert keys(future.result()) == [0]
    assert watcher.changes == []
    driven.settle()
    assert watcher.changes == [ItemAdded(0, "new", 0, "t0")]


@pytest.mark.parametrize(
    "body",
    [None, [], {}, {"items": []}, {"items": 3, "meta": {}}, {"items": [3], "meta": {}}, {"items": [{"index": "x"}], "meta": {}}],
)
def test_malformed_pages(body: Any) -> None:
    """An answer that is not a page fails the read, and nothing else."""
    driven, watcher = Driven(), Watcher()
    messages = filled(driven, 0)
    entity = driven.open(messages, watcher)
    driven.service.faults.append(Answer(200, body))
    future = flow(entity.page)()
    driven.settle()
    assert isinstance(future.exception(), ProtocolError)
    driven.service.add(messages, 1)
    driven.settle()
    assert len(watcher.changes) == 1


def test_refused_page() -> None:
    """A read that the service refuses says why."""
    driven = Driven()
    entity = driven.open(filled(driven, 0))
    driven.service.faults.append(Answer(403, {"code": 54007, "message": "no"}))
    future = flow(entity.page)()
    driven.settle()
    error = future.exception()
    assert isinstance(error, SyncError)
    assert (error.status, error.code) == (403, 54007)


def test_documents_have_no_items() -> None:
    """Asking a document for items is the caller's mistake."""
    driven = Driven()
    entity = driven.open(driven.service.create("document", "d", {}))
    for future in (flow(entity.page)(), flow(entity.item)("k")):
        assert isinstance(future.exception(), UnsupportedOperationError)
