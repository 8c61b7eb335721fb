"""Sync objects over lost connections, refused pokes, and a service that restarts its event ids."""

from __future__ import annotations

from typing import Any

from tests.sync.driven import Driven, Watcher, added
from tests.sync.model_service import LIVE, REPLAY, Answer
from twilio_conversations.errors import RequestTimeoutError, SyncError
from twilio_conversations.sync.changes import (
    DocumentUpdated,
    EntityFailed,
    ItemAdded,
    ItemRemoved,
    Resynced,
)
from twilio_conversations.sync.places import NO_ROOM


def test_resume_from_the_cursors() -> None:
    """T9: what happened while the connection was down is replayed, once and in order."""
    driven, watcher = Driven(), Watcher()
    roster = driven.service.create("map", "roster")
    driven.service.add(roster, 0, "a")
    driven.open(roster, watcher)
    driven.cut()
    for step in range(2):
        driven.service.remove(roster, "a")
        driven.service.add(roster, step, "a")
    driven.run(5)
    assert watcher.changes == []
    driven.connect()
    driven.run(1)
    assert [type(change) for change in watcher.changes] == [ItemRemoved, ItemAdded, ItemRemoved, ItemAdded]
    assert watcher.items["a"] == (4, 1)


def test_cut_during_open_and_poke() -> None:
    """T25: an open and a poke that the connection cuts short are completed on the next one."""
    driven = Driven()
    messages = driven.service.create("list", "l")
    future = driven.begin_open("list", "l")
    driven.cut()
    driven.connect()
    driven.settle()
    entity = future.result()
    driven.stall(0.1)
    driven.cut()
    driven.connect()
    driven.run(1)
    assert entity.established
    assert messages.sid in driven.service.subscribed


def test_failed_open_is_the_callers() -> None:
    """T25: an open that ran into its time limit says so."""
    driven = Driven()
    driven.service.create("list", "l")
    driven.service.faults.append(RequestTimeoutError("late"))
    future = driven.begin_open("list", "l")
    driven.settle()
    assert isinstance(future.exception(), RequestTimeoutError)


def test_poke_refused_and_object_closed_meanwhile() -> None:
    """T26: a poke that failed is not sent again for an object that was closed meanwhile."""
    driven = Driven()
    messages = driven.service.create("list", "l")
    future = driven.begin_open("list", "l")
    driven.settle()
    driven.service.faults.append(Answer(503))
    driven.stall(0.05)
    future.result().close()
    driven.run(10)
    assert messages.sid not in driven.service.subscribed
    assert [poke["action"] for poke in driven.service.pokes] == ["establish", "cancel"]


def test_failing_pokes_back_off_and_are_reported() -> None:
    """Pokes that the service refuses are repeated ever more slowly, each time with a new body, and reported."""
    driven, watcher = Driven(), Watcher()
    stored = driven.service.create("list", "l")
    driven.service.faults += [Answer(200, _root(stored.sid))] + [Answer(500)] * 6
    future = driven.begin_open("list", "l", watcher)
    driven.run(4)
    assert len({poke["correlation_id"] for poke in driven.service.pokes}) == len(driven.service.pokes) == 6
    assert len(watcher.of(EntityFailed)) == 6
    driven.run(10)
    assert future.result().established


def _root(sid: str) -> dict[str, Any]:
    return {"sid": sid, "unique_name": "l", "last_event_id": -1, "links": {"items": "http://sync.test/v3/Lists/x/Items"}}


def test_throttled_poke() -> None:
    """T30: `Retry-After` of a throttled poke is honoured."""
    driven = Driven()
    stored = driven.service.create("list", "l")
    driven.service.faults += [Answer(200, _root(stored.sid)), Answer(429, http_headers={"retry-after": "7"})]
    future = driven.begin_open("list", "l")
    driven.run(6.9)
    assert len(driven.service.pokes) == 1
    driven.run(1)
    assert future.result().established


def test_a_poke_that_came_too_early() -> None:
    """It is repeated; no object fails."""
    driven, watcher = Driven(), Watcher()
    stored = driven.service.create("list", "l")
    driven.service.faults += [Answer(200, _root(stored.sid)), Answer(429)]
    future = driven.begin_open("list", "l", watcher)
    driven.run(5)
    assert future.result().established
    assert watcher.of(EntityFailed) == []


