"""`SyncClient` against the rules of Sync: opening, following, losing and finding the connection again."""

from __future__ import annotations

import gc
import logging
import re
import weakref
from typing import Any

import pytest

from tests.sync.model_service import LIVE, REPLAY, Answer, Watcher, World
from twilio_conversations.errors import (
    ClientClosedError,
    InvalidArgumentError,
    ProtocolError,
    RequestTimeoutError,
    SyncError,
)
from twilio_conversations.sync.changes import (
    DocumentUpdated,
    EntityFailed,
    EntityRemoved,
    ItemAdded,
    ItemRemoved,
    ItemUpdated,
    Resynced,
)
from twilio_conversations.sync.replica import CollectionReplica


def added(watcher: Watcher) -> list[Any]:
    """Keys of the items that were announced as added."""
    return [change.key for change in watcher.of(ItemAdded)]


# Opening


def test_first_event_id_is_zero() -> None:
    """T1: the first change of an empty map has id 0 and counts."""
    world, watcher = World(), Watcher()
    roster = world.service.create("map", "roster")
    entity = world.open(roster, watcher)
    world.service.add(roster, {"v": 1}, "a")
    world.settle()
    assert watcher.changes == [ItemAdded("a", {"v": 1}, 0, "t0")]
    assert entity.event_id == 0


@pytest.mark.parametrize("name", ["a/b", "a b", "a+b", "a%2fb", "añ☃", "?x=1", "#", "../x", "&k=v;", ".", ".."])
def test_hostile_names(name: str) -> None:
    """T3: a name with any characters reaches the service as it is."""
    world = World()
    document = world.service.create("document", name, {"v": 1})
    assert world.open(document).data == {"v": 1}


@pytest.mark.parametrize("name", ["", "\ud800"])
def test_names_that_cannot_be_asked_for(name: str) -> None:
    """A name that would mean another resource is refused before anything is sent."""
    world = World()
    future = world.client.open_document(name, Watcher())
    assert isinstance(future.exception(0), InvalidArgumentError)
    assert not world.service.history


def test_simultaneous_opens_share_everything() -> None:
    """Two opens of one name are one request, one object and two handles, each with its listener."""
    world, first, second = World(), Watcher(), Watcher()
    messages = world.service.create("list", "messages")
    futures = [world.begin_open("list", "messages", watcher) for watcher in (first, second)]
    assert len(world.service.history) == 1
    world.run(1)
    one, two = (future.result(0) for future in futures)
    assert one is not two
    world.service.add(messages, {})
    world.settle()
    assert added(first) == added(second) == [0]
    assert [len(poke["requests"]) for poke in world.service.pokes] == [1]


def test_opens_by_sid_and_by_name() -> None:
    """T19: concurrent opens by sid and by name end in one object with one subscription."""
    world = World()
    messages = world.service.create("list", "messages")
    by_name = world.begin_open("list", "messages")
    by_sid = world.begin_open("list", messages.sid)
    world.run(1)
    assert by_name.result(0).root is by_sid.result(0).root
    assert sum(len(poke["requests"]) for poke in world.service.pokes) == 1


def test_open_again_needs_no_request() -> None:
    """An object that is open already is handed out at once."""
    world = World()
    entity = world.open(world.service.create("list", "messages"))
    requests = len(world.service.history)
    again = world.begin_open("list", "messages")
    assert again.result(0).root is entity.root
    assert len(world.service.history) == requests


@pytest.mark.row("ER49", "ER50")
def test_open_of_unknown_name() -> None:
    """An open of something that is not there fails with the service's status and code, and can be repeated."""
    world = World()
    for _ in range(2):
        future = world.begin_open("map", "nothing")
        world.settle()
        error = future.exception(0)
        assert isinstance(error, SyncError)
        assert (error.status, error.code) == (404, 54300)


@pytest.mark.parametrize(
    "body", [None, [], {}, {"sid": 1}, {"sid": "MP1"}, {"sid": "MP1", "links": []}, {"sid": "MP1", "links": {"items": 1}}]
)
def test_open_with_a_malformed_answer(body: Any) -> None:
    """A root that is not one fails the open, and nothing else."""
    world = World()
    world.service.create("map", "m")
    world.service.faults.append(Answer(200, body))
    future = world.begin_open("map", "m")
    world.settle()
    assert isinstance(future.exception(0), ProtocolError)


