"""Changes that no event told: the service has forgotten them when the client comes back, and the client finds out."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.conftest import Connect
from tests.client.diary import Diary
from twilio_conversations import Conversation
from twilio_conversations.server import LocalServer
from twilio_conversations.server.store import DATABASE_FILE


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
    joined = Diary(bob, "conversation_joined")
    seat = room.add("bob")
    theirs: Conversation = joined.wait("conversation_joined")
    client = Diary(alice, "message_added", "conversation_resynced", "message_updated", "participant_updated")
    conversation = Diary(room, "resynced")
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

