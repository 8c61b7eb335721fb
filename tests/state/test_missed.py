"""Messages that were written to somebody who was just added, before their client followed the conversation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.state.backend import Room, date
from tests.state.driven import Driven

ANNOUNCED = ["conversation_added CH1", "conversation_joined CH1"]


def joining(alice: Driven, at: int | None = 5, **names: Any) -> Room:
    """A conversation that alice is added to after the start, at that second."""
    alice.start()
    alice.told()
    room = alice.room("CH1", status=None, **names)
    room.add("MB1", "bob", dateCreated=date(0))
    if at is not None:
        room.add("MB2", "alice", dateCreated=date(at))
    return room


def told(alice: Driven) -> list[str]:
    """The events of the client."""
    return alice.told("^(?!own)")


def test_what_was_written_since_the_joining_is_told_of(alice: Driven) -> None:
    """After the joining, in order; what was written before is not new."""
    room = joining(alice)
    for second in (3, 5, 7):
        room.post(str(second), timestamp=date(second))
    alice.own(room, "joined")
    alice.run(1)
    assert told(alice) == [*ANNOUNCED, "message_added CH1/1", "message_added CH1/2"]
    assert alice.pages(room.messages) == [(None, None, "desc", "10")]
    room.post("new")
    alice.run(1)
    assert told(alice) == ["message_added CH1/3"]


def test_at_the_start_nothing_is_new(alice: Driven) -> None:
    """However short ago the joining was."""
    room = alice.room("CH1")
    room.add("MB2", "alice", dateCreated=date(5))
    room.post("7", timestamp=date(7))
    alice.start()
    assert alice.told("^conv|^mess|^own") == ANNOUNCED
    assert alice.pages(room.messages) == []


def test_without_a_date_of_joining_nothing_is_new(alice: Driven) -> None:
    """Nobody knows what was there before."""
    room = joining(alice, None)
    room.post("7", timestamp=date(7))
    alice.own(room, "joined")
    alice.run(1)
    assert told(alice) == ANNOUNCED
    assert alice.pages(room.messages) == []


def test_where_nothing_was_ever_written_nothing_is_read(alice: Driven) -> None:
    """The list has had no event."""
    room = joining(alice)
    alice.own(room, "joined")
    alice.run(1)
    assert told(alice) == ANNOUNCED
    assert alice.pages(room.messages) == []


def test_the_first_event_is_read_too(alice: Driven) -> None:
    """It has the number 0."""
    room = joining(alice)
    room.post("7", timestamp=date(7))
    alice.own(room, "joined")
    alice.run(1)
    assert told(alice) == [*ANNOUNCED, "message_added CH1/0"]


def test_many_messages_take_several_pages(alice: Driven) -> None:
    """As few as lead to one from before the joining."""
    room = joining(alice)
    for number in range(240):
        room.post(str(number), timestamp=date(7 if number >= 50 else 3))
    alice.own(room, "joined")
    alice.run(1)
    assert told(alice) == [*ANNOUNCED, *(f"message_added CH1/{number}" for number in range(50, 240))]
    assert alice.pages(room.messages) == [
        (None, None, "desc", "10"),
        ("230", "exclusive", "desc", "100"),
        ("130", "exclusive", "desc", "100"),
    ]


def test_all_messages_may_be_new(alice: Driven) -> None:
    """The pages end with the list."""
    room = joining(alice)
    for number in range(15):
        room.post(str(number), timestamp=date(7))
    alice.own(room, "joined")
    alice.run(1)
    assert len(told(alice)) == 17
    assert len(alice.pages(room.messages)) == 2


def test_what_is_no_message_is_not_told_of(alice: Driven) -> None:
    """Neither what cannot be read, nor what has no date."""
    room = joining(alice)
    room.post("7", timestamp=date(7))
    room.post("undated", timestamp=None)
    alice.backend.add(room.messages, "strange")
    room.post("8", timestamp=date(8))
    alice.own(room, "joined")
    alice.run(1)
    assert told(alice) == [*ANNOUNCED, "message_added CH1/0", "message_added CH1/3"]


def test_what_an_event_tells_of_too_is_told_once(alice: Driven) -> None:
    """It was written while the list was opened; a change of it is a change."""
    room = joining(alice)
    room.post("6", timestamp=date(6))
    alice.backend.held = {f"{room.messages.sid}/Items"}
    alice.own(room, "joined")
    alice.run(1)
    room.post("7", timestamp=date(7))
    alice.run(1)
    room.post("8", timestamp=date(8))
    alice.run(1)
    alice.backend.held = set()
    alice.run(1)
    assert told(alice) == [*ANNOUNCED, *(f"message_added CH1/{number}" for number in range(3))]
    room.edit(1, text="new")
    room.post("9", timestamp=date(9))
    alice.run(1)
    assert told(alice) == ["message_updated CH1/1 body", "message_added CH1/3"]


def test_what_came_and_went_while_the_list_was_opened_is_not_told_of(alice: Driven) -> None:
    """The page has what was written after it: events would tell of it too late, out of order."""
    room = joining(alice)
    room.post("6", timestamp=date(6))
    alice.backend.held = {f"{room.messages.sid}/Items"}
    alice.own(room, "joined")
    alice.run(1)
    room.post("7", timestamp=date(7))
    room.post("8", timestamp=date(8))
    room.edit(1, text="seven")
    room.unpost(1)
    alice.run(1)
    alice.backend.held = set()
    alice.run(1)
    assert told(alice) == [*ANNOUNCED, "message_added CH1/0", "message_added CH1/2"]
    room.unpost(2)
    alice.run(1)
    assert told(alice) == ["message_removed CH1/2"]


def test_events_that_a_page_was_ahead_of_change_nothing(alice: Driven) -> None:
    """A message was changed while the list was opened, and is announced with that in it: its events change nothing."""
    room = joining(alice)
    room.post("6", timestamp=date(6))
    alice.backend.held = {f"{room.messages.sid}/Items"}
    alice.own(room, "joined")
    alice.run(1)
    room.post("7", timestamp=date(7))
    for text in ("seven", "Seven"):
        room.edit(1, text=text)
    room.edit(0, text="Six")
    alice.run(1)
    alice.backend.held = set()
    alice.run(1)
    assert told(alice) == [*ANNOUNCED, "message_added CH1/0", "message_added CH1/1"]
    room.edit(1, text="SEVEN")
    alice.run(1)
    assert told(alice) == ["message_updated CH1/1 body"]


def test_reading_does_not_tell_of_joining_later(alice: Driven) -> None:
    """The list was opened for reading before; it is followed since then, and what it brought was announced or read."""
    room = joining(alice)
    room.post("7", timestamp=date(7))
    alice.own(room, "notParticipating")
    alice.run(1)
    assert len(alice.conversation("CH1").get_messages().items) == 1
    alice.own(room, "joined")
    alice.run(1)
    assert told(alice) == ANNOUNCED


@pytest.mark.parametrize("how", ["left", "removed"])
def test_who_comes_again_is_told_of_what_was_written_since(alice: Driven, how: str) -> None:
    """The second joining counts, and nothing of the first is told again."""
    room = joining(alice)
    room.post("7", timestamp=date(7))
    alice.own(room, "joined")
    alice.run(1)
    if how == "left":
        alice.own(room, "notParticipating")
    else:
        alice.disown(room)
    room.drop("MB2")
    alice.run(1)
    told(alice)
    room.add("MB3", "alice", dateCreated=date(10))
    room.post("8", timestamp=date(8))
    room.post("11", timestamp=date(11))
    alice.own(room, "joined")
    alice.run(1)
    assert [line for line in told(alice) if "message" in line] == ["message_added CH1/2"]


def test_leaving_reads_nothing(alice: Driven) -> None:
    """Only whoever joins may have missed something."""
    room = joining(alice)
    room.post("7", timestamp=date(7))
    alice.own(room, "joined")
    alice.run(1)
    alice.pages(room.messages)
    alice.own(room, "notParticipating")
    alice.run(5)
    assert alice.pages(room.messages) == []
