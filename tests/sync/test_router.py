"""From notifications to listeners: what is malformed, late, for nobody, or more than anybody can take."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sync.driven import Driven, Watcher
from tests.sync.model_service import LIVE, REPLAY, Answer, Stored
from twilio_conversations.sync.changes import DocumentUpdated, EntityFailed, EntityRemoved, ItemAdded, Resynced
from twilio_conversations.sync.handle import FIRST_PATIENCE
from twilio_conversations.sync.router import MOST_EARLY


def keys(watcher: Watcher) -> list[Any]:
    """Keys of the items that were announced as added."""
    return [change.key for change in watcher.of(ItemAdded)]


@pytest.mark.parametrize(
    "payload",
    [None, "x", [], {}, {"event_type": 5}, {"event_type": "list_item_added", "events": [{"id": 0}, {"list_sid": 5}, 7]}],
)
def test_what_cannot_be_read_is_logged_and_changes_nothing(payload: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What comes after it is told as ever."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    driven.open(messages, watcher)
    driven.say(payload, LIVE + "list")
    assert caplog.records
    driven.service.add(messages, {})
    driven.settle()
    assert keys(watcher) == [0]


def test_other_notifications_are_ignored(caplog: pytest.LogCaptureFixture) -> None:
    """Types of messages and of events that Sync has not, and objects that nobody opened."""
    driven, watcher = Driven(), Watcher()
    driven.open(driven.service.create("list", "l"), watcher)
    driven.say({"event_type": "list_item_added"}, "twilio.channels.typing")
    driven.say({"event_type": "list_painted", "events": [{}]}, LIVE + "list")
    driven.say({"event_type": "list_item_added", "events": [{"list_sid": "ES-elsewhere", "id": 5}]}, LIVE + "list")
    assert (watcher.changes, caplog.records) == ([], [])


def test_a_fault_in_applying_one_event_leaves_the_next(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is raised is logged; the events behind it count."""

    def congested() -> bool:
        if len(watcher.changes) == 1:
            raise LookupError("nobody knows")
        return False

    driven, watcher = Driven(congested=congested), Watcher()
    messages = driven.service.create("list", "l")
    driven.open(messages, watcher)
    for number in range(2):
        driven.service.add(messages, number)
    driven.settle()
    assert [record.exc_info is not None for record in caplog.records] == [True]
    assert keys(watcher) == [0, 1]


@pytest.mark.parametrize("ordered", [False, True])
def test_a_change_that_nobody_uses_counts(ordered: bool) -> None:
    """The context of a list changed: nothing is announced, and its id is no gap."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    entity = driven.open(messages, watcher)
    messages.head += 1
    messages.journal.append(("list_context_updated", {"id": 0, "list_sid": messages.sid}))
    if ordered:
        driven.cut()
        driven.connect()
        driven.run(1)
    else:
        driven.say({"event_type": "list_context_updated", "events": [{"id": 0, "list_sid": messages.sid}]}, LIVE + "list")
    assert (watcher.changes, entity.event_id) == ([], 0)
    pokes = len(driven.service.pokes)
    driven.service.add(messages, {})
    driven.run(60)
    assert keys(watcher) == [0]
    assert len(driven.service.pokes) == pokes


def test_events_of_a_held_document_wait() -> None:
    """They are replayed after the release."""
    driven, watcher = Driven(), Watcher()
    document = driven.service.create("document", "d", 0)
    entity = driven.open(document, watcher)
    driven.client.hold(entity)
    driven.service.set(document, 1)
    driven.run(10)
    assert watcher.changes == []
    driven.client.release_all()
    driven.run(1)
    assert watcher.changes == [DocumentUpdated(1, 1)]


def test_a_congested_client_holds_what_it_has_told() -> None:
    """After each change it is asked whether there is room; everything is released together, and nothing is lost."""
    full = False
    driven, watcher = Driven(congested=lambda: full), Watcher()
    messages = driven.service.create("list", "l")
    driven.open(messages, watcher)
    full = True
    for number in range(5):
        driven.service.add(messages, number)
    driven.run(10)
    assert keys(watcher) == [0]
    full = False
    driven.client.release_all()
    driven.run(1)
    assert keys(watcher) == [0, 1, 2, 3, 4]


def test_a_late_refusal_is_nobody_s() -> None:
    """It answers a request that does not count any more."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    entity = driven.open(messages, watcher)
    event = {"object_sid": messages.sid, "object_type": "list", "error": {"status": 403}}
    driven.say({"event_type": "subscription_failed", "correlation_id": -7, "events": [event]})
    assert (watcher.changes, entity.established) == ([], True)


