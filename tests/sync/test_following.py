"""Following Sync objects: subscriptions, replays, gaps, closing and documents that are behind."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sync.driven import Driven, Watcher, added
from tests.sync.model_service import LIVE, Answer
from twilio_conversations.sync.changes import (
    DocumentUpdated,
    EntityFailed,
    EntityRemoved,
    ItemAdded,
    ItemRemoved,
    ItemUpdated,
)


@pytest.mark.parametrize("events_first", [False, True])
def test_many_objects_in_batches(events_first: bool) -> None:
    """T4: more objects than fit a batch are all established soon, whichever of answer and events comes first."""
    driven = Driven()
    driven.service.events_first = events_first
    driven.service.poke_answer["max_batch_size"] = 100
    futures = [driven.begin_open("list", driven.service.create("list", f"l{n}").name) for n in range(350)]
    driven.run(0.1)
    assert all(future.result().established for future in futures)
    assert [len(poke["requests"]) for poke in driven.service.pokes] == [100, 100, 100, 50]


def test_batch_size_of_the_service() -> None:
    """The service's batch size counts from its first answer on."""
    driven = Driven()
    for n in range(350):
        driven.begin_open("list", driven.service.create("list", f"l{n}").name)
    driven.run(0.5)
    assert [len(poke["requests"]) for poke in driven.service.pokes] == [100, 250]


def test_first_poke_is_fast() -> None:
    """The subscription of a new object is asked for within 20 ms."""
    driven = Driven()
    driven.begin_open("list", driven.service.create("list", "l").name)
    driven.run(0.02)
    assert len(driven.service.pokes) == 1


def test_change_between_open_and_subscription() -> None:
    """T5: what happens between reading the object and subscribing to it is told exactly once."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "messages")
    driven.service.add(messages, "old")
    driven.begin_open("list", "messages", watcher)
    driven.settle()
    driven.service.add(messages, "new")
    driven.run(1)
    assert watcher.changes == [ItemAdded(1, "new", 1, "t1")]


def test_duplicates() -> None:
    """T7: a repeated add, update or removal is told once."""
    driven, watcher = Driven(), Watcher()
    roster = driven.service.create("map", "roster")
    driven.open(roster, watcher)
    driven.service.add(roster, 1, "a")
    driven.service.update(roster, "a", 2)
    driven.service.remove(roster, "a")
    wire = list(driven.service.outbox)
    driven.service.outbox += wire + wire
    driven.settle()
    assert [type(change) for change in watcher.changes] == [ItemAdded, ItemUpdated, ItemRemoved]


def test_missing_event_is_recovered_by_a_reconnect() -> None:
    """T10: events 25 and 27 came, the connection broke: 26 is replayed."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "messages")
    driven.open(messages, watcher)
    for n in range(3):
        driven.service.add(messages, n)
    del driven.service.outbox[1]
    driven.settle()
    assert added(watcher) == [0, 2]
    driven.cut()
    driven.connect()
    driven.run(1)
    assert added(watcher) == [0, 2, 1]
    assert driven.service.pokes[-1]["requests"][0]["last_event_id"] == 0


def test_missing_event_is_asked_for() -> None:
    """A gap that stays open on a working connection is replayed after a bounded time."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "messages")
    entity = driven.open(messages, watcher)
    for n in range(3):
        driven.service.add(messages, n)
    del driven.service.outbox[1]
    driven.run(10)
    assert added(watcher) == [0, 2, 1]
    assert entity.event_id == 2


def test_ids_with_holes_cause_few_pokes() -> None:
    """A service whose ids are not contiguous is not asked for replays again and again."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "messages")
    driven.open(messages, watcher)
    for _ in range(600):
        messages.head += 2
        driven.service.add(messages, {})
        driven.run(1)
    assert len(added(watcher)) == 600
    assert len(driven.service.pokes) < 12


def test_live_event_while_establishing() -> None:
    """T11: a live event that the replay does not repeat is kept."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "messages")
    driven.begin_open("list", "messages", watcher)
    driven.settle()
    driven.say(
        {"event_type": "list_item_added", "events": [{"id": 0, "list_sid": messages.sid, "item_index": 0, "item_data": 1}]},
        LIVE + "list",
    )
    driven.run(1)
    assert added(watcher) == [0]


def test_cursor_waits_for_the_replay() -> None:
    """A live event that overtakes the replay does not move the cursor past what is still to come."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "messages")
    driven.begin_open("list", "messages", watcher)
    driven.settle()
    for n in range(3):
        driven.service.add(messages, n)
    driven.say(
        {"event_type": "list_item_added", "events": [{"id": 2, "list_sid": messages.sid, "item_index": 2, "item_data": 2}]},
        LIVE + "list",
    )
    driven.cut()
    driven.connect()
    driven.run(1)
    assert sorted(added(watcher)) == [0, 1, 2]
    assert driven.service.pokes[0]["requests"][0]["last_event_id"] == -1


