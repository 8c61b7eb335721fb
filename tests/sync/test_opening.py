"""Opening Sync objects: by name and by sid, together, with items, and with answers that are malformed."""

from __future__ import annotations

import gc
import re
import weakref
from typing import Any

import pytest

from tests.sync.driven import Driven, Watcher, added
from tests.sync.model_service import Answer
from twilio_conversations.errors import (
    InvalidArgumentError,
    ProtocolError,
    SyncError,
)
from twilio_conversations.sync.changes import (
    ItemAdded,
    ItemUpdated,
)
from twilio_conversations.sync.replica import CollectionReplica


def test_first_event_id_is_zero() -> None:
    """T1: the first change of an empty map has id 0 and counts."""
    driven, watcher = Driven(), Watcher()
    roster = driven.service.create("map", "roster")
    entity = driven.open(roster, watcher)
    driven.service.add(roster, {"v": 1}, "a")
    driven.settle()
    assert watcher.changes == [ItemAdded("a", {"v": 1}, 0, "t0")]
    assert entity.event_id == 0


@pytest.mark.parametrize("name", ["a/b", "a b", "a+b", "a%2fb", "añ☃", "?x=1", "#", "../x", "&k=v;", ".", ".."])
def test_hostile_names(name: str) -> None:
    """T3: a name with any characters reaches the service as it is."""
    driven = Driven()
    document = driven.service.create("document", name, {"v": 1})
    assert driven.open(document).data == {"v": 1}


@pytest.mark.parametrize("name", ["", "\ud800"])
def test_names_that_cannot_be_asked_for(name: str) -> None:
    """A name that would mean another resource is refused before anything is sent."""
    driven = Driven()
    future = driven.client.open_document(name, Watcher())
    assert isinstance(future.exception(), InvalidArgumentError)
    assert not driven.service.history


def test_simultaneous_opens_share_everything() -> None:
    """Two opens of one name are one request, one object and two handles, each with its listener."""
    driven, first, second = Driven(), Watcher(), Watcher()
    messages = driven.service.create("list", "messages")
    futures = [driven.begin_open("list", "messages", watcher) for watcher in (first, second)]
    assert len(driven.service.history) == 1
    driven.run(1)
    one, two = (future.result() for future in futures)
    assert one is not two
    driven.service.add(messages, {})
    driven.settle()
    assert added(first) == added(second) == [0]
    assert [len(poke["requests"]) for poke in driven.service.pokes] == [1]


def test_opens_by_sid_and_by_name() -> None:
    """T19: concurrent opens by sid and by name end in one object with one subscription."""
    driven = Driven()
    messages = driven.service.create("list", "messages")
    by_name = driven.begin_open("list", "messages")
    by_sid = driven.begin_open("list", messages.sid)
    driven.run(1)
    assert by_name.result().root is by_sid.result().root
    assert sum(len(poke["requests"]) for poke in driven.service.pokes) == 1


def test_open_again_needs_no_request() -> None:
    """An object that is open already is handed out at once."""
    driven = Driven()
    entity = driven.open(driven.service.create("list", "messages"))
    requests = len(driven.service.history)
    again = driven.begin_open("list", "messages")
    assert again.result().root is entity.root
    assert len(driven.service.history) == requests


@pytest.mark.row("ER49", "ER50")
def test_open_of_unknown_name() -> None:
    """An open of something that is not there fails with the service's status and code, and can be repeated."""
    driven = Driven()
    for _ in range(2):
        future = driven.begin_open("map", "nothing")
        driven.settle()
        error = future.exception()
        assert isinstance(error, SyncError)
        assert (error.status, error.code) == (404, 54300)


@pytest.mark.parametrize(
    "body", [None, [], {}, {"sid": 1}, {"sid": "MP1"}, {"sid": "MP1", "links": []}, {"sid": "MP1", "links": {"items": 1}}]
)
def test_open_with_a_malformed_answer(body: Any) -> None:
    """A root that is not one fails the open, and nothing else."""
    driven = Driven()
    driven.service.create("map", "m")
    driven.service.faults.append(Answer(200, body))
    future = driven.begin_open("map", "m")
    driven.settle()
    assert isinstance(future.exception(), ProtocolError)


def test_request_headers() -> None:
    """Every request says its type, who asks, and a request id; only reads may be sent again as they are."""
    driven = Driven()
    driven.open(driven.service.create("list", "messages"))
    read, poke = driven.service.history
    for request in (read, poke):
        assert request.headers["Content-Type"] == "application/json"
        assert re.fullmatch("RQ[0-9a-f]{32}", request.headers["Twilio-Request-Id"])
        assert '"sdk"' in request.headers["Twilio-Sync-Client-Info"]
    assert (read.idempotent, poke.idempotent) == (True, False)


def test_map_with_items() -> None:
    """A map opened with its items hands them out once, and keeps nothing of them; what changes comes to the listener."""
    driven = Driven()
    info = driven.service.create("map", "info")
    driven.service.add(info, {"value": "A"}, "friendlyName")
    driven.service.add(info, {"value": "{}"}, "attributes")
    watcher = Watcher()
    entity = driven.open(info, watcher, include_items=True)
    held = [weakref.ref(item) for item in entity._items]
    taken = entity.take_items()
    assert {item.key: item.data for item in taken} == {"friendlyName": {"value": "A"}, "attributes": {"value": "{}"}}
    assert entity.take_items() == ()
    del taken
    driven.service.history.clear()  # the peer's own: its requests know what they led to
    gc.collect()
    assert [ref() for ref in held] == [None, None]
    driven.service.update(info, "friendlyName", {"value": "B"})
    driven.settle()
    assert [type(change) for change in watcher.changes] == [ItemUpdated]
    replica = entity.root.replica
    assert isinstance(replica, CollectionReplica)
    assert (replica._records, list(replica._recent)) == ({}, [])


def test_each_opening_with_items_reads_them() -> None:
    """A second opening of a map shares the object, but has items of its own, as they are now."""
    driven = Driven()
    info = driven.service.create("map", "info")
    driven.service.add(info, 1, "a")
    first = driven.open(info, include_items=True)
    driven.service.update(info, "a", 2)
    driven.run(1)
    second = driven.open(info, include_items=True)
    assert second.root is first.root
    assert [item.data for item in second.take_items()] == [2]
    assert [item.data for item in first.take_items()] == [1]


def test_items_wanted_later() -> None:
    """Items that are wanted of a map that is open without them are read, and never older than its events."""
    driven = Driven()
    info = driven.service.create("map", "info")
    driven.service.add(info, 1, "gone")
    driven.open(info)
    future = driven.begin_open("map", "info", include_items=True)
    driven.service.execute(driven.service.requests[0])
    driven.service.remove(info, "gone")
    driven.deliver_one()
    driven.run(1)
    assert future.result().take_items() == ()


def test_a_service_whose_reads_are_behind_is_not_asked_in_a_storm() -> None:
    """What is read stays older than the events for a while: the next reading waits."""
    driven = Driven()
    info = driven.service.create("map", "info")
    driven.service.add(info, 1, "gone")
    driven.open(info)
    future = driven.begin_open("map", "info", include_items=True)
    reading = driven.service.requests[0]
    driven.service.execute(reading)
    assert reading.answer is not None
    driven.service.remove(info, "gone")
    driven.deliver_one()
    driven.service.faults = [reading.answer, reading.answer]
    driven.settle()
    assert not future.done()
    assert len(driven.service.faults) == 2
    driven.run(1)
    assert future.result().take_items() == ()
