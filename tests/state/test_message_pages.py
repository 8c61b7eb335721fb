"""Messages in pages and one after another: what is asked of the service, and what stands on both sides."""

from __future__ import annotations

import gc
import weakref

import pytest

from tests.state.backend import Room, indexes
from tests.state.driven import Driven
from tests.sync.model_service import Answer
from twilio_conversations.errors import RequestTimeoutError
from twilio_conversations.models.conversation import Conversation
from twilio_conversations.util import logs

# -- pages ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def long(alice: Driven) -> tuple[Room, Conversation]:
    """A conversation with ten messages, of which the service gives any number."""
    room = alice.room("CH1")
    for number in range(10):
        room.post(str(number))
    alice.start()
    alice.pages(room.messages)
    return room, alice.conversation("CH1")


def test_the_newest_page_and_those_before(alice: Driven, long: tuple[Room, Conversation]) -> None:
    """Ascending by index, whatever the direction; the ends say that they are ends."""
    room, conversation = long
    page = conversation.get_messages(4)
    assert (indexes(page.items), page.has_prev_page, page.has_next_page) == ([6, 7, 8, 9], True, False)
    page = page.prev_page()
    assert (indexes(page.items), page.has_prev_page, page.has_next_page) == ([2, 3, 4, 5], True, True)
    page = page.prev_page()
    assert (indexes(page.items), page.has_prev_page, page.has_next_page) == ([0, 1], False, True)
    page = page.next_page()
    assert (indexes(page.items), page.has_prev_page, page.has_next_page) == ([2, 3, 4, 5], True, True)
    assert alice.pages(room.messages) == [
        (None, None, "desc", "4"),
        ("6", "exclusive", "desc", "4"),
        ("2", "exclusive", "desc", "4"),
        ("1", "exclusive", "asc", "4"),
    ]


def test_the_oldest_page_and_those_after(long: tuple[Room, Conversation]) -> None:
    """Forward from the first."""
    _, conversation = long
    page = conversation.get_messages(4, direction="forward")
    assert (indexes(page.items), page.has_prev_page, page.has_next_page) == ([0, 1, 2, 3], False, True)
    page = page.next_page()
    assert (indexes(page.items), page.has_prev_page, page.has_next_page) == ([4, 5, 6, 7], True, True)
    page = page.next_page()
    assert (indexes(page.items), page.has_prev_page, page.has_next_page) == ([8, 9], True, False)
    assert indexes(page.prev_page().items) == [4, 5, 6, 7]


@pytest.mark.parametrize(
    ("direction", "expected"), [("forward", ([5, 6, 7], True, True)), ("backwards", ([3, 4, 5], True, True))]
)
def test_an_anchor_belongs_to_its_page(
    long: tuple[Room, Conversation], direction: str, expected: tuple[list[int], bool, bool]
) -> None:
    """In both directions."""
    _, conversation = long
    page = conversation.get_messages(3, 5, direction)
    assert (indexes(page.items), page.has_prev_page, page.has_next_page) == expected


def test_a_page_of_nothing(alice: Driven) -> None:
    """It leads nowhere."""
    alice.room("CH1")
    alice.start()
    page = alice.conversation("CH1").get_messages()
    assert (page.items, page.has_prev_page, page.has_next_page) == ([], False, False)


def test_a_page_of_exactly_all(long: tuple[Room, Conversation]) -> None:
    """Nothing is on either side."""
    _, conversation = long
    page = conversation.get_messages(10)
    assert (len(page.items), page.has_prev_page, page.has_next_page) == (10, False, False)


def test_a_large_page_takes_several_requests(alice: Driven) -> None:
    """The service gives at most 100; what is on both sides is known all the same."""
    room = alice.room("CH1")
    for number in range(300):
        room.post(str(number))
    alice.start()
    conversation = alice.conversation("CH1")
    alice.pages(room.messages)
    page = conversation.get_messages(230, 260)
    assert (indexes(page.items), page.has_prev_page, page.has_next_page) == (list(range(31, 261)), True, True)
    assert alice.pages(room.messages) == [
        ("260", None, "desc", "100"),
        ("161", "exclusive", "desc", "100"),
        ("61", "exclusive", "desc", "30"),
    ]
    page = conversation.get_messages(200, direction="forward")
    assert (indexes(page.items), page.has_prev_page, page.has_next_page) == (list(range(200)), False, True)
    assert len(alice.pages(room.messages)) == 2
    page = conversation.get_messages(400)
    assert (indexes(page.items), page.has_prev_page, page.has_next_page) == (list(range(300)), False, False)
    assert len(alice.pages(room.messages)) == 3


