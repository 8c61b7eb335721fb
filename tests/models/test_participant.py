"""The participants of a conversation, against a real service: added, removed, their read horizon and typing."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.support.clients import Connect, Fresh, Pair
from tests.support.event_log import EventLog
from tests.support.waiting import until
from twilio_conversations import (
    ConflictError,
    InvalidArgumentError,
    NotFoundError,
    RestNotFoundError,
)
from twilio_conversations.server import LocalServer
from twilio_conversations.state.participants import Participants


@pytest.mark.row("BY14", "CV16", "CV22", "CV23", "CV24", "CV25", "CV30", "ER13", "EV25", "EV26", "PA02", "PA03", "PA04", "PA07")
def test_add_returns_the_participant_and_remove_takes_it_away(pair: Pair, fresh: Fresh) -> None:
    """Participants can be read right after they were added or removed."""
    conversation, bobs = pair
    carol = fresh("carol")
    event_log = EventLog(bobs, "participant_joined", "participant_left")
    added = conversation.add(carol, {"role": "guest"})

    assert (added.identity, added.attributes, added.conversation) == (carol, {"role": "guest"}, conversation)
    assert conversation.get_participant_by_identity(carol) is added
    assert conversation.get_participant_by_sid(added.sid) is added
    assert conversation.get_participants_count() == 3
    assert event_log.wait("participant_joined").attributes == {"role": "guest"}
    with pytest.raises(ConflictError):
        conversation.add(carol)
    conversation.remove_participant(added)
    assert added not in conversation.get_participants()
    assert event_log.wait("participant_left").identity == carol
    with pytest.raises(NotFoundError):
        conversation.get_participant_by_identity(carol)
    with pytest.raises(RestNotFoundError):
        conversation.remove_participant(carol)


@pytest.mark.row("CV10", "CV18", "CV26", "CV27", "CV33", "CV34", "CV39", "PA09")
def test_the_read_horizon(pair: Pair) -> None:
    """Advancing never goes back, setting does, and every call returns the unread count."""
    conversation, bobs = pair
    for number in range(4):
        conversation.send_message(str(number))
    alices = EventLog(conversation, "participant_updated")

    assert bobs.get_unread_messages_count() is None
    assert bobs.advance_last_read_message_index(1) == 2
    assert bobs.last_read_message_index == 1
    assert bobs.advance_last_read_message_index(0) == 2
    assert bobs.last_read_message_index == 1
    change = alices.wait("participant_updated")
    assert change.update_reasons == ("lastReadMessageIndex", "lastReadTimestamp")
    assert change.participant.last_read_message_index == 1
    assert bobs.update_last_read_message_index(0) == 3
    assert bobs.set_all_messages_read() == 0
    assert bobs.get_unread_messages_count() == 0
    assert bobs.set_all_messages_unread() == 4
    assert bobs.last_read_message_index is None
    assert bobs.get_messages_count() == 4
    with pytest.raises(InvalidArgumentError):
        bobs.advance_last_read_message_index(-1)


@pytest.mark.row("CV36", "EV31", "EV32", "PA08")
def test_typing_starts_once_and_ends_with_a_message(pair: Pair) -> None:
    """Repeated notices announce nothing new; the message ends the typing before it is announced."""
    conversation, bobs = pair
    event_log = EventLog(conversation, "typing_started", "typing_ended", "message_added")
    bobs.typing()
    bobs.typing()
    participant = event_log.wait("typing_started")
    assert participant.is_typing
    bobs.send_message("done")
    event_log.wait("message_added")

    assert event_log.names() == ["typing_started", "typing_ended", "message_added"]
    assert not participant.is_typing


def test_nobody_stays_whom_only_an_answer_has_named(connect: Connect, own: LocalServer) -> None:
    """Somebody added leaves before Sync has told of it, while the adder left and came back: the roster is what it is."""
    alice = connect("alice", token=own.token("alice"), endpoint=own.url)
    bob = connect("bob", token=own.token("bob"), endpoint=own.url)
    event_log, theirs = EventLog(alice, "conversation_left", "conversation_joined"), EventLog(bob, "conversation_joined")
    room = alice.create_conversation().join()
    own.faults.hold_events("alice")
    room.add("bob")
    room.leave().join()
    theirs.wait("conversation_joined").leave()
    own.faults.drop("alice")  # she is told of her own membership first, and opens the rest anew
    own.faults.clear()

    assert event_log.wait("conversation_left") is room
    until(lambda: len(event_log.of("conversation_joined")) == 2, "joined again")
    assert [participant.identity for participant in room.get_participants()] == ["alice"]


def test_who_was_removed_and_added_again_is_shown(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the participant that was there when the call began is hidden, not another one with the same identity."""
    mine, theirs = pair
    caller, participants = theirs._live.runtime, cast(Participants, theirs._live.participants)
    delete = caller.rest.delete

    def delete_and_wait(*arguments: Any, **options: Any) -> None:
        delete(*arguments, **options)
        again = mine.join().get_participant_by_identity(mine._live.runtime.configuration.identity)
        until(lambda: again.sid in participants._by_sid, "the new participant is known")

    monkeypatch.setattr(caller.rest, "delete", delete_and_wait)
    theirs.remove_participant(mine._live.runtime.configuration.identity)
    assert len(theirs.get_participants()) == 2
