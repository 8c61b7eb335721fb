"""What is done when events of a conversation are lost: everything is read again, and then resynced is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.state.backend import Room, date, sids, trouble
from tests.state.driven import Driven
from twilio_conversations.errors import RequestTimeoutError
from twilio_conversations.sync.places import NO_ROOM
from twilio_conversations.util import logs


def test_lost_events_are_made_up_for_and_told_once(alice: Driven) -> None:
    """Messages and participants are read again; resynced follows when both are done."""
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
        alice.forget(stored)
    alice.sync.connected()
    alice.backend.held = {"/Items"}
    alice.run(1)
    assert alice.told() == []
    alice.backend.held = {f"{room.roster.sid}/Items"}
    alice.run(1)
    assert alice.told() == []
    alice.backend.held = set()
    alice.run(1)
    assert alice.told("own") == ["own participant_left MB2", "own resynced CH1"]
    assert message.body == "two"
    assert conversation.get_participants() == [bob]
    assert bob.attributes == {"a": 1}


def test_what_cannot_be_read_again_now_is_read_later(alice: Driven) -> None:
    """Resynced is told when it was read, and not before."""
    room = alice.room("CH1")
    room.post("one")
    alice.start()
    (_,) = alice.conversation("CH1").get_messages().items
    alice.told()
    alice.backend.answer("GET", f"/v3/Lists/{room.messages.sid}/Items", trouble(501))
    alice.lose(room.messages)
    alice.run(1)
    assert alice.told() == []
    del alice.backend.answers["GET", f"/v3/Lists/{room.messages.sid}/Items"]
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
        alice.lose(room.messages)
        alice.run(100)
        logs.flush(10)
    assert alice.told() == []
    assert "changes were missed and cannot be read any more" in caplog.text
    del alice.backend.answers["GET", f"/v3/Lists/{room.messages.sid}/Items"]
    alice.lose(room.messages)
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
    alice.lose(room.messages)
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


# -- what came meanwhile --------------------------------------------------------------------------------------------------


def away(alice: Driven, happens: Callable[[Room], object], room: Room, part: str = "messages") -> None:
    """Something happens while the line is cut, and the service forgets its events of the messages, or of the roster."""
    alice.told()
    alice.backend.history.clear()
    alice.backend.cut()
    alice.sync.disconnected()
    happens(room)
    alice.forget(getattr(room, part))
    alice.sync.connected()


def test_messages_that_no_event_told_are_announced_before_resynced(alice: Driven) -> None:
    """In order, from the newest that was known on, also over several pages; what was removed meanwhile is not."""
    room = alice.room("CH1")
    alice.start()
    room.post("known")
    alice.run(1)

    def happens(room: Room) -> None:
        for number in range(1, 251):
            room.post(str(number))
        room.unpost(7)

    away(alice, happens, room)
    alice.run(1)
    expected = [f"own message_added CH1/{index}" for index in range(1, 251) if index != 7]
    assert alice.told("own") == [*expected, "own resynced CH1"]
    further = [(start, size) for start, bounds, _, size in alice.pages(room.messages) if bounds == "exclusive"]
    assert further == [("0", "100"), ("101", "100"), ("201", "100")]
    room.post("next")
    room.edit(3, text="changed")
    alice.run(1)
    assert alice.told("own") == ["own message_added CH1/251", "own message_updated CH1/3 body"]


@pytest.mark.parametrize("document", [{"lastMessage": {"index": 1, "timestamp": date(1)}}, {}])
def test_what_was_there_at_the_opening_is_not_announced(alice: Driven, document: dict[str, Any]) -> None:
    """The document tells what is history; where it does not, nobody knows what is new."""
    room = alice.room("CH1", **document)
    for number in range(2):
        room.post(str(number))
    alice.start()
    away(alice, lambda room: room.post("new"), room)
    alice.run(1)
    assert alice.told("own") == [*(["own message_added CH1/2"] if document else []), "own resynced CH1"]


def test_in_an_empty_conversation_everything_is_new(alice: Driven) -> None:
    """Its document names no message, and its list never had an event."""
    room = alice.room("CH1")
    alice.start()
    away(alice, lambda room: room.post("first"), room)
    alice.run(1)
    assert alice.told("own") == ["own message_added CH1/0", "own resynced CH1"]


def test_what_comes_while_it_is_read_again_waits(alice: Driven) -> None:
    """Events of later messages are announced behind those that were missed, each once, also when the page has them."""
    room = alice.room("CH1")
    alice.start()
    away(alice, lambda room: room.post("missed"), room)
    alice.backend.held = {f"{room.messages.sid}/Items"}
    alice.run(1)
    room.post("live, on the page")
    room.edit(1, text="edited, on the page")
    alice.hear()
    assert alice.told("message") == []
    alice.backend.held = set()
    alice.run(1)
    assert alice.told("own") == ["own message_added CH1/0", "own message_added CH1/1", "own resynced CH1"]
    room.post("after")
    alice.run(1)
    assert alice.told("own") == ["own message_added CH1/2"]


def test_a_reading_that_fails_loses_and_doubles_nothing(alice: Driven) -> None:
    """Changes that came before the next attempt are announced behind the messages that were missed."""
    room = alice.room("CH1")
    alice.start()
    path = f"/v3/Lists/{room.messages.sid}/Items"
    alice.backend.answer("GET", path, trouble(501))
    away(alice, lambda room: room.post("missed"), room)
    alice.run(0.5)
    room.post("live")
    alice.hear()
    assert alice.told("message") == []
    del alice.backend.answers["GET", path]
    alice.run(100)
    assert alice.told("own") == ["own message_added CH1/0", "own message_added CH1/1", "own resynced CH1"]


def test_whoever_came_and_went_is_announced_before_resynced(alice: Driven) -> None:
    """Joined and left; who was there before and after is not."""
    room = alice.room("CH1")
    for sid, name in (("MB1", "bob"), ("MB2", "carol")):
        room.add(sid, name)
    alice.start()

    def happens(room: Room) -> None:
        room.drop("MB2")
        room.add("MB3", "dave")

    away(alice, happens, room, "roster")
    alice.run(1)
    assert sorted(alice.told("own par")) == ["own participant_joined MB3", "own participant_left MB2"]
    room.alter("MB3", attributes='{"a": 1}')
    room.drop("MB1")
    alice.run(1)
    assert alice.told("own") == ["own participant_updated MB3 attributes", "own participant_left MB1"]


def test_who_joins_while_the_participants_are_read_again_is_announced_once(alice: Driven) -> None:
    """Whether the event or the page is first."""
    room = alice.room("CH1")
    alice.start()
    away(alice, lambda room: None, room, "roster")
    alice.backend.held = {f"{room.roster.sid}/Items"}
    alice.run(1)
    room.add("MB1", "bob")
    alice.hear()
    room.add("MB2", "carol")
    late = alice.backend.outbox[:]
    alice.backend.outbox.clear()
    alice.backend.held = set()
    alice.run(1)
    alice.backend.outbox.extend(late)
    alice.run(1)
    assert alice.told("own par") == ["own participant_joined MB1", "own participant_joined MB2"]


@pytest.mark.parametrize("further", [False, True])
def test_a_replay_that_begins_late_announces_what_it_left_out(alice: Driven, further: bool) -> None:
    """In its place, once; `resynced` only if events were lost. What the pages show ahead of the replay is announced by it."""
    room = alice.room("CH1")
    alice.start()
    room.post("zero")
    alice.run(1)
    (zero,) = alice.conversation("CH1").get_messages().items

    def happens(room: Room) -> None:
        if further:
            room.post("left out")
            room.edit(0, text="left out")
        else:
            room.edit(0, text="replaced by the next")

    away(alice, happens, room)
    room.post("replayed")
    room.edit(0, text="replayed")
    alice.run(1)
    last = 2 if further else 1
    expected = [f"own message_added CH1/{index}" for index in range(1, last + 1)]
    assert alice.told("own") == [*expected, "own message_updated CH1/0 body", *["own resynced CH1"] * further]
    assert zero.body == "replayed"


def test_an_own_edit_whose_event_is_lost(alice: Driven) -> None:
    """The answer has shown it before; handlers know of it from `resynced` on, although no value differs any more."""
    room = alice.room("CH1")
    alice.start()
    room.post("zero", author="alice")
    alice.run(1)
    (zero,) = alice.conversation("CH1").get_messages().items
    alice.backend.answer("POST", zero._url, {})

    def happens(room: Room) -> None:
        room.edit(0, text="edited", lastUpdatedBy="alice")
        zero.update_body("edited")

    away(alice, happens, room)
    assert zero.body == "edited"
    room.post("replayed")
    alice.run(1)
    assert alice.told("own") == ["own message_added CH1/1", "own resynced CH1"]


@pytest.mark.parametrize("part", ["messages", "roster"])
def test_what_pages_have_announced_is_not_announced_by_the_next_replay(alice: Driven, part: str) -> None:
    """The line breaks before the events come that a page has overtaken, and the next replay begins behind the first of them."""
    room = alice.room("CH1")
    alice.start()
    stored = getattr(room, part)
    add = (lambda name: room.post(name)) if part == "messages" else (lambda name: room.add(f"MB{name}", name))
    away(alice, lambda room: add("0"), room, part)
    alice.backend.held = {f"{stored.sid}/Items"}
    alice.run(1)
    add("1")
    add("2")
    alice.backend.outbox.clear()
    alice.backend.held = set()
    alice.run(1)
    event, keys = ("message_added", "CH1/0 CH1/1 CH1/2") if part == "messages" else ("participant_joined", "MB0 MB1 MB2")
    expected = [f"own {event} {key}" for key in keys.split()]
    first = expected if part == "messages" else expected[:1]  # a page is in the order of messages, but not of participants
    assert alice.told("own") == [*first, "own resynced CH1"]

    alice.backend.cut()
    alice.sync.disconnected()
    del stored.journal[0]
    alice.sync.connected()
    alice.run(1)
    assert alice.told(f"own {event}") == [one for one in expected if one not in first]


@contextmanager
def reading_again(alice: Driven, room: Room, happens: Callable[[Room], object]) -> Iterator[None]:
    """What happens to the roster is lost; the page that shows it comes at the end, which is ahead of the events by then."""
    away(alice, happens, room, "roster")
    alice.backend.held = {f"{room.roster.sid}/Items"}
    alice.run(1)
    yield
    assert alice.told("own par") == []
    alice.backend.held = set()
    alice.run(1)


def bob_joins(room: Room) -> None:
    """The first one."""
    room.add("MB1", "bob", dateCreated=date(1))


def test_who_came_and_went_before_the_page_was_read_is_announced_in_order(alice: Driven) -> None:
    """By the events, which wait for the page; whom it shows besides waits for their turn."""
    room = alice.room("CH1")
    alice.start()
    with reading_again(alice, room, bob_joins):
        room.add("MB3", "carol", dateCreated=date(2))
        room.add("MB2", "dave", dateCreated=date(3))
        room.drop("MB3")
        alice.hear()
    joined = [f"own participant_joined MB{number}" for number in (1, 3, 2)]
    assert alice.told("own par") == [*joined, "own participant_left MB3"]


@pytest.mark.parametrize("is_last", [False, True])
@pytest.mark.parametrize("has_dates", [True, False])
def test_who_joined_unnoticed_and_changed_afterwards_is_announced_once(alice: Driven, has_dates: bool, is_last: bool) -> None:
    """Before whoever joined later, by the dates; without these by the event about the change. `is_last`: of the lost ones."""
    room = alice.room("CH1")
    alice.start()
    dates = [{"dateCreated": date(second)} if has_dates else {} for second in range(3)]

    def happens(room: Room) -> None:
        room.add("MB3", "carol", **dates[0])
        if not is_last:
            room.add("MB1", "bob", **dates[1])

    with reading_again(alice, room, happens):
        room.add("MB2", "dave", **dates[2])
        room.alter("MB3", attributes='{"a": 1}')
        alice.hear()
    order = (3, 1, 2) if has_dates else (1, 2, 3)
    assert alice.told("own par") == [f"own participant_joined MB{number}" for number in order if number != 1 or not is_last]
    room.alter("MB3", attributes='{"a": 2}')
    alice.run(1)
    assert alice.told("own par") == ["own participant_updated MB3 attributes"]


def test_dates_that_are_not_in_the_order_of_events(alice: Driven) -> None:
    """Whoever is announced by the date is not announced once more by the event."""
    room = alice.room("CH1")
    alice.start()
    with reading_again(alice, room, bob_joins):
        room.add("MB2", "carol", dateCreated=date(3))
        room.add("MB3", "dave", dateCreated=date(2))
        room.alter("MB3", attributes='{"a": 1}')
        alice.hear()
    assert alice.told("own par") == [f"own participant_joined MB{number}" for number in (1, 3, 2)]
    room.drop("MB3")
    alice.run(1)
    assert alice.told("own par") == ["own participant_left MB3"]


def test_who_is_to_be_announced_and_leaves_before_that(alice: Driven) -> None:
    """Left is announced all the same; nothing of them is kept for the next one who joins."""
    room = alice.room("CH1")
    alice.start()
    with reading_again(alice, room, bob_joins):
        room.alter("MB1", attributes='{"a": 1}')
        alice.backend.outbox.clear()
    assert alice.told("own par") == []
    room.drop("MB1")
    room.add("MB2", "carol", dateCreated=date(2))
    alice.run(1)
    assert alice.told("own par") == ["own participant_left MB1", "own participant_joined MB2"]


def test_a_malformed_item_of_a_page_is_no_leaving(alice: Driven) -> None:
    """The participant stays as it was; the others are announced."""
    room = alice.room("CH1")
    room.add("MB2", "carol")
    alice.start()

    def happens(room: Room) -> None:
        alice.backend.update(room.roster, "MB2", "rubbish")
        bob_joins(room)

    with reading_again(alice, room, happens):
        pass
    assert alice.told("own par") == ["own participant_joined MB1"]
    assert sids(alice.conversation("CH1")) == ["MB2", "MB1"]


def test_who_joined_unnoticed_is_not_taken_for_one_that_was_there(alice: Driven) -> None:
    """The participants are read for the first time when events of them are lost, which that reading shows."""
    room = alice.room("CH1")
    room.add("MB1", "bob")
    alice.start()
    conversation = alice.conversation("CH1")
    alice.backend.held = {f"{room.roster.sid}/Items"}
    with pytest.raises(RequestTimeoutError):
        conversation.get_participants(timeout=0.01)
    away(alice, lambda room: room.add("MB2", "carol"), room, "roster")
    room.add("MB3", "dave")
    alice.run(1)
    alice.backend.held = set()
    alice.run(1)
    assert alice.told("own par") == ["own participant_joined MB2", "own participant_joined MB3"]
    assert sids(conversation) == ["MB1", "MB2", "MB3"]


def test_who_did_not_come_with_the_map_was_there_all_the_same(alice: Driven) -> None:
    """After a loss all participants are read; whoever was not read before has not joined meanwhile."""
    room = alice.room("CH1")
    alice.backend.first_items = 1
    for number in (1, 2, 3):
        room.add(f"MB{number}", f"person {number}")
    alice.start()
    conversation = alice.conversation("CH1")
    away(alice, lambda room: room.add("MB4", "person 4"), room, "roster")
    alice.run(1)
    assert alice.told("own par") == ["own participant_joined MB4"]
    room.drop("MB3")
    alice.run(1)
    assert alice.told("own par") == ["own participant_left MB3"]
    assert sids(conversation) == ["MB1", "MB2", "MB4"]


def test_who_joined_meanwhile_is_announced_in_the_order_of_joining(alice: Driven) -> None:
    """A map is in the order of its keys; the dates of its items are those of joining."""
    room = alice.room("CH1")
    alice.start()

    def happens(room: Room) -> None:
        for second, sid in enumerate(("MB3", "MB1", "MB2")):
            room.add(sid, sid.lower(), dateCreated=date(second))

    away(alice, happens, room, "roster")
    alice.run(1)
    assert alice.told("own par") == [f"own participant_joined {sid}" for sid in ("MB3", "MB1", "MB2")]


@pytest.mark.parametrize("part", ["messages", "roster"])
def test_what_is_read_again_after_leaving_is_not_announced(alice: Driven, part: str) -> None:
    """Whatever the pages show by then: what was removed, what is new, who left and who joined."""
    room = alice.room("CH1")
    room.post("zero")
    room.add("MB1", "bob")
    alice.start()
    conversation = alice.conversation("CH1")
    held = [*conversation.get_messages().items, *conversation.get_participants()]

    def happens(room: Room) -> None:
        room.unpost(0)
        room.post("new")
        room.drop("MB1")
        room.add("MB2", "carol")

    alice.backend.held = {f"{getattr(room, part).sid}/Items"}
    away(alice, happens, room, part)
    alice.backend.outbox.clear()
    alice.run(1)
    alice.disown(room)
    alice.run(1)
    assert "conversation_left CH1" in alice.told()
    alice.backend.held = set()
    alice.run(1)
    assert alice.told() == []
    assert len(held) == 2


def test_lost_events_below_a_live_one_that_came_first(alice: Driven) -> None:
    """The messages in between are read and announced, and the live one not again."""
    room = alice.room("CH1")
    alice.start()
    room.post("known")
    alice.run(1)
    alice.told()
    for text in ("lost", "lost too"):
        room.post(text)
    alice.backend.outbox.clear()
    room.post("live")
    alice.hear()
    assert alice.told("own") == ["own message_added CH1/3"]
    alice.lose(room.messages)
    alice.run(1)
    expected = ["own message_added CH1/1", "own message_added CH1/2", "own resynced CH1"]
    assert alice.told("own") == expected


def test_what_has_no_room_is_not_waited_for(alice: Driven) -> None:
    """The participants cannot be followed: the messages are up to date as soon as they are read again."""
    room = alice.room("CH1")
    room.post("one")
    alice.backend.forbidden = {room.roster.sid: {"status": 429, "code": NO_ROOM, "message": "too many subscriptions"}}
    alice.start()
    alice.run(10)
    assert "CH1.roster" not in alice.opened
    assert ["are not followed" in text for text in alice.failures()] == [True]
    alice.told()
    alice.lose(room.messages)
    alice.run(1)
    assert alice.told("own") == ["own resynced CH1"]