def test_a_service_that_gives_more_or_nothing(alice: Driven, long: tuple[Room, Conversation]) -> None:
    """No more is shown than was asked for; an empty page that says that more follow is the end."""
    room, conversation = long
    path = f"/v3/Lists/{room.messages.sid}/Items"
    items = [{"index": number, "data": {"sid": f"IM{number}"}, "last_event_id": 9} for number in (9, 8, 7)]
    more = {"items": items, "meta": {"next_token": "more"}}
    alice.backend.answer("GET", path, Answer(200, more))
    assert indexes(conversation.get_messages(2).items) == [8, 9]
    alice.backend.answer("GET", path, Answer(200, more), Answer(200, {"items": [], "meta": {"next_token": "more"}}))
    assert indexes(conversation.get_messages(5).items) == [7, 8, 9]


def test_what_is_no_message_is_not_on_the_page(
    alice: Driven, long: tuple[Room, Conversation], caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and another is read in its place."""
    room, conversation = long
    alice.backend.update(room.messages, 9, "strange")
    alice.run(1)
    assert indexes(conversation.get_messages(3).items) == [6, 7, 8]
    logs.flush(10)
    assert "leaving out message 9" in caplog.text


def test_reading_has_a_limit(alice: Driven, long: tuple[Room, Conversation]) -> None:
    """Also turning a page; the error names the call."""
    room, conversation = long
    page = conversation.get_messages(3)
    alice.backend.held = {f"{room.messages.sid}/Items"}
    with pytest.raises(RequestTimeoutError, match=r"get_messages\(\)"):
        conversation.get_messages(timeout=0.01)
    with pytest.raises(RequestTimeoutError, match=r"get_messages\(\)"):
        page.prev_page(timeout=0.01)


def test_the_latest_messages_are_kept() -> None:
    """Those that were read or told of last, as many as the option says; others are gone as soon as nobody has them."""
    with Driven(max_cached_messages=2) as alice:
        room = alice.room("CH1")
        for number in range(4):
            room.post(str(number))
        alice.start()
        conversation = alice.conversation("CH1")
        kept = [weakref.ref(message) for message in conversation.get_messages().items]
        gc.collect()
        assert [one() is not None for one in kept] == [True, True, False, False]
        conversation.get_messages(1, 1)
        conversation.get_messages(1, 3)
        gc.collect()
        assert [one() is not None for one in kept] == [False, True, False, False]
        room.post("4")
        alice.run(1)
        alice.told()
        alice.payloads.clear()
        gc.collect()
        assert kept[1]() is None


# -- walking --------------------------------------------------------------------------------------------------------------


def test_walking_through_the_messages(alice: Driven) -> None:
    """A page at a time, in either order, from anywhere, as many as wanted; no page is read before it is needed."""
    room = alice.room("CH1")
    for number in range(250):
        room.post(str(number))
    alice.start()
    conversation = alice.conversation("CH1")
    alice.pages(room.messages)
    every = list(range(250))
    assert indexes(list(conversation.iter_messages())) == every[::-1]
    assert alice.pages(room.messages) == [
        (None, None, "desc", "100"),
        ("150", "exclusive", "desc", "100"),
        ("50", "exclusive", "desc", "100"),
    ]
    assert indexes(list(conversation.iter_messages(newest_first=False))) == every
    assert alice.pages(room.messages)[0] == ("0", None, "asc", "100")
    assert indexes(list(conversation.iter_messages(after=120))) == every[121:]
    assert alice.pages(room.messages) == [("121", None, "asc", "100"), ("220", "exclusive", "asc", "100")]
    assert indexes(list(conversation.iter_messages(after=249))) == []
    alice.pages(room.messages)
    assert indexes(list(conversation.iter_messages(limit=100))) == every[:149:-1]
    assert indexes(list(conversation.iter_messages(limit=2))) == [249, 248]
    assert len(alice.pages(room.messages)) == 2
    assert indexes(list(conversation.iter_messages(limit=101))) == every[:148:-1]
    assert len(alice.pages(room.messages)) == 2
    assert indexes(list(conversation.iter_messages(limit=0))) == []
