"""Which conversations there are: by the listing, the own map and commands, whichever speaks first."""

from __future__ import annotations

from typing import Any

import pytest

from tests.state.backend import MINE, OWN, Room, of, trouble
from tests.state.driven import Driven
from tests.sync.model_service import Answer
from twilio_conversations.enums import ConversationStatus
from twilio_conversations.errors import ClientClosedError, NotFoundError, ProtocolError, SyncError
from twilio_conversations.state.tracked import Following
from twilio_conversations.util import logs


def page(entries: list[Any], token: Any = None) -> Answer:
    """A page of the listing."""
    return Answer(200, {"conversations": entries, "meta": {"next_token": token}})


def load(alice: Driven, *pages: Any) -> None:
    """Start with these pages of the listing."""
    alice.sync.connected()
    alice.backend.answer("GET", MINE, *pages)
    for step in (alice.users.open, alice.tracked.open, alice.tracked.load):
        step()
        alice.run(1)


# -- the listing ----------------------------------------------------------------------------------------------------------


def test_the_listing_is_read_page_after_page(alice: Driven) -> None:
    """Each page's conversations appear; the tokens lead on."""
    rooms = [alice.room(f"CH{number}") for number in range(3)]
    load(alice, page([alice.entry(rooms[0])], "two"), page([], "three"), page([alice.entry(room) for room in rooms[1:]]))
    assert alice.told("added") == [f"conversation_added CH{number}" for number in range(3)]
    asked = [one.query for one in alice.backend.rest if one.path.endswith("/Conversations")]
    assert asked == [{"PageSize": "100"}, {"PageSize": "100", "PageToken": "two"}, {"PageSize": "100", "PageToken": "three"}]
    assert alice.tracked.listed.result(0) is None


@pytest.mark.parametrize("token", ["", 7, None, "again"])
def test_the_listing_ends(alice: Driven, token: Any) -> None:
    """Also where the token is strange, or leads back."""
    room = alice.room("CH1")
    load(alice, page([alice.entry(room)], token))
    assert len(alice.backend.rest) == (2 if token == "again" else 1)
    assert alice.told("^conv") == ["conversation_added CH1", "conversation_joined CH1"]


@pytest.mark.parametrize("body", [None, [], {}, {"conversations": {}, "meta": []}, {"conversations": None}])
def test_a_strange_listing_is_an_empty_one(alice: Driven, body: Any) -> None:
    """Nothing appears, and nobody waits for more."""
    load(alice, Answer(200, body))
    assert alice.tracked.listed.done()
    assert alice.told("^conv|^error") == []


def test_a_strange_entry_is_left_out(alice: Driven, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged; the others appear."""
    room = alice.room("CH1")
    load(alice, page(["strange", {}, {"conversation_sid": 7}, {"sid": "CH9"}, alice.entry(room)]))
    assert alice.told("added") == ["conversation_added CH1"]
    logs.flush(10)
    assert caplog.text.count("leaving out an entry of the listing without sid") == 4


def test_the_listing_is_complete_when_everything_has_appeared(alice: Driven, caplog: pytest.LogCaptureFixture) -> None:
    """Or cannot appear, which is logged."""
    one, two = alice.room("CH1"), alice.room("CH2")
    alice.backend.answer("GET", "/v3/Documents/CH2.channel", trouble(403))
    alice.backend.held = {"CH1.roster?"}
    with caplog.at_level("INFO"):
        load(alice, page([alice.entry(one), alice.entry(two)]))
        assert not alice.tracked.listed.done()
        alice.backend.held = set()
        alice.run(1)
        logs.flush(10)
    assert alice.tracked.listed.done()
    assert "a listed conversation did not appear: " in caplog.text


def test_a_listing_that_is_refused_says_so(alice: Driven) -> None:
    """To whoever reads it."""
    alice.sync.connected()
    alice.backend.answer("GET", MINE, Answer(500, {}))
    loading = alice.tracked.load()
    alice.run(1)
    assert getattr(loading.exception(0), "status", None) == 500
    assert not alice.tracked.listed.done()


def test_what_the_map_has_told_is_newer_than_the_listing(alice: Driven) -> None:
    """Whatever the listing says of it: left, removed or joined."""
    rooms = [alice.room(f"CH{number}") for number in range(3)]
    entries = [alice.entry(rooms[0]), alice.entry(rooms[1]), alice.entry(rooms[2], status="notParticipating")]
    alice.backend.held = {"/Users/alice/Conversations"}
    load(alice, page(entries))
    alice.disown(rooms[0])
    alice.own(rooms[1], "notParticipating")
    alice.own(rooms[2], "joined")
    alice.run(1)
    alice.backend.held = set()
    alice.run(1)
    assert alice.told("^conv") == ["conversation_added CH1", "conversation_added CH2", "conversation_joined CH2"]
    assert alice.tracked.listed.done()
    assert alice.opened == sorted([*OWN, "CH1.channel", *of(rooms[2])])


# -- learning of one ------------------------------------------------------------------------------------------------------


def test_what_was_looked_up_is_known_only(alice: Driven) -> None:
    """An answer without the own membership does not say that it is joined."""
    room = alice.room("CH1", status=None)
    alice.start()
    entry = {"sid": "CH1", "status": "joined"}
    ready = alice.tracked.learn(entry).ready
    alice.run(1)
    assert ready.result(0) is alice.conversation("CH1")
    assert alice.told("^conv") == ["conversation_added CH1"]
    assert alice.opened == ["CH1.channel", *OWN]
    ready = alice.tracked.learn({**entry, "conversation_sid": room.sid}).ready
    alice.run(1)
    assert ready.result(0) is alice.conversation("CH1")
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


# -- the own map ----------------------------------------------------------------------------------------------------------


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
    assert [one.sid for one in tracked.announced(Following.KNOWN)] == ["CH3", "CH1", "CH2"]
    assert [one.sid for one in tracked.announced(Following.JOINED)] == ["CH3", "CH1"]
    assert [one.sid for one in tracked.joined()] == ["CH1", "CH3"]


def test_one_that_was_just_left_by_command_is_not_joined(alice: Driven) -> None:
    """The answer counts before Sync tells."""
    room = alice.room("CH1")
    alice.start()
    alice.backend.answer("DELETE", f"{room.url}/Participants/alice", None, status=204)
    alice.conversation("CH1").leave()
    assert alice.tracked.joined() == []
    assert len(alice.tracked.announced(Following.JOINED)) == 1


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
    """For the listing, and for each conversation; what is done stays done."""
    one = alice.room("CH1")
    alice.backend.held = {"CH2.channel?"}
    two = alice.room("CH2")
    load(alice, page([alice.entry(one), alice.entry(two)]))
    first, second = alice.tracked.known("CH1"), alice.tracked.known("CH2")
    assert first is not None
    assert second is not None
    alice.tracked.fail(ClientClosedError("over"))
    assert first.ready.result(0).sid == "CH1"
    assert isinstance(second.ready.exception(0), ClientClosedError)
    assert isinstance(alice.tracked.listed.exception(0), ClientClosedError)