def test_request_headers() -> None:
    """Every request says its type, who asks, and a request id; only reads may be sent again as they are."""
    world = World()
    world.open(world.service.create("list", "messages"))
    read, poke = world.service.history
    for request in (read, poke):
        assert request.headers["Content-Type"] == "application/json"
        assert re.fullmatch("RQ[0-9a-f]{32}", request.headers["Twilio-Request-Id"])
        assert '"sdk"' in request.headers["Twilio-Sync-Client-Info"]
    assert (read.idempotent, poke.idempotent) == (True, False)


def test_map_with_items() -> None:
    """A map opened with its items hands them out once, and keeps nothing of them; what changes comes to the listener."""
    world = World()
    info = world.service.create("map", "info")
    world.service.add(info, {"value": "A"}, "friendlyName")
    world.service.add(info, {"value": "{}"}, "attributes")
    watcher = Watcher()
    entity = world.open(info, watcher, include_items=True)
    held = [weakref.ref(item) for item in entity._items]
    taken = entity.take_items()
    assert {item.key: item.data for item in taken} == {"friendlyName": {"value": "A"}, "attributes": {"value": "{}"}}
    assert entity.take_items() == ()
    del taken
    world.service.history.clear()  # the peer's own: its requests know what they led to
    gc.collect()
    assert [ref() for ref in held] == [None, None]
    world.service.update(info, "friendlyName", {"value": "B"})
    world.settle()
    assert [type(change) for change in watcher.changes] == [ItemUpdated]
    replica = entity.root.replica
    assert isinstance(replica, CollectionReplica)
    assert (replica._records, list(replica._recent)) == ({}, [])


def test_each_opening_with_items_reads_them() -> None:
    """A second opening of a map shares the object, but has items of its own, as they are now."""
    world = World()
    info = world.service.create("map", "info")
    world.service.add(info, 1, "a")
    first = world.open(info, include_items=True)
    world.service.update(info, "a", 2)
    world.run(1)
    second = world.open(info, include_items=True)
    assert second.root is first.root
    assert [item.data for item in second.take_items()] == [2]
    assert [item.data for item in first.take_items()] == [1]


def test_items_wanted_later() -> None:
    """Items that are wanted of a map that is open without them are read, and never older than its events."""
    world = World()
    info = world.service.create("map", "info")
    world.service.add(info, 1, "gone")
    world.open(info)
    future = world.begin_open("map", "info", include_items=True)
    world.service.execute(world.service.requests[0])
    world.service.remove(info, "gone")
    world.deliver_one()
    world.run(1)
    assert future.result(0).take_items() == ()


def test_a_service_whose_reads_are_behind_is_not_asked_in_a_storm() -> None:
    """What is read stays older than the events for a while: the next reading waits."""
    world = World()
    info = world.service.create("map", "info")
    world.service.add(info, 1, "gone")
    world.open(info)
    future = world.begin_open("map", "info", include_items=True)
    reading = world.service.requests[0]
    world.service.execute(reading)
    assert reading.answer is not None
    world.service.remove(info, "gone")
    world.deliver_one()
    world.service.faults = [reading.answer, reading.answer]
    world.settle()
    assert not future.done()
    assert len(world.service.faults) == 2
    world.run(1)
    assert future.result(0).take_items() == ()


# Following


@pytest.mark.parametrize("events_first", [False, True])
def test_many_objects_in_batches(events_first: bool) -> None:
    """T4: more objects than fit a batch are all established soon, whichever of answer and events comes first."""
    world = World()
    world.service.events_first = events_first
    world.service.poke_answer["max_batch_size"] = 100
    futures = [world.begin_open("list", world.service.create("list", f"l{n}").name) for n in range(350)]
    world.run(0.1)
    assert all(future.result(0).established for future in futures)
    assert [len(poke["requests"]) for poke in world.service.pokes] == [100, 100, 100, 50]


def test_batch_size_of_the_service() -> None:
    """The service's batch size counts from its first answer on."""
    world = World()
    for n in range(350):
        world.begin_open("list", world.service.create("list", f"l{n}").name)
    world.run(0.5)
    assert [len(poke["requests"]) for poke in world.service.pokes] == [100, 250]


def test_first_poke_is_fast() -> None:
    """The subscription of a new object is asked for within 20 ms."""
    world = World()
    world.begin_open("list", world.service.create("list", "l").name)
    world.run(0.02)
    assert len(world.service.pokes) == 1


