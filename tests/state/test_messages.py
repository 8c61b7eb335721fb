"""The messages of one conversation: told of, read in pages, sent, and kept current as long as somebody has them."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from tests.state.backend import Room, date, indexes
from tests.state.driven import Driven
from twilio_conversations.enums import MessageType
from twilio_conversations.errors import InvalidArgumentError, NotFoundError, ProtocolError
from twilio_conversations.models.conversation import Conversation
from twilio_conversations.util import logs

MESSAGES = "/v1/Conversations/CH1/Messages"


@pytest.fixture
def room(alice: Driven) -> Room:
    """A conversation with Bob and three messages."""
    room = alice.room("CH1")
    room.add("MB1", "bob")
    for body in ("zero", "one", "two"):
        room.post(body)
    alice.start()
    alice.told()
    return room


# -- from Sync ------------------------------------------------------------------------------------------------------------


def test_a_new_message_is_told_of(alice: Driven, room: Room, conversation: Conversation) -> None:
    """The conversation's handlers first; a page gives the same object."""
    room.post("three", attributes='{"n": 3}')
    alice.run(1)
    assert alice.told() == ["own message_added CH1/3", "message_added CH1/3"]
    message = alice.payloads[-1]
    assert (message.body, message.author, message.index, message.attributes) == ("three", "bob", 3, {"n": 3})
    assert message.conversation is conversation
    assert conversation.get_messages(1).items == [message]
    assert alice.told() == []


def test_who_has_written_types_no_more(alice: Driven, room: Room, conversation: Conversation) -> None:
    """Typing ends before the message is told of; others type on, and a message without author ends nothing."""
    room.add("MB2", "carol")
    alice.run(1)
    for identity in ("bob", "carol"):
        alice.tracked.typing("CH1", identity, 100)
    alice.told()
    room.post("system", author=None)
    room.post("three")
    alice.run(1)
    assert alice.told("own") == ["own message_added CH1/3", "own typing_ended MB1", "own message_added CH1/4"]
    assert [one.is_typing for one in conversation.get_participants()] == [False, True]


def test_a_change_is_told_of_with_reasons(alice: Driven, room: Room, conversation: Conversation) -> None:
    """The message's handlers, the conversation's, the client's; what does not differ is not told."""
    message = conversation.get_messages(1).items[0]
    seen: list[Any] = []
    message.on("updated", lambda args: seen.append(args.message))
    room.edit(2, text="new", lastUpdatedBy="carol")
    room.edit(2, text="new")
    alice.run(1)
    assert alice.told() == ["own message_updated CH1/2 body lastUpdatedBy", "message_updated CH1/2 body lastUpdatedBy"]
    assert seen == [message]
    assert (message.body, message.last_updated_by) == ("new", "carol")


def test_what_a_change_leaves_out_stays(alice: Driven, room: Room, conversation: Conversation) -> None:
    """A change may carry some fields only."""
    message = conversation.get_messages(1).items[0]
    room.edit(2, subject="s")
    alice.run(1)
    alice.backend.update(room.messages, 2, {"sid": "IM2", "text": "new"})
    alice.run(1)
    assert (message.body, message.author, message.subject) == ("new", "bob", "s")


def test_a_change_of_a_message_that_nobody_has(alice: Driven, room: Room, conversation: Conversation) -> None:
    """It is told without reasons, as what changed is not known; the next one is as any other."""
    room.edit(0, text="new")
    alice.run(1)
    assert alice.told() == ["own message_updated CH1/0", "message_updated CH1/0"]
    room.edit(0, text="newer")
    alice.run(1)
    assert alice.told("own") == ["own message_updated CH1/0 body"]
    assert conversation.get_messages().items[0].body == "newer"


def test_a_removal_is_told_of_with_the_message(alice: Driven, room: Room, conversation: Conversation) -> None:
    """The object that the program has; of one that nobody has, what the service says of it last."""
    message = conversation.get_messages(1).items[0]
    room.unpost(2)
    alice.run(1)
    assert alice.told() == ["own message_removed CH1/2", "message_removed CH1/2"]
    assert alice.payloads[-1] is message
    room.unpost(0)
    alice.run(1)
    assert alice.told() == ["own message_removed CH1/0", "message_removed CH1/0"]
    assert (alice.payloads[-1].body, alice.payloads[-1].index) == ("zero", 0)
    assert indexes(conversation.get_messages().items) == [1]


