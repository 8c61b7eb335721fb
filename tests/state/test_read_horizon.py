"""How far the own identity has read: what is asked of the service, what is sent, and what is shown."""

from __future__ import annotations

from typing import Any

import pytest

from tests.state.backend import Room
from tests.state.driven import Driven
from tests.sync.model_service import Answer
from twilio_conversations.errors import NotFoundError, RequestTimeoutError, RestError
from twilio_conversations.models.conversation import Conversation

MINE = "/v1/Users/alice/Conversations/CH1"
ASKED = f"GET {MINE}"


@pytest.fixture
def room(alice: Driven) -> Room:
    """A conversation whose first three messages alice has read."""
    room = alice.room("CH1")
    alice.listing[:] = [alice.entry(room, last_read_message_index=3)]
    alice.start()
    alice.told()
    return room


def membership(mark: Any, unread: Any = 7) -> dict[str, Any]:
    """What the service says of the own membership."""
    return {"conversation_sid": "CH1", "last_read_message_index": mark, "unread_messages_count": unread}


def posted(alice: Driven) -> list[Any]:
    """The marks that were sent since the last time."""
    marks = [one.body["last_read_message_index"] for one in alice.backend.rest if one.method == "POST"]
    alice.asked()
    return marks


def elsewhere(alice: Driven, room: Room, *marks: int | None) -> None:
    """Another device reads, and Sync tells of it."""
    for mark in marks:
        alice.own(room, "joined", lastConsumedMessageIndex=mark)
    alice.hear()


def test_advancing_asks_and_then_sends(alice: Driven, conversation: Conversation) -> None:
    """The unread count is that of the last answer; the mark is shown at once."""
    alice.backend.answer("GET", MINE, membership(3))
    alice.backend.answer("POST", MINE, membership(5, 2))
    assert conversation.advance_last_read_message_index(5) == 2
    assert posted(alice) == [5]
    assert conversation.last_read_message_index == 5
    assert alice.told() == []


@pytest.mark.parametrize("index", [0, 2, 3])
def test_advancing_never_goes_back(alice: Driven, conversation: Conversation, index: int) -> None:
    """Nothing is sent for a message that was read; the count is the service's."""
    alice.backend.answer("GET", MINE, membership(None, 4))
    assert conversation.advance_last_read_message_index(index) == 4
    assert alice.asked() == [ASKED]
    assert conversation.last_read_message_index == 3


@pytest.mark.parametrize(("mark", "sent"), [(5, []), (6, []), (4, [5]), (None, [5]), ("x", [5])])
def test_another_device_may_have_read_further(alice: Driven, conversation: Conversation, mark: Any, sent: list[int]) -> None:
    """What the service says of it is shown before Sync tells; nothing is sent at or below it."""
    alice.backend.answer("GET", MINE, membership(mark, 1))
    alice.backend.answer("POST", MINE, membership(5, 0))
    assert conversation.advance_last_read_message_index(5) == (0 if sent else 1)
    assert posted(alice) == sent
    assert conversation.last_read_message_index == (5 if sent else mark)


def test_what_sync_tells_meanwhile_counts(alice: Driven, room: Room, conversation: Conversation) -> None:
    """It is newer than the answer, whichever mark is further."""
    alice.backend.answer("GET", MINE, membership(4, 1))
    alice.backend.meanwhile("GET", MINE, lambda: elsewhere(alice, room, 2))
    assert conversation.get_unread_messages_count() == 1
    assert conversation.last_read_message_index == 2
    alice.backend.meanwhile("GET", MINE, lambda: elsewhere(alice, room, 9))
    assert conversation.advance_last_read_message_index(8) == 1
    assert posted(alice) == []
    assert conversation.last_read_message_index == 9


def test_what_was_known_before_counts(alice: Driven, room: Room, conversation: Conversation) -> None:
    """Another device has gone back while the service was asked: our own advance is from before, and nothing is sent."""
    alice.backend.answer("GET", MINE, membership(1, 1))
    alice.backend.meanwhile("GET", MINE, lambda: elsewhere(alice, room, 1))
    assert conversation.advance_last_read_message_index(3) == 1
    assert posted(alice) == []


def test_a_mark_that_was_taken_back_on_the_way_is_sent_again(alice: Driven, room: Room, conversation: Conversation) -> None:
    """Another device's further mark came before ours: ours has overwritten it. One that came after ours has overwritten ours."""
    alice.backend.answer("GET", MINE, membership(3))
    alice.backend.answer("POST", MINE, membership(5, 4), membership(9, 0))
    alice.backend.meanwhile("POST", MINE, lambda: elsewhere(alice, room, 9, 5))
    assert conversation.advance_last_read_message_index(5) == 0
    assert posted(alice) == [5, 9]
    alice.backend.answer("POST", MINE, membership(11, 4))
    alice.backend.meanwhile("POST", MINE, lambda: elsewhere(alice, room, 11, 12))
    assert conversation.advance_last_read_message_index(11) == 4
    assert posted(alice) == [11]
    alice.backend.answer("POST", MINE, membership(20, 3))
    alice.backend.meanwhile("POST", MINE, lambda: elsewhere(alice, room, 30, 14))
    assert conversation.advance_last_read_message_index(20) == 3
    assert posted(alice) == [20]


