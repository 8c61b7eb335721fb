"""Random histories: whatever the wire does, what was told and what is known match what the service did."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

import hypothesis.strategies as st
from hypothesis import given
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.sync.driven import Driven, Watcher
from tests.sync.model_service import LIVE, REPLAY
from twilio_conversations.sync.changes import ItemAdded, ItemRemoved, ItemUpdated, Page, Resynced
from twilio_conversations.sync.router import Router
from twilio_conversations.util.flows import flow

_KIND = {"item_added": ItemAdded, "item_updated": ItemUpdated, "item_removed": ItemRemoved}


class History(RuleBasedStateMachine):
    """A list, a map and a document that change while the wire repeats, cuts, stalls and replays - but keeps its order."""

    @initialize(events_first=st.booleans(), chunk=st.sampled_from([None, 1, 3]))
    def begin(self, events_first: bool, chunk: int | None) -> None:
        self.driven = Driven()
        self.service = self.driven.service
        self.service.events_first = events_first
        self.service.chunk = chunk
        self.messages = self.service.create("list", "messages")
        self.roster = self.service.create("map", "roster")
        self.document = self.service.create("document", "document", 0)
        for key in "ab":
            self.service.add(self.roster, "early", key)
            self.service.add(self.messages, "early")
        self.stored = {"list": self.messages, "map": self.roster, "document": self.document}
        self.watchers = {kind: Watcher() for kind in self.stored}
        futures = [self.driven.begin_open(kind, kind_of.name, self.watchers[kind]) for kind, kind_of in self.stored.items()]
        self.driven.settle()
        self.entities = dict(zip(self.stored, (future.result() for future in futures), strict=True))
        self.opened_at = {kind: stored.head for kind, stored in self.stored.items()}

    # The service

    @rule(data=st.integers())
    def send(self, data: int) -> None:
        self.service.add(self.messages, data)

    @rule(data=st.integers(), key=st.sampled_from("abcd"))
    def put(self, data: int, key: str) -> None:
        if key in self.roster.items:
            self.service.update(self.roster, key, data)
        else:
            self.service.add(self.roster, data, key)

    @rule(data=st.integers(), which=st.integers(0, 3))
    def edit(self, data: int, which: int) -> None:
        if self.messages.items:
            self.service.update(self.messages, list(self.messages.items)[-1 - which % len(self.messages.items)], data)

    @rule(kind=st.sampled_from(["list", "map"]), which=st.integers(0, 3))
    def remove(self, kind: str, which: int) -> None:
        collection = self.stored[kind]
        if collection.items:
            self.service.remove(collection, list(collection.items)[-1 - which % len(collection.items)])

    @rule(data=st.integers())
    def write_document(self, data: int) -> None:
        self.service.set(self.document, data)

    @rule(kind=st.sampled_from(["list", "map", "document"]))
    def cancel(self, kind: str) -> None:
        if self.stored[kind].sid in self.service.subscribed:
            self.service.cancel(self.stored[kind])

    # The wire

    @rule(count=st.integers(1, 4))
    def deliver(self, count: int) -> None:
        for _ in range(count):
            self.driven.deliver_one()

    @rule(which=st.integers(0, 20), to=st.integers(0, 20))
    def repeat(self, which: int, to: int) -> None:
        """A notification comes again, at some later time."""
        outbox = self.service.outbox
        if outbox and "item" in outbox[which % len(outbox)][1]["event_type"]:
            index = which % len(outbox)
            outbox.insert(min(len(outbox), index + 1 + to), outbox[index])

    @rule()
    def execute(self) -> None:
        for pending in list(self.service.requests):
            if pending.answer is None:
                self.service.execute(pending)

    @rule()
    def answer(self) -> None:
        for pending in list(self.service.requests):
            if pending.answer is not None:
                self.service.deliver(pending)

    @rule(seconds=st.sampled_from([0.02, 0.3, 7.0, 40.0]))
    def stall(self, seconds: float) -> None:
        self.driven.stall(seconds)

    @rule(seconds=st.sampled_from([0.02, 0.3, 7.0]))
    def flow(self, seconds: float) -> None:
        self.driven.run(seconds)

    @rule()
    def cut(self) -> None:
        self.driven.cut()
        self.driven.connect()

    # The reader

    @rule(kind=st.sampled_from(["list", "map"]), order=st.sampled_from(["asc", "desc"]))
    def read(self, kind: str, order: Any) -> None:
        flow(self.entities[kind].page)(order=order).add_done_callback(lambda page: self.keep(kind, page.result()))

    @rule(kind=st.sampled_from(["list", "map", "document"]))
    def hold(self, kind: str) -> None:
        self.driven.client.hold(self.entities[kind])

    @rule(kind=st.sampled_from(["list", "map", "document"]))
    def release(self, kind: str) -> None:
        self.driven.client.release(self.entities[kind])

    def keep(self, kind: str, page: Page) -> None:
        """Keep a page as the models do, at once when it comes: newer data wins."""
        items = self.watchers[kind].items
        for item in page.items:
            if items.get(item.key, (-2,))[0] < item.event_id:
                items[item.key] = (item.event_id, item.data)

    # The end

    def happened(self, kind: str) -> list[tuple[type, Any, int]]:
        """What the service did to the items since they were opened."""
        stored = self.stored[kind]
        return [
            (_KIND[event_type.removeprefix(f"{kind}_")], event.get("item_index", event.get("item_key")), event["id"])
            for event_type, event in stored.journal
            if event["id"] > self.opened_at[kind]
        ]

    def told(self, kind: str) -> list[tuple[type, Any, int]]:
        """What the listener was told about the items."""
        return [
            (type(change), change.key, change.event_id) for change in self.watchers[kind].of(ItemAdded, ItemUpdated, ItemRemoved)
        ]

    def heal(self) -> None:
        for entity in self.entities.values():
            self.driven.client.release(entity)
        self.driven.cut()
        self.driven.connect()
        self.driven.run(300)

    def check_state(self) -> None:
        """What is known is what is there; what was there all the time and never read may be unknown."""
        assert self.entities["document"].data == self.document.data
        for kind in ("list", "map"):
            there = {key: (item["last_event_id"], item["data"]) for key, item in self.stored[kind].items.items()}
            known = self.watchers[kind].items
            assert known.items() <= there.items()
            assert all(event_id <= self.opened_at[kind] for key, (event_id, _) in there.items() if key not in known)
            assert self.entities[kind].event_id == self.stored[kind].head

    def teardown(self) -> None:
        if hasattr(self, "driven"):
            self.heal()
            self.check_state()
            self.check_told()

    def check_told(self) -> None:
        """The listener was told everything, once, in order."""
        assert self.told("list") == self.happened("list")
        if not self.watchers["map"].of(Resynced):
            # A removal that a newer page has overtaken is left out, and the item that came back is an update then.
            assert _last(self.told("map")) == _last(self.happened("map"))
        assert not [change for watcher in self.watchers.values() for change in watcher.of(Resynced)]


def _last(changes: list[tuple[type, Any, int]]) -> dict[Any, tuple[bool, int]]:
    """Of each item whether it is there in the end, and by which event."""
    return {key: (kind is not ItemRemoved, event_id) for kind, key, event_id in changes}


class Chaos(History):
    """The same on a wire that also loses and reorders live events."""

    @precondition(lambda self: self.service.outbox)
    @rule(which=st.integers(0, 20))
    def hurry(self, which: int) -> None:
        """A live event overtakes the notification before it."""
        outbox = self.service.outbox
        index = which % len(outbox)
        if index and outbox[index][0].startswith(LIVE):
            outbox[index - 1], outbox[index] = outbox[index], outbox[index - 1]

    @precondition(lambda self: self.service.outbox)
    @rule(which=st.integers(0, 20))
    def lose(self, which: int) -> None:
        index = which % len(self.service.outbox)
        if self.service.outbox[index][0].startswith(LIVE):
            del self.service.outbox[index]

    def check_told(self) -> None:
        """Each message was announced and removed as often as the service did it, apart from those already gone when told."""
        told, happened = self.told("list"), self.happened("list")
        removed = {key for kind, key, _ in happened if kind is ItemRemoved}
        for kind in (ItemAdded, ItemRemoved):
            counts = Counter(key for what, key, _ in told if what is kind)
            wanted = Counter(key for what, key, _ in happened if what is kind)
            assert counts <= wanted
            assert kind is ItemAdded or counts == wanted
            assert set(wanted - counts) <= removed
        for key, last in _last(self.happened("map")).items():
            assert _last(self.told("map"))[key][0] == last[0]


TestHistory = History.TestCase
TestChaos = Chaos.TestCase

# Malformed notifications

_SIDS = ["ES" + "0" * 31 + "1", "nobody"]
_junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(_SIDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_fields = st.sampled_from(
    ["id", "list_sid", "map_sid", "document_sid", "object_sid", "item_index", "item_key", "item_data", "document_data",
     "replay_status", "last_event_id", "error", "date_created"]
)  # fmt: skip
_plausible = st.sampled_from([*_SIDS, 0, -1, 5, 2**63, "completed", "interrupted", {"status": 503}, {"status": "x"}, None])
_event = _junk | st.dictionaries(_fields, _junk | _plausible, max_size=8)
_payload = _junk | st.fixed_dictionaries(
    {},
    optional={
        "event_type": st.sampled_from(sorted(Router.ROUTES)) | _junk,
        "event": _event,
        "events": st.lists(_event, max_size=3) | _junk,
        "correlation_id": _junk,
    },
)


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@given(st.lists(_payload, max_size=20))
def test_malformed_notifications(payloads: list[Any]) -> None:
    """No notification raises or surprises us, and other objects are followed all the same."""
    driven, watcher = Driven(), Watcher()
    messages = driven.service.create("list", "good")
    target = driven.service.create("list", "target")
    assert target.sid == _SIDS[0]
    driven.open(messages, watcher)
    driven.open(target)
    errors = _Errors()
    logger = logging.getLogger("twilio_conversations.sync")
    logger.addHandler(errors)
    try:
        for payload in payloads:
            for message_type in (LIVE + "list", REPLAY):
                driven.client.notification(message_type, payload)
        driven.service.add(messages, {})
        driven.run(300)
    finally:
        logger.removeHandler(errors)
    assert [change.key for change in watcher.of(ItemAdded)] == [0]
    assert errors.records == []
