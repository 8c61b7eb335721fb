"""Participants that the program adds and removes: shown at once, told of once, and given up when Sync says nothing."""

from __future__ import annotations

import gc
import weakref

import pytest

from tests.state.backend import Room, date, sids
from tests.state.driven import Driven
from tests.sync.model_service import Answer
from twilio_conversations.errors import NotFoundError, ProtocolError, RestError
from twilio_conversations.models.conversation import Conversation
from twilio_conversations.util import logs

PARTICIPANTS = "/v1/Conversations/CH1/Participants"


def lose(alice: Driven, room: Room) -> None:
    """The line breaks, and the service forgets the roster's events; reading it again is held."""
    alice.backend.cut()
    alice.sync.disconnected()
    alice.forget(room.roster)
    alice.backend.held = {f"{room.roster.sid}/Items"}
    alice.sync.connected()
    alice.run(1)


# -- adding ---------------------------------------------------------------------------------------------------------------


def test_who_is_added_is_there_at_once(alice: Driven, room: Room, conversation: Conversation) -> None:
    """By the answer; the event tells of the same object."""
    alice.backend.answer("POST", PARTICIPANTS, {"sid": "MB9", "identity": "eve", "attributes": '{"n": 9}', "role_sid": "RL9"})
    eve = conversation.add("eve", {"n": 9})
    assert alice.backend.rest[-1].body == {"identity": "eve", "attributes": '{"n":9}'}
    assert (eve.sid, eve.identity, eve.attributes, eve.role_sid) == ("MB9", "eve", {"n": 9}, "RL9")
    assert conversation.get_participants()[2] is eve
    assert alice.told() == []
    room.add("MB9", "eve", attributes='{"n": 9}')
    alice.run(1)
    assert alice.told("own") == ["own participant_joined MB9"]
    assert alice.payloads[-1] is eve
    alice.run(10)
    assert alice.asked_for_items() == []


def test_an_event_that_is_faster_than_the_answer(alice: Driven, room: Room, conversation: Conversation) -> None:
    """The answer gives the object that was told of; it is not made anew."""
    alice.backend.answer("POST", PARTICIPANTS, {"sid": "MB9", "identity": "eve", "attributes": '{"n": "answer"}'})
    alice.backend.meanwhile("POST", PARTICIPANTS, lambda: (room.add("MB9", "eve", attributes='{"n": "event"}'), alice.hear()))
    eve = conversation.add("eve")
    assert alice.told("own") == ["own participant_joined MB9"]
    assert alice.payloads[-1] is eve
    assert eve.attributes == {"n": "event"}
    alice.run(10)
    assert alice.asked_for_items() == []


def test_who_has_gone_before_the_answer(alice: Driven, room: Room, conversation: Conversation) -> None:
    """The object is given, but it is not in the conversation any more."""

    def comes_and_goes() -> None:
        room.add("MB9", "eve")
        room.drop("MB9")
        alice.hear()

    alice.backend.answer("POST", PARTICIPANTS, {"sid": "MB9", "identity": "eve"})
    alice.backend.meanwhile("POST", PARTICIPANTS, comes_and_goes)
    eve = conversation.add("eve")
    assert (eve.sid, eve.identity) == ("MB9", "eve")
    assert sids(conversation) == ["MB1", "MB2"]
    assert alice.told("own") == ["own participant_joined MB9", "own participant_left MB9"]
    alice.run(10)
    assert alice.asked_for_items() == []
    eve.on("updated", print)
    kept = weakref.ref(eve)
    del eve
    alice.payloads.clear()
    room.drop("MB1")
    room.add("MB3", "x")
    alice.run(1)
    alice.told()
    gc.collect()
    assert kept() is None


def test_who_has_gone_before_an_earlier_add_may_come_again(alice: Driven, room: Room, conversation: Conversation) -> None:
    """Only who left while this very add was under way is left out."""
    room.drop("MB2")
    alice.run(1)
    alice.backend.answer("POST", PARTICIPANTS, {"sid": "MB2", "identity": "carol"})
    conversation.add("carol")
    assert sids(conversation) == ["MB1", "MB2"]