def test_change_between_open_and_subscription() -> None:
    """T5: what happens between reading the object and subscribing to it is told exactly once."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "messages")
    world.service.add(messages, "old")
    world.begin_open("list", "messages", watcher)
    world.settle()
    world.service.add(messages, "new")
    world.run(1)
    assert watcher.changes == [ItemAdded(1, "new", 1, "t1")]


def test_duplicates() -> None:
    """T7: a repeated add, update or removal is told once."""
    world, watcher = World(), Watcher()
    roster = world.service.create("map", "roster")
    world.open(roster, watcher)
    world.service.add(roster, 1, "a")
    world.service.update(roster, "a", 2)
    world.service.remove(roster, "a")
    wire = list(world.service.outbox)
    world.service.outbox += wire + wire
    world.settle()
    assert [type(change) for change in watcher.changes] == [ItemAdded, ItemUpdated, ItemRemoved]


def test_missing_event_is_recovered_by_a_reconnect() -> None:
    """T10: events 25 and 27 came, the connection broke: 26 is replayed."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "messages")
    world.open(messages, watcher)
    for n in range(3):
        world.service.add(messages, n)
    del world.service.outbox[1]
    world.settle()
    assert added(watcher) == [0, 2]
    world.cut()
    world.connect()
    world.run(1)
    assert added(watcher) == [0, 2, 1]
    assert world.service.pokes[-1]["requests"][0]["last_event_id"] == 0


def test_missing_event_is_asked_for() -> None:
    """A gap that stays open on a working connection is replayed after a bounded time."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "messages")
    entity = world.open(messages, watcher)
    for n in range(3):
        world.service.add(messages, n)
    del world.service.outbox[1]
    world.run(10)
    assert added(watcher) == [0, 2, 1]
    assert entity.event_id == 2


def test_ids_with_holes_cause_few_pokes() -> None:
    """A service whose ids are not contiguous is not asked for replays again and again."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "messages")
    world.open(messages, watcher)
    for _ in range(600):
        messages.head += 2
        world.service.add(messages, {})
        world.run(1)
    assert len(added(watcher)) == 600
    assert len(world.service.pokes) < 12


def test_live_event_while_establishing() -> None:
    """T11: a live event that the replay does not repeat is kept."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "messages")
    world.begin_open("list", "messages", watcher)
    world.settle()
    world.say(
        {"event_type": "list_item_added", "events": [{"id": 0, "list_sid": messages.sid, "item_index": 0, "item_data": 1}]},
        LIVE + "list",
    )
    world.run(1)
    assert added(watcher) == [0]


def test_cursor_waits_for_the_replay() -> None:
    """A live event that overtakes the replay does not move the cursor past what is still to come."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "messages")
    world.begin_open("list", "messages", watcher)
    world.settle()
    for n in range(3):
        world.service.add(messages, n)
    world.say(
        {"event_type": "list_item_added", "events": [{"id": 2, "list_sid": messages.sid, "item_index": 2, "item_data": 2}]},
        LIVE + "list",
    )
    world.cut()
    world.connect()
    world.run(1)
    assert sorted(added(watcher)) == [0, 1, 2]
    assert world.service.pokes[0]["requests"][0]["last_event_id"] == -1


