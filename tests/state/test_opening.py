"""Opening a conversation: the names of its Sync objects, the order of its events, and all pages of its participants."""

from __future__ import annotations

from typing import Any

import pytest

from tests.state.backend import OWN, of
from tests.state.driven import Driven
from tests.sync.model_service import Answer
from twilio_conversations.errors import SyncError

# -- names --------------------------------------------------------------------------------------------------------------


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
    asked = len(alice.read("stale"))
    alice.own(room, "notParticipating")
    alice.run(5)
    alice.own(room, "joined")
    alice.run(5)
    assert len(alice.read("stale")) == asked
    assert alice.opened == [*of(room), *OWN]


def test_one_other_name_is_enough(alice: Driven) -> None:
    """Messages as listed, roster elsewhere: the messages are not opened twice."""
    room = alice.room("CH1")
    alice.backend.create("map", "stale.roster")
    objects = {"conversation": "CH1.channel", "messages": "CH1.messages", "participants": "stale.roster"}
    alice.listing[:] = [{**alice.entry(room), "sync_objects": objects}]
    alice.start()
    alice.run(5)
    assert alice.opened == [*of(room), *OWN]
    assert len(alice.read("CH1.messages")) == 1


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


# -- many participants ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 149, 150, 151, 270])
def test_all_participants_are_read(alice: Driven, count: int) -> None:
    """Those that come with the map are a first state; pages say who there is, when the program asks for the first time."""
    room = alice.room("CH1")
    for number in range(count):
        room.add(f"MB{number:03}", f"p{number}")
    alice.start()
    assert alice.pages(room.roster) == []
    for _ in range(2):
        participants = alice.conversation("CH1").get_participants()
        assert [one.sid for one in participants] == [f"MB{number:03}" for number in range(count)]
    starts = [None, *(f"MB{number:03}" for number in range(99, count, 100) if number + 1 < count)]
    pages = [one for one in alice.backend.history if one.path.endswith(f"{room.roster.sid}/Items")]
    assert [one.query.get("From") for one in pages] == starts
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
    assert len(alice.pages(room.roster)) == 3


@pytest.mark.parametrize("first", [0, 1, 20])
def test_few_participants_may_come_with_the_map(alice: Driven, first: int) -> None:
    """Events of those that did not come are raised all the same, without reasons; the program is given all of them."""
    room = alice.room("CH1")
    alice.backend.first_items = first
    for number in range(60):
        room.add(f"MB{number:03}", f"p{number}")
    alice.start()
    alice.told()
    room.drop("MB050")
    room.alter("MB051", attributes='{"a": 1}')
    alice.run(1)
    conversation = alice.conversation("CH1")
    assert alice.told("own par") == ["own participant_left MB050", "own participant_updated MB051"]
    participants = conversation.get_participants()
    assert sorted(one.sid for one in participants) == [f"MB{number:03}" for number in range(60) if number != 50]
    assert conversation.get_participant_by_sid("MB051").attributes == {"a": 1}
    room.drop("MB052")
    alice.run(1)
    assert alice.told("own") == ["own participant_left MB052"]
    assert len(conversation.get_participants()) == 58


def test_participants_are_read_again_after_an_error(alice: Driven) -> None:
    """The call that needs them fails with it; the next one reads them."""
    room = alice.room("CH1")
    room.add("MB1", "bob")
    alice.start()
    alice.backend.answer("GET", f"/v3/Maps/{room.roster.sid}/Items", Answer(403, {"code": 54007, "message": "not now"}))
    conversation = alice.conversation("CH1")
    with pytest.raises(SyncError):
        conversation.get_participants()
    del alice.backend.answers["GET", f"/v3/Maps/{room.roster.sid}/Items"]
    assert [one.sid for one in conversation.get_participants()] == ["MB1"]
