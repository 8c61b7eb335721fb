"""Conversations: looked up, listed in order, read without being joined, refreshed, and closed with the client."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.state.backend import OWN, page, trouble
from tests.state.driven import Driven, load
from tests.support.patience import PATIENCE
from tests.sync.model_service import Answer
from twilio_conversations.enums import ConversationStatus
from twilio_conversations.errors import ClientClosedError, NotFoundError, ProtocolError, SyncError
from twilio_conversations.state.phases import Following
from twilio_conversations.util import logs
from twilio_conversations.util.flows import Future
from twilio_conversations.util.futures import Deadline

# -- learning of one ------------------------------------------------------------------------------------------------------


def test_what_was_looked_up_is_known_only(alice: Driven) -> None:
    """An answer without the own membership does not say that it is joined."""
    room = alice.room("CH1", status=None)
    alice.start()
    entry = {"sid": "CH1", "status": "joined"}
    ready = alice.tracked.learn(entry).ready
    alice.run(1)
    assert ready.result() is alice.conversation("CH1")
    assert alice.told("^conv") == ["conversation_added CH1"]
    assert alice.opened == ["CH1.channel", *OWN]
    ready = alice.tracked.learn({**entry, "conversation_sid": room.sid}).ready
    alice.run(1)
    assert ready.result() is alice.conversation("CH1")
    assert alice.told("^conv") == ["conversation_joined CH1"]
    alice.tracked.learn(entry)
    alice.run(1)
    assert alice.told("^conv") == []


@pytest.mark.parametrize("entry", [{}, {"sid": 7}, {"conversation_sid": None}])
def test_what_has_no_sid_is_an_error(alice: Driven, entry: dict[str, Any]) -> None:
    """It has the answer."""
    with pytest.raises(ProtocolError, match="a conversation without sid") as caught:
        alice.tracked.learn(entry)
    assert caught.value.body == entry


def test_the_entry_is_used_for_what_is_new_only(alice: Driven) -> None:
    """What is known follows Sync."""
    room = alice.room("CH1")
    alice.listing[:] = [alice.entry(room, last_read_message_index=3, notification_level="muted")]
    alice.start()
    conversation = alice.conversation("CH1")
    assert (conversation.last_read_message_index, conversation.notification_level) == (3, "muted")
    alice.tracked.learn(alice.entry(room, last_read_message_index=9))
    alice.run(1)
    assert conversation.last_read_message_index == 3


# -- what there is --------------------------------------------------------------------------------------------------------


def test_what_there_is_in_order(alice: Driven) -> None:
    """Announced in the order they became known, joined in that of their sids; those that are on the way do not count."""
    for sid, status in (("CH3", "joined"), ("CH1", "joined"), ("CH2", "notParticipating")):
        alice.room(sid, status=status)
    alice.start()
    alice.backend.held = {"CH0.roster?"}
    alice.room("CH0")
    alice.run(1)
    tracked = alice.tracked
    assert [one.sid for one in tracked.announced(Following.DOCUMENT)] == ["CH3", "CH1", "CH2"]
    assert [one.sid for one in tracked.announced(Following.EVERYTHING)] == ["CH3", "CH1"]
    assert [one.sid for one in tracked.joined()] == ["CH1", "CH3"]


def test_one_that_was_just_left_by_command_is_not_joined(alice: Driven) -> None:
    """The answer counts before Sync tells."""
    room = alice.room("CH1")
    alice.start()
    alice.backend.answer("DELETE", f"{room.url}/Participants/alice", None, status=204)
    alice.conversation("CH1").leave()
    assert alice.tracked.joined() == []
    assert len(alice.tracked.announced(Following.EVERYTHING)) == 1


def test_typing_where_nothing_is_followed_means_nothing(alice: Driven) -> None:
    """Nor does typing of what has no name."""
    room, known = alice.room("CH1"), alice.room("CH2", status="notParticipating")
    for one in (room, known):
        one.add("MB1", "bob")
    alice.start()
    alice.conversation("CH2").get_participants()
    alice.told()
    for sid, identity in (("CH2", "bob"), ("CH9", "bob"), (7, "bob"), (None, "bob"), ("CH1", 7), ("CH1", None)):
        alice.tracked.typing(sid, identity, 5)
    assert alice.told() == []
    alice.tracked.typing("CH1", "bob", "strange")
    assert alice.told("own") == ["own typing_started MB1"]
    alice.run(5.9)
    assert alice.told("own") == []
    alice.run(0.2)
    assert alice.told("own") == ["own typing_ended MB1"]


def test_a_late_handler_is_given_the_participants_of_any_conversation(alice: Driven, caplog: pytest.LogCaptureFixture) -> None:
    """The roster is read for it; where that is refused, or the conversation is gone, it is given none."""
    known, _, gone = (alice.room(f"CH{number}", status="notParticipating") for number in range(3))
    known.add("MB1", "bob")
    alice.start()
    seen: list[Any] = []
    for sid in ("CH0", "CH1", "CH2"):
        alice.conversation(sid)
    alice.backend.answer("GET", "/v3/Maps/CH1.roster", trouble(403))
    alice.backend.delete(gone.document)
    alice.run(1)
    with caplog.at_level("INFO"):
        for sid in ("CH0", "CH1", "CH2"):
            alice.tracked.survey_participants(sid, lambda found, sid=sid: seen.append((sid, [one.sid for one in found])))
        alice.run(1)
        logs.flush(10)
    assert sorted(seen) == [("CH0", ["MB1"]), ("CH1", []), ("CH2", [])]
    assert "the participants of CH1 cannot be read: " in caplog.text


# -- one conversation -----------------------------------------------------------------------------------------------------


def test_reading_a_conversation_that_is_not_joined(alice: Driven) -> None:
    """Its messages and its roster are opened once, by the names of the document; nothing is announced."""
    room = alice.room("CH1", status="notParticipating", names=("d", "m", "r"))
    room.post("one")
    for number in range(120):
        room.add(f"MB{number:03}", f"p{number}")
    alice.listing[:] = [{**alice.entry(room, status="notParticipating"), "sync_objects": {"conversation": "d"}}]
    alice.start()
    alice.told()
    conversation = alice.conversation("CH1")
    for _ in range(2):
        assert [message.body for message in conversation.get_messages().items] == ["one"]
        assert len(conversation.get_participants()) == 120
    assert (len(alice.read("Lists/m")), len(alice.read("Maps/r"))) == (1, 1)
    assert alice.told() == []
    alice.run(1)
    assert alice.opened == [*OWN, "d", "m", "r"]


def test_what_the_document_does_not_name_cannot_be_read(alice: Driven) -> None:
    """Nobody knows where it is."""
    alice.start()
    alice.room("CH1", status="notParticipating", messages=None, roster=None)
    alice.run(1)
    conversation = alice.conversation("CH1")
    with pytest.raises(SyncError, match="CH1 has no messages to read") as caught:
        conversation.get_messages()
    assert caught.value.status == 404
    with pytest.raises(SyncError, match="CH1 has no roster to read") as caught:
        conversation.get_participants()
    assert caught.value.status == 404


def test_reading_waits_until_it_is_there(alice: Driven) -> None:
    """Whoever reads a conversation that is being joined gets what is followed then."""
    room = alice.room("CH1", status="notParticipating")
    room.post("one")
    room.add("MB1", "bob")
    alice.start()
    conversation = alice.conversation("CH1")
    alice.backend.held = {"CH1.messages?", "CH1.roster?"}
    alice.own(room, "joined")
    alice.run(1)
    alice.backend.held = set()
    assert [one.sid for one in conversation.get_participants()] == ["MB1"]
    assert len(conversation.get_messages().items) == 1
    assert (len(alice.read("CH1.messages")), len(alice.read("CH1.roster"))) == (1, 1)


def test_a_conversation_that_is_gone_cannot_be_read(alice: Driven) -> None:
    """The error says so."""
    room = alice.room("CH1")
    alice.start()
    conversation = alice.conversation("CH1")
    alice.disown(room)
    alice.run(1)
    for call in (conversation.get_messages, conversation.get_participants):
        with pytest.raises(NotFoundError, match="CH1 is gone") as caught:
            call()
        assert caught.value.status == 404
    with pytest.raises(NotFoundError):
        conversation.refresh()


def test_a_conversation_is_refreshed_from_its_document(alice: Driven) -> None:
    """What Sync has said of the membership stays; nothing is told, as the event still comes."""
    room = alice.room("CH1", friendlyName="one")
    alice.listing[:] = [alice.entry(room, last_read_message_index=3)]
    alice.start()
    alice.told()
    conversation = alice.conversation("CH1")
    room.set(friendlyName="two")
    late = alice.backend.outbox[:]
    alice.backend.outbox.clear()
    assert conversation.refresh().friendly_name == "two"
    assert (conversation.last_read_message_index, conversation.status) == (3, ConversationStatus.JOINED)
    assert alice.told() == []
    alice.backend.outbox.extend(late)
    alice.run(1)
    assert alice.told("own") == ["own updated CH1 friendlyName"]
    alice.backend.answer("GET", f"/v3/Documents/{room.document.sid}", Answer(200, "strange"))
    with pytest.raises(ProtocolError):
        conversation.refresh()


def test_the_end_wakes_whoever_waits(alice: Driven) -> None:
    """For the listing, and for each conversation; afterwards nothing is waited for, whether it is done or not."""
    one = alice.room("CH1")
    alice.backend.held = {"CH2.channel?"}
    two = alice.room("CH2")
    load(alice, page([alice.entry(one), alice.entry(two)]))
    first, second = alice.tracked.known("CH1"), alice.tracked.known("CH2")
    assert first is not None
    assert second is not None
    assert alice.runtime.take(first.ready, Deadline(PATIENCE), "it").sid == "CH1"
    pending: list[Future[Any]] = [second.ready, alice.tracked.listed]
    with ThreadPoolExecutor() as threads:
        waiting = [threads.submit(alice.runtime.take, future, Deadline(PATIENCE), "it") for future in pending]
        alice.readiness._lifetime.close(0)
        alice.readiness.end()
    for ended in waiting:
        assert isinstance(ended.exception(), ClientClosedError)
    with pytest.raises(ClientClosedError):
        alice.runtime.take(first.ready, Deadline(PATIENCE), "it")