def test_replay_in_chunks() -> None:
    """T12: a replay that is interrupted goes on from where it got to, in order and at a bounded rate."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "messages")
    world.begin_open("list", "messages", watcher)
    world.settle()
    for n in range(10):
        world.service.add(messages, n)
    world.service.chunk = 3
    world.run(1)
    assert added(watcher) == list(range(10))
    assert len(world.service.pokes) == 4


def test_replay_without_progress_backs_off() -> None:
    """A service that interrupts without sending anything is not poked in a hot loop."""
    world = World()
    messages = world.service.create("list", "messages")
    world.begin_open("list", "messages")
    world.settle()
    world.service.add(messages, {})
    world.service.chunk = 0
    world.run(60)
    assert 5 < len(world.service.pokes) < 12


def test_silence_is_answered_by_another_poke() -> None:
    """T13: an accepted poke that nothing follows is repeated, says so, and backs off."""
    world = World()
    world.service.silent = True
    world.service.poke_answer["estimated_delivery_in_ms"] = 1000
    future = world.begin_open("list", world.service.create("list", "l").name)
    world.run(0.9)
    assert [poke["retried_requests"] for poke in world.service.pokes] == [0]
    world.run(60)
    assert all(poke["retried_requests"] == 1 for poke in world.service.pokes[1:])
    assert 4 < len(world.service.pokes) < 15
    world.service.silent = False
    world.run(60)
    assert future.result(0).established


def test_late_established_is_ignored() -> None:
    """T14: a confirmation of an older poke does not count."""
    world = World()
    world.service.silent = True
    world.service.poke_answer["estimated_delivery_in_ms"] = 1000
    messages = world.service.create("list", "l")
    future = world.begin_open("list", "l")
    world.run(3)
    old = world.service.pokes[0]["correlation_id"]
    event = {"object_sid": messages.sid, "replay_status": "completed", "last_event_id": 7}
    world.say({"event_type": "subscription_established", "correlation_id": old, "events": [event]})
    assert not future.result(0).established
    assert future.result(0).event_id == -1


def test_refused_subscriptions() -> None:
    """T15: 404 is a removal, 403 waits for a token, 503 and an absent error are tried again; each is reported."""
    errors: dict[str, Any] = {"gone": {"status": 404}, "forbidden": {"status": 403, "code": 54007}, "busy": {"status": 503}}
    world = World()
    watchers, entities = {}, {}
    for name in ("gone", "forbidden", "busy", "odd"):
        stored = world.service.create("list", name)
        world.service.forbidden[stored.sid] = errors.get(name)
        watchers[name] = Watcher()
        entities[name] = world.begin_open("list", name, watchers[name])
    world.run(0.05)
    assert watchers["gone"].changes == [EntityRemoved()]
    assert not entities["gone"].result(0).open
    (forbidden,) = watchers["forbidden"].of(EntityFailed)
    assert (forbidden.error.status, forbidden.error.code, forbidden.will_retry) == (403, 54007, False)
    assert [change.will_retry for change in watchers["busy"].of(EntityFailed)] == [True]
    assert [change.will_retry for change in watchers["odd"].of(EntityFailed)] == [True]
    world.service.forbidden.clear()
    world.run(5)
    assert [entities[name].result(0).established for name in ("gone", "forbidden", "busy", "odd")] == [False, False, True, True]
    world.client.token_updated()
    world.run(1)
    assert entities["forbidden"].result(0).established
    assert watchers["gone"].changes == [EntityRemoved()]


def test_forbidden_is_tried_again_after_a_reconnect() -> None:
    """A refused subscription is asked again on the next connection."""
    world = World()
    stored = world.service.create("list", "l")
    world.service.forbidden[stored.sid] = {"status": 403}
    entity = world.open(stored)
    world.service.forbidden.clear()
    world.run(300)
    assert not entity.established
    world.cut()
    world.connect()
    world.run(1)
    assert entity.established


def test_service_cancels() -> None:
    """T16: a subscription that the service ends by itself is reported and asked for again; nothing is lost."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "l")
    entity = world.open(messages, watcher)
    world.service.cancel(messages)
    world.settle()
    assert not entity.established
    world.service.add(messages, {})
    world.run(1)
    assert entity.established
    assert added(watcher) == [0]
    assert len(watcher.of(EntityFailed)) == 1


def test_service_that_always_cancels() -> None:
    """Establish and cancel in turns does not become a hot loop."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "l")
    world.open(messages, watcher)
    watcher.react = None
    for _ in range(600):
        if messages.sid in world.service.subscribed:
            world.service.cancel(messages)
        world.run(0.1)
    assert len(world.service.pokes) < 15


def test_close_cancels() -> None:
    """The last close ends the subscription on the service; an earlier one does not."""
    world = World()
    messages = world.service.create("list", "l")
    first, second = world.open(messages), world.open(messages)
    first.close()
    world.run(1)
    assert messages.sid in world.service.subscribed
    second.close()
    second.close()
    world.run(1)
    assert not world.service.subscribed
    cancel = world.service.pokes[-1]
    assert cancel["action"] == "cancel"
    assert cancel["requests"] == [{"object_sid": messages.sid, "object_type": "list"}]


def test_close_before_the_poke() -> None:
    """What the service was never asked for is not cancelled."""
    world = World()
    future = world.begin_open("list", world.service.create("list", "l").name)
    world.settle()
    future.result(0).close()
    world.run(1)
    assert world.service.pokes == []


def test_close_and_reopen_at_once() -> None:
    """T17: closed and opened again within a poke: events flow, and no cancel was sent."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "l")
    world.open(messages).close()
    world.open(messages, watcher)
    world.service.add(messages, {})
    world.settle()
    assert added(watcher) == [0]
    assert [poke["action"] for poke in world.service.pokes] == ["establish", "establish"]


