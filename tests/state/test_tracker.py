"""One conversation's life: opened, announced, changed, left, removed."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from tests.state.driven import BASE, Driven, Room, date
from tests.sync.model_service import Answer
from twilio_conversations.enums import ConversationStatus
from twilio_conversations.errors import ClientClosedError, NotFoundError
from twilio_conversations.options import BackoffPolicy
from twilio_conversations.util import logs

OWN = ["alice.conversations", "alice.info"]


def of(room: Room) -> list[str]:
    """The Sync objects of a conversation."""
    return sorted(room.names)


def read(alice: Driven, part: str) -> list[str]:
    """The requests so far whose path contains that."""
    return [f"{one.path}?{one.query}" for one in alice.backend.history if part in one.path]


def trouble(status: int = 500) -> Answer:
    """An answer that says no."""
    return Answer(status, {"status": status, "code": 54000, "message": "no"})


# -- appearing ------------------------------------------------------------------------------------------------------------


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
    assert len(read(alice, "CH1")) == 3


def test_another_conversation_is_added_only(alice: Driven) -> None:
    """Of one that the own identity does not participate in, the document is followed."""
    alice.room("CH1", status="notParticipating")
    alice.start()
    assert alice.told("conv|error") == ["conversation_added CH1"]
    assert alice.opened == ["CH1.channel", *OWN]
    assert alice.conversation("CH1").status is ConversationStatus.NOT_PARTICIPATING


def test_the_document_names_list_and_roster(alice: Driven) -> None:
    """The own map names the document only; the others are opened once it is there."""
    alice.start()
    alice.told()
    room = alice.room("CH1", names=("doc", "the messages", "the roster"))
    room.add("MB1", "bob")
    alice.run(1)
    assert alice.told() == ["conversation_added CH1", "conversation_joined CH1"]
    assert alice.opened == ["alice.conversations", "alice.info", "doc", "the messages", "the roster"]
    assert len(alice.conversation("CH1").get_participants()) == 1


@pytest.mark.parametrize("strange", [None, "", 7, "missing"])
def test_what_the_document_does_not_name_is_named_by_the_listing(alice: Driven, strange: Any) -> None:
    """An empty or strange name counts as none."""
    room = alice.room("CH1", names=("d", "m", "r"), messages=strange, roster=strange)
    if strange == "missing":
        del room.document.data["messages"], room.document.data["roster"]
    alice.start()
    assert alice.told("conversation") == ["conversation_added CH1", "conversation_joined CH1"]
    assert alice.opened == ["alice.conversations", "alice.info", "d", "m", "r"]


def test_a_listing_without_names_means_the_usual_ones(alice: Driven) -> None:
    """The names are made from the sid, each by itself."""
    one, two = alice.room("CH1"), alice.room("CH2", names=("CH2.channel", "other", "CH2.roster"))
    alice.listing[:] = [alice.entry(one, named=False), {**alice.entry(two), "sync_objects": {"messages": "other"}}]
    for room in (one, two):
        del room.document.data["messages"], room.document.data["roster"]
    alice.start()
    assert alice.opened == sorted([*OWN, *of(one), *of(two)])


def test_the_document_is_right_where_the_listing_names_others(alice: Driven) -> None:
    """What was opened by the other names is closed again."""
    room = alice.room("CH1")
    room.post("right")
    room.add("MB1", "bob")
    alice.backend.create("list", "stale.messages")
    alice.backend.create("map", "stale.roster")
    objects = {"conversation": "CH1.channel", "messages": "stale.messages", "participants": "stale.roster"}
    alice.listing[:] = [{**alice.entry(room), "sync_objects": objects}]
    alice.start()
    alice.run(5)
    assert alice.opened == [*of(room), *OWN]
    conversation = alice.conversation("CH1")
    assert [message.body for message in conversation.get_messages().items] == ["right"]
    assert [one.identity for one in conversation.get_participants()] == ["bob"]


def test_one_other_name_is_enough(alice: Driven) -> None:
    """Messages as listed, roster elsewhere: the messages are not opened twice."""
    room = alice.room("CH1")
    alice.backend.create("map", "stale.roster")
    objects = {"conversation": "CH1.channel", "messages": "CH1.messages", "participants": "stale.roster"}
    alice.listing[:] = [{**alice.entry(room), "sync_objects": objects}]
    alice.start()
    alice.run(5)
    assert alice.opened == [*of(room), *OWN]
    assert len(read(alice, "CH1.messages")) == 1


def test_changes_wait_for_the_announcement(alice: Driven) -> None:
    """What happens while it is being opened is told after added and joined, in order."""
    alice.start()
    alice.told()
    room = alice.room("CH1")
    alice.backend.held = {"CH1.roster?"}
    alice.run(1)
    room.post("early")
    room.edit(0, text="earlier")
    room.set(friendlyName="new")
    alice.run(1)
    assert alice.told() == []
    alice.backend.held = set()
    alice.run(1)
    assert alice.told("^(?!own)") == [
        "conversation_added CH1",
        "conversation_joined CH1",
        "message_added CH1/0",
        "message_updated CH1/0 body",
        "conversation_updated CH1 friendlyName",
    ]


def test_no_change_while_it_is_opened_is_skipped(alice: Driven) -> None:
    """The document as it was opened is the state before its first change, though it holds a later one by then."""
    alice.start()
    room = alice.room("CH1", friendlyName="one")
    alice.backend.held = {"CH1.messages?"}
    alice.run(1)
    for name in ("two", "one"):
        room.set(friendlyName=name)
        alice.run(1)
    alice.backend.held = set()
    alice.run(1)
    assert alice.told("^conv") == [
        "conversation_added CH1",
        "conversation_joined CH1",
        "conversation_updated CH1 friendlyName",
        "conversation_updated CH1 friendlyName",
    ]


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
    assert len(read(alice, "CH1.channel")) == 1


def test_leaving_closes_what_only_participants_follow(alice: Driven) -> None:
    """Left is told once; the conversation stays known, and its document followed."""
    room = alice.room("CH1")
    room.add("MB1", "bob")
    alice.start()
    alice.told()
    alice.directory.typing("CH1", "bob", 100)
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


def test_removed_from_the_own_map(alice: Driven) -> None:
    """Left, then removed, for the client and the conversation; nothing is followed, and further changes tell nothing."""
    room = alice.room("CH1")
    room.add("MB1", "bob")
    alice.start()
    conversation = alice.conversation("CH1")
    alice.told()
    alice.directory.typing("CH1", "bob", 100)
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
    assert alice.directory.known("CH1") is None
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


# -- while it is being opened ---------------------------------------------------------------------------------------------


def test_removed_while_it_is_opened(alice: Driven) -> None:
    """Nothing was announced, so nothing is now; what was opened is closed."""
    alice.start()
    alice.told()
    room = alice.room("CH1")
    alice.backend.held = {"CH1.messages?"}
    alice.run(1)
    alice.disown(room)
    alice.run(1)
    alice.backend.held = set()
    alice.run(5)
    assert alice.told() == []
    assert alice.opened == OWN
    assert alice.directory.known("CH1") is None


def test_removed_and_added_again_while_it_is_opened(alice: Driven) -> None:
    """It is announced once, and followed once."""
    alice.start()
    alice.told()
    room = alice.room("CH1")
    alice.backend.held = {"CH1.messages?"}
    alice.run(1)
    alice.disown(room)
    alice.own(room, "joined")
    alice.run(1)
    alice.backend.held = set()
    alice.run(5)
    assert alice.told() == ["conversation_added CH1", "conversation_joined CH1"]
    assert alice.opened == [*of(room), *OWN]
    room.post("one")
    alice.run(1)
    assert alice.told("own") == ["own message_added CH1/0"]


def test_joined_while_it_is_opened_as_known(alice: Driven) -> None:
    """Added and joined follow each other."""
    alice.start()
    alice.told()
    room = alice.room("CH1", status="notParticipating")
    alice.backend.held = {"CH1.channel?"}
    alice.run(1)
    alice.own(room, "joined")
    alice.run(1)
    assert alice.told() == []
    alice.backend.held = set()
    alice.run(1)
    assert alice.told() == ["conversation_added CH1", "conversation_joined CH1"]
    assert alice.opened == [*of(room), *OWN]


def test_left_while_it_is_opened(alice: Driven) -> None:
    """It is added as one that is only known; what was opened for participants is closed."""
    alice.start()
    alice.told()
    room = alice.room("CH1")
    alice.backend.held = {"CH1.roster?"}
    alice.run(1)
    alice.own(room, "notParticipating")
    alice.run(1)
    alice.backend.held = set()
    alice.run(5)
    assert alice.told() == ["conversation_added CH1"]
    assert alice.opened == ["CH1.channel", *OWN]


def test_left_and_joined_again_while_it_is_opened(alice: Driven) -> None:
    """In the end it is what it was to be: joined, once."""
    room = alice.room("CH1", status="notParticipating")
    alice.start()
    alice.told()
    alice.backend.held = {"CH1.roster?"}
    for status in ("joined", "notParticipating", "joined"):
        alice.own(room, status)
        alice.run(1)
    alice.backend.held = set()
    alice.run(5)
    assert alice.told() == ["conversation_joined CH1"]
    assert alice.opened == [*of(room), *OWN]


def test_an_error_of_an_opening_that_is_no_longer_wanted_is_nothing(alice: Driven) -> None:
    """The list could not be opened, but the conversation was left meanwhile."""
    room = alice.room("CH1", status="notParticipating")
    alice.start()
    alice.told()
    alice.backend.held = {"CH1.messages?"}
    alice.backend.answer("GET", "/v3/Lists/CH1.messages", trouble())
    alice.own(room, "joined")
    alice.run(1)
    alice.own(room, "notParticipating")
    alice.run(1)
    alice.backend.held = set()
    alice.run(1)
    assert alice.told() == []


# -- what cannot be opened ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [403, 404])
def test_what_is_not_visible_never_appears(alice: Driven, status: int) -> None:
    """No event, no error, no second try; whoever waits for it is told."""
    room = alice.room("CH1", status=None)
    alice.start()
    alice.told()
    alice.backend.answer("GET", "/v3/Documents/CH1.channel", trouble(status))
    alice.backend.held = {"CH1.channel?"}
    appearing = alice.directory.learn(alice.entry(room)).ready
    alice.backend.held = set()
    alice.run(100)
    assert alice.told() == []
    assert len(read(alice, "CH1.channel")) == 1
    assert alice.directory.known("CH1") is None
    error = appearing.exception(0)
    assert getattr(error, "status", None) == status
    assert alice.opened == OWN


def test_a_name_that_cannot_be_asked_for_is_let_go(alice: Driven, caplog: pytest.LogCaptureFixture) -> None:
    """It would lead elsewhere."""
    alice.start()
    alice.told()
    with caplog.at_level("INFO"):
        alice.backend.add(alice.mine, {"channel": "..", "status": "joined"}, "CH1")
        alice.run(100)
        logs.flush(10)
    assert alice.told() == []
    assert alice.directory.known("CH1") is None
    assert "conversation CH1 cannot be opened: " in caplog.text


def test_what_cannot_be_opened_now_is_reported_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """After growing pauses, until it succeeds."""
    with Driven(reconnect=BackoffPolicy(minimum=2, maximum=100, jitter=0)) as alice:
        alice.start()
        alice.told()
        alice.backend.answer("GET", "/v3/Maps/CH1.roster", trouble(501))
        room = alice.room("CH1")
        alice.run(1)
        assert len(alice.told("^error")) == 1
        alice.run(2)
        assert len(alice.told("^error")) == 1
        alice.run(2)
        assert alice.told() == []
        alice.run(3)
        assert len(alice.told("^error")) == 1
        assert len(read(alice, "CH1.channel")) == 1
        del alice.backend._answers["GET", "/v3/Maps/CH1.roster"]
        alice.run(100)
        assert alice.told() == ["conversation_added CH1", "conversation_joined CH1"]
        assert alice.opened == [*of(room), *OWN]
        logs.flush(10)
        assert "conversation CH1 cannot be opened now: " in caplog.text


def test_a_denied_client_reports_no_consequence(alice: Driven) -> None:
    """That it is denied was told; it goes on when a token has connected."""
    alice.start()
    alice.told()
    alice.backend.answer("GET", "/v3/Maps/CH1.roster", trouble(501))
    alice.readiness.end(NotFoundError("denied"))
    alice.room("CH1")
    alice.run(1000)
    assert alice.told() == []
    assert len(read(alice, "CH1.roster")) == 1
    del alice.backend._answers["GET", "/v3/Maps/CH1.roster"]
    alice.readiness.begin_again()
    alice.services.connected()
    alice.run(1)
    assert alice.told() == ["conversation_added CH1", "conversation_joined CH1"]


def test_a_closed_client_opens_no_more(alice: Driven, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is told and nothing tried again."""
    alice.start()
    alice.told()
    alice.backend.held = {"CH1.channel?"}
    alice.room("CH1")
    alice.run(1)
    alice.sync.close()
    alice.run(1000)
    logs.flush(10)
    assert alice.told() == []
    assert "cannot be opened" not in caplog.text
    member = alice.directory.known("CH1")
    assert member is not None
    assert not member.ready.done()


