"""The Sync client: listeners that raise or call back, holding objects, and its end."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.sync.driven import Driven, Watcher, added
from tests.sync.model_service import LIVE, Answer
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
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    bad = Watcher()

    def explode(*_: Any) -> None:
        raise RuntimeError("listener")

    bad.react = explode
    driven.open(messages, bad)
    entity = driven.open(messages, watcher)
    driven.service.add(messages, 0)
    driven.service.add(messages, 1)
    driven.settle()
    assert added(watcher) == added(bad) == [0, 1]
    assert entity.event_id == 1
    assert len(caplog.records) == 2
    caplog.clear()


def test_listener_that_calls_back() -> None:
    """T27: a listener may open, read and close while it is told of a change."""
    driven, watcher, other = Driven(), Watcher(), Watcher()
    roster = driven.service.create("map", "roster")
    document = driven.service.create("document", "d", {"v": 1})

    def react(entity: Any, change: Any) -> None:
        driven.begin_open("document", "d", other)
        entity.page()
        entity.close()

    watcher.react = react
    driven.open(roster, watcher)
    driven.service.add(roster, 1, "a")
    driven.run(1)
    driven.service.set(document, {"v": 2})
    driven.settle()
    assert other.changes == [DocumentUpdated({"v": 2}, 1)]
    assert driven.service.subscribed == {document.sid: None}


def test_close_between_two_events() -> None:
    """A listener that closes its handle hears nothing more, not even the rest of the frame."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    watcher.react = lambda entity, change: entity.close()
    driven.open(messages, watcher)
    events = [{"id": n, "list_sid": messages.sid, "item_index": n, "item_data": {}} for n in range(3)]
    driven.say({"event_type": "list_item_added", "events": events}, LIVE + "list")
    assert added(watcher) == [0]


def test_malformed_event_beside_good_ones(caplog: pytest.LogCaptureFixture) -> None:
    """One malformed event of a frame is logged, the others count."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    driven.open(messages, watcher)
    good = {"id": 0, "list_sid": messages.sid, "item_index": 0, "item_data": {}}
    with caplog.at_level(logging.WARNING):
        driven.say({"event_type": "list_item_added", "events": [None, {**good, "id": "x"}, good]}, LIVE + "list")
    assert added(watcher) == [0]
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


# Holding


def test_hold_and_release() -> None:
    """What comes while an object is held is replayed after its release, in order; others go on meanwhile."""
    driven, held, other = Driven(), Watcher(), Watcher()
    messages, more = driven.service.create("list", "l"), driven.service.create("list", "m")
    entity = driven.open(messages, held)
    driven.open(more, other)
    driven.client.hold(entity)
    for n in range(5):
        driven.service.add(messages, n)
        driven.service.add(more, n)
    driven.run(60)
    assert (added(held), entity.event_id) == ([], -1)
    assert added(other) == [0, 1, 2, 3, 4]
    driven.client.release(entity)
    driven.service.add(messages, 5)  # still goes to the old subscription
    driven.run(1)
    assert added(held) == [0, 1, 2, 3, 4, 5]
    assert entity.established


def test_hold_survives_a_reconnect() -> None:
    """A held object is not asked for on a new connection either, before its release."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    entity = driven.open(messages, watcher)
    driven.client.hold(entity)
    driven.cut()
    driven.service.add(messages, 0)
    driven.connect()
    driven.run(10)
    assert added(watcher) == []
    driven.client.release(entity)
    driven.run(1)
    assert added(watcher) == [0]


def test_hold_during_a_replay() -> None:
    """An object that is held and released in the middle of a replay misses nothing of it."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    entity = driven.open(messages, watcher)
    driven.cut()
    for n in range(4):
        driven.service.add(messages, n)
    driven.connect()
    driven.stall(0.1)
    driven.service.execute(driven.service.requests[0])
    driven.deliver_one()
    driven.client.hold(entity)
    driven.deliver_one()
    driven.client.release(entity)
    driven.run(1)
    assert added(watcher) == [0, 1, 2, 3]


def test_closing_a_held_handle_releases() -> None:
    """The hold of one handle ends with it; the others of the object go on."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    holder, _ = driven.open(messages), driven.open(messages, watcher)
    driven.client.hold(holder)
    driven.service.add(messages, 0)
    driven.settle()
    holder.close()
    driven.run(1)
    assert added(watcher) == [0]