def test_reopen_while_cancelling() -> None:
    """T17: opened again while the cancel is under way: the new subscription wins."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "l")
    world.open(messages).close()
    world.stall(0.1)
    assert [request.body["action"] for request in world.service.requests] == ["cancel"]
    world.open(messages, watcher)
    world.service.add(messages, {})
    world.settle()
    assert added(watcher) == [0]


def test_old_handle_closed_after_reopen() -> None:
    """T18: closing a handle of an object that was removed does not touch its successor."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "l")
    old = world.open(messages)
    world.say({"event_type": "list_removed", "event": {"list_sid": messages.sid}})
    new = world.open(messages, watcher)
    assert new.root is not old.root
    old.close()
    world.run(1)
    world.service.add(messages, {})
    world.settle()
    assert added(watcher) == [0]


def test_document_behind_is_read_again() -> None:
    """T20: the end of a replay that is ahead of the document has it read again."""
    world, watcher = World(), Watcher()
    document = world.service.create("document", "d", {"v": 1})
    entity = world.open(document, watcher)
    world.service.set(document, {"v": 2})
    world.service.outbox.clear()
    document.journal.clear()
    world.cut()
    world.connect()
    world.run(1)
    assert watcher.changes == [DocumentUpdated({"v": 2}, 1)]
    assert entity.data == {"v": 2}


def test_document_that_cannot_be_read_again() -> None:
    """The re-read of a document that fails is tried again with a back-off."""
    world, watcher = World(), Watcher()
    document = world.service.create("document", "d", {"v": 1})
    world.open(document, watcher)
    world.service.set(document, {"v": 2})
    world.service.outbox.clear()
    document.journal.clear()
    world.cut()
    world.connect()
    world.stall(0.1)
    world.service.execute(world.service.requests[0])  # the poke
    world.service.faults.append(Answer(500))
    world.run(2)
    assert watcher.changes == [DocumentUpdated({"v": 2}, 1)]


def test_document_events() -> None:
    """A document is replaced by newer events only, and its removal is told once."""
    world, watcher = World(), Watcher()
    document = world.service.create("document", "d", {"v": 0})
    entity = world.open(document, watcher)
    world.service.set(document, {"v": 1})
    world.service.set(document, {"v": 2})
    world.service.outbox.reverse()
    world.settle()
    assert watcher.changes == [DocumentUpdated({"v": 2}, 2)]
    for _ in range(2):
        world.say({"event_type": "document_removed", "event": {"document_sid": document.sid}}, LIVE + "document")
    assert watcher.changes[1:] == [EntityRemoved()]
    assert entity.data == {"v": 2}
    assert not entity.open


# Losing the connection


def test_resume_from_the_cursors() -> None:
    """T9: what happened while the connection was down is replayed, once and in order."""
    world, watcher = World(), Watcher()
    roster = world.service.create("map", "roster")
    world.service.add(roster, 0, "a")
    world.open(roster, watcher)
    world.cut()
    for step in range(2):
        world.service.remove(roster, "a")
        world.service.add(roster, step, "a")
    world.run(5)
    assert watcher.changes == []
    world.connect()
    world.run(1)
    assert [type(change) for change in watcher.changes] == [ItemRemoved, ItemAdded, ItemRemoved, ItemAdded]
    assert watcher.items["a"] == (4, 1)


def test_cut_during_open_and_poke() -> None:
    """T25: an open and a poke that the connection cuts short are completed on the next one."""
    world = World()
    messages = world.service.create("list", "l")
    future = world.begin_open("list", "l")
    world.cut()
    world.connect()
    world.settle()
    entity = future.result(0)
    world.stall(0.1)
    world.cut()
    world.connect()
    world.run(1)
    assert entity.established
    assert messages.sid in world.service.subscribed


def test_failed_open_is_the_callers() -> None:
    """T25: an open that ran into its time limit says so."""
    world = World()
    world.service.create("list", "l")
    world.service.faults.append(RequestTimeoutError("late"))
    future = world.begin_open("list", "l")
    world.settle()
    assert isinstance(future.exception(0), RequestTimeoutError)