def test_replay_in_chunks() -> None:
    """T12: a replay that is interrupted goes on from where it got to, in order and at a bounded rate."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "messages")
    driven.begin_open("list", "messages", watcher)
    driven.settle()
    for n in range(10):
        driven.service.add(messages, n)
    driven.service.chunk = 3
    driven.run(1)
    assert added(watcher) == list(range(10))
    assert len(driven.service.pokes) == 4


def test_replay_without_progress_backs_off() -> None:
    """A service that interrupts without sending anything is not poked in a hot loop."""
    driven = Driven()
    messages = driven.service.create("list", "messages")
    driven.begin_open("list", "messages")
    driven.settle()
    driven.service.add(messages, {})
    driven.service.chunk = 0
    driven.run(60)
    assert 5 < len(driven.service.pokes) < 12


def test_silence_is_answered_by_another_poke() -> None:
    """T13: an accepted poke that nothing follows is repeated, says so, and backs off."""
    driven = Driven()
    driven.service.silent = True
    driven.service.poke_answer["estimated_delivery_in_ms"] = 1000
    future = driven.begin_open("list", driven.service.create("list", "l").name)
    driven.run(0.9)
    assert [poke["retried_requests"] for poke in driven.service.pokes] == [0]
    driven.run(60)
    assert all(poke["retried_requests"] == 1 for poke in driven.service.pokes[1:])
    assert 4 < len(driven.service.pokes) < 15
    driven.service.silent = False
    driven.run(60)
    assert future.result().established


def test_late_established_is_ignored() -> None:
    """T14: a confirmation of an older poke does not count."""
    driven = Driven()
    driven.service.silent = True
    driven.service.poke_answer["estimated_delivery_in_ms"] = 1000
    messages = driven.service.create("list", "l")
    future = driven.begin_open("list", "l")
    driven.run(3)
    old = driven.service.pokes[0]["correlation_id"]
    event = {"object_sid": messages.sid, "replay_status": "completed", "last_event_id": 7}
    driven.say({"event_type": "subscription_established", "correlation_id": old, "events": [event]})
    assert not future.result().established
    assert future.result().event_id == -1


def test_refused_subscriptions() -> None:
    """T15: 404 is a removal, 403 waits for a token, 503 and an absent error are tried again; each is reported."""
    errors: dict[str, Any] = {"gone": {"status": 404}, "forbidden": {"status": 403, "code": 54007}, "busy": {"status": 503}}
    driven = Driven()
    watchers, entities = {}, {}
    for name in ("gone", "forbidden", "busy", "odd"):
        stored = driven.service.create("list", name)
        driven.service.forbidden[stored.sid] = errors.get(name)
        watchers[name] = Watcher()
        entities[name] = driven.begin_open("list", name, watchers[name])
    driven.run(0.05)
    assert watchers["gone"].changes == [EntityRemoved()]
    assert not entities["gone"].result().open
    (forbidden,) = watchers["forbidden"].of(EntityFailed)
    assert (forbidden.error.status, forbidden.error.code, forbidden.will_retry) == (403, 54007, False)
    assert [change.will_retry for change in watchers["busy"].of(EntityFailed)] == [True]
    assert [change.will_retry for change in watchers["odd"].of(EntityFailed)] == [True]
    driven.service.forbidden.clear()
    driven.run(5)
    assert [entities[name].result().established for name in ("gone", "forbidden", "busy", "odd")] == [False, False, True, True]
    driven.client.token_updated()
    driven.run(1)
    assert entities["forbidden"].result().established
    assert watchers["gone"].changes == [EntityRemoved()]


def test_forbidden_is_tried_again_after_a_reconnect() -> None:
    """A refused subscription is asked again on the next connection."""
    driven = Driven()
    stored = driven.service.create("list", "l")
    driven.service.forbidden[stored.sid] = {"status": 403}
    entity = driven.open(stored)
    driven.service.forbidden.clear()
    driven.run(300)
    assert not entity.established
    driven.cut()
    driven.connect()
    driven.run(1)
    assert entity.established


def test_service_cancels() -> None:
    """T16: a subscription that the service ends by itself is reported and asked for again; nothing is lost."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    entity = driven.open(messages, watcher)
    driven.service.cancel(messages)
    driven.settle()
    assert not entity.established
    driven.service.add(messages, {})
    driven.run(1)
    assert entity.established
    assert added(watcher) == [0]
    assert len(watcher.of(EntityFailed)) == 1