def test_a_mark_may_be_taken_back_twice(alice: Driven, room: Room, conversation: Conversation) -> None:
    """Until nothing further was overwritten; what Sync told before a request says nothing of it."""
    alice.backend.answer("GET", MINE, membership(3))
    alice.backend.answer("POST", MINE, membership(5, 4), membership(9, 2), membership(12, 0))
    for mark in (9, 12):
        alice.backend.meanwhile("POST", MINE, lambda mark=mark: elsewhere(alice, room, mark))
    assert conversation.advance_last_read_message_index(5) == 0
    assert posted(alice) == [5, 9, 12]
    elsewhere(alice, room, 40, 12)
    alice.backend.answer("POST", MINE, membership(13, 8))
    assert conversation.advance_last_read_message_index(13) == 8
    assert posted(alice) == [13]


def test_other_news_of_the_membership_are_no_mark(alice: Driven, room: Room, conversation: Conversation) -> None:
    """Only another mark is one that ours may have overwritten."""

    def muted() -> None:
        alice.own(room, "joined", lastConsumedMessageIndex=3, notificationLevel="muted")
        room.set(friendlyName="new")
        alice.hear()

    alice.backend.answer("GET", MINE, membership(3))
    alice.backend.answer("POST", MINE, membership(5, 1))
    alice.backend.meanwhile("POST", MINE, muted)
    assert conversation.advance_last_read_message_index(5) == 1
    assert posted(alice) == [5]


@pytest.mark.parametrize("index", [1, 3, 8, None])
def test_updating_sends_any_mark(alice: Driven, conversation: Conversation, index: int | None) -> None:
    """Also back, and nothing is asked before."""
    alice.backend.answer("POST", MINE, membership(index, 6))
    assert conversation.update_last_read_message_index(index) == 6
    assert alice.backend.rest[0].body == {"last_read_message_index": index}
    assert alice.asked() == [f"POST {MINE}"]
    assert conversation.last_read_message_index == index


def test_forgetting_the_horizon(alice: Driven, conversation: Conversation) -> None:
    """Nothing counts as read, whatever mark the answer has."""
    alice.backend.answer("POST", MINE, membership(3, 10))
    assert conversation.set_all_messages_unread() == 10
    assert posted(alice) == [None]
    assert conversation.last_read_message_index is None


@pytest.mark.parametrize(("answered", "shown"), [(4, 4), (9, 9), (8, 8), (None, 8)])
def test_the_service_may_have_set_another_mark(
    alice: Driven, conversation: Conversation, answered: int | None, shown: int
) -> None:
    """What it says is shown: there may be no such message."""
    alice.backend.answer("POST", MINE, membership(answered, 0))
    conversation.update_last_read_message_index(8)
    assert conversation.last_read_message_index == shown


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (3, 3), (None, None), ("3", None)])
def test_the_unread_count_is_the_services(alice: Driven, conversation: Conversation, count: Any, expected: int | None) -> None:
    """`None` where it says none."""
    alice.backend.answer("GET", MINE, membership(3, count))
    assert conversation.get_unread_messages_count() == expected
    alice.backend.answer("POST", MINE, membership(4, count))
    assert conversation.update_last_read_message_index(4) == expected
    alice.backend.answer("POST", MINE, ["strange"])
    assert conversation.update_last_read_message_index(4) is None


@pytest.mark.parametrize("answer", [Answer(403, {}), Answer(200, []), Answer(200, {"conversation_sid": "CH2"}), Answer(200, {})])
def test_without_a_membership_there_is_no_horizon(alice: Driven, conversation: Conversation, answer: Answer) -> None:
    """The error names the conversation; nothing is sent."""
    alice.backend.answer("GET", MINE, answer)
    with pytest.raises(NotFoundError, match="CH1 is not among the user's conversations"):
        conversation.advance_last_read_message_index(5)
    with pytest.raises(NotFoundError):
        conversation.get_unread_messages_count()
    assert alice.asked() == [ASKED, ASKED]


def test_reading_everything_moves_to_the_newest_message(alice: Driven, room: Room, conversation: Conversation) -> None:
    """Without any there is nothing unread, and nothing is sent."""
    assert conversation.set_all_messages_read() == 0
    assert alice.asked() == []
    for number in range(6):
        room.post(str(number))
    alice.run(1)
    alice.backend.answer("GET", MINE, membership(3))
    alice.backend.answer("POST", MINE, membership(5, 2))
    assert conversation.set_all_messages_read() == 2
    assert posted(alice) == [5]


def test_one_moves_after_another(alice: Driven, conversation: Conversation) -> None:
    """Whoever comes while one is on the way waits, within their own limit, also behind one that has given up; those after it are
    not held up."""
    alice.backend.answer("POST", MINE, membership(5, 1), Answer(500, {}), membership(6, 0))
    waited: list[str] = []

    def impatient() -> None:
        for index in (4, 8):
            with pytest.raises(RequestTimeoutError, match="moving the read horizon") as caught:
                conversation.update_last_read_message_index(index, timeout=0.01)
            waited.append(str(caught.value))

    alice.backend.meanwhile("POST", MINE, impatient)
    assert conversation.update_last_read_message_index(5) == 1
    assert len(waited) == 2
    with pytest.raises(RestError):
        conversation.update_last_read_message_index(7)
    assert conversation.last_read_message_index == 5
    assert conversation.update_last_read_message_index(6) == 0
    assert posted(alice) == [5, 7, 6]
