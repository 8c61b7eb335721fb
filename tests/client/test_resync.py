"""Changes that no event told: the service has forgotten them when the client comes back, and the client finds out."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.faults.proxy import FaultProxy
from tests.support.clients import Connect
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from tests.support.waiting import until
from twilio_conversations import BackoffPolicy, Client, Conversation
from twilio_conversations.server import LocalServer
from twilio_conversations.server.storage.database import DATABASE_FILE


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[LocalServer]:
    """A service whose database a test can reach."""
    with LocalServer(tmp_path) as server:
        yield server


def forget_events(data_dir: Path) -> None:
    """Compact the log: no event is left, though the numbering goes on."""
    database = sqlite3.connect(data_dir / DATABASE_FILE)
    with database:
        database.execute("DELETE FROM sync_events")
    database.close()


def test_what_was_missed_is_current_before_it_is_told(kept: LocalServer, connect: Connect, tmp_path: Path) -> None:
    """Messages and participants are read again; then the conversation and the client say `resynced`."""
    alice = connect("alice", token=kept.token("alice"), endpoint=kept.url)
    bob = connect("bob", token=kept.token("bob"), endpoint=kept.url)
    room = alice.create_conversation().join()
    joined = EventLog(bob, "conversation_joined")
    seat = room.add("bob")
    theirs: Conversation = joined.wait("conversation_joined")
    client = EventLog(alice, "message_added", "conversation_resynced", "message_updated", "participant_updated")
    conversation = EventLog(room, "resynced")
    mine = {body: theirs.send_message(body) for body in ("before", "to be removed")}
    edited, removed = (client.wait("message_added", lambda message, body=body: message.body == body) for body in mine)

    kept.faults.hold_events("alice")
    mine["before"].update_body("after")
    mine["to be removed"].remove()
    theirs.get_participant_by_identity("bob").update_attributes({"seat": 1})
    kept.stop()
    forget_events(tmp_path)
    kept.start()

    assert conversation.wait("resynced") is room
    assert client.wait("conversation_resynced") is room
    client.wait("conversation_resynced", lambda _: edited.body == "after")
    client.wait("conversation_resynced", lambda _: seat.attributes == {"seat": 1})
    assert room.get_messages().items == [edited]
    assert removed.body == "to be removed"
    assert client.of("message_updated") == client.of("participant_updated") == []


class Away:
    """Alice behind a proxy, and Bob in the same conversation without one."""

    def __init__(self, server: LocalServer, connect: Connect, data_dir: Path, proxy: FaultProxy) -> None:
        self.server, self._connect, self._data_dir, self._proxy = server, connect, data_dir, proxy

    def meet(self, **options: Any) -> tuple[Client, Conversation, Conversation]:
        """Alice, and the conversation as both of them see it."""
        server = self.server
        alice = self._connect("alice", token=server.token("alice"), endpoint=self._proxy.url, **options)
        bob = self._connect("bob", token=server.token("bob"), endpoint=server.url)
        room = alice.create_conversation().join()
        joined = EventLog(bob, "conversation_joined")
        room.add("bob")
        return alice, room, joined.wait("conversation_joined")

    @contextmanager
    def while_nobody_tells(self) -> Iterator[None]:
        """What happens inside is forgotten by the log before Alice is back; afterwards she may come."""
        self._proxy.refuse()
        self._proxy.cut_all()
        yield
        self.server.stop()
        forget_events(self._data_dir)
        self.server.start()

    def come_back(self) -> None:
        """Let Alice connect."""
        self._proxy.refuse(False)


@pytest.fixture
def away(kept: LocalServer, connect: Connect, tmp_path: Path) -> Iterator[Away]:
    """Alice, who can be kept away while things happen that no event will tell her."""
    with FaultProxy(("127.0.0.1", kept.port), seed=1) as proxy:
        yield Away(kept, connect, tmp_path, proxy)


def test_a_reading_that_fails_is_repeated_until_it_succeeds(away: Away) -> None:
    """The service refuses to give the items a few times: `resynced` waits until they were read, and nothing is lost."""
    alice, room, theirs = away.meet()
    added = EventLog(alice, "message_added")
    sent = theirs.send_message("before")
    message = added.wait("message_added")
    seen: list[tuple[Any, Any]] = []
    client = EventLog(alice, "conversation_resynced")
    seat = room.get_participant_by_identity("bob")
    alice.on("conversation_resynced", lambda _: seen.append((message.body, seat.attributes)))

    with away.while_nobody_tells():
        sent.update_body("after")
        theirs.get_participant_by_identity("bob").update_attributes({"seat": 1})
    away.server.faults.refuse(3, status=500, identity="alice", path="/Items$")
    away.come_back()

    client.wait("conversation_resynced", lambda _: (message.body, seat.attributes) == ("after", {"seat": 1}))
    assert seen[-1] == ("after", {"seat": 1})
    assert away.server.faults.pending() == []


def test_a_reading_that_fails_is_repeated_with_the_next_connection(away: Away) -> None:
    """The pause between two attempts is long; a new connection ends it."""
    alice, _, theirs = away.meet()
    added = EventLog(alice, "message_added")
    sent = theirs.send_message("before")
    message = added.wait("message_added")
    resynced = EventLog(alice, "conversation_resynced")
    # The line itself comes back as quickly as ever.
    long = BackoffPolicy(minimum=10 * PATIENCE, maximum=10 * PATIENCE)
    alice._core.runtime.options = attrs.evolve(alice._core.runtime.options, reconnect=long)
    with away.while_nobody_tells():
        sent.update_body("after")
    away.server.faults.refuse(None, status=500, identity="alice", path="/Items$")
    away.come_back()
    until(lambda: alice._core.runtime._pauses, "the reading has failed", PATIENCE)
    assert resynced.entries == []

    away.server.faults.clear()
    away.server.faults.drop("alice")
    resynced.wait("conversation_resynced", lambda _: message.body == "after")


def test_the_own_conversations_are_read_again_until_it_succeeds(away: Away) -> None:
    """Conversations that came and went untold are found, though the first readings of the own list fail."""
    alice, room, theirs = away.meet()
    left = EventLog(alice, "conversation_left", "conversation_joined")
    with away.while_nobody_tells():
        theirs.remove_participant("alice")
    away.server.faults.refuse(2, status=500, identity="alice", path="/Items$")
    away.come_back()

    assert left.wait("conversation_left") is room
    assert list(alice.iter_conversations()) == []