def test_what_was_forbidden_later_is_reported(alice: Driven, caplog: pytest.LogCaptureFixture) -> None:
    """The service ends a subscription for good; the conversation stays."""
    room = alice.room("CH1")
    alice.start()
    alice.told()
    alice.backend.forbidden[room.messages.sid] = {"status": 403, "code": 54007, "message": "not yours"}
    alice.cut()
    alice.run(1)
    (line,) = alice.told()
    assert line.startswith("error ")
    assert "not yours" in line
    logs.flush(10)
    assert "cannot be followed: " in caplog.text


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


# -- many participants ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 149, 150, 151, 270])
def test_all_participants_are_read(alice: Driven, count: int) -> None:
    """The first come with the roster; a longer one goes on in pages behind them."""
    room = alice.room("CH1")
    for number in range(count):
        room.add(f"MB{number:03}", f"p{number}")
    alice.start()
    participants = alice.conversation("CH1").get_participants()
    assert [one.sid for one in participants] == [f"MB{number:03}" for number in range(count)]
    pages = [one for one in alice.backend.history if one.path.endswith(f"{room.roster.sid}/Items")]
    assert [one.query.get("From") for one in pages] == {
        0: [None],
        1: [],
        49: [],
        270: ["MB049", "MB149", "MB249"],
        151: ["MB049", "MB149"],
    }.get(count, ["MB049"])
    assert all(one.query["PageSize"] == "100" for one in pages)