def test_who_has_gone_by_a_reading_before_the_answer(alice: Driven, room: Room, conversation: Conversation) -> None:
    """The roster was read meanwhile, and no event told that they left."""

    def reread() -> None:
        room.add("MB9", "eve")
        alice.hear()
        room.drop("MB9")
        alice.backend.outbox.clear()
        lose(alice, room)
        alice.backend.held = set()
        alice.settle()

    alice.backend.answer("POST", PARTICIPANTS, {"sid": "MB9", "identity": "eve"})
    alice.backend.meanwhile("POST", PARTICIPANTS, reread)
    conversation.add("eve")
    assert sids(conversation) == ["MB1", "MB2"]


@pytest.mark.parametrize("body", [None, [], "text", {}, {"sid": None}, {"sid": 7}])
def test_an_answer_that_names_nobody(alice: Driven, conversation: Conversation, body: object) -> None:
    """There is no telling who was added; the error has the answer."""
    alice.backend.answer("POST", PARTICIPANTS, body)
    with pytest.raises(ProtocolError, match="sid") as caught:
        conversation.add("eve")
    assert caught.value.body == body
    assert sids(conversation) == ["MB1", "MB2"]


def test_an_add_that_is_refused_leaves_nothing(alice: Driven, room: Room, conversation: Conversation) -> None:
    """The next one works as if nothing had been."""
    alice.backend.answer("POST", PARTICIPANTS, Answer(409, {"code": 50433}), Answer(201, {"sid": "MB2", "identity": "carol"}))
    alice.backend.meanwhile("POST", PARTICIPANTS, lambda: (room.drop("MB2"), alice.hear()))
    with pytest.raises(RestError):
        conversation.add("eve")
    conversation.add("carol")
    assert sids(conversation) == ["MB1", "MB2"]


def test_an_add_that_no_event_tells_of_is_looked_up(alice: Driven, conversation: Conversation) -> None:
    """Five seconds later the roster is asked for it once: it is not there, so it was no participant."""
    alice.backend.answer("POST", PARTICIPANTS, {"sid": "MB9", "identity": "eve"})
    eve = conversation.add("eve")
    eve.on("updated", print)
    alice.run(4.9)
    assert sids(conversation) == ["MB1", "MB2", "MB9"]
    assert alice.asked_for_items() == []
    alice.run(0.2)
    assert sids(conversation) == ["MB1", "MB2"]
    assert alice.asked_for_items() == ["MB9"]
    assert alice.told() == []
    gone = weakref.ref(eve)
    del eve
    gc.collect()
    assert gone() is None


def test_an_add_that_is_found_stays(alice: Driven, room: Room, conversation: Conversation) -> None:
    """Its event is late."""
    alice.backend.answer("POST", PARTICIPANTS, {"sid": "MB9", "identity": "eve"})
    eve = conversation.add("eve")
    room.add("MB9", "eve")
    late = alice.backend.outbox[:]
    alice.backend.outbox.clear()
    alice.run(10)
    assert alice.asked_for_items() == ["MB9"]
    assert conversation.get_participants()[2] is eve
    alice.backend.outbox.extend(late)
    alice.run(1)
    assert alice.told("own") == ["own participant_joined MB9"]


