"""The Sync map of the current user's conversations: strange items, changes, and reading it again after lost events."""

from __future__ import annotations

from typing import Any

import pytest

from tests.state.backend import Room, of, trouble
from tests.state.driven import Driven
from twilio_conversations.enums import ConversationStatus
from twilio_conversations.util import logs


@pytest.mark.parametrize("data", ["strange", {}, {"channel": 7, "status": "joined"}, None])
def test_an_item_that_names_no_document_is_left_out(alice: Driven, data: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged; a good one that follows counts."""
    alice.start()
    alice.told()
    alice.backend.add(alice.mine, data, "CH1")
    alice.run(1)
    assert alice.told() == []
    logs.flush(10)
    assert "leaving out conversation CH1: its map item names no document" in caplog.text
    room = Room(alice.backend, "CH1", {}, ("CH1.channel", "CH1.messages", "CH1.roster"))
    alice.own(room, "notParticipating")
    alice.run(1)
    assert alice.told() == ["conversation_added CH1"]


def test_a_status_that_is_not_known_changes_nothing(alice: Driven) -> None:
    """A new conversation is known, a joined one stays joined; the other fields count."""
    one = alice.room("CH1")
    alice.start()
    alice.told()
    alice.own(one, "strange", lastConsumedMessageIndex=4)
    alice.room("CH2", status="strange")
    alice.run(1)
    assert alice.told("^conv") == ["conversation_updated CH1 lastReadMessageIndex", "conversation_added CH2"]
    assert alice.conversation("CH1").status is ConversationStatus.JOINED
    assert alice.conversation("CH2").status is ConversationStatus.NOT_PARTICIPATING


def test_a_change_of_the_membership_while_it_is_opened_is_not_told(alice: Driven) -> None:
    """It is in what is announced then."""
    alice.start()
    alice.told()
    room = alice.room("CH1")
    alice.backend.held = {"CH1.roster?"}
    alice.run(1)
    alice.own(room, "joined", lastConsumedMessageIndex=4)
    alice.run(1)
    assert alice.told() == []
    alice.backend.held = set()
    alice.run(1)
    assert alice.told() == ["conversation_added CH1", "conversation_joined CH1"]
    assert alice.conversation("CH1").last_read_message_index == 4


def test_a_removal_of_what_is_not_known_is_nothing(alice: Driven) -> None:
    """It was never announced."""
    alice.start()
    alice.told()
    alice.backend.add(alice.mine, "strange", "CH1")
    alice.backend.remove(alice.mine, "CH1")
    alice.run(1)
    assert alice.told() == []


def test_after_lost_events_the_own_map_is_read_again(alice: Driven) -> None:
    """Who came appears, who went is removed, who changed is updated; what is only known, but not in it, stays."""
    gone, left, kept, known = (alice.room(f"CH{number}") for number in range(4))
    alice.listing[-1]["status"] = "notParticipating"
    alice.start()
    alice.told()
    alice.disown(gone)
    alice.own(left, "notParticipating")
    alice.own(kept, "joined", lastConsumedMessageIndex=4)
    alice.disown(known)
    alice.room("CH9")
    alice.lose(alice.mine)
    alice.run(1)
    assert sorted(alice.told("^conv")) == [
        "conversation_added CH9",
        "conversation_joined CH9",
        "conversation_left CH0",
        "conversation_left CH1",
        "conversation_removed CH0",
        "conversation_updated CH2 lastReadMessageIndex",
    ]
    assert alice.tracked.known("CH3") is not None


def test_an_own_map_that_cannot_be_read_again_now_is_read_later(alice: Driven) -> None:
    """Nothing is removed before it was read."""
    alice.room("CH1")
    alice.start()
    alice.told()
    path = f"/v3/Maps/{alice.mine.sid}/Items"
    alice.backend.answer("GET", path, trouble(501))
    room = alice.room("CH2")
    alice.lose(alice.mine)
    alice.run(1)
    assert alice.told() == []
    del alice.backend.answers["GET", path]
    alice.run(100)
    assert alice.told("^conv") == ["conversation_added CH2", "conversation_joined CH2"]
    assert set(of(room)) <= set(alice.opened)


def test_an_own_map_that_may_not_be_read_again_is_reported(alice: Driven) -> None:
    """Nothing is removed."""
    alice.room("CH1")
    alice.start()
    alice.told()
    alice.backend.answer("GET", f"/v3/Maps/{alice.mine.sid}/Items", trouble(403))
    alice.lose(alice.mine)
    alice.run(100)
    (line,) = alice.told()
    assert line.startswith("error ")
    assert alice.tracked.known("CH1") is not None


def test_an_own_map_that_cannot_be_followed_is_reported(alice: Driven, caplog: pytest.LogCaptureFixture) -> None:
    """The conversations stay."""
    alice.room("CH1")
    alice.start()
    alice.told()
    alice.backend.forbidden[alice.mine.sid] = {"status": 403, "code": 54007, "message": "not yours"}
    alice.cut()
    alice.run(1)
    (line,) = alice.told()
    assert line.startswith("error ")
    assert "not yours" in line
    logs.flush(10)
    assert "the list of conversations cannot be followed: " in caplog.text
