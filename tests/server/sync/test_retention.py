"""The event log keeps what leads to the present, and forgets the rest."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.domain.test_conversations import sid_of
from tests.server.peer import Peer
from twilio_conversations.server import LocalServer
from twilio_conversations.server.storage.database import DATABASE_FILE, Connection, Database, timestamp
from twilio_conversations.server.storage.writer import Transaction
from twilio_conversations.server.sync import projection
from twilio_conversations.server.sync.retention import MAX_AT_ONCE, compact, drop_removed_objects
from twilio_conversations.wire.packets import Notification

KEYS = ("a", "b", "c")


# -- every cursor leads to the present -----------------------------------------------------------------------------------------


@attrs.define
class Follower:
    """A client that believes what it is told, and like the official one ignores an update of what it does not know."""

    cursor: int = -1
    items: dict[str, Any] = attrs.field(factory=dict)
    present: set[str] = attrs.field(factory=set)

    def take(self, event: Any) -> None:
        """Apply one event."""
        assert event.id > self.cursor
        self.cursor = event.id
        body = json.loads(event.body)
        key, data = body["item_key"], body["item_data"]
        if event.type == "map_item_added":
            assert key not in self.items, "what is there is not added again"
            self.items[key] = data
        elif event.type == "map_item_removed":
            self.items.pop(key, None)
        elif key in self.items:
            self.items[key] = data


class Map:
    """One Sync map in a database of its own, with all that ever happened to it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.name = uuid.uuid4().hex
        self.items: dict[str, Any] = {}
        with self.transaction() as tx:
            projection.create(tx, projection.MAP, self.name)
        (row,) = self.rows("SELECT sid FROM sync_entities WHERE unique_name = ?", self.name)
        self.sid: str = row[0]

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One command."""
        tx = Transaction(self.connection, timestamp())
        with self.connection.transaction():
            yield tx
            tx.finish()

    def rows(self, sql: str, *values: Any) -> list[Any]:
        """What is in the database."""
        return list(self.connection._cursor.execute(sql, values))

    def touch(self, key: str, number: int, remove: bool) -> None:
        """Add, update or remove an item."""
        with self.transaction() as tx:
            if key not in self.items:
                projection.add_item(tx, self.name, key, number)
                self.items[key] = number
            elif remove:
                projection.remove_item(tx, self.name, key)
                del self.items[key]
            else:
                projection.set_item(tx, self.name, key, number)
                self.items[key] = number

    @property
    def head(self) -> int:
        """The newest number."""
        return int(self.rows("SELECT head FROM sync_entities WHERE sid = ?", self.sid)[0][0])

    def compact(self, until: int) -> bool:
        """Have the log compacted."""
        with self.transaction() as tx:
            return compact(tx, self.sid, until)

    def log(self, above: int = -1) -> list[Any]:
        """The events that are left."""
        found = self.rows("SELECT id, type, body FROM sync_events WHERE entity_sid = ? AND id > ? ORDER BY id", self.sid, above)
        return [Row(*row) for row in found]


@attrs.frozen
class Row:
    id: int
    type: str
    body: str


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A database without a service."""
    database = Database(tmp_path_factory.mktemp("log") / DATABASE_FILE, durable=False)
    connection = database.connect()
    yield connection
    connection.close()
    database.dispose()


STEPS = st.one_of(
    st.tuples(st.just("touch"), st.sampled_from(KEYS), st.booleans()),
    st.tuples(st.just("compact"), st.integers(0, 12)),
    st.tuples(st.just("replay"), st.integers(0, 3), st.integers(1, 4)),
)


@settings(max_examples=60)
@given(steps=st.lists(STEPS, min_size=20, max_size=60))
def test_from_every_cursor_to_the_present(connection: Connection, steps: list[tuple[Any, ...]]) -> None:
    """Whoever comes back, from wherever, over any number of interrupted replays between compactions, ends with what is there."""
    followed = Map(connection)
    followers = [Follower() for _ in range(4)]
    for number, step in enumerate(steps):
        if step[0] == "touch":
            followed.touch(step[1], number, step[2])
        elif step[0] == "compact":
            followed.compact(followed.head - step[1])
        else:
            for event in followed.log(followers[step[1]].cursor)[: step[2]]:
                followers[step[1]].take(event)
    for follower in [*followers, Follower()]:
        for event in followed.log(follower.cursor):
            follower.take(event)
        assert (follower.items, follower.cursor) == (followed.items, followed.head)