def test_a_removal_without_data(alice: Driven, room: Room, conversation: Conversation) -> None:
    """Of a message that nobody has there is nothing to tell."""
    message = conversation.get_messages(1).items[0]
    for index in (2, 0):
        room.unpost(index)
    for _, payload in alice.backend.outbox:
        del payload["events"][0]["item_data"]
    alice.run(1)
    assert alice.told("own") == ["own message_removed CH1/2"]
    assert alice.payloads[-1] is message


def test_what_was_removed_is_not_kept_alive(alice: Driven, room: Room, conversation: Conversation) -> None:
    """Handlers keep a message only as long as something may happen to it."""
    message = conversation.get_messages(1).items[0]
    message.on("updated", print)
    room.unpost(2)
    room.unpost(1)
    room.unpost(0)
    alice.run(1)
    alice.told()
    alice.payloads.clear()
    alice.runtime.recent.clear()
    gone = weakref.ref(message)
    del message
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("data", ["text", {}, {"sid": 7}, None])
def test_what_is_no_message_is_left_out(alice: Driven, room: Room, data: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Whether it is new, changed or removed; it is logged, and what follows is told."""
    alice.backend.add(room.messages, data)
    alice.backend.update(room.messages, 3, data)
    alice.backend.remove(room.messages, 3)
    room.post("four")
    alice.run(1)
    assert alice.told("own") == ["own message_added CH1/4"]
    logs.flush(10)
    assert "leaving out a change of the messages" in caplog.text


def test_an_event_and_a_page_bring_the_same_state(alice: Driven, room: Room, conversation: Conversation) -> None:
    """A page may be ahead: it is read at once, and told of when the event comes; a page from before takes nothing back."""
    message = conversation.get_messages(1).items[0]
    room.edit(2, subject="s")
    alice.run(1)
    assert alice.told("own") == ["own message_updated CH1/2 subject"]
    room.edit(2, text="new")
    late = alice.backend.outbox[:]
    alice.backend.outbox.clear()
    assert conversation.get_messages(1).items == [message]
    assert message.body == "new"
    assert alice.told() == []
    alice.backend.outbox.extend(late)
    alice.run(1)
    assert alice.told("own") == ["own message_updated CH1/2 body"]
    room.messages.items[2] = {"data": {"sid": "IM2", "text": "old"}, "last_event_id": 0}
    assert conversation.get_messages(1).items[0].body == "new"


# -- lost events ----------------------------------------------------------------------------------------------------------


def test_after_lost_events_messages_are_as_they_are_now(alice: Driven, room: Room, conversation: Conversation) -> None:
    """Those that somebody has; what is gone is announced, edits are not; a change that follows is."""
    zero, one, two = conversation.get_messages().items
    one.on("updated", print)
    room.edit(0, text="new")
    room.unpost(1)
    alice.pages(room.messages)
    alice.lose(room.messages)
    alice.run(1)
    assert alice.pages(room.messages) == [("0", None, "asc", "100")]
    assert alice.told("own") == ["own message_removed CH1/1", "own resynced CH1"]
    assert (zero.body, two.body) == ("new", "two")
    assert conversation.get_messages().items == [zero, two]
    room.edit(0, text="newer")
    alice.run(1)
    assert alice.told("own") == ["own message_updated CH1/0 body"]
    room.unpost(2)  # now that is the latest payload, which handlers may ask for
    alice.run(1)
    alice.told()
    alice.payloads.clear()
    alice.runtime.recent.clear()
    gone = weakref.ref(one)
    del one
    gc.collect()
    assert gone() is None


def test_a_page_that_is_read_again_does_not_take_back_what_came_meanwhile(
    alice: Driven, room: Room, conversation: Conversation
) -> None:
    """An event that came while the page was under way is newer than the page."""
    (two,) = conversation.get_messages(1).items
    alice.lose(room.messages)
    alice.backend.held = {f"{room.messages.sid}/Items"}
    alice.run(1)
    (reading,) = [one for one in alice.backend.requests if one.path.endswith("/Items")]
    alice.backend.execute(reading)
    room.edit(2, text="new")
    alice.hear()
    alice.backend.deliver(reading)
    alice.backend.held = set()
    alice.run(1)
    assert two.body == "new"


def test_after_lost_events_ids_may_begin_anew(alice: Driven, room: Room, conversation: Conversation) -> None:
    """What is read then is newer than what is held, whatever its id."""
    (two,) = conversation.get_messages(1).items
    for number in range(5):
        room.edit(2, text=str(number))
    alice.run(1)
    alice.lose(room.messages)
    room.messages.items[2] = {"data": {"sid": "IM2", "text": "new"}, "last_event_id": 1}
    alice.run(1)
    assert two.body == "new"


def test_what_was_held_is_read_again_in_pages(alice: Driven) -> None:
    """From the first that somebody has, in as few pages as there are; gaps are not read."""
    room = alice.room("CH1")
    for number in range(620):
        room.post(f"old {number}")
    alice.start()
    conversation = alice.conversation("CH1")
    held = conversation.get_messages(130, anchor=50, direction="forward").items
    held += conversation.get_messages(3, anchor=600, direction="forward").items
    for number in range(620):
        room.edit(number, text=f"new {number}")
    room.unpost(149)
    room.unpost(179)
    room.unpost(602)
    alice.pages(room.messages)
    alice.lose(room.messages)
    alice.run(1)
    assert alice.pages(room.messages) == [
        ("50", None, "asc", "100"),
        ("151", None, "asc", "100"),
        ("600", None, "asc", "100"),
    ]
    gone = {149, 179, 602}
    assert [one.body for one in held] == [f"{'old' if one.index in gone else 'new'} {one.index}" for one in held]


def test_what_is_no_message_any_more_stays_as_it_was(
    alice: Driven, room: Room, conversation: Conversation, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged; the others are read."""
    _, one, two = conversation.get_messages().items
    room.edit(2, text="new")
    alice.backend.update(room.messages, 1, "strange")
    alice.lose(room.messages)
    alice.run(1)
    assert (one.body, two.body) == ("one", "new")
    logs.flush(10)
    assert "leaving out message 1" in caplog.text


def test_nothing_is_read_again_that_nobody_has(alice: Driven, room: Room) -> None:
    """Resynced is told all the same."""
    alice.lose(room.messages)
    alice.run(1)
    assert alice.pages(room.messages) == []
    assert alice.told() == ["own resynced CH1", "conversation_resynced CH1"]


def test_a_message_is_refreshed_from_the_list(alice: Driven, room: Room, conversation: Conversation) -> None:
    """By its own item; nothing is told, as the event still comes."""
    message = conversation.get_messages(1).items[0]
    room.edit(2, subject="s")
    alice.run(1)
    alice.told()
    room.edit(2, text="new", dateUpdated=date(2))
    late = alice.backend.outbox[:]
    alice.backend.outbox.clear()
    assert message.refresh().body == "new"
    assert alice.backend.history[-1].query["Index"] == "2"
    alice.backend.outbox.extend(late)
    alice.run(1)
    assert alice.told("own") == ["own message_updated CH1/2 body dateUpdated"]
    room.unpost(2)
    with pytest.raises(NotFoundError):
        message.refresh()


# -- sending --------------------------------------------------------------------------------------------------------------


def answer(index: Any, body: str = "mine", **fields: Any) -> dict[str, Any]:
    """What the service says of a message that was sent."""
    return {"sid": f"IM{index}", "index": index, "author": "alice", "body": body, **fields}


def test_what_was_sent_is_there_at_once(alice: Driven, room: Room, conversation: Conversation) -> None:
    """By the answer; the event tells of the same object."""
    alice.backend.answer("POST", MESSAGES, answer(3, "hello", date_created=date(3)))
    message = conversation.send_message("hello", attributes={"n": 1}, subject="s", idempotency_key="key")
    request = alice.backend.rest[-1]
    assert request.body["body"] == "hello"
    assert request.body["subject"] == "s"
    assert request.body["attributes"] == '{"n":1}'
    assert request.headers["X-Twilio-Mutation-Id"] == "key"
    assert (message.index, message.sid, message.body, message.author) == (3, "IM3", "hello", "alice")
    assert message.date_created is not None
    assert alice.told() == []
    room.post("hello", author="alice")
    alice.run(1)
    assert alice.told("own") == ["own message_added CH1/3"]
    assert alice.payloads[-1] is message
    assert conversation.get_messages(1).items == [message]


def test_what_was_sent_is_kept_for_its_event(alice: Driven, room: Room, conversation: Conversation) -> None:
    """Also if the program lets go of it; the event that comes then is told as new."""
    alice.backend.answer("POST", MESSAGES, answer(3))
    conversation.send_message("mine")
    room.post("mine", author="alice")
    room.edit(3, text="edited")
    alice.run(1)
    assert alice.told("own") == ["own message_added CH1/3", "own message_updated CH1/3 body"]


def test_an_event_that_is_faster_than_the_answer(alice: Driven, room: Room, conversation: Conversation) -> None:
    """The object that was told of is given, with what the event said."""
    alice.backend.answer("POST", MESSAGES, answer(3, "answer"))
    alice.backend.meanwhile("POST", MESSAGES, lambda: (room.post("event", author="alice"), alice.hear()))
    message = conversation.send_message("mine")
    assert alice.told("own") == ["own message_added CH1/3"]
    assert alice.payloads[-1] is message
    assert message.body == "event"


@pytest.mark.parametrize("body", [None, [], "text", {}, {"index": None}, {"index": "x"}])
def test_an_answer_that_names_no_message(alice: Driven, conversation: Conversation, body: Any) -> None:
    """There is no telling what was sent; the error has the answer."""
    alice.backend.answer("POST", MESSAGES, body)
    with pytest.raises(ProtocolError, match="index") as caught:
        conversation.send_message("mine")
    assert caught.value.body == body


def test_a_message_of_nothing_is_refused(alice: Driven, conversation: Conversation) -> None:
    """An empty text, attributes, a subject or a template is something."""
    alice.backend.answer("POST", MESSAGES, answer(3))
    with pytest.raises(InvalidArgumentError, match="body must be given"):
        conversation.send_message()
    assert alice.asked() == []
    conversation.send_message("")
    assert alice.backend.rest[-1].body["body"] == ""
    conversation.send_message(attributes={"n": 1})
    assert (alice.backend.rest[-1].body["body"], alice.backend.rest[-1].body["attributes"]) == ("", '{"n":1}')
    conversation.send_message(subject="s")
    assert (alice.backend.rest[-1].body["body"], alice.backend.rest[-1].body["subject"]) == ("", "s")
    conversation.send_message(content_sid="HX1", content_variables={"1": "x"})
    assert "body" not in alice.backend.rest[-1].body
    assert alice.backend.rest[-1].body["content_sid"] == "HX1"
    with pytest.raises(InvalidArgumentError):
        conversation.send_message("x", subject="")


def test_a_prepared_message_is_sent_the_same_way(alice: Driven, conversation: Conversation) -> None:
    """The builder's message goes to this conversation."""
    alice.backend.answer("POST", MESSAGES, answer(3, "built"))
    message = conversation.prepare_message().set_body("built").build().send()
    assert alice.asked() == [f"POST {MESSAGES}"]
    assert (message.index, message.type) == (3, MessageType.TEXT)
    assert message.conversation is conversation


def test_reading_up_to_the_newest(alice: Driven, conversation: Conversation) -> None:
    """The newest message is looked up; without any, nothing is sent."""
    mine = "/v1/Users/alice/Conversations/CH1"
    alice.backend.answer("GET", mine, {"conversation_sid": "CH1", "last_read_message_index": None})
    alice.backend.answer("POST", mine, {"last_read_message_index": 2, "unread_messages_count": 0})
    assert conversation.set_all_messages_read() == 0
    assert alice.backend.rest[-1].body == {"last_read_message_index": 2}
    alice.room("CH2")
    alice.run(1)
    alice.asked()
    assert alice.conversation("CH2").set_all_messages_read() == 0
    assert alice.asked() == []
