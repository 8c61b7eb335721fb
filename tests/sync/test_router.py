"""From notifications to listeners: what is malformed, late, for nobody, or more than anybody can take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sync.model_service import LIVE, REPLAY, Answer, Watcher, World
from twilio_conversations.sync.changes import DocumentUpdated, EntityFailed, EntityRemoved, ItemAdded


def keys(watcher: Watcher) -> list[Any]:
    """Keys of the items that were announced as added."""
    return [change.key for change in watcher.of(ItemAdded)]


@pytest.mark.parametrize(
    "payload",
    [None, "x", [], {}, {"event_type": 5}, {"event_type": "list_item_added", "events": [{"id": 0}, {"list_sid": 5}, 7]}],
)
def test_what_cannot_be_read_is_logged_and_changes_nothing(payload: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What comes after it is told as ever."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "l")
    world.open(messages, watcher)
    world.say(payload, LIVE + "list")
    assert caplog.records
    world.service.add(messages, {})
    world.settle()
    assert keys(watcher) == [0]


def test_other_notifications_are_ignored(caplog: pytest.LogCaptureFixture) -> None:
    """Types of messages and of events that Sync has not, and objects that nobody opened."""
    world, watcher = World(), Watcher()
    world.open(world.service.create("list", "l"), watcher)
    world.say({"event_type": "list_item_added"}, "twilio.channels.typing")
    world.say({"event_type": "list_painted", "events": [{}]}, LIVE + "list")
    world.say({"event_type": "list_item_added", "events": [{"list_sid": "ES-elsewhere", "id": 5}]}, LIVE + "list")
    assert (watcher.changes, caplog.records) == ([], [])


def test_a_fault_in_applying_one_event_leaves_the_next(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is raised is logged; the events behind it count."""
    answers: Iterator[bool | Exception] = iter([LookupError("nobody knows"), False])

    def congested() -> bool:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    world, watcher = World(congested=congested), Watcher()
    messages = world.service.create("list", "l")
    world.open(messages, watcher)
    for number in range(2):
        world.service.add(messages, number)
    world.settle()
    assert [record.exc_info is not None for record in caplog.records] == [True]
    assert keys(watcher) == [0, 1]


@pytest.mark.parametrize("ordered", [False, True])
def test_a_change_that_nobody_uses_counts(ordered: bool) -> None:
    """The context of a list changed: nothing is announced, and its id is no gap."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "l")
    entity = world.open(messages, watcher)
    messages.head += 1
    messages.journal.append(("list_context_updated", {"id": 0, "list_sid": messages.sid}))
    if ordered:
        world.cut()
        world.connect()
        world.run(1)
    else:
        world.say({"event_type": "list_context_updated", "events": [{"id": 0, "list_sid": messages.sid}]}, LIVE + "list")
    assert (watcher.changes, entity.event_id) == ([], 0)
    pokes = len(world.service.pokes)
    world.service.add(messages, {})
    world.run(60)
    assert keys(watcher) == [0]
    assert len(world.service.pokes) == pokes


def test_events_of_a_held_document_wait() -> None:
    """They are replayed after the release."""
    world, watcher = World(), Watcher()
    document = world.service.create("document", "d", 0)
    entity = world.open(document, watcher)
    world.client.hold(entity)
    world.service.set(document, 1)
    world.run(10)
    assert watcher.changes == []
    world.client.release_all()
    world.run(1)
    assert watcher.changes == [DocumentUpdated(1, 1)]


def test_a_congested_client_holds_what_it_has_told() -> None:
    """After each change it is asked whether there is room; everything is released together, and nothing is lost."""
    full = False
    world, watcher = World(congested=lambda: full), Watcher()
    messages = world.service.create("list", "l")
    world.open(messages, watcher)
    full = True
    for number in range(5):
        world.service.add(messages, number)
    world.run(10)
    assert keys(watcher) == [0]
    full = False
    world.client.release_all()
    world.run(1)
    assert keys(watcher) == [0, 1, 2, 3, 4]


def test_a_late_refusal_is_nobody_s() -> None:
    """It answers a request that does not count any more."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "l")
    entity = world.open(messages, watcher)
    event = {"object_sid": messages.sid, "object_type": "list", "error": {"status": 403}}
    world.say({"event_type": "subscription_failed", "correlation_id": -7, "events": [event]})
    assert (watcher.changes, entity.established) == ([], True)


def test_a_document_whose_replay_ends_without_an_id_is_taken_as_current() -> None:
    """There is nothing to compare with."""
    world, watcher = World(), Watcher()
    document = world.service.create("document", "d", 0)
    world.begin_open("document", "d", watcher)
    world.service.silent = True
    world.run(0.5)
    event = {"object_sid": document.sid, "replay_status": "completed"}
    correlation = world.service.pokes[0]["correlation_id"]
    world.say({"event_type": "subscription_established", "correlation_id": correlation, "events": [event]})
    reads = [pending for pending in world.service.history if not pending.is_poke]
    assert (watcher.changes, len(reads)) == ([], 1)