def test_a_document_whose_replay_ends_without_an_id_is_taken_as_current() -> None:
    """There is nothing to compare with."""
    driven, watcher = Driven(), Watcher()
    document = driven.service.create("document", "d", 0)
    driven.begin_open("document", "d", watcher)
    driven.service.silent = True
    driven.run(0.5)
    event = {"object_sid": document.sid, "replay_status": "completed"}
    correlation = driven.service.pokes[0]["correlation_id"]
    driven.say({"event_type": "subscription_established", "correlation_id": correlation, "events": [event]})
    reads = [pending for pending in driven.service.history if not pending.is_poke]
    assert (watcher.changes, len(reads)) == ([], 1)


def test_a_document_that_was_deleted_meanwhile_is_removed() -> None:
    """Reading it again says that it is gone: that is told once, and it is not asked for any more."""
    driven, watcher = Driven(), Watcher()
    document = driven.service.create("document", "d", 0)
    entity = driven.open(document, watcher)
    document.head = 5
    driven.cut()
    driven.connect()
    driven.stall(0.1)
    driven.service.execute(driven.service.requests[0])  # the poke
    driven.service.faults.append(Answer(404, {"status": 404, "code": 54100}))
    driven.run(60)
    assert watcher.changes == [EntityRemoved()]
    assert not entity.open


def test_a_document_that_is_closed_while_it_is_read_again() -> None:
    """What comes of it is nobody's, and it is not asked for again."""
    driven, watcher = Driven(), Watcher()
    document = driven.service.create("document", "d", 0)
    entity = driven.open(document, watcher)
    document.head = 5
    driven.cut()
    driven.connect()
    driven.stall(0.1)
    (poke,) = driven.service.requests
    driven.service.execute(poke)
    driven.service.deliver(poke)
    driven.deliver_one()
    entity.close()
    driven.run(60)
    assert watcher.changes == []
    assert driven.service.requests == []


