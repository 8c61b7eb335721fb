"""A conversation that is removed, joined, left or changed while it is being opened."""

from __future__ import annotations

import pytest

from tests.state.backend import OWN, date, of, trouble
from tests.state.driven import Driven


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
