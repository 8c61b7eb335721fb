"""The participants of one conversation: what is known of them, what is told, and what commands make of it."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from tests.state.backend import Room, date, sids, trouble
from tests.state.driven import Driven
from twilio_conversations.errors import NotFoundError, RequestTimeoutError
from twilio_conversations.models.conversation import Conversation
from twilio_conversations.util import logs

PARTICIPANTS = "/v1/Conversations/CH1/Participants"


# -- from Sync ------------------------------------------------------------------------------------------------------------


def test_who_was_there_is_known_and_not_told(alice: Driven, conversation: Conversation) -> None:
    """No event for those of before; they are complete, in order, and always the same objects."""
    bob, carol = conversation.get_participants()
    assert (bob.sid, bob.identity, bob.attributes, bob.conversation) == ("MB1", "bob", {"n": 1}, conversation)
    assert (carol.sid, carol.identity, carol.attributes) == ("MB2", "carol", {})
    assert conversation.get_participants() == [bob, carol]
    assert alice.told() == []
    assert alice.asked() == []


def test_who_comes_is_told_of(alice: Driven, room: Room, conversation: Conversation) -> None:
    """The conversation's handlers first, then the client's; the object is the one that is found from now on."""
    room.add("MB3", "dave", attributes='{"n": 3}')
    alice.run(1)
    assert alice.told() == ["own participant_joined MB3", "participant_joined MB3"]
    dave = conversation.get_participants()[2]
    assert alice.payloads[-2:] == [dave, dave]
    assert (dave.identity, dave.attributes) == ("dave", {"n": 3})


def test_what_changes_is_told_of_with_reasons(alice: Driven, room: Room, conversation: Conversation) -> None:
    """The participant's handlers, the conversation's, the client's; what does not differ is not told."""
    bob = conversation.get_participants()[0]
    seen: list[object] = []
    bob.on("updated", lambda args: seen.append(args.update_reasons))
    room.alter("MB1", attributes='{"n": 2}', roleSid="RL1")
    room.alter("MB1", attributes='{"n": 2}')
    alice.run(1)
    assert alice.told() == ["own participant_updated MB1 attributes roleSid", "participant_updated MB1 attributes roleSid"]
    assert len(seen) == 1
    assert (bob.attributes, bob.role_sid) == ({"n": 2}, "RL1")


def test_what_an_update_leaves_out_stays(alice: Driven, room: Room, conversation: Conversation) -> None:
    """An update may carry some fields only."""
    bob = conversation.get_participants()[0]
    alice.backend.update(room.roster, "MB1", {"roleSid": "RL1"})
    alice.run(1)
    assert (bob.identity, bob.attributes, bob.role_sid) == ("bob", {"n": 1}, "RL1")
    assert alice.told("own") == ["own participant_updated MB1 roleSid"]


def test_who_goes_is_told_of(alice: Driven, room: Room, conversation: Conversation) -> None:
    """The conversation's handlers first; the object keeps what was known."""
    bob = conversation.get_participants()[0]
    room.drop("MB1")
    alice.run(1)
    assert alice.told() == ["own participant_left MB1", "participant_left MB1"]
    assert alice.payloads[-1] is bob
    assert sids(conversation) == ["MB2"]
    assert bob.identity == "bob"


def test_who_types_and_goes_stops_typing_first(alice: Driven, room: Room, conversation: Conversation) -> None:
    """Typing never ends after the end; who does not type, or has no identity, just goes."""
    room.add("MB3", None, type="sms")
    alice.run(1)
    alice.tracked.typing("CH1", "bob", 100)
    assert conversation.get_participants()[0].is_typing
    alice.told()
    for sid in ("MB1", "MB2", "MB3"):
        room.drop(sid)
    alice.run(1)
    assert alice.told("own") == [
        "own typing_ended MB1",
        "own participant_left MB1",
        "own participant_left MB2",
        "own participant_left MB3",
    ]


def test_who_is_not_known_goes_unnoticed(alice: Driven, room: Room) -> None:
    """A participant that could not be read is not told of."""
    alice.backend.add(room.roster, "strange", "MB3")
    alice.backend.remove(room.roster, "MB3")
    alice.run(1)
    assert alice.told() == []


