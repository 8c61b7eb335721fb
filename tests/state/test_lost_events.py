"""What is done when events of a conversation are lost: everything is read again, and then resynced is told."""

from __future__ import annotations

import pytest

from tests.state.backend import trouble
from tests.state.driven import Driven
from twilio_conversations.util import logs


def test_lost_events_are_made_up_for_and_told_once(alice: Driven) -> None:
    """Messages and roster are read again; resynced follows when both are done."""
    room = alice.room("CH1")
    room.add("MB1", "bob")
    room.add("MB2", "carol")
    room.post("one")
    alice.start()
    conversation = alice.conversation("CH1")
    (message,) = conversation.get_messages().items
    bob, _ = conversation.get_participants()
    alice.told()
    alice.backend.cut()
    alice.sync.disconnected()
    room.edit(0, text="two")
    room.alter("MB1", attributes='{"a": 1}')
    room.drop("MB2")
    for stored in (room.messages, room.roster):
        alice.forget(stored)
    alice.sync.connected()
    alice.backend.held = {"/Items"}
    alice.run(1)
    assert alice.told() == []
    alice.backend.held = {f"{room.roster.sid}/Items"}
    alice.run(1)
    assert alice.told() == []
    alice.backend.held = set()
    alice.run(1)
    assert alice.told() == ["own resynced CH1", "conversation_resynced CH1"]
    assert message.body == "two"
    assert conversation.get_participants() == [bob]
    assert bob.attributes == {"a": 1}


def test_what_cannot_be_read_again_now_is_read_later(alice: Driven) -> None:
    """Resynced is told when it was read, and not before."""
    room = alice.room("CH1")
    room.post("one")
    alice.start()
    (_,) = alice.conversation("CH1").get_messages().items
    alice.told()
    alice.backend.answer("GET", f"/v3/Lists/{room.messages.sid}/Items", trouble(501))
    alice.lose(room.messages)
    alice.run(1)
    assert alice.told() == []
    del alice.backend.answers["GET", f"/v3/Lists/{room.messages.sid}/Items"]
    alice.run(100)
    assert alice.told() == ["own resynced CH1", "conversation_resynced CH1"]


@pytest.mark.parametrize("status", [403, 404])
def test_what_may_not_be_read_again_is_not_resynced(alice: Driven, status: int, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody is told that it is up to date; the next loss is treated as any other."""
    room = alice.room("CH1")
    room.post("one")
    alice.start()
    (_,) = alice.conversation("CH1").get_messages().items
    alice.told()
    alice.backend.answer("GET", f"/v3/Lists/{room.messages.sid}/Items", trouble(status))
    with caplog.at_level("INFO"):
        alice.lose(room.messages)
        alice.run(100)
        logs.flush(10)
    assert alice.told() == []
    assert "changes were missed and cannot be read any more" in caplog.text
    del alice.backend.answers["GET", f"/v3/Lists/{room.messages.sid}/Items"]
    alice.lose(room.messages)
    alice.run(1)
    assert alice.told() == ["own resynced CH1", "conversation_resynced CH1"]


@pytest.mark.parametrize("how", ["left", "removed"])
def test_what_goes_while_it_is_read_again_is_not_resynced(alice: Driven, how: str) -> None:
    """A conversation that was removed, or left, is not up to date."""
    room = alice.room("CH1")
    room.post("one")
    alice.start()
    (_,) = alice.conversation("CH1").get_messages().items
    alice.told()
    alice.backend.held = {f"{room.messages.sid}/Items"}
    alice.lose(room.messages)
    alice.run(1)
    if how == "removed":
        alice.disown(room)
        alice.run(1)
        alice.own(room, "joined")
    alice.run(1)
    alice.told()
    alice.backend.held = set()
    alice.run(1)
    assert alice.told("resynced") == ([] if how == "removed" else ["own resynced CH1", "conversation_resynced CH1"])