def test_service_that_always_cancels() -> None:
    """Establish and cancel in turns does not become a hot loop."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    driven.open(messages, watcher)
    watcher.react = None
    for _ in range(600):
        if messages.sid in driven.service.subscribed:
            driven.service.cancel(messages)
        driven.run(0.1)
    assert len(driven.service.pokes) < 15


def test_close_cancels() -> None:
    """The last close ends the subscription on the service; an earlier one does not."""
    driven = Driven()
    messages = driven.service.create("list", "l")
    first, second = driven.open(messages), driven.open(messages)
    first.close()
    driven.run(1)
    assert messages.sid in driven.service.subscribed
    second.close()
    second.close()
    driven.run(1)
    assert not driven.service.subscribed
    cancel = driven.service.pokes[-1]
    assert cancel["action"] == "cancel"
    assert cancel["requests"] == [{"object_sid": messages.sid, "object_type": "list"}]


def test_close_before_the_poke() -> None:
    """What the service was never asked for is not cancelled."""
    driven = Driven()
    future = driven.begin_open("list", driven.service.create("list", "l").name)
    driven.settle()
    future.result().close()
    driven.run(1)
    assert driven.service.pokes == []


def test_close_and_reopen_at_once() -> None:
    """T17: closed and opened again within a poke: events flow, and no cancel was sent."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    driven.open(messages).close()
    driven.open(messages, watcher)
    driven.service.add(messages, {})
    driven.settle()
    assert added(watcher) == [0]
    assert [poke["action"] for poke in driven.service.pokes] == ["establish", "establish"]


def test_reopen_while_cancelling() -> None:
    """T17: opened again while the cancel is under way: the new subscription wins."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    driven.open(messages).close()
    driven.stall(0.1)
    assert [request.body["action"] for request in driven.service.requests] == ["cancel"]
    driven.open(messages, watcher)
    driven.service.add(messages, {})
    driven.settle()
    assert added(watcher) == [0]


def test_old_handle_closed_after_reopen() -> None:
    """T18: closing a handle of an object that was removed does not touch its successor."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    old = driven.open(messages)
    driven.say({"event_type": "list_removed", "event": {"list_sid": messages.sid}})
    new = driven.open(messages, watcher)
    assert new.root is not old.root
    old.close()
    driven.run(1)
    driven.service.add(messages, {})
    driven.settle()
    assert added(watcher) == [0]


def test_document_behind_is_read_again() -> None:
    """T20: the end of a replay that is ahead of the document has it read again."""
    driven, watcher = Driven(), Watcher()
    document = driven.service.create("document", "d", {"v": 1})
    entity = driven.open(document, watcher)
    driven.service.set(document, {"v": 2})
    driven.service.outbox.clear()
    document.journal.clear()
    driven.cut()
    driven.connect()
    driven.run(1)
    assert watcher.changes == [DocumentUpdated({"v": 2}, 1)]
    assert entity.data == {"v": 2}


def test_document_that_cannot_be_read_again() -> None:
    """The re-read of a document that fails is tried again with a back-off."""
    driven, watcher = Driven(), Watcher()
    document = driven.service.create("document", "d", {"v": 1})
    driven.open(document, watcher)
    driven.service.set(document, {"v": 2})
    driven.service.outbox.clear()
    document.journal.clear()
    driven.cut()
    driven.connect()
    driven.stall(0.1)
    driven.service.execute(driven.service.requests[0])  # the poke
    driven.service.faults.append(Answer(500))
    driven.run(2)
    assert watcher.changes == [DocumentUpdated({"v": 2}, 1)]


def test_document_events() -> None:
    """A document is replaced by newer events only, and its removal is told once."""
    driven, watcher = Driven(), Watcher()
    document = driven.service.create("document", "d", {"v": 0})
    entity = driven.open(document, watcher)
    driven.service.set(document, {"v": 1})
    driven.service.set(document, {"v": 2})
    driven.service.outbox.reverse()
    driven.settle()
    assert watcher.changes == [DocumentUpdated({"v": 2}, 2)]
    for _ in range(2):
        driven.say({"event_type": "document_removed", "event": {"document_sid": document.sid}}, LIVE + "document")
    assert watcher.changes[1:] == [EntityRemoved()]
    assert entity.data == {"v": 2}
    assert not entity.open