def test_an_add_that_cannot_be_looked_up_stays(
    alice: Driven, room: Room, conversation: Conversation, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody knows; it is logged."""
    alice.backend.answer("POST", PARTICIPANTS, {"sid": "MB9", "identity": "eve"})
    alice.backend.answer("GET", f"/v3/Maps/{room.roster.sid}/Items", Answer(500, {}))
    conversation.add("eve")
    with caplog.at_level("INFO"):
        alice.run(10)
        logs.flush(10)
    assert alice.asked_for_items() == ["MB9"]
    assert sids(conversation) == ["MB1", "MB2", "MB9"]
    assert "could not look whether MB9 was added" in caplog.text


def test_an_add_whose_participant_went_is_not_looked_up(alice: Driven, room: Room, conversation: Conversation) -> None:
    """Sync told that it left."""
    alice.backend.answer("POST", PARTICIPANTS, {"sid": "MB9", "identity": "eve"})
    conversation.add("eve")
    room.add("MB9", "eve")
    room.drop("MB9")
    alice.run(10)
    assert alice.asked_for_items() == []
    assert sids(conversation) == ["MB1", "MB2"]


def test_who_joins_while_they_are_looked_up_stays(alice: Driven, room: Room, conversation: Conversation) -> None:
    """The answer is from before; the same sid is another object by then."""
    alice.backend.answer("POST", PARTICIPANTS, {"sid": "MB9", "identity": "eve"})
    conversation.add("eve")
    alice.backend.held = {"Key=MB9"}
    alice.run(6)
    assert alice.asked_for_items() == ["MB9"]
    (looking,) = [one for one in alice.backend.requests if "Key" in one.query]
    alice.backend.execute(looking)
    room.add("MB9", "eve")
    room.drop("MB9")
    room.add("MB9", "eve")
    alice.hear()
    alice.backend.deliver(looking)
    assert sids(conversation) == ["MB1", "MB2", "MB9"]


def test_who_is_added_in_a_loss_and_gone_before_an_event(alice: Driven, room: Room, conversation: Conversation) -> None:
    """A page has shown them ahead of an event that never comes; whoever joins next is announced all the same."""
    alice.backend.answer("POST", PARTICIPANTS, {"sid": "MB9", "identity": "eve", "date_created": date(1)})
    conversation.add("eve")
    lose(alice, room)
    room.add("MB9", "eve", dateCreated=date(1))
    alice.backend.outbox.clear()
    alice.backend.held = set()
    alice.run(1)
    assert alice.told("own par") == []
    room.drop("MB9")
    alice.backend.outbox.clear()
    alice.run(6)
    assert sids(conversation) == ["MB1", "MB2"]
    room.add("MB8", "frank", dateCreated=date(2))
    alice.run(1)
    assert alice.told("own par") == ["own participant_joined MB8"]


# -- removing -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["MB1", "bob"])
def test_who_is_removed_is_not_shown_any_more(alice: Driven, room: Room, conversation: Conversation, key: str) -> None:
    """By sid or identity; the event follows, and tells once."""
    alice.backend.answer("DELETE", f"{PARTICIPANTS}/{key}", None, status=204)
    conversation.remove_participant(key)
    assert alice.asked() == [f"DELETE {PARTICIPANTS}/{key}"]
    assert sids(conversation) == ["MB2"]
    assert alice.told() == []
    with pytest.raises(NotFoundError):
        conversation.get_participant_by_sid("MB1")
    with pytest.raises(NotFoundError):
        conversation.get_participant_by_identity("bob")
    room.drop("MB1")
    alice.run(1)
    assert alice.told("own") == ["own participant_left MB1"]


def test_a_removal_that_no_event_tells_of_is_given_up(alice: Driven, conversation: Conversation) -> None:
    """Five seconds later the roster counts again."""
    alice.backend.answer("DELETE", f"{PARTICIPANTS}/MB1", None, status=204)
    conversation.remove_participant("MB1")
    alice.run(4.9)
    assert sids(conversation) == ["MB2"]
    alice.run(0.2)
    assert sids(conversation) == ["MB1", "MB2"]


def test_a_removal_that_no_event_tells_of_is_looked_up(alice: Driven, room: Room, conversation: Conversation) -> None:
    """The service has it no more: it is not shown again, and its event is raised when it comes."""
    alice.backend.answer("DELETE", f"{PARTICIPANTS}/MB1", None, status=204)
    conversation.remove_participant("MB1")
    room.drop("MB1")
    late = alice.backend.outbox[:]
    alice.backend.outbox.clear()
    alice.run(10)
    assert alice.asked_for_items() == ["MB1"]
    assert sids(conversation) == ["MB2"]
    alice.backend.outbox.extend(late)
    alice.run(1)
    assert alice.told("own") == ["own participant_left MB1"]


def test_a_removal_that_cannot_be_looked_up_is_given_up(
    alice: Driven, room: Room, conversation: Conversation, caplog: pytest.LogCaptureFixture
) -> None:
    """What Sync told last is shown again."""
    caplog.set_level("INFO")
    alice.backend.answer("DELETE", f"{PARTICIPANTS}/MB1", None, status=204)
    alice.backend.answer("GET", f"/v3/Maps/{room.roster.sid}/Items", Answer(500, {"code": 54000, "message": "not now"}))
    conversation.remove_participant("MB1")
    alice.run(5.1)
    assert sids(conversation) == ["MB1", "MB2"]
    logs.flush(10)
    assert "could not look whether MB1 was removed: " in caplog.text


def test_an_event_of_a_removed_participant_does_not_show_it_again(alice: Driven, room: Room, conversation: Conversation) -> None:
    """An update that was under way when it was removed."""
    alice.backend.answer("DELETE", f"{PARTICIPANTS}/MB1", None, status=204)
    conversation.remove_participant("MB1")
    room.alter("MB1", attributes={"late": True})
    alice.run(1)
    assert sids(conversation) == ["MB2"]


def test_a_removal_that_is_refused_changes_nothing(alice: Driven, conversation: Conversation) -> None:
    """The participant is shown as before."""
    alice.backend.answer("DELETE", f"{PARTICIPANTS}/MB1", {"code": 50400}, status=404)
    with pytest.raises(RestError):
        conversation.remove_participant("MB1")
    assert sids(conversation) == ["MB1", "MB2"]


def test_who_comes_back_after_a_removal_is_shown(alice: Driven, room: Room, conversation: Conversation) -> None:
    """Also under the same sid, and within those five seconds."""
    alice.backend.answer("DELETE", f"{PARTICIPANTS}/MB1", None, status=204)
    conversation.remove_participant("MB1")
    room.drop("MB1")
    room.add("MB1", "bob")
    alice.run(1)
    assert sids(conversation) == ["MB2", "MB1"]


def test_who_comes_back_before_the_answer_is_shown(alice: Driven, room: Room, conversation: Conversation) -> None:
    """The removal was of the one before, with the same identity."""

    def again() -> None:
        room.drop("MB1")
        room.add("MB9", "bob")
        alice.hear()

    alice.backend.answer("DELETE", f"{PARTICIPANTS}/bob", None, status=204)
    alice.backend.meanwhile("DELETE", f"{PARTICIPANTS}/bob", again)
    conversation.remove_participant("bob")
    assert sids(conversation) == ["MB2", "MB9"]


def test_one_removal_does_not_end_another(alice: Driven, conversation: Conversation) -> None:
    """Each is given up after its own time."""
    for key in ("MB1", "MB2"):
        alice.backend.answer("DELETE", f"{PARTICIPANTS}/{key}", None, status=204)
    conversation.remove_participant("MB1")
    alice.run(3)
    conversation.remove_participant("MB2")
    assert sids(conversation) == []
    alice.run(3)
    assert sids(conversation) == ["MB1"]
    alice.run(3)
    assert sids(conversation) == ["MB1", "MB2"]


@pytest.mark.parametrize("dots", [".", ".."])
def test_an_identity_of_dots_is_removed_by_its_sid(alice: Driven, room: Room, conversation: Conversation, dots: str) -> None:
    """In a path it would mean another resource; where nobody has it, nothing is asked."""
    with pytest.raises(NotFoundError):
        conversation.remove_participant(dots)
    assert alice.asked() == []
    room.add("MB9", dots)
    alice.run(1)
    alice.backend.answer("DELETE", f"{PARTICIPANTS}/MB9", None, status=204)
    conversation.remove_participant(dots)
    assert alice.asked() == [f"DELETE {PARTICIPANTS}/MB9"]
    assert sids(conversation) == ["MB1", "MB2"]