# The end


def test_close_of_the_client() -> None:
    """After the close waiting opens have failed, no listener is called, nothing is sent and no timer waits."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    entity = driven.open(messages, watcher)
    waiting = driven.begin_open("list", "other")
    sent = len(driven.service.history)
    driven.client.close()
    driven.client.close()
    assert isinstance(waiting.exception(), ClientClosedError)
    assert isinstance(driven.begin_open("list", "l").exception(), ClientClosedError)
    driven.service.add(messages, 0)
    driven.client.connected()
    driven.run(60)
    entity.close()
    assert watcher.changes == []
    assert len(driven.service.history) == sent
    assert driven.timers.next_deadline() is None


def test_listener_that_closes_another() -> None:
    """A handle that another listener has just closed is not told any more."""
    driven, first, second = Driven(), Watcher(), Watcher()
    messages = driven.service.create("list", "l")
    driven.open(messages, first)
    other = driven.open(messages, second)
    first.react = lambda entity, change: other.close()
    driven.service.add(messages, 0)
    driven.settle()
    assert (added(first), added(second)) == ([0], [])


def test_an_answer_after_the_close_is_nobody_s() -> None:
    """The opening has failed already."""
    driven = Driven()
    driven.service.create("list", "l")
    waiting = driven.begin_open("list", "l")
    (pending,) = driven.service.requests
    driven.client.close()
    driven.service.execute(pending)
    driven.service.deliver(pending)
    assert isinstance(waiting.exception(), ClientClosedError)
    assert driven.timers.next_deadline() is None


def test_an_object_without_a_name_is_known_by_its_sid() -> None:
    """Not everything has a unique name."""
    driven = Driven()
    document = driven.service.create("document", "d", 1)
    document.name = None  # type: ignore[assignment]
    entity = driven.begin_open("document", document.sid)
    driven.run(1)
    assert entity.result().data == 1


def test_two_holders_of_one_object() -> None:
    """It is asked for again when the last of them releases it; releasing twice, or holding what is closed, does nothing."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    first, second = driven.open(messages, watcher), driven.open(messages)
    driven.client.hold(first)
    driven.client.hold(second)
    driven.service.add(messages, 0)
    driven.client.release(first)
    driven.client.release(first)
    driven.run(10)
    assert added(watcher) == []
    driven.client.release(second)
    driven.run(1)
    assert added(watcher) == [0]
    second.close()
    driven.client.hold(second)
    driven.service.add(messages, 1)
    driven.run(1)
    assert added(watcher) == [0, 1]


def test_a_name_that_went_to_another_object_stays_there() -> None:
    """The end of the former one leaves the name to the new one."""
    driven, watcher = Driven(), Watcher()
    former = driven.service.create("list", "l")
    entity = driven.open(former)
    former.name = "former"
    current = driven.service.create("list", "l")
    future = driven.begin_open("list", current.sid, watcher)
    driven.run(1)
    entity.close()
    requests = len(driven.service.history)
    assert driven.begin_open("list", "l").result().root is future.result().root
    assert len(driven.service.history) == requests


class Unreadable(Answer):
    """A body that is no JSON."""

    def json(self) -> Any:
        raise ValueError("no JSON")


@pytest.mark.parametrize("answer", [Unreadable(200), Answer(200, {"sid": "ET1"})])
def test_a_document_without_data_is_refused(answer: Answer) -> None:
    """It is an error of the service, for who opened it."""
    driven = Driven()
    driven.service.create("document", "d", 1)
    driven.service.faults.append(answer)
    future = driven.begin_open("document", "d")
    driven.settle()
    assert isinstance(future.exception(), ProtocolError)