def test_a_poke_that_fails_is_reported_to_what_is_still_there() -> None:
    """An object that was closed and opened again has another subscription than the one that failed."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    entity = driven.open(messages, watcher)
    driven.cut()
    driven.connect()
    driven.service.faults.append(Answer(500))
    driven.run(0.5)
    assert watcher.of(EntityFailed)
    entity.close()
    driven.run(5)
    assert not driven.service.subscribed
    assert REPLAY not in [kind for kind, _ in driven.service.outbox]


def test_a_silent_change_of_what_is_held_waits() -> None:
    """Its id is not taken before the replay brings it."""
    driven = Driven()
    messages = driven.service.create("list", "l")
    entity = driven.open(messages)
    driven.client.hold(entity)
    driven.say({"event_type": "list_context_updated", "events": [{"id": 0, "list_sid": messages.sid}]}, LIVE + "list")
    assert entity.event_id == -1


def test_a_poke_that_fails_finds_an_object_closed_by_a_listener() -> None:
    """The listener that hears of the failure first closes another object of the batch, which then is told nothing."""
    driven, first, second = Driven(), Watcher(), Watcher()
    one, two = driven.service.create("list", "a"), driven.service.create("list", "b")
    driven.open(one, first)
    other = driven.open(two, second)
    first.react = lambda handle, change: other.close()
    driven.cut()
    driven.connect()
    driven.service.faults.append(Answer(500))
    driven.run(0.5)
    assert [type(change) for change in first.changes] == [EntityFailed]
    assert second.changes == []


def test_an_event_that_overtakes_the_reading_of_its_document() -> None:
    """What is read then is no news."""
    driven, watcher = Driven(), Watcher()
    document = driven.service.create("document", "d", 0)
    driven.open(document, watcher)
    document.head = 5
    driven.cut()
    driven.connect()
    driven.stall(0.1)
    (poke,) = driven.service.requests
    driven.service.execute(poke)
    driven.service.deliver(poke)
    driven.deliver_one()
    event = {"id": 5, "document_sid": document.sid, "document_data": 5}
    driven.say({"event_type": "document_updated", "events": [event]}, LIVE + "document")
    driven.run(1)
    assert watcher.changes == [DocumentUpdated(5, 5)]


def gap(driven: Driven, sid: str, id_: int) -> None:
    """Let a live event come, whatever came before it."""
    event = {"id": id_, "list_sid": sid, "item_index": id_, "item_data": {}}
    driven.say({"event_type": "list_item_added", "events": [event]}, LIVE + "list")


def test_a_gap_behind_the_end_of_a_replay_is_watched() -> None:
    """The replay ended below it: what is missing is asked for later."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    driven.open(messages, watcher)
    driven.cut()
    driven.connect()
    driven.stall(0.1)
    driven.service.execute(driven.service.requests[0])
    gap(driven, messages.sid, 3)
    pokes = len(driven.service.pokes)
    driven.settle()
    driven.run(60)
    assert len(driven.service.pokes) > pokes


def test_a_gap_that_closes_by_itself_is_not_asked_for() -> None:
    """The event was late, not lost."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    driven.open(messages, watcher)
    pokes = len(driven.service.pokes)
    gap(driven, messages.sid, 1)
    gap(driven, messages.sid, 0)
    driven.run(60)
    assert keys(watcher) == [1, 0]
    assert len(driven.service.pokes) == pokes


def test_a_gap_during_a_replay_is_left_to_it() -> None:
    """Its end closes the gap, or has it watched."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    entity = driven.open(messages, watcher)
    gap(driven, messages.sid, 1)
    driven.service.silent = True
    driven.service.cancel(messages)
    driven.settle()
    pokes = len(driven.service.pokes)
    driven.run(5)
    assert not entity.established
    assert len(driven.service.pokes) > pokes


# -- live events that come before replayed ones ---------------------------------------------------------------------------


def come_back(driven: Driven, messages: Stored, missed: int) -> None:
    """Be back after some events, with the poke on the wire: nothing is replayed yet."""
    driven.cut()
    for number in range(missed):
        driven.service.add(messages, number)
    driven.service.outbox.clear()
    driven.connect()
    driven.stall(0.1)


def test_a_live_event_waits_for_the_replay_below_it() -> None:
    """And is not asked for again, nor taken for a sign of lost events."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    driven.open(messages, watcher)
    come_back(driven, messages, 3)
    driven.service.execute(driven.service.requests[0])
    pokes = len(driven.service.pokes)
    driven.service.add(messages, 3)
    driven.service.outbox.insert(0, driven.service.outbox.pop())
    driven.deliver_one()
    assert keys(watcher) == []
    driven.settle()
    assert keys(watcher) == [0, 1, 2, 3]
    driven.run(60)
    assert (len(driven.service.pokes), watcher.of(Resynced)) == (pokes, [])


def test_a_live_event_does_not_wait_for_ever() -> None:
    """The replay does not come: after some seconds the event is told without it."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    driven.open(messages, watcher)
    driven.service.silent = True
    come_back(driven, messages, 3)
    gap(driven, messages.sid, 3)
    driven.run(FIRST_PATIENCE - 0.5)
    assert keys(watcher) == []
    driven.run(1)
    assert keys(watcher) == [3]
    driven.service.silent = False
    driven.run(600)
    assert sorted(keys(watcher)) == [0, 1, 2, 3]


