"""How a conversation is opened: by which names, what happens meanwhile, and what is done when it cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from tests.state.backend import OWN, date, of, trouble
from tests.state.driven import Driven
from tests.sync.model_service import Answer
from twilio_conversations.errors import NotFoundError
from twilio_conversations.options import BackoffPolicy
from twilio_conversations.util import logs

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


# -- while it is being opened ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["channel", "messages", "roster"])
def test_removed_while_it_is_opened(alice: Driven, part: str) -> None:
    """Nothing was announced, so nothing is now; what was opened is closed."""
    alice.start()
    alice.told()
    room = alice.room("CH1")
    alice.backend.held = {f"CH1.{part}?"}
    alice.run(1)
    alice.disown(room)
    alice.run(1)
    alice.backend.held = set()
    alice.run(5)
    assert alice.told() == []
    assert alice.opened == OWN
    assert alice.tracked.known("CH1") is None


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


def test_messages_are_read_again_once_per_opening(alice: Driven) -> None:
    """However often it was left and joined again before it was announced."""
    room = alice.room("CH1")
    room.post("one")
    alice.start()
    assert len(alice.conversation("CH1").get_messages().items) == 1
    alice.own(room, "notParticipating")
    alice.run(5)
    room.add("MB9", "alice", dateCreated=date(0))
    alice.runtime.recent[0].on("updated", print)
    alice.backend.held = {"PageSize=10&"}
    for status in ("joined", "notParticipating", "joined"):
        alice.own(room, status)
        alice.run(1)
    alice.backend.held = set()
    alice.run(1)
    again = [one for one in alice.backend.history if one.query.get("From") == "0"]
    assert len(again) == 1


def test_other_news_of_the_membership_do_not_begin_it_anew(alice: Driven) -> None:
    """Its read horizon changes while it is opened; everything is read once."""
    alice.start()
    room = alice.room("CH1", status=None)
    room.add("MB9", "alice", dateCreated=date(0))
    room.post("one", timestamp=date(1))
    alice.backend.held = {"PageSize=10&"}
    alice.own(room, "joined")
    alice.run(1)
    alice.own(room, "joined", lastConsumedMessageIndex=4)
    alice.run(1)
    alice.backend.held = set()
    alice.run(1)
    assert alice.told("^conv|^mess") == ["conversation_added CH1", "conversation_joined CH1", "message_added CH1/0"]
    assert len(alice.pages(room.messages)) == 1


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
    appearing = alice.tracked.learn(alice.entry(room)).ready
    alice.backend.held = set()
    alice.run(100)
    assert alice.told() == []
    assert len(alice.read("CH1.channel")) == 1
    assert alice.tracked.known("CH1") is None
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
    assert alice.tracked.known("CH1") is None
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
        assert len(alice.read("CH1.channel")) == 1
        del alice.backend.answers["GET", "/v3/Maps/CH1.roster"]
        alice.run(100)
        assert alice.told() == ["conversation_added CH1", "conversation_joined CH1"]
        assert alice.opened == [*of(room), *OWN]
        logs.flush(10)
        assert "conversation CH1 cannot be opened now: " in caplog.text


@pytest.mark.parametrize("strange", ["text", ["list"], 7])
def test_a_conversation_whose_document_is_strange_is_announced(
    alice: Driven, strange: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What is wrong with it is reported; it is followed by the usual names, and its first good document counts."""
    alice.start()
    alice.told()
    room = alice.room("CH1", status=None)
    room.document.data = strange
    alice.tracked.learn(alice.entry(room))
    alice.run(100)
    assert alice.told() == [
        "error a conversation document that is not an object",
        "conversation_added CH1",
        "conversation_joined CH1",
    ]
    assert alice.opened == [*of(room), *OWN]
    logs.flush(10)
    assert "a conversation document that is not an object" in caplog.text
    alice.backend.set(room.document, {"friendlyName": "good"})
    alice.run(1)
    assert alice.told("^conv") == ["conversation_updated CH1 friendlyName"]


def test_a_denied_client_reports_no_consequence(alice: Driven) -> None:
    """That it is denied was told; it goes on when a token has connected."""
    alice.start()
    alice.told()
    alice.backend.answer("GET", "/v3/Maps/CH1.roster", trouble(501))
    alice.readiness.refuse(NotFoundError("denied"))
    alice.room("CH1")
    alice.run(1000)
    assert alice.told() == []
    assert len(alice.read("CH1.roster")) == 1
    del alice.backend.answers["GET", "/v3/Maps/CH1.roster"]
    alice.readiness.begin_again()
    alice.runtime.connected()
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
    member = alice.tracked.known("CH1")
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