def test_what_is_left(connection: Connection) -> None:
    """Of an item its adding and its newest update, of a removed one its removal; the newest numbers are left alone."""
    followed = Map(connection)
    for number, (key, remove) in enumerate([("a", False)] * 4 + [("b", False), ("b", False), ("b", True)] + [("c", False)] * 4):
        followed.touch(key, number, remove)
    assert not followed.compact(followed.head - 2)
    left = [(event.id, event.type.removeprefix("map_item_")) for event in followed.log()]
    assert left == [(0, "added"), (3, "updated"), (6, "removed"), (7, "added"), (8, "updated"), (9, "updated"), (10, "updated")]


def test_a_command_does_a_bounded_part(connection: Connection) -> None:
    """A long log is compacted over several commands, none of which looks at more than so many numbers."""
    followed = Map(connection)
    for number in range(MAX_AT_ONCE + 10):
        followed.touch("a", number, remove=False)
    assert followed.compact(followed.head)
    assert [event.id for event in followed.log()][:2] == [0, MAX_AT_ONCE - 1]
    assert not followed.compact(followed.head)
    assert [event.id for event in followed.log()] == [0, followed.head]


def test_removed_objects_leave_nothing(connection: Connection) -> None:
    """When an object is removed only that is still told, and after the next start not even that."""
    followed = Map(connection)
    for number in range(5):
        followed.touch("a", number, remove=False)
    with followed.transaction() as tx:
        projection.remove(tx, followed.name)
    assert [event.type for event in followed.log()] == ["map_removed"]
    with followed.transaction() as tx:
        drop_removed_objects(tx)
    assert followed.log() == followed.rows("SELECT 1 FROM sync_entities WHERE sid = ?", followed.sid) == []


# -- the running service -------------------------------------------------------------------------------------------------------


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[LocalServer]:
    """A service that keeps no more than it must."""
    with LocalServer(tmp_path) as server:
        server.configure(events_retained=0)
        yield server


def log_of(server_dir: Path, sid: str) -> list[tuple[int, str]]:
    """The log of one object as it lies in the file."""
    database = sqlite3.connect(server_dir / DATABASE_FILE)
    try:
        return list(database.execute("SELECT id, type FROM sync_events WHERE entity_sid = ? ORDER BY id", (sid,)))
    finally:
        database.close()


def told(notifications: list[Notification]) -> list[tuple[str, int]]:
    """Type and number of each event, in order."""
    return [
        (packet.payload["event_type"].rpartition("_")[2], event["id"])
        for packet in notifications
        if packet.payload["event_type"] != "subscription_established"
        for event in packet.payload["events"]
    ]


def outcomes(notifications: list[Notification]) -> list[tuple[str, int]]:
    """How replays ended, and where."""
    return [
        (event["replay_status"], event["last_event_id"])
        for packet in notifications
        if packet.payload["event_type"] == "subscription_established"
        for event in packet.payload["events"]
    ]


def busy_room(peer: Peer) -> tuple[str, dict[str, Any]]:
    """A room with a much edited, a removed and a plain message; its URL, and its list of messages."""
    room = peer.room()
    edited, removed = peer.say(room)["sid"], peer.say(room)["sid"]
    for number in range(5):
        peer.post(f"{room}/Messages/{edited}", {"body": f"edit {number}"})
    peer.delete(f"{room}/Messages/{removed}")
    peer.say(room, "last")
    return room, peer.open("list", f"{sid_of(room)}.messages")


def wait_for_compaction(peer: Peer) -> None:
    """Return when the log is compacted as far as the peer's last command calls for: a further command waits behind that."""
    assert peer.post(peer.link("conversations"), {"attributes": "{}"}).status == 201