def test_pages_that_lead_back_are_read_once(alice: Driven) -> None:
    """Else the start would never end."""
    room = alice.room("CH1")
    for number in range(50):
        room.add(f"MB{number:03}", f"p{number}")
    items = [{"key": key, "data": {"identity": key}, "last_event_id": 100} for key in ("MB100", "MB101")]
    page = Answer(200, {"items": items, "meta": {"next_token": "again"}})
    alice.backend.answer("GET", f"/v3/Maps/{room.roster.sid}/Items", page)
    alice.start()
    assert len(alice.conversation("CH1").get_participants()) == 52
    pages = [one for one in alice.backend.history if one.path.endswith(f"{room.roster.sid}/Items")]
    assert len(pages) == 3


# -- lost events ----------------------------------------------------------------------------------------------------------


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
        alice.lose(stored)
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


def _lost(alice: Driven, room: Room) -> None:
    """The line breaks, and the service forgets the messages' events."""
    alice.backend.cut()
    alice.sync.disconnected()
    alice.lose(room.messages)
    alice.sync.connected()


def test_what_cannot_be_read_again_now_is_read_later(alice: Driven) -> None:
    """Resynced is told when it was read, and not before."""
    room = alice.room("CH1")
    room.post("one")
    alice.start()
    (_,) = alice.conversation("CH1").get_messages().items
    alice.told()
    alice.backend.answer("GET", f"/v3/Lists/{room.messages.sid}/Items", trouble(501))
    _lost(alice, room)
    alice.run(1)
    assert alice.told() == []
    del alice.backend._answers["GET", f"/v3/Lists/{room.messages.sid}/Items"]
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
        _lost(alice, room)
        alice.run(100)
        logs.flush(10)
    assert alice.told() == []
    assert "changes were missed and cannot be read any more" in caplog.text
    del alice.backend._answers["GET", f"/v3/Lists/{room.messages.sid}/Items"]
    _lost(alice, room)
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
    _lost(alice, room)
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
    joining = alice.directory.follow("CH1")
    alice.run(1)
    assert not joining.done()
    assert alice.directory.follow("CH1") is joining
    alice.backend.held = set()
    alice.run(1)
    assert joining.result(0) is conversation
    assert alice.directory.follow("CH1").result(0) is conversation
    alice.own(room, "notParticipating")
    alice.backend.held = {"CH1.roster?"}
    alice.run(1)
    again = alice.directory.follow("CH1")
    alice.run(1)
    assert not again.done()
    alice.disown(room)
    alice.run(1)
    assert isinstance(again.exception(0), NotFoundError)
    assert isinstance(alice.directory.follow("CH1").exception(0), NotFoundError)


def test_nothing_appears_after_the_end(alice: Driven) -> None:
    """Whoever waits for a conversation is woken."""
    alice.start()
    alice.backend.held = {"CH1.channel?"}
    room = alice.room("CH1", status=None)
    membership = alice.directory.learn(alice.entry(room))
    alice.run(1)
    alice.directory.fail(ClientClosedError("over"))
    assert isinstance(membership.ready.exception(0), ClientClosedError)
    assert BASE in room.url