def test_poke_refused_and_object_closed_meanwhile() -> None:
    """T26: a poke that failed is not sent again for an object that was closed meanwhile."""
    world = World()
    messages = world.service.create("list", "l")
    future = world.begin_open("list", "l")
    world.settle()
    world.service.faults.append(Answer(503))
    world.stall(0.05)
    future.result(0).close()
    world.run(10)
    assert messages.sid not in world.service.subscribed
    assert [poke["action"] for poke in world.service.pokes] == ["establish", "cancel"]


def test_failing_pokes_back_off_and_are_reported() -> None:
    """Pokes that the service refuses are repeated ever more slowly, each time with a new body, and reported."""
    world, watcher = World(), Watcher()
    stored = world.service.create("list", "l")
    world.service.faults += [Answer(200, _root(stored.sid))] + [Answer(500)] * 6
    future = world.begin_open("list", "l", watcher)
    world.run(4)
    assert len({poke["correlation_id"] for poke in world.service.pokes}) == len(world.service.pokes) == 6
    assert len(watcher.of(EntityFailed)) == 6
    world.run(10)
    assert future.result(0).established


def _root(sid: str) -> dict[str, Any]:
    return {"sid": sid, "unique_name": "l", "last_event_id": -1, "links": {"items": "http://sync.test/v3/Lists/x/Items"}}


def test_throttled_poke() -> None:
    """T30: `Retry-After` of a throttled poke is honoured."""
    world = World()
    stored = world.service.create("list", "l")
    world.service.faults += [Answer(200, _root(stored.sid)), Answer(429, http_headers={"retry-after": "7"})]
    future = world.begin_open("list", "l")
    world.run(6.9)
    assert len(world.service.pokes) == 1
    world.run(1)
    assert future.result(0).established


def test_poisoned_batch() -> None:
    """One object that makes the service refuse whole pokes does not keep the others deaf."""
    world = World()
    stored = [world.service.create("list", f"l{n}") for n in range(20)]
    futures = [world.begin_open("list", each.name) for each in stored]
    world.settle()
    bad = stored[7].sid
    for _ in range(400):
        world.stall(0.1)
        for pending in list(world.service.requests):
            if any(wanted["object_sid"] == bad for wanted in pending.body["requests"]):
                world.service.faults.append(Answer(400))
            world.service.execute(pending)
        world.settle()
    assert [future.result(0).established for future in futures].count(False) == 1


def test_ttl() -> None:
    """T28: after the time to live all subscriptions are renewed, for that reason, and nothing is lost."""
    world, watcher = World(), Watcher()
    world.service.poke_answer["ttl_in_s"] = 1
    messages = world.service.create("list", "l")
    world.open(messages, watcher)
    for n in range(4):
        world.service.add(messages, n)
        world.run(1)
    assert added(watcher) == [0, 1, 2, 3]
    reasons = [poke.get("reason") for poke in world.service.pokes]
    assert reasons[0] is None
    assert set(reasons[1:]) == {"ttl"}
    assert 4 <= len(reasons) <= 6


def test_service_lost_its_numbering() -> None:
    """T29: a service that restarted with lower ids: documents are read again, readers of lists are told to do so."""
    world, watcher, list_watcher = World(), Watcher(), Watcher()
    document = world.service.create("document", "d", {"v": 1})
    messages = world.service.create("list", "l")
    document.head = messages.head = 100
    world.open(document, watcher)
    world.open(messages, list_watcher)
    document.head, document.data = 3, {"v": "restored"}
    messages.head = 5
    world.cut()
    world.connect()
    world.run(1)
    assert watcher.changes == [DocumentUpdated({"v": "restored"}, 3)]
    assert list_watcher.changes == [Resynced()]
    world.service.add(messages, {})
    world.settle()
    assert added(list_watcher) == [0]


def test_changes_that_no_event_told() -> None:
    """A replay that ends ahead of its events has the readers of a list told to read again."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "l")
    world.open(messages, watcher)
    world.cut()
    world.service.add(messages, {})
    messages.journal.clear()
    world.connect()
    world.run(1)
    assert watcher.changes == [Resynced()]


def test_lenient_reading() -> None:
    """T31: indexes as text, `event` as well as `events`, unknown event types and other message types are taken."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "l")
    world.open(messages, watcher)
    event = {"id": 0, "list_sid": messages.sid, "item_index": "12", "item_data": {}}
    world.say({"event_type": "list_item_added", "event": event}, REPLAY)
    world.say({"event_type": "list_tickled", "event": event}, LIVE + "list")
    world.client.notification("twilio.ipmsg.typing_indicator", {"event_type": "list_item_added", "event": {**event, "id": 1}})
    assert added(watcher) == [12]