def test_a_document_that_was_deleted_meanwhile_is_removed() -> None:
    """Reading it again says that it is gone: that is told once, and it is not asked for any more."""
    world, watcher = World(), Watcher()
    document = world.service.create("document", "d", 0)
    entity = world.open(document, watcher)
    document.head = 5
    world.cut()
    world.connect()
    world.stall(0.1)
    world.service.execute(world.service.requests[0])  # the poke
    world.service.faults.append(Answer(404, {"status": 404, "code": 54100}))
    world.run(60)
    assert watcher.changes == [EntityRemoved()]
    assert not entity.open


def test_a_document_that_is_closed_while_it_is_read_again() -> None:
    """What comes of it is nobody's, and it is not asked for again."""
    world, watcher = World(), Watcher()
    document = world.service.create("document", "d", 0)
    entity = world.open(document, watcher)
    document.head = 5
    world.cut()
    world.connect()
    world.stall(0.1)
    (poke,) = world.service.requests
    world.service.execute(poke)
    world.service.deliver(poke)
    world.deliver_one()
    entity.close()
    world.run(60)
    assert watcher.changes == []
    assert world.service.requests == []


def test_a_poke_that_fails_is_reported_to_what_is_still_there() -> None:
    """An object that was closed and opened again has another subscription than the one that failed."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "l")
    entity = world.open(messages, watcher)
    world.cut()
    world.connect()
    world.service.faults.append(Answer(500))
    world.run(0.5)
    assert watcher.of(EntityFailed)
    entity.close()
    world.run(5)
    assert not world.service.subscribed
    assert REPLAY not in [kind for kind, _ in world.service.outbox]


def test_a_silent_change_of_what_is_held_waits() -> None:
    """Its id is not taken before the replay brings it."""
    world = World()
    messages = world.service.create("list", "l")
    entity = world.open(messages)
    world.client.hold(entity)
    world.say({"event_type": "list_context_updated", "events": [{"id": 0, "list_sid": messages.sid}]}, LIVE + "list")
    assert entity.event_id == -1


def test_a_poke_that_fails_finds_an_object_closed_by_a_listener() -> None:
    """The listener that hears of the failure first closes another object of the batch, which then is told nothing."""
    world, first, second = World(), Watcher(), Watcher()
    one, two = world.service.create("list", "a"), world.service.create("list", "b")
    world.open(one, first)
    other = world.open(two, second)
    first.react = lambda handle, change: other.close()
    world.cut()
    world.connect()
    world.service.faults.append(Answer(500))
    world.run(0.5)
    assert [type(change) for change in first.changes] == [EntityFailed]
    assert second.changes == []


def test_an_event_that_overtakes_the_reading_of_its_document() -> None:
    """What is read then is no news."""
    world, watcher = World(), Watcher()
    document = world.service.create("document", "d", 0)
    world.open(document, watcher)
    document.head = 5
    world.cut()
    world.connect()
    world.stall(0.1)
    (poke,) = world.service.requests
    world.service.execute(poke)
    world.service.deliver(poke)
    world.deliver_one()
    event = {"id": 5, "document_sid": document.sid, "document_data": 5}
    world.say({"event_type": "document_updated", "events": [event]}, LIVE + "document")
    world.run(1)
    assert watcher.changes == [DocumentUpdated(5, 5)]


def gap(world: World, sid: str, id_: int) -> None:
    """Let a live event come, whatever came before it."""
    event = {"id": id_, "list_sid": sid, "item_index": id_, "item_data": {}}
    world.say({"event_type": "list_item_added", "events": [event]}, LIVE + "list")


def test_a_gap_behind_the_end_of_a_replay_is_watched() -> None:
    """The replay ended below it: what is missing is asked for later."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "l")
    world.open(messages, watcher)
    world.cut()
    world.connect()
    world.stall(0.1)
    world.service.execute(world.service.requests[0])
    gap(world, messages.sid, 3)
    pokes = len(world.service.pokes)
    world.settle()
    world.run(60)
    assert len(world.service.pokes) > pokes


def test_a_gap_that_closes_by_itself_is_not_asked_for() -> None:
    """The event was late, not lost."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "l")
    world.open(messages, watcher)
    pokes = len(world.service.pokes)
    gap(world, messages.sid, 1)
    gap(world, messages.sid, 0)
    world.run(60)
    assert keys(watcher) == [1, 0]
    assert len(world.service.pokes) == pokes


def test_a_gap_during_a_replay_is_left_to_it() -> None:
    """Its end closes the gap, or has it watched."""
    world, watcher = World(), Watcher()
    messages = world.service.create("list", "l")
    entity = world.open(messages, watcher)
    gap(world, messages.sid, 1)
    world.service.silent = True
    world.service.cancel(messages)
    world.settle()
    pokes = len(world.service.pokes)
    world.run(5)
    assert not entity.established
    assert len(world.service.pokes) > pokes