def test_no_room() -> None:
    """What is not followed for want of room is reported once, for all objects; with room, what was missed is replayed."""
    reports: list[SyncError] = []
    watchers = {name: Watcher() for name in ("first", "second", "user")}
    driven = Driven(report=reports.append)
    stored = {name: driven.service.create("map" if name == "user" else "list", name) for name in watchers}
    error = {"status": 429, "code": NO_ROOM, "message": "too many subscriptions"}
    driven.service.forbidden = {stored[name].sid: error for name in ("second", "user")}
    handles = {name: driven.open(stored[name], watcher) for name, watcher in watchers.items()}
    driven.service.add(stored["second"], 0)
    driven.run(10)
    assert [handle.established for handle in handles.values()] == [True, False, False]
    assert not any(handle.is_catching_up for handle in handles.values())
    driven.cut()
    driven.connect()
    assert [handle.is_catching_up for handle in handles.values()] == [True, False, False]
    driven.run(10)
    assert [(error.code, "follow 1 objects; 2 more are not" in str(error)) for error in reports] == [(NO_ROOM, True)]
    assert all(watcher.changes == [] for watcher in watchers.values())
    count = len(driven.service.pokes)
    driven.run(300)
    assert len(driven.service.pokes) == count
    driven.service.forbidden.clear()
    handles["first"].close()
    driven.run(1)
    assert handles["second"].established
    assert added(watchers["second"]) == [0]
    assert len(reports) == 1


def test_poisoned_batch() -> None:
    """One object that makes the service refuse whole pokes does not keep the others deaf."""
    driven = Driven()
    stored = [driven.service.create("list", f"l{n}") for n in range(20)]
    futures = [driven.begin_open("list", each.name) for each in stored]
    driven.settle()
    bad = stored[7].sid
    for _ in range(400):
        driven.stall(0.1)
        for pending in list(driven.service.requests):
            if any(wanted["object_sid"] == bad for wanted in pending.body["requests"]):
                driven.service.faults.append(Answer(400))
            driven.service.execute(pending)
        driven.settle()
    assert [future.result().established for future in futures].count(False) == 1


def test_ttl() -> None:
    """T28: after the time to live all subscriptions are renewed, for that reason, and nothing is lost."""
    driven, watcher = Driven(), Watcher()
    driven.service.poke_answer["ttl_in_s"] = 1
    messages = driven.service.create("list", "l")
    driven.open(messages, watcher)
    for n in range(4):
        driven.service.add(messages, n)
        driven.run(1)
    assert added(watcher) == [0, 1, 2, 3]
    reasons = [poke.get("reason") for poke in driven.service.pokes]
    assert reasons[0] is None
    assert set(reasons[1:]) == {"ttl"}
    assert 4 <= len(reasons) <= 6


def test_service_lost_its_numbering() -> None:
    """T29: a service that restarted with lower ids: documents are read again, readers of lists are told to do so."""
    driven, watcher, list_watcher = Driven(), Watcher(), Watcher()
    document = driven.service.create("document", "d", {"v": 1})
    messages = driven.service.create("list", "l")
    document.head = messages.head = 100
    driven.open(document, watcher)
    driven.open(messages, list_watcher)
    document.head, document.data = 3, {"v": "restored"}
    messages.head = 5
    driven.cut()
    driven.connect()
    driven.run(1)
    assert watcher.changes == [DocumentUpdated({"v": "restored"}, 3)]
    assert list_watcher.changes == [Resynced(5, is_restart=True)]
    driven.service.add(messages, {})
    driven.settle()
    assert added(list_watcher) == [0]


def test_changes_that_no_event_told() -> None:
    """A replay that ends ahead of its events has the readers of a list told to read again."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    driven.open(messages, watcher)
    driven.cut()
    driven.service.add(messages, {})
    messages.journal.clear()
    driven.connect()
    driven.run(1)
    assert watcher.changes == [Resynced(messages.head)]
    assert watcher.confirmations == 2


def test_lenient_reading() -> None:
    """T31: indexes as text, `event` as well as `events`, unknown event types and other message types are taken."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    driven.open(messages, watcher)
    event = {"id": 0, "list_sid": messages.sid, "item_index": "12", "item_data": {}}
    driven.say({"event_type": "list_item_added", "event": event}, REPLAY)
    driven.say({"event_type": "list_tickled", "event": event}, LIVE + "list")
    driven.client.notification("twilio.ipmsg.typing_indicator", {"event_type": "list_item_added", "event": {**event, "id": 1}})
    assert added(watcher) == [12]


def test_left_and_joined_again() -> None:
    """T33: an object that was removed and made again on one connection is opened afresh."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "l")
    old = driven.open(messages)
    driven.service.delete(messages)
    driven.settle()
    assert not old.open
    messages = driven.service.create("list", "l")
    new = driven.open(messages, watcher)
    assert new.established
    driven.service.add(messages, {})
    driven.settle()
    assert added(watcher) == [0]


def test_token_update_pokes_nothing() -> None:
    """T34: a new token does not disturb established subscriptions."""
    driven = Driven()
    entity = driven.open(driven.service.create("list", "l"))
    pokes = len(driven.service.pokes)
    driven.client.token_updated()
    driven.run(10)
    assert entity.established
    assert len(driven.service.pokes) == pokes
