"""One conversation's life: announced, joined, changed, left, removed."""

from __future__ import annotations

import gc
import weakref

import pytest

from tests.state.backend import OWN, date, of
from tests.state.driven import Driven
from twilio_conversations.enums import ConversationStatus
from twilio_conversations.errors import NotFoundError
from twilio_conversations.util import logs


def test_a_joined_conversation_is_added_then_joined(alice: Driven) -> None:
    """Document, messages and roster are followed, and its state is known."""
    room = alice.room("CH1", friendlyName="tea")
    room.add("MB1", "bob")
    alice.start()
    assert alice.told("conv|part|error") == ["conversation_added CH1", "conversation_joined CH1"]
    assert alice.opened == [*of(room), *OWN]
    conversation = alice.conversation("CH1")
    assert (conversation.friendly_name, conversation.status) == ("tea", ConversationStatus.JOINED)
    assert [one.sid for one in conversation.get_participants()] == ["MB1"]
    assert len(alice.read("CH1")) == 3


def test_another_conversation_is_added_only(alice: Driven) -> None:
    """Of one that the own identity does not participate in, the document is followed."""
    alice.room("CH1", status="notParticipating")
    alice.start()
    assert alice.told("conv|error") == ["conversation_added CH1"]
    assert alice.opened == ["CH1.channel", *OWN]
    assert alice.conversation("CH1").status is ConversationStatus.NOT_PARTICIPATING
    assert len(alice.read("CH1")) == 1


# -- joining and leaving --------------------------------------------------------------------------------------------------


def test_joining_a_known_conversation(alice: Driven) -> None:
    """Joined is told; the document is not opened again."""
    room = alice.room("CH1", status="notParticipating")
    alice.start()
    alice.told()
    alice.own(room, "joined")
    alice.run(1)
    assert alice.told() == ["conversation_joined CH1"]
    assert alice.opened == [*of(room), *OWN]
    assert alice.conversation("CH1").status is ConversationStatus.JOINED
    assert len(alice.read("CH1.channel")) == 1


def test_leaving_closes_what_only_participants_follow(alice: Driven) -> None:
    """Left is told once; the conversation stays known, and its document followed."""
    room = alice.room("CH1")
    room.add("MB1", "bob")
    alice.start()
    alice.told()
    alice.tracked.typing("CH1", "bob", 100)
    alice.own(room, "notParticipating")
    alice.run(5)
    assert alice.told() == [
        "own typing_started MB1",
        "typing_started MB1",
        "own typing_ended MB1",
        "typing_ended MB1",
        "conversation_left CH1",
    ]
    assert alice.opened == ["CH1.channel", *OWN]
    assert alice.conversation("CH1").status is ConversationStatus.NOT_PARTICIPATING
    room.set(friendlyName="later")
    alice.run(1)
    assert alice.told() == ["own updated CH1 friendlyName", "conversation_updated CH1 friendlyName"]


def test_coming_back_finds_what_has_changed(alice: Driven) -> None:
    """Messages and participants that were held are as they are now; nothing is told of what happened meanwhile."""
    room = alice.room("CH1")
    room.add("MB1", "bob")
    room.add("MB2", "carol")
    for body in ("kept", "edited", "removed"):
        room.post(body)
    alice.start()
    conversation = alice.conversation("CH1")
    messages = conversation.get_messages().items
    bob = conversation.get_participant_by_identity("bob")
    alice.own(room, "notParticipating")
    alice.run(5)
    room.edit(1, text="anew")
    room.unpost(2)
    room.alter("MB1", attributes='{"a": 1}')
    room.drop("MB2")
    alice.told()
    alice.own(room, "joined")
    alice.run(1)
    assert alice.told() == ["conversation_joined CH1"]
    assert [message.body for message in messages] == ["kept", "anew", "removed"]
    assert conversation.get_messages().items == messages[:2]
    assert conversation.get_participants() == [bob]
    assert bob.attributes == {"a": 1}
    room.edit(1, text="again")
    alice.run(1)
    assert alice.told("own") == ["own message_updated CH1/1 body"]


def test_coming_back_forgets_who_was_added_in_between(alice: Driven) -> None:
    """Somebody of whom only an answer told, and who is not in the roster that is read, has gone again."""
    room = alice.room("CH1", status="notParticipating")
    room.add("MB1", "bob")
    alice.start()
    conversation = alice.conversation("CH1")
    alice.backend.answer("POST", f"{room.url}/Participants", {"sid": "MB9", "identity": "eve"})
    conversation.add("eve")
    alice.own(room, "joined")
    alice.settle()
    assert [one.sid for one in conversation.get_participants()] == ["MB1"]