def test_left_and_joined_again() -> None:
    """T33: an object that was removed and made again on one connection is opened afresh."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "l")
    old = world.open(messages)
    world.service.delete(messages)
    world.settle()
    assert not old.open
    messages = world.service.create("list", "l")
    new = world.open(messages, watcher)
    assert new.established
    world.service.add(messages, {})
    world.settle()
    assert added(watcher) == [0]


def test_token_update_pokes_nothing() -> None:
    """T34: a new token does not disturb established subscriptions."""
    world = World()
    entity = world.open(world.service.create("list", "l"))
    pokes = len(world.service.pokes)
    world.client.token_updated()
    world.run(10)
    assert entity.established
    assert len(world.service.pokes) == pokes


# Isolation


def test_listener_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    """T27: a listener's exception is logged; other listeners, events and the cursor go on."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "l")
    bad = Watcher()

    def explode(*_: Any) -> None:
        raise RuntimeError("listener")

    bad.react = explode
    world.open(messages, bad)
    entity = world.open(messages, watcher)
    world.service.add(messages, 0)
    world.service.add(messages, 1)
    world.settle()
    assert added(watcher) == added(bad) == [0, 1]
    assert entity.event_id == 1
    assert len(caplog.records) == 2
    caplog.clear()


def test_listener_that_calls_back() -> None:
    """T27: a listener may open, read and close while it is told of a change."""
    world, watcher, other = World(), Watcher(), Watcher()
    roster = world.service.create("map", "roster")
    document = world.service.create("document", "d", {"v": 1})

    def react(entity: Any, change: Any) -> None:
        world.begin_open("document", "d", other)
        entity.page()
        entity.close()

    watcher.react = react
    world.open(roster, watcher)
    world.service.add(roster, 1, "a")
    world.run(1)
    world.service.set(document, {"v": 2})
    world.settle()
    assert other.changes == [DocumentUpdated({"v": 2}, 1)]
    assert world.service.subscribed == {document.sid: None}


def test_close_between_two_events() -> None:
    """A listener that closes its handle hears nothing more, not even the rest of the frame."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "l")
    watcher.react = lambda entity, change: entity.close()
    world.open(messages, watcher)
    events = [{"id": n, "list_sid": messages.sid, "item_index": n, "item_data": {}} for n in range(3)]
    world.say({"event_type": "list_item_added", "events": events}, LIVE + "list")
    assert added(watcher) == [0]


def test_malformed_event_beside_good_ones(caplog: pytest.LogCaptureFixture) -> None:
    """One malformed event of a frame is logged, the others count."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "l")
    world.open(messages, watcher)
    good = {"id": 0, "list_sid": messages.sid, "item_index": 0, "item_data": {}}
    with caplog.at_level(logging.WARNING):
        world.say({"event_type": "list_item_added", "events": [None, {**good, "id": "x"}, good]}, LIVE + "list")
    assert added(watcher) == [0]
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


# Holding


def test_hold_and_release() -> None:
    """What comes while an object is held is replayed after its release, in order; others go on meanwhile."""
    world, held, other = World(), Watcher(), Watcher()
    messages, more = world.service.create("list", "l"), world.service.create("list", "m")
    entity = world.open(messages, held)
    world.open(more, other)
    world.client.hold(entity)
    for n in range(5):
        world.service.add(messages, n)
        world.service.add(more, n)
    world.run(60)
    assert (added(held), entity.event_id) == ([], -1)
    assert added(other) == [0, 1, 2, 3, 4]
    world.client.release(entity)
    world.service.add(messages, 5)  # still goes to the old subscription
    world.run(1)
    assert added(held) == [0, 1, 2, 3, 4, 5]
    assert entity.established


def test_hold_survives_a_reconnect() -> None:
    """A held object is not asked for on a new connection either, before its release."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "l")
    entity = world.open(messages, watcher)
    world.client.hold(entity)
    world.cut()
    world.service.add(messages, 0)
    world.connect()
    world.run(10)
    assert added(watcher) == []
    world.client.release(entity)
    world.run(1)
    assert added(watcher) == [0]


def test_hold_during_a_replay() -> None:
    """An object that is held and released in the middle of a replay misses nothing of it."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "l")
    entity = world.open(messages, watcher)
    world.cut()
    for n in range(4):
        world.service.add(messages, n)
    world.connect()
    world.stall(0.1)
    world.service.execute(world.service.requests[0])
    world.deliver_one()
    world.client.hold(entity)
    world.deliver_one()
    world.client.release(entity)
    world.run(1)
    assert added(watcher) == [0, 1, 2, 3]


