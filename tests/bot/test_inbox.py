"""Messages that wait for a bot, however they come: live, late, and read from the service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.state.backend import Room
from tests.state.driven import Driven
from tests.support.waiting import until
from twilio_conversations import Message
from twilio_conversations.bot.errors import DialogueCutError
from twilio_conversations.bot.inbox import Inbox

Chat = tuple[Driven, Room]
"""Alice's client without sockets, started, and a conversation that she is in."""


@pytest.fixture
def chat() -> Iterator[Chat]:
    """Returns a client and a conversation."""
    with Driven() as alice:
        room = alice.room("CH1")
        yield alice.start(), room


def inbox_of(alice: Driven, limit: int = 100, *, start: int | None = None, missed: bool = False) -> Inbox:
    """Return the inbox of the conversation, which is given what the client announces."""
    conversation = alice.conversation("CH1")
    inbox = Inbox(conversation, limit, lambda: start, missed=missed)
    conversation.on("message_added", inbox.put)
    return inbox


def taken(inbox: Inbox) -> list[tuple[int, int | None]]:
    """Take everything; return the index of each, with that up to which nothing was left after it."""
    seen = []
    while (item := inbox.take()) is not None:
        assert isinstance(item, Message)
        seen.append((item.index, inbox.covered()))
    return seen


def received(alice: Driven, count: int) -> None:
    """Let everything on the wire arrive, that many messages, and wait until the handlers have it."""
    alice.run(1)
    assert len(alice.told("^message_added")) == count


def test_a_message_that_comes_late_is_taken(chat: Chat) -> None:
    """The service may send an event after that of a later message; the horizon waits for it."""
    alice, room = chat
    inbox = inbox_of(alice)
    for text in ("zero", "one", "two"):
        room.post(text)
    outbox = alice.backend.outbox
    outbox[:] = [outbox[1], outbox[0], outbox[2]]
    received(alice, 3)
    assert taken(inbox) == [(1, None), (0, 1), (2, 2)]


@pytest.mark.parametrize(("start", "expected"), [(None, [(0, 0), (1, 1), (2, 2)]), (0, [(1, 1), (2, 2)]), (2, [])])
def test_what_was_read_is_not_taken_twice(chat: Chat, start: int | None, expected: list[tuple[int, int]]) -> None:
    """Messages that come while those of before are read may be among these, or not above the beginning."""
    alice, room = chat
    inbox = inbox_of(alice, start=start, missed=True)
    for text in ("zero", "one", "two"):
        room.post(text)
    received(alice, 3)
    assert taken(inbox) == expected
    assert inbox.covered() == 2


def test_a_full_inbox_reads_what_it_dropped(chat: Chat) -> None:
    """The oldest stay with the service, and come in order all the same."""
    alice, room = chat
    inbox = inbox_of(alice, 2)
    for text in ("zero", "one", "two", "three"):
        room.post(text)
    received(alice, 4)
    assert [index for index, _ in taken(inbox)] == [0, 1, 2, 3]
    assert inbox.covered() == 3


def test_what_comes_while_the_last_page_is_read(chat: Chat) -> None:
    """Where that was too much to wait, it is read in its turn."""
    alice, room = chat
    room.post("zero")
    received(alice, 1)
    inbox = inbox_of(alice, 1, missed=True)

    def more() -> None:
        room.post("one")
        room.post("two")
        alice.hear()
        alice.told()

    alice.backend.meanwhile("GET", f"/v3/Lists/{room.messages.sid}/Items", more)
    assert [index for index, _ in taken(inbox)] == [0, 1, 2]


def test_an_answer_that_waits_already(chat: Chat) -> None:
    """It may come before the question is known to be asked; it is taken by the question, and not handed over."""
    alice, room = chat
    inbox = inbox_of(alice)
    for author in ("carol", "bob", "bob"):
        room.post(f"of {author}", author)
    received(alice, 3)
    question = inbox.expect("bob", 0)
    assert question.answer.result().index == 1
    assert [index for index, _ in taken(inbox)] == [0, 2]


def test_an_answer_is_not_read_again(chat: Chat) -> None:
    """What answered a question is left out of the messages that are read since some were dropped."""
    alice, room = chat
    inbox = inbox_of(alice, 1)
    question = inbox.expect("bob", 0)
    for author in ("carol", "carol", "bob", "carol"):
        room.post(f"of {author}", author)
    received(alice, 4)
    assert question.answer.result().index == 2
    assert [index for index, _ in taken(inbox)] == [0, 1, 3]
    assert inbox.covered() == 3


def test_no_question_after_the_end(chat: Chat) -> None:
    """A dialogue that goes on while the bot stops is cut."""
    inbox = inbox_of(chat[0])
    inbox.close()
    with pytest.raises(DialogueCutError):
        inbox.expect(None, 0)


def test_the_end_while_one_waits_for_room(chat: Chat) -> None:
    """New participants alone fill the inbox; the events thread goes on when it is closed."""
    alice, room = chat
    inbox = inbox_of(alice, 1)
    alice.conversation("CH1").on("participant_joined", inbox.put)
    room.add("MB1", "bob")
    room.add("MB2", "carol")
    alice.run(1)
    changed: Any = inbox._changed
    until(lambda: len(changed._waiters) == 1, "the events thread waits for room")
    inbox.close()
    assert len(alice.told("^own participant_joined")) == 2
    assert inbox.take() is None


def test_a_question_at_the_end(chat: Chat) -> None:
    """A dialogue that waits is cut."""
    inbox = inbox_of(chat[0])
    question = inbox.expect(None, 0)
    inbox.close()
    with pytest.raises(DialogueCutError):
        question.answer.result()