def test_an_entry_that_is_no_participant_is_left_out(
    alice: Driven, room: Room, conversation: Conversation, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged. Once it can be read it is there, but what changed is not known."""
    alice.backend.add(room.roster, {"attributes": "{}"}, "MB3")
    alice.run(1)
    assert alice.told() == []
    assert sids(conversation) == ["MB1", "MB2"]
    logs.flush(10)
    assert "leaving out participant MB3" in caplog.text
    alice.backend.update(room.roster, "MB3", {"identity": "dave"})
    alice.run(1)
    assert alice.told("own") == ["own participant_updated MB3"]
    assert sids(conversation) == ["MB1", "MB2", "MB3"]


def test_an_entry_that_is_no_participant_is_left_out_at_the_start(alice: Driven) -> None:
    """The others are read."""
    room = alice.room("CH1")
    alice.backend.add(room.roster, {"attributes": "{}"}, "MB1")
    room.add("MB2", "carol")
    alice.start()
    assert sids(alice.conversation("CH1")) == ["MB2"]


def test_who_has_gone_is_not_kept_alive(alice: Driven, room: Room, conversation: Conversation) -> None:
    """Handlers keep an object only as long as something may happen to it."""
    bob = conversation.get_participants()[0]
    bob.on("updated", print)
    room.drop("MB1")
    room.drop("MB2")
    alice.run(1)
    alice.told()
    alice.payloads.clear()
    gone = weakref.ref(bob)
    del bob
    gc.collect()
    assert gone() is None


def test_a_late_handler_is_given_who_is_there(alice: Driven, room: Room, conversation: Conversation) -> None:
    """Those that Sync has told of, in order; who was added by a command comes with its own event."""
    alice.backend.answer("POST", PARTICIPANTS, {"sid": "MB9", "identity": "eve"})
    conversation.add("eve")
    seen: list[str] = []
    conversation.on("participant_joined", lambda one: seen.append(one.sid), replay=True)
    alice.settle()
    alice.told()
    assert seen == ["MB1", "MB2"]
    room.add("MB9", "eve")
    alice.run(1)
    alice.told()
    assert seen == ["MB1", "MB2", "MB9"]


@pytest.mark.parametrize("is_new", [True, False])
def test_late_handlers_whose_page_is_ahead_of_the_events(alice: Driven, is_new: bool) -> None:
    """A late handler is given each participant once, whether the event of one that a page showed is about joining or not."""
    room = alice.room("CH1")
    alice.backend.first_items = 1
    room.add("MB1", "bob")
    if not is_new:
        room.add("MB2", "carol")
    alice.start()
    alice.told()
    if is_new:
        room.add("MB2", "carol")
    else:
        room.alter("MB2", attributes='{"n": 2}')
    late, alice.backend.outbox[:] = alice.backend.outbox[:], []
    seen: list[str] = []
    conversation = alice.conversation("CH1")
    conversation.on("participant_joined", lambda one: seen.append(one.sid), replay=True)
    alice.settle()
    assert sids(conversation) == ["MB1", "MB2"]
    alice.backend.outbox.extend(late)
    alice.run(1)
    assert alice.told("own") == (["own participant_joined MB2"] if is_new else ["own participant_updated MB2"])
    assert seen == ["MB1", "MB2"]
    room.alter("MB2", attributes='{"n": 3}')
    alice.run(1)
    alice.told()
    assert seen == ["MB1", "MB2"]


def shown_ahead(alice: Driven, seen: list[str]) -> Room:
    """Start with Carol in a page only, whose events are lost, and with a late handler that waits for her."""
    room = alice.room("CH1")
    alice.backend.first_items = 1
    room.add("MB1", "bob")
    room.add("MB2", "carol")
    alice.start()
    room.alter("MB2", attributes='{"n": 2}')
    alice.backend.outbox.clear()
    alice.conversation("CH1").on("participant_joined", lambda one: seen.append(one.sid), replay=True)
    alice.settle()
    alice.told()
    assert seen == ["MB1"]
    return room


@pytest.mark.parametrize("first_items", [1, 2])
def test_late_handlers_after_joining_again(alice: Driven, first_items: int) -> None:
    """Who was only shown by a page, and joined before the late handler came, is given to it by the next opening or reading."""
    seen: list[str] = []
    room = shown_ahead(alice, seen)
    alice.backend.first_items = first_items
    for status in ("notParticipating", "joined"):
        alice.own(room, status)
        alice.run(1)
    assert sids(alice.conversation("CH1")) == ["MB1", "MB2"]
    assert alice.told("participant") == []
    assert seen == ["MB1", "MB2"]


def test_late_handlers_after_lost_events(alice: Driven) -> None:
    """Who was only shown by a page is announced when all are read again, and given to late handlers by that alone."""
    seen: list[str] = []
    room = shown_ahead(alice, seen)
    alice.lose(room.roster)
    alice.run(1)
    assert alice.told("own participant") == ["own participant_joined MB2"]
    room.alter("MB2", attributes='{"n": 3}')
    alice.run(1)
    assert alice.told("own participant") == ["own participant_updated MB2 attributes"]
    assert seen == ["MB1", "MB2"]


def test_a_late_handler_is_not_kept_for_who_has_gone(alice: Driven) -> None:
    """Who was only shown by a page has left when the user joins again."""
    seen: list[str] = []
    room = shown_ahead(alice, seen)
    conversation = alice.conversation("CH1")
    subscription = conversation.on("participant_joined", print, replay=True)
    alice.settle()
    subscription.cancel()
    gone = weakref.ref(subscription)
    del subscription
    alice.own(room, "notParticipating")
    room.drop("MB2")
    alice.run(1)
    alice.own(room, "joined")
    alice.run(1)
    assert sids(conversation) == ["MB1"]
    alice.told()
    gc.collect()
    assert gone() is None
    assert seen == ["MB1"]


def test_a_late_handler_is_not_kept_for_who_never_came(alice: Driven, room: Room, conversation: Conversation) -> None:
    """The participant of an answer of whom no event comes, and who is not there, is waited for no longer."""
    del room
    alice.backend.answer("POST", PARTICIPANTS, {"sid": "MB9", "identity": "eve"})
    conversation.add("eve")
    seen: list[Any] = []
    subscription = conversation.on("participant_joined", seen.append, replay=True)
    alice.settle()
    alice.told()
    assert [one.sid for one in seen] == ["MB1", "MB2"]
    subscription.cancel()
    gone = weakref.ref(subscription)
    del subscription
    alice.run(10)
    assert sids(conversation) == ["MB1", "MB2"]
    gc.collect()
    assert gone() is None


def test_a_page_ahead_of_the_events_completes_none_of_them(alice: Driven) -> None:
    """An event of before an update lacks what the update brought, and the update is announced."""
    room = alice.room("CH1")
    alice.start()
    alice.told()
    alice.backend.add(room.roster, {"identity": "bob"}, "MB1")
    alice.backend.update(room.roster, "MB1", {"identity": "bob", "lastConsumedMessageIndex": 3})
    late, alice.backend.outbox[:] = alice.backend.outbox[:], []
    (bob,) = alice.conversation("CH1").get_participants()
    assert bob.last_read_message_index == 3
    alice.backend.outbox.extend(late)
    alice.run(1)
    assert alice.told("own") == ["own participant_joined MB1", "own participant_updated MB1 lastReadMessageIndex"]


def test_who_left_before_a_page_was_read_is_announced(alice: Driven) -> None:
    """Neither the map as it was opened nor the page has the participant; the event does."""
    room = alice.room("CH1")
    alice.backend.first_items = 1
    for sid, name in (("MB1", "bob"), ("MB2", "carol")):
        room.add(sid, name)
    alice.start()
    alice.told()
    room.drop("MB2")
    late, alice.backend.outbox[:] = alice.backend.outbox[:], []
    assert sids(alice.conversation("CH1")) == ["MB1"]
    alice.backend.outbox.extend(late)
    alice.run(1)
    assert alice.told("own") == ["own participant_left MB2"]


# -- lost events ----------------------------------------------------------------------------------------------------------


def lose(alice: Driven, room: Room) -> None:
    """The line breaks, and the service forgets the roster's events; reading it again is held."""
    alice.backend.cut()
    alice.sync.disconnected()
    alice.forget(room.roster)
    alice.backend.held = {f"{room.roster.sid}/Items"}
    alice.sync.connected()
    alice.run(1)


def test_after_lost_events_everything_is_as_it_is_now(alice: Driven, room: Room, conversation: Conversation) -> None:
    """Who came and who went is announced, who changed has changed; then resynced is."""
    bob, carol = conversation.get_participants()
    carol.on("updated", print)
    room.alter("MB1", attributes='{"n": 9}')
    room.drop("MB2")
    room.add("MB3", "dave")
    alice.backend.outbox.clear()
    lose(alice, room)
    assert conversation.get_participants() == [bob, carol]
    alice.backend.held = set()
    alice.run(1)
    assert alice.told("own") == ["own participant_joined MB3", "own participant_left MB2", "own resynced CH1"]
    assert sids(conversation) == ["MB1", "MB3"]
    assert bob.attributes == {"n": 9}
    room.drop("MB3")  # now that is the latest payload, which handlers may ask for
    alice.run(1)
    alice.told()
    alice.payloads.clear()
    gone = weakref.ref(carol)
    del carol
    gc.collect()
    assert gone() is None


def test_after_lost_events_ids_may_begin_anew(alice: Driven, room: Room, conversation: Conversation) -> None:
    """What is read then is newer than what is held, whatever its id."""
    bob = conversation.get_participants()[0]
    for number in range(5):
        room.alter("MB1", attributes=f'{{"n": {number}}}')
    alice.run(1)
    room.roster.items["MB1"] = {"data": {"identity": "bob", "attributes": '{"n": "new"}'}, "last_event_id": 1}
    lose(alice, room)
    alice.backend.held = set()
    alice.run(1)
    assert bob.attributes == {"n": "new"}


def test_who_was_added_while_it_is_read_stays(alice: Driven, room: Room, conversation: Conversation) -> None:
    """What was read may be from before the add; who was added before the reading began would be in it."""
    for sid, identity in (("MB8", "early"), ("MB9", "late")):
        alice.backend.answer("POST", PARTICIPANTS, {"sid": sid, "identity": identity})
        if identity == "late":
            lose(alice, room)
        conversation.add(identity)
    assert sids(conversation) == ["MB1", "MB2", "MB8", "MB9"]
    alice.backend.held = set()
    alice.settle()
    assert sids(conversation) == ["MB1", "MB2", "MB9"]


# -- looking up -----------------------------------------------------------------------------------------------------------


def test_a_participant_is_found_by_sid_and_identity(alice: Driven, room: Room, conversation: Conversation) -> None:
    """Of two with one identity, the later one."""
    bob, carol = conversation.get_participants()
    assert conversation.get_participant_by_sid("MB2") is carol
    assert conversation.get_participant_by_identity("bob") is bob
    room.add("MB9", "bob")
    alice.run(1)
    assert conversation.get_participant_by_identity("bob").sid == "MB9"
    with pytest.raises(NotFoundError, match="no participant with sid 'MB7' in CH1"):
        conversation.get_participant_by_sid("MB7")
    with pytest.raises(NotFoundError, match="no participant with identity 'zoe' in CH1"):
        conversation.get_participant_by_identity("zoe")


def test_the_latest_of_an_identity_types(alice: Driven, room: Room, conversation: Conversation) -> None:
    """The service names the identity only; nobody else is meant."""
    room.add("MB9", "bob")
    alice.run(1)
    alice.told()
    alice.tracked.typing("CH1", "nobody", 10)
    alice.tracked.typing("CH1", "bob", 10)
    assert [one.sid for one in conversation.get_participants() if one.is_typing] == ["MB9"]
    assert alice.told("own") == ["own typing_started MB9"]


def test_a_participant_is_refreshed_from_the_roster(alice: Driven, room: Room, conversation: Conversation) -> None:
    """By its own item; nothing is told, as the event still comes."""
    bob = conversation.get_participants()[0]
    room.alter("MB1", attributes='{"n": 2}', dateUpdated=date(2))
    late = alice.backend.outbox[:]
    alice.backend.outbox.clear()
    assert bob.refresh().attributes == {"n": 2}
    assert alice.asked_for_items() == ["MB1"]
    assert alice.told() == []
    alice.backend.outbox.extend(late)
    alice.run(1)
    assert alice.told("own") == ["own participant_updated MB1 attributes dateUpdated"]
    room.drop("MB1")
    with pytest.raises(NotFoundError):
        bob.refresh()


def test_reading_has_a_limit(alice: Driven) -> None:
    """The roster of a conversation that is not joined is opened for whoever asks; the error names the call."""
    room = alice.room("CH1", status="notParticipating")
    room.add("MB1", "bob")
    alice.start()
    conversation = alice.conversation("CH1")
    alice.backend.held = {"CH1.roster?"}
    for call in (
        lambda: conversation.get_participants(timeout=0.01),
        lambda: conversation.get_participant_by_sid("MB1", timeout=0.01),
        lambda: conversation.get_participant_by_identity("bob", timeout=0.01),
    ):
        with pytest.raises(RequestTimeoutError, match=r"get_participants\(\)"):
            call()
    alice.backend.held = set()
    assert sids(conversation) == ["MB1"]
    alice.run(1)
    assert "CH1.roster" in alice.opened


@pytest.mark.parametrize("answer", [None, trouble(403), trouble(404)])
def test_a_write_to_who_has_gone_is_not_announced_as_undone(
    alice: Driven, room: Room, conversation: Conversation, answer: Any
) -> None:
    """Events are late, and when the client looks for the write, the participant is not there: they tell all of it, in order."""
    bob = conversation.get_participants()[0]
    alice.told()
    alice.backend.answer("POST", f"{PARTICIPANTS}/MB1", {"sid": bob.sid, "attributes": '{"a": 1}'})
    bob.update_attributes({"a": 1})
    room.alter(bob.sid, attributes='{"a": 1}')
    room.drop(bob.sid)
    late = alice.backend.outbox[:]
    alice.backend.outbox.clear()
    if answer is not None:
        alice.backend.answer("GET", f"/v3/Maps/{room.roster.sid}/Items/{bob.sid}", answer)
    alice.run(10)
    assert alice.told() == []
    alice.backend.outbox.extend(late)
    alice.run(1)
    assert alice.told("own") == ["own participant_updated MB1 attributes", "own participant_left MB1"]