def test_closing_a_held_handle_releases() -> None:
    """The hold of one handle ends with it; the others of the object go on."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "l")
    holder, _ = world.open(messages), world.open(messages, watcher)
    world.client.hold(holder)
    world.service.add(messages, 0)
    world.settle()
    holder.close()
    world.run(1)
    assert added(watcher) == [0]


# The end


def test_close_of_the_client() -> None:
    """After the close waiting opens have failed, no listener is called, nothing is sent and no timer waits."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "l")
    entity = world.open(messages, watcher)
    waiting = world.begin_open("list", "other")
    sent = len(world.service.history)
    world.client.close()
    world.client.close()
    assert isinstance(waiting.exception(0), ClientClosedError)
    assert isinstance(world.begin_open("list", "l").exception(0), ClientClosedError)
    world.service.add(messages, 0)
    world.client.connected()
    world.run(60)
    entity.close()
    assert watcher.changes == []
    assert len(world.service.history) == sent
    assert world.timers.next_deadline() is None


def test_listener_that_closes_another() -> None:
    """A handle that another listener has just closed is not told any more."""
    world, first, second = World(), Watcher(), Watcher()
    messages = world.service.create("list", "l")
    world.open(messages, first)
    other = world.open(messages, second)
    first.react = lambda entity, change: other.close()
    world.service.add(messages, 0)
    world.settle()
    assert (added(first), added(second)) == ([0], [])


def test_an_open_that_was_cancelled_leaves_no_handle() -> None:
    """Nobody would close it: the object is given up when its state comes."""
    world = World()
    messages = world.service.create("list", "l")
    future = world.begin_open("list", "l")
    assert future.cancel()
    world.run(5)
    assert not world.service.subscribed
    assert world.open(messages).established


def test_an_answer_after_the_close_is_nobody_s() -> None:
    """The opening has failed already."""
    world = World()
    world.service.create("list", "l")
    waiting = world.begin_open("list", "l")
    (pending,) = world.service.requests
    world.client.close()
    world.service.execute(pending)
    world.service.deliver(pending)
    assert isinstance(waiting.exception(0), ClientClosedError)
    assert world.timers.next_deadline() is None


def test_an_object_without_a_name_is_known_by_its_sid() -> None:
    """Not everything has a unique name."""
    world = World()
    document = world.service.create("document", "d", 1)
    document.name = None  # type: ignore[assignment]
    entity = world.begin_open("document", document.sid)
    world.run(1)
    assert entity.result(0).data == 1


def test_two_holders_of_one_object() -> None:
    """It is asked for again when the last of them releases it; releasing twice, or holding what is closed, does nothing."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "l")
    first, second = world.open(messages, watcher), world.open(messages)
    world.client.hold(first)
    world.client.hold(second)
    world.service.add(messages, 0)
    world.client.release(first)
    world.client.release(first)
    world.run(10)
    assert added(watcher) == []
    world.client.release(second)
    world.run(1)
    assert added(watcher) == [0]
    second.close()
    world.client.hold(second)
    world.service.add(messages, 1)
    world.run(1)
    assert added(watcher) == [0, 1]


def test_a_name_that_went_to_another_object_stays_there() -> None:
    """The end of the former one leaves the name to the new one."""
    world, watcher = World(), Watcher()
    former = world.service.create("list", "l")
    entity = world.open(former)
    former.name = "former"
    current = world.service.create("list", "l")
    future = world.begin_open("list", current.sid, watcher)
    world.run(1)
    entity.close()
    requests = len(world.service.history)
    assert world.begin_open("list", "l").result(0).root is future.result(0).root
    assert len(world.service.history) == requests


class Unreadable(Answer):
    """A body that is no JSON."""

    def json(self) -> Any:
        raise ValueError("no JSON")


@pytest.mark.parametrize("answer", [Unreadable(200), Answer(200, {"sid": "ET1"})])
def test_a_document_without_data_is_refused(answer: Answer) -> None:
    """It is an error of the service, for who opened it."""
    world = World()
    world.service.create("document", "d", 1)
    world.service.faults.append(answer)
    future = world.begin_open("document", "d")
    world.settle()
    assert isinstance(future.exception(0), ProtocolError)
