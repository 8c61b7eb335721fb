"""Thousands of stories of replica and subscriptions: what `test_histories` checks, and a service that forgets."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.support.stories import Moves, run_stories
from tests.sync.driven import Watcher
from tests.sync.model_service import REPLAY, Stored
from tests.sync.test_histories import Chaos, History
from twilio_conversations.sync.changes import Change, ItemAdded, Page, Resynced
from twilio_conversations.sync.client import Handle
from twilio_conversations.util.flows import flow

KINDS = ("list", "map", "document")
COLLECTIONS = KINDS[:2]

MOVES: Moves = {
    "send": lambda rng: {"data": rng.randrange(100)},
    "put": lambda rng: {"data": rng.randrange(100), "key": rng.choice("abcd")},
    "edit": lambda rng: {"data": rng.randrange(100), "which": rng.randrange(4)},
    "remove": lambda rng: {"kind": rng.choice(COLLECTIONS), "which": rng.randrange(4)},
    "write_document": lambda rng: {"data": rng.randrange(100)},
    "cancel": lambda rng: {"kind": rng.choice(KINDS)},
    "deliver": lambda rng: {"count": rng.randint(1, 4)},
    "repeat": lambda rng: {"which": rng.randrange(20), "to": rng.randrange(20)},
    "execute": lambda rng: {},
    "answer": lambda rng: {},
    "stall": lambda rng: {"seconds": rng.choice([0.02, 0.3, 7.0, 40.0])},
    "flow": lambda rng: {"seconds": rng.choice([0.02, 0.3, 7.0])},
    "cut": lambda rng: {},
    "interrupt_after": lambda rng: {"count": rng.choice([None, 1, 2, 5])},
    "read": lambda rng: {"kind": rng.choice(COLLECTIONS), "order": rng.choice(["asc", "desc"])},
    "hold": lambda rng: {"kind": rng.choice(KINDS)},
    "release": lambda rng: {"kind": rng.choice(KINDS)},
}
ROUGH_MOVES: Moves = {
    **MOVES,
    "hurry": lambda rng: {"which": rng.randrange(20)},
    "lose": lambda rng: {"which": rng.randrange(20)},
    "go_away": lambda rng: {"changes": rng.randint(1, 6)},
}


class Told(History):
    """A history that is told by a seed."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self.begin(rng.random() < 0.5, rng.choice([None, 1, 3]))

    def allows(self, move: str) -> bool:
        return move not in ("hurry", "lose") or bool(self.service.outbox)

    def abandon(self) -> None:
        """Do nothing: everything is in memory."""

    def look(self) -> None:
        """Cursors never run ahead of what the service has done."""
        for kind, entity in self.entities.items():
            assert entity.event_id <= self.stored[kind].head

    def interrupt_after(self, count: int | None) -> None:
        self.service.chunk = count

    def go_away(self, changes: int) -> None:
        """While nobody is connected things happen."""
        self.driven.cut()
        self.change(changes)
        self.driven.connect()

    def change(self, changes: int) -> None:
        """Change this and that; some changes undo others."""
        for number in range(changes):
            self.send(number)
            self.edit(-number, number)
            self.put(number, "abcd"[number % 4])
            if number % 2:
                self.remove("list", number)
                self.remove("map", number)


class Rough(Told, Chaos):
    """On a wire that loses and reorders, from a service that has compacted its log.

    Where one event of an item stands for several, what it is called depends on where the replay began: such a replay comes
    whole, or the next one would tell another story.
    """

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.service.compacts = rng.choice([None, "newest", "history"])
        self.whole = self.service.compacts == "newest"
        if self.whole:
            self.service.chunk = None

    def allows(self, move: str) -> bool:
        return super().allows(move) and not (self.whole and move == "interrupt_after")

    def look(self) -> None:
        super().look()
        if self.whole and any(message_type == REPLAY for message_type, _ in self.service.outbox):
            self.driven.settle()