def test_a_live_event_after_a_failed_poke_waits_for_the_next_one() -> None:
    """The service has done what the poke asked for, and its answer says that it has not."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    driven.open(messages, watcher)
    come_back(driven, messages, 3)
    poke = driven.service.requests[0]
    driven.service.execute(poke)
    driven.service.add(messages, 3)
    driven.service.outbox.insert(0, driven.service.outbox.pop())
    poke.answer = Answer(504)
    driven.service.deliver(poke)
    driven.settle()
    assert keys(watcher) == []
    driven.run(60)
    assert (keys(watcher), watcher.of(Resynced)) == ([0, 1, 2, 3], [])


def test_a_live_event_of_what_was_held_never_comes_before_the_events_that_were_dropped() -> None:
    """However long the replay takes that brings them."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    entity = driven.open(messages, watcher)
    driven.client.hold(entity)
    driven.service.add(messages, 0)
    driven.settle()
    driven.service.silent = True
    driven.client.release(entity)
    driven.service.add(messages, 1)
    driven.deliver_one()
    driven.run(FIRST_PATIENCE + 1)
    assert keys(watcher) == []
    driven.service.silent = False
    driven.run(600)
    assert (keys(watcher), watcher.of(Resynced)) == ([0, 1], [])


def test_live_events_that_wait_are_bounded() -> None:
    """More than that are told at once, in order."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    driven.open(messages, watcher)
    come_back(driven, messages, 1)
    for number in range(MOST_EARLY, -1, -1):
        assert keys(watcher) == []
        gap(driven, messages.sid, number + 1)
    assert keys(watcher) == list(range(1, MOST_EARLY + 2))


def test_a_connection_that_ends_takes_its_early_events_with_it() -> None:
    """The next replay brings them again, once."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    driven.open(messages, watcher)
    come_back(driven, messages, 1)
    driven.service.add(messages, 1)
    driven.deliver_one()
    driven.cut()
    driven.connect()
    driven.run(60)
    assert keys(watcher) == [0, 1]


def test_a_live_event_that_is_malformed_leaves_those_that_wait_with_it(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged when its turn comes."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    driven.open(messages, watcher)
    come_back(driven, messages, 1)
    gap(driven, messages.sid, 1)
    driven.say({"event_type": "list_item_added", "events": [{"id": 2, "list_sid": messages.sid, "item_index": 2}]}, LIVE + "list")
    gap(driven, messages.sid, 3)
    driven.run(60)
    assert keys(watcher) == [0, 1, 3]
    assert "without data" in caplog.text


def test_an_item_of_a_document_is_ignored() -> None:
    """An event of a kind that the object cannot have changes nothing."""
    driven, watcher = Driven(), Watcher()
    document = driven.service.create("document", "d", {"v": 1})
    driven.open(document, watcher)
    gap(driven, document.sid, 1)
    assert watcher.changes == []


def test_an_object_that_is_back_catches_up() -> None:
    """Until the service has confirmed its subscription."""
    driven = Driven()
    entity = driven.open(driven.service.create("list", "l"), Watcher())
    assert not entity.is_catching_up
    driven.cut()
    assert entity.is_catching_up
    driven.connect()
    driven.run(1)
    assert not entity.is_catching_up


def test_what_is_under_way_is_named() -> None:
    """Openings, subscriptions and gaps, until they have ended."""
    driven = Driven()
    messages = driven.service.create("list", "l")
    driven.begin_open("list", "l")
    assert list(driven.client.under_way()) == ["1 objects that are being opened"]
    driven.settle()
    assert list(driven.client.under_way()) == ["1 subscriptions"]
    driven.run(1)
    assert list(driven.client.under_way()) == []
    gap(driven, messages.sid, 3)
    assert list(driven.client.under_way()) == ["1 objects of which events are missing"]
