"""The messages of a conversation, against a real service: sent, edited, removed, read in pages, sent once by a key."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.support.clients import Pair
from tests.support.event_log import EventLog
from tests.support.waiting import until
from twilio_conversations import (
    Client,
    InvalidArgumentError,
    Message,
    PageUnavailableError,
    RestNotFoundError,
)
from twilio_conversations.server import LocalServer


@pytest.mark.row(
    "CV31", "EV28", "EV29", "EV30", "ME02", "ME03", "ME04", "ME05", "ME07", "ME09", "ME12", "ME16", "ME22", "ME24", "ME25", "ME26"
)
def test_a_message_can_be_sent_edited_and_removed(pair: Pair) -> None:
    """The sender holds the same object that the events tell of."""
    conversation, bobs = pair
    mine, theirs = EventLog(conversation, "message_added"), EventLog(bobs, "message_added", "message_updated", "message_removed")
    message = conversation.send_message("hello", attributes={"mood": "ok"}, subject="greeting")

    assert (message.index, message.body, message.attributes) == (0, "hello", {"mood": "ok"})
    assert message.author == conversation.get_participant_by_sid(message.participant_sid or "").identity
    assert mine.wait("message_added") is message
    received = theirs.wait("message_added")
    assert (received.sid, received.body, received.subject) == (message.sid, "hello", "greeting")
    assert received.get_participant().identity == message.author
    assert message.update_body("edited").body == "edited"
    change = theirs.wait("message_updated")
    assert (change.message, change.update_reasons) == (received, ("body", "lastUpdatedBy", "dateUpdated"))
    assert message.update_attributes({"mood": "better"}).attributes == {"mood": "better"}
    theirs.wait("message_updated", lambda change: "attributes" in change.update_reasons)
    message.remove()
    assert theirs.wait("message_removed") is received
    assert conversation.get_messages().items == []
    with pytest.raises(RestNotFoundError):
        message.update_body("too late")


@pytest.mark.row("CV31", "ER01", "ME07", "ME12")
def test_the_body_may_be_empty_and_attributes_anything(pair: Pair) -> None:
    """No text, empty text, and every kind of JSON value."""
    conversation, _ = pair

    assert conversation.send_message("").body == ""
    values: tuple[Any, ...] = ("text", 5, True, [1], {})
    for value in values:
        assert conversation.send_message("x", attributes=value).attributes == value
    with pytest.raises(InvalidArgumentError):
        conversation.send_message(5)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError):
        conversation.send_message("x", attributes={1: 2})


@pytest.mark.row("BY11", "BY12", "CV21", "ER27", "ER28", "PG02", "PG03", "PG04", "PG05", "PG06")
def test_pages_go_both_ways(pair: Pair) -> None:
    """Pages ascend by index, next is newer and previous is older, from any anchor; the same message is the same object."""
    conversation, bobs = pair
    sent = [conversation.send_message(str(number)) for number in range(12)]

    def shown(page: object) -> list[int]:
        return [message.index for message in page]  # type: ignore[attr-defined]

    newest = conversation.get_messages(5)
    assert shown(newest) == [7, 8, 9, 10, 11]
    assert newest.items == sent[7:]
    assert not newest.has_next_page
    middle = newest.prev_page()
    assert shown(middle) == [2, 3, 4, 5, 6]
    oldest = middle.prev_page()
    assert (shown(oldest), oldest.has_prev_page) == ([0, 1], False)
    assert shown(oldest.next_page()) == [2, 3, 4, 5, 6]
    with pytest.raises(PageUnavailableError):
        oldest.prev_page()
    assert shown(bobs.get_messages(3, 4)) == [2, 3, 4]
    assert shown(bobs.get_messages(3, 4, "forward")) == [4, 5, 6]
    assert shown(bobs.get_messages(100)) == list(range(12))
    one_by_one = [page.items[0].index for page in bobs.get_messages(1, 0, "forward").pages()]
    assert one_by_one == list(range(12))
    assert [message.index for message in bobs.iter_messages(limit=3)] == [11, 10, 9]
    assert [message.index for message in bobs.iter_messages(after=8)] == [9, 10, 11]
    for wrong in (0, -1, "5", True):
        with pytest.raises(InvalidArgumentError):
            bobs.get_messages(wrong)  # type: ignore[arg-type]


@pytest.mark.row("CV21")
def test_a_page_of_more_than_the_service_gives_at_once(pair: Pair) -> None:
    """The service answers 100 items at most; a larger page is put together."""
    conversation, bobs = pair
    for number in range(130):
        conversation.send_message(str(number))

    assert [message.index for message in bobs.get_messages(120)] == list(range(10, 130))
    assert [message.index for message in bobs.get_messages(500)] == list(range(130))


def test_an_idempotency_key_makes_a_repeat_the_same_send(pair: Pair) -> None:
    """A second send with the same key, as from another process, returns the message of the first."""
    conversation, _ = pair
    key = "0b1c8a52-0f44-4a5c-9b0d-2f8d2f6d4f11"
    first = conversation.send_message("once", idempotency_key=key)
    again = conversation.send_message("once", idempotency_key=key)

    assert again is first
    assert conversation.get_messages_count() == 1


def test_who_edited_a_message_is_seen_with_the_edit(service: LocalServer, pair: Pair) -> None:
    """Both show on the next line, whether or not the service's own word has come."""
    conversation, _ = pair
    identity = conversation.created_by
    message = conversation.send_message("before")
    with service.faults.held_events(identity):
        message.update_body("after")
        assert (message.body, message.last_updated_by) == ("after", identity)


def test_new_attributes_do_not_make_an_editor(alice: Client, service: LocalServer) -> None:
    """Who edited the text is what the service says, before and after the event; nothing is left over the replica."""
    room = alice.create_conversation().join()
    message = room.send_message("text")
    with service.faults.held_events(alice.identity):
        assert message.update_attributes({"a": 1}).last_updated_by is None
    until(lambda: not message._live.state.overlay, "the event ends the overlay", 4)
    assert (message.attributes, message.last_updated_by) == ({"a": 1}, None)


def test_who_comes_back_sees_what_became_of_messages(pair: Pair) -> None:
    """Messages that the program still holds are up to date when the conversation is joined again, though no event told."""
    mine, theirs = pair
    added, back = (
        EventLog(theirs, "message_added"),
        EventLog(theirs._live.runtime.events, "conversation_left", "conversation_joined"),
    )
    sent = mine.send_message("before")
    held: Message = added.wait("message_added")
    theirs.leave()
    back.wait("conversation_left")
    sent.update_body("after")
    mine.add(theirs._live.runtime.configuration.identity)
    until(lambda: back.names()[-1] == "conversation_joined", "joined again")
    assert held.body == "after"


@pytest.mark.parametrize("key", [4711, 1.5, b"key", "", "é", "a\nb", "x" * 65, ["key"], ...], ids=repr)
def test_a_key_that_cannot_be_is_refused_before_it_is_sent(pair: Pair, key: Any) -> None:
    """The call fails and the client goes on: a frame that the service does not take would end it for all threads."""
    conversation, _ = pair
    with pytest.raises(InvalidArgumentError, match="idempotency_key"):
        conversation.send_message("a", idempotency_key=key)
    assert conversation.send_message("b").index == 0


def test_a_uuid_may_be_the_key(pair: Pair) -> None:
    """Given as an object or as its text it is the same key."""
    conversation, _ = pair
    key = uuid.uuid4()
    assert conversation.send_message("a", idempotency_key=key) is conversation.send_message("a", idempotency_key=str(key))
