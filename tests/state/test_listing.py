"""The listing of conversations: its pages, strange entries, errors, and what the own map has delivered before."""

from __future__ import annotations

from typing import Any

import pytest

from tests.state.backend import MINE, OWN, of, page, trouble
from tests.state.driven import Driven, load
from tests.sync.model_service import Answer
from twilio_conversations.util import logs


def test_the_listing_is_read_page_after_page(alice: Driven) -> None:
    """Each page's conversations appear; the tokens lead on."""
    rooms = [alice.room(f"CH{number}") for number in range(3)]
    load(alice, page([alice.entry(rooms[0])], "two"), page([], "three"), page([alice.entry(room) for room in rooms[1:]]))
    assert alice.told("added") == [f"conversation_added CH{number}" for number in range(3)]
    asked = [one.query for one in alice.backend.rest if one.path.endswith("/Conversations")]
    assert asked == [{"PageSize": "100"}, {"PageSize": "100", "PageToken": "two"}, {"PageSize": "100", "PageToken": "three"}]
    assert alice.tracked.listed.result() is None


def test_a_size_of_pages_that_is_refused_is_left_to_the_service(alice: Driven) -> None:
    """The page is requested again without it, and so are the following ones."""
    rooms = [alice.room(f"CH{number}") for number in range(2)]
    load(alice, trouble(400), page([alice.entry(rooms[0])], "two"), page([alice.entry(rooms[1])]))
    assert alice.told("added") == ["conversation_added CH0", "conversation_added CH1"]
    asked = [one.query for one in alice.backend.rest if one.path.endswith("/Conversations")]
    assert asked == [{"PageSize": "100"}, {}, {"PageToken": "two"}]


def test_a_listing_that_is_refused_without_a_size_says_so(alice: Driven) -> None:
    """It is requested once more, not on and on."""
    alice.sync.connected()
    alice.backend.answer("GET", MINE, trouble(400))
    loading = alice.tracked.load()
    alice.run(1)
    assert getattr(loading.exception(), "status", None) == 400
    assert len(alice.backend.rest) == 2


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
    assert getattr(loading.exception(), "status", None) == 500
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