class Forgetful(Rough):
    """And a service that loses events, or its numbering: what no event tells is read again when `Resynced` says so."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.forgot = False
        for kind in COLLECTIONS:
            self.watchers[kind].react = self.reread

    def reread(self, entity: Handle, change: Change) -> None:
        watcher = self.watchers[entity.kind]

        def read(page: Any) -> None:
            if page.exception() is None:
                found: Page = page.result()
                watcher.items = {item.key: (item.event_id, item.data) for item in found.items}

        if isinstance(change, Resynced):
            flow(entity.page)(size=100).add_done_callback(read)

    def forget_events(self, kind: str) -> None:
        """The log is lost, the numbers go on: a replay ends ahead of what it has told."""
        self.forget(kind, self.stored[kind].journal.clear)

    def lose_numbers(self, kind: str) -> None:
        """After a disaster the service counts from the beginning; if it had counted as far as before, nothing could show it."""

        def lose() -> None:
            stored = self.stored[kind]
            stored.journal.clear()
            if _first_head(stored) + len(stored.items) < self.entities[kind].event_id:
                _renumber(stored)

        self.forget(kind, lose)

    def forget(self, kind: str, lose: Callable[[], None]) -> None:
        """What was done while nobody was connected is forgotten, and nothing else.

        The client knows everything before and comes back before anything else happens: a newer event would cover the hole, and
        nothing could show it.
        """
        self.forgot = True
        self.driven.client.release(self.entities[kind])
        self.driven.cut()
        self.driven.connect()
        self.driven.run(300)
        self.driven.cut()
        self.change(3)
        lose()
        self.driven.connect()
        self.driven.run(300)

    def check_state(self) -> None:
        if not self.forgot:
            super().check_state()
            return
        assert self.entities["document"].data == self.document.data
        for kind in COLLECTIONS:
            there = {key: item["data"] for key, item in self.stored[kind].items.items()}
            known = {key: data for key, (_, data) in self.watchers[kind].items.items()}
            assert known.items() <= there.items()
            assert known == there or not self.watchers[kind].of(Resynced)

    def check_told(self) -> None:
        if self.forgot:
            added = [change.key for change in self.watchers["list"].of(ItemAdded)]
            assert len(added) == len(set(added)), "a message was announced twice"
        else:
            super().check_told()


def _first_head(stored: Stored) -> int:
    return 0 if stored.kind == "document" else -1


def _renumber(stored: Stored) -> None:
    for number, item in enumerate(stored.items.values(), _first_head(stored) + 1):
        item["last_event_id"] = number
    stored.head = _first_head(stored) + len(stored.items)


def test_stories_on_an_orderly_wire() -> None:
    """Whatever the wire repeats, cuts, stalls and interrupts: everything is told once and in order."""
    run_stories(Told, MOVES, count=1200, steps=25)


def test_stories_on_a_rough_wire() -> None:
    """Events that are lost, overtaken or compacted away: each message is announced once, and the state is true in the end."""
    run_stories(Rough, ROUGH_MOVES, count=1000, steps=25)


def test_stories_of_a_forgetful_service() -> None:
    """Events and numbers that the service has lost: what was not told is found by reading, and nothing is told twice."""
    moves: Moves = {
        **ROUGH_MOVES,
        "forget_events": lambda rng: {"kind": rng.choice(KINDS)},
        "lose_numbers": lambda rng: {"kind": rng.choice(KINDS)},
    }
    run_stories(Forgetful, moves, count=800, steps=25)


def test_a_watcher_of_stories_knows_what_it_was_told() -> None:
    """The stories' own eyes are open: a change that the service did not make is found."""
    story = Told(random.Random(1))
    story.send(1)
    story.driven.run(1)
    watcher: Watcher = story.watchers["list"]
    watcher.changes.append(ItemAdded(99, None, 99))
    try:
        story.teardown()
    except AssertionError:
        return
    raise AssertionError("an invented message was believed")
