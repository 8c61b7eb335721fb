"""The Sync client: listeners that raise or call back, holding objects, and its end."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.sync.model_service import LIVE, Answer, Watcher, World, added
from twilio_conversations.errors import (
    ClientClosedError,
    ProtocolError,
)
from twilio_conversations.sync.changes import (
    DocumentUpdated,
)

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