def test_removed_from_the_own_map(alice: Driven) -> None:
    """Left, then removed, for the client and the conversation; nothing is followed, and further changes tell nothing."""
    room = alice.room("CH1")
    room.add("MB1", "bob")
    alice.start()
    conversation = alice.conversation("CH1")
    alice.told()
    alice.tracked.typing("CH1", "bob", 100)
    alice.disown(room)
    alice.run(5)
    assert alice.told() == [
        "own typing_started MB1",
        "typing_started MB1",
        "own typing_ended MB1",
        "typing_ended MB1",
        "conversation_left CH1",
        "conversation_removed CH1",
        "own removed CH1",
    ]
    assert alice.opened == OWN
    assert conversation.status is ConversationStatus.NOT_PARTICIPATING
    assert alice.tracked.known("CH1") is None
    with pytest.raises(NotFoundError):
        conversation.get_participants()
    room.set(friendlyName="later")
    alice.run(1)
    assert alice.told() == []


def test_a_known_conversation_is_removed_without_being_left(alice: Driven) -> None:
    """It was never joined."""
    room = alice.room("CH1", status="notParticipating")
    alice.start()
    alice.told()
    alice.backend.delete(room.document)
    alice.run(1)
    assert alice.told() == ["conversation_removed CH1", "own removed CH1"]
    assert alice.opened == OWN


def test_a_conversation_whose_document_goes_is_gone(alice: Driven) -> None:
    """That its messages or its roster go says nothing."""
    one, two = alice.room("CH1"), alice.room("CH2")
    alice.start()
    alice.told()
    alice.backend.delete(two.messages)
    alice.backend.delete(two.roster)
    alice.run(1)
    assert alice.told() == []
    alice.backend.delete(one.document)
    alice.run(1)
    assert alice.told() == ["conversation_left CH1", "conversation_removed CH1", "own removed CH1"]


def test_a_conversation_that_comes_back_is_the_same_object(alice: Driven) -> None:
    """It is added anew; handlers of before are called again."""
    room = alice.room("CH1")
    alice.start()
    conversation = alice.conversation("CH1")
    alice.disown(room)
    alice.run(1)
    room.set(friendlyName="meanwhile")
    alice.told()
    alice.own(room, "joined")
    alice.run(1)
    assert alice.told() == ["conversation_added CH1", "conversation_joined CH1"]
    assert alice.payloads[-1] is conversation
    assert (conversation.friendly_name, conversation.status) == ("meanwhile", ConversationStatus.JOINED)
    room.post("hello")
    alice.run(1)
    assert alice.told() == ["own message_added CH1/0", "message_added CH1/0"]


def test_what_was_removed_is_not_kept_alive(alice: Driven) -> None:
    """Messages and participants with handlers are kept as long as something may happen to them."""
    room = alice.room("CH1")
    room.add("MB1", "bob")
    alice.start()
    conversation = alice.conversation("CH1")
    bob = conversation.get_participants()[0]
    bob.on("updated", print)
    kept = weakref.ref(bob)
    del bob
    alice.disown(room)
    alice.disown(alice.room("CH2"))  # takes the place of the latest payload of each event
    alice.room("CH3")
    alice.run(1)
    alice.own(alice.room("CH4"), "joined")
    alice.run(1)
    alice.told()
    alice.payloads.clear()
    alice.conversations.clear()
    gone = weakref.ref(conversation)
    del conversation
    gc.collect()
    assert (kept(), gone()) == (None, None)


# -- its data -------------------------------------------------------------------------------------------------------------


def test_changes_of_the_document_are_announced_once(alice: Driven) -> None:
    """With the fields that differ, for the conversation first; what does not differ is not announced."""
    room = alice.room("CH1", friendlyName="one", uniqueName="u")
    alice.start()
    alice.told()
    room.set(friendlyName="two", dateUpdated=date(1))
    room.set(friendlyName="two")
    room.set(unknown=1)
    alice.run(1)
    assert alice.told() == ["own updated CH1 friendlyName dateUpdated", "conversation_updated CH1 friendlyName dateUpdated"]
    conversation = alice.conversation("CH1")
    assert (conversation.friendly_name, conversation.unique_name) == ("two", "u")


def test_the_own_membership_is_announced_too(alice: Driven) -> None:
    """Read horizon and notification level come with the own map."""
    room = alice.room("CH1")
    alice.listing[:] = [alice.entry(room, last_read_message_index=3, notification_level="muted")]
    alice.start()
    conversation = alice.conversation("CH1")
    assert (conversation.last_read_message_index, conversation.notification_level) == (3, "muted")
    alice.told()
    alice.own(room, "joined", lastConsumedMessageIndex=7)
    alice.run(1)
    assert alice.told() == ["own updated CH1 lastReadMessageIndex", "conversation_updated CH1 lastReadMessageIndex"]
    assert (conversation.last_read_message_index, conversation.notification_level) == (7, "muted")