def test_a_compacted_log_is_replayed(forgetful: LocalServer, tmp_path: Path) -> None:
    """The log on the disk has holes, and a replay, from memory or from the disk, leads to the head."""
    with Peer.connected(forgetful, "alice") as alice:
        room, root = busy_room(alice)
        channel = alice.open("document", f"{sid_of(room)}.channel")
        wait_for_compaction(alice)
    kept = [(0, "list_item_added"), (6, "list_item_updated"), (7, "list_item_removed"), (8, "list_item_added")]
    assert log_of(tmp_path, root["sid"]) == kept
    assert log_of(tmp_path, channel["sid"]) == [(channel["last_event_id"], "document_updated")]
    forgetful.stop()
    forgetful.start()
    with Peer.connected(forgetful, "alice") as alice:
        for cursor, expected in ((-1, kept), (0, kept[1:]), (5, kept[1:]), (6, kept[2:]), (8, [])):
            alice.poke(("list", root["sid"], cursor))
            found = alice.barrier()
            assert told(found) == [(type_.rpartition("_")[2], id_) for id_, type_ in expected]
            assert outcomes(found) == [("completed", 8)]


def test_memory_and_log_may_be_mixed(forgetful: LocalServer) -> None:
    """What is held in memory has no holes; a replay that begins below it takes all from the log, and ends the same."""
    with Peer.connected(forgetful, "alice") as alice:
        room, root = busy_room(alice)
    forgetful.stop()
    forgetful.start()
    forgetful.configure(events_retained=0)
    with Peer.connected(forgetful, "alice") as alice:
        for text in ("nine", "ten"):
            alice.say(room, text)
        for cursor, expected in ((-1, [0, 6, 7, 8, 9, 10]), (8, [9, 10]), (9, [10])):
            alice.poke(("list", root["sid"], cursor))
            assert [id_ for _, id_ in told(alice.barrier())] == expected


def test_replays_are_cut_and_go_on(forgetful: LocalServer) -> None:
    """After so many events a replay is interrupted; asked again from where it got to, it always gets on and ends."""
    with Peer.connected(forgetful, "alice") as alice:
        room, root = busy_room(alice)
    forgetful.stop()
    forgetful.start()
    forgetful.configure(events_retained=0, replay_limit=2)
    with Peer.connected(forgetful, "alice") as alice:
        ends: list[tuple[str, int]] = []
        seen: list[int] = []
        cursor = -1
        while not ends or ends[-1][0] == "interrupted":
            alice.poke(("list", root["sid"], cursor))
            found = alice.barrier()
            if not ends:
                alice.say(room, "while nothing is followed")
                assert alice.barrier() == []
            seen += [id_ for _, id_ in told(found)]
            ends += outcomes(found)
            cursor = seen[-1]
    assert seen == [0, 6, 7, 8, 9]
    assert ends == [("interrupted", 6), ("interrupted", 8), ("completed", 9)]


def test_an_earlier_data_directory(tmp_path: Path) -> None:
    """A log that does not say which events are needless is replayed whole, and what comes now is compacted."""
    with LocalServer(tmp_path) as server, Peer.connected(server, "alice") as alice:
        room, root = busy_room(alice)
        sid = alice.items("list", root["unique_name"])[0]["data"]["sid"]
    old = sqlite3.connect(tmp_path / DATABASE_FILE)
    with old:
        for table, column in (("sync_events", "replaces"), ("sync_events", "withdraws"), ("sync_items", "added_id")):
            old.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        old.execute("ALTER TABLE sync_entities DROP COLUMN compacted")
        old.execute("PRAGMA user_version = 0")  # versions were not recorded then
    old.close()
    with LocalServer(tmp_path, server.port) as server, Peer.connected(server, "alice") as alice:
        server.configure(events_retained=0)
        for number in range(3):
            assert alice.post(f"{room}/Messages/{sid}", {"body": f"again {number}"}).status == 200
        alice.delete(f"{room}/Messages/{sid}")
        wait_for_compaction(alice)
        alice.poke(("list", root["sid"], -1))
        found = told(alice.barrier())
    updates = [("updated", number) for number in range(2, 6)]
    assert found == [("added", 0), ("added", 1), *updates, ("removed", 7), ("added", 8), ("removed", 12)]