def test_the_read_horizon_hears_of_the_own_membership(alice: Driven) -> None:
    """A mark of another device that our own has taken back meanwhile is sent once more."""
    room = alice.room("CH1")
    alice.listing[:] = [alice.entry(room, last_read_message_index=3)]
    alice.start()
    mine = "/v1/Users/alice/Conversations/CH1"
    alice.backend.answer("GET", mine, {"conversation_sid": "CH1", "last_read_message_index": 3})
    alice.backend.answer("POST", mine, {"last_read_message_index": 5}, {"last_read_message_index": 9})
    alice.backend.meanwhile("POST", mine, lambda: (alice.own(room, "joined", lastConsumedMessageIndex=9), alice.hear()))
    alice.conversation("CH1").advance_last_read_message_index(5)
    posted = [one.body for one in alice.backend.rest if one.method == "POST"]
    assert posted == [{"last_read_message_index": 5}, {"last_read_message_index": 9}]


def test_a_strange_document_changes_nothing(alice: Driven, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged; the next good one counts."""
    room = alice.room("CH1", friendlyName="one")
    alice.start()
    alice.told()
    alice.backend.set(room.document, ["strange"])
    alice.run(1)
    assert alice.told() == []
    logs.flush(10)
    assert "is not an object" in caplog.text
    alice.backend.set(room.document, {"friendlyName": "one", "uniqueName": "new"})
    alice.run(1)
    assert alice.told("own") == ["own updated CH1 uniqueName"]


def test_a_document_that_is_read_later_ends_own_writes(alice: Driven) -> None:
    """Whoever comes back sees what the document says, not what was written before it; the read horizon is not in it."""
    room = alice.room("CH1", friendlyName="one")
    alice.start()
    conversation = alice.conversation("CH1")
    alice.backend.answer("POST", room.url, {"friendly_name": "mine"})
    alice.backend.answer("POST", f"/v1/Users/alice/Conversations/{room.sid}", {"last_read_message_index": 4})
    conversation.update_friendly_name("mine")
    conversation.update_last_read_message_index(4)
    assert conversation.friendly_name == "mine"
    alice.disown(room)
    alice.settle()
    room.document.data = {**room.document.data, "friendlyName": "theirs"}
    alice.own(room, "joined")
    alice.settle()
    assert conversation.friendly_name == "theirs"
    assert conversation.last_read_message_index == 4


def test_a_write_that_began_after_the_reading_stays(alice: Driven) -> None:
    """The document was read before it, and cannot have its effect."""
    room = alice.room("CH1", friendlyName="one")
    alice.start()
    conversation = alice.conversation("CH1")
    alice.backend.answer("POST", room.url, {"friendly_name": "mine"})
    alice.disown(room)
    alice.settle()
    alice.backend.held = {"CH1.channel?"}
    alice.own(room, "joined")
    alice.settle()
    conversation.update_friendly_name("mine")
    alice.backend.held = set()
    alice.settle()
    assert conversation.friendly_name == "mine"


# -- following by command -------------------------------------------------------------------------------------------------


def test_join_returns_when_everything_is_followed(alice: Driven) -> None:
    """It asks for itself, and does not wait for the own map."""
    room = alice.room("CH1", status="notParticipating")
    room.add("MB1", "bob")
    alice.start()
    conversation = alice.conversation("CH1")
    alice.told()
    alice.asked()
    alice.backend.answer("POST", f"{room.url}/Participants", {"sid": "MB9", "identity": "alice"})
    assert conversation.join() is conversation
    assert alice.told() == ["conversation_joined CH1"]
    assert alice.asked() == ["POST /v1/Conversations/CH1/Participants"]
    assert conversation.status is ConversationStatus.JOINED
    alice.own(room, "joined")
    alice.run(1)
    assert alice.told() == []


def test_following_waits_for_the_newest_wish(alice: Driven) -> None:
    """One future per wish: done with the conversation, or with why there is none."""
    room = alice.room("CH1", status="notParticipating")
    alice.start()
    conversation = alice.conversation("CH1")
    alice.backend.held = {"CH1.roster?"}
    joining = alice.tracked.follow("CH1")
    alice.run(1)
    assert not joining.done()
    assert alice.tracked.follow("CH1") is joining
    alice.backend.held = set()
    alice.run(1)
    assert joining.result() is conversation
    assert alice.tracked.follow("CH1").result() is conversation
    alice.own(room, "notParticipating")
    alice.backend.held = {"CH1.roster?"}
    alice.run(1)
    again = alice.tracked.follow("CH1")
    alice.run(1)
    assert not again.done()
    alice.disown(room)
    alice.run(1)
    gone = again.exception()
    assert isinstance(gone, NotFoundError)
    assert gone.status == 404
    assert isinstance(alice.tracked.follow("CH1").exception(), NotFoundError)
