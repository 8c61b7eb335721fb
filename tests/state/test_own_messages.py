"""Messages that are being sent: which of the newest ones is the result of a send in doubt, and who may look when."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest

from tests.state.backend import Room
from tests.state.driven import Driven
from twilio_conversations.errors import ConversationsError, ForbiddenError, RequestTimeoutError, SyncError
from twilio_conversations.models.conversation import Conversation
from twilio_conversations.state import own_messages
from twilio_conversations.state.own_messages import OwnMessages, Sending
from twilio_conversations.util.futures import Deadline
from twilio_conversations.wire.packets import Reply

X = {"body": "x", "attributes": "{}"}


class Sends:
    """Sends of a conversation whose requests the test makes up."""

    def __init__(self, alice: Driven, own: OwnMessages) -> None:
        self.alice = alice
        self.own = own
        self._numbers = iter(range(1000))
        self._ends: dict[Sending, ExitStack] = {}

    def begin(self, request: dict[str, Any] = X, mutation_id: str | None = None, seconds: float = 30) -> Sending:
        """A send begins; its request is under way."""
        block = ExitStack()
        context = self.own.sending(request, mutation_id or f"m{next(self._numbers)}", Deadline(seconds))
        sending = block.enter_context(context)
        self._ends[sending] = block
        return sending

    def end(self, sending: Sending, index: int | None = None, error: ConversationsError | None = None) -> None:
        """It is answered with that message, or raises."""
        if index is not None:
            self.own.answered(index)
            self._ends.pop(sending).close()
        else:
            error = error or RequestTimeoutError("late", sent=True)
            with pytest.raises(type(error)), self._ends.pop(sending):
                raise error
        self.alice.settle()

    def look(self, sending: Sending) -> Any:
        """The future of a look, with all that can come of it by now."""
        found = sending.look()
        self.alice.settle()
        return found


@pytest.fixture
def sends(alice: Driven, room: Room, conversation: Conversation) -> Sends:
    """Sends of a conversation with one message, which is known."""
    room.post("x", author="alice")
    alice.run(1)
    return Sends(alice, conversation._live.messages._own)  # type: ignore[attr-defined]


def index_of(found: Any) -> int | None:
    """The index that a look found."""
    reply: Reply | None = found.result()
    return None if reply is None else reply.json()["index"]


def test_the_oldest_message_above_the_newest_known(alice: Driven, room: Room, sends: Sends) -> None:
    """Older ones are no candidates; the live object is the one that an event would have brought."""
    sending = sends.begin()
    room.post("x", author="bob")
    wanted = room.post("x", author="alice")
    room.post("x", author="alice")
    sending.doubt()

    assert index_of(sends.look(sending)) == wanted
    assert sending.found is not None
    assert sending.found.index == wanted
    sends.end(sending, wanted)


@pytest.mark.parametrize(
    ("fields", "request_"),
    [
        ({"text": "y"}, X),
        ({"text": "x", "subject": "s"}, X),
        ({"text": "x", "attributes": '{"n":1}'}, X),
        ({"text": "x", "contentSid": "HX1"}, X),
        ({"text": "x", "medias": [{"sid": "ME1"}]}, X),
        ({"text": "x", "contentSid": "HX1"}, X | {"content_sid": "HX2"}),
        ({"text": "x", "medias": [{"sid": "ME1"}]}, X | {"media_sids": ["ME1", "ME2"]}),
        ({"text": "x", "sid": None}, X),
    ],
)
def test_what_differs_is_another_message(room: Room, sends: Sends, fields: dict[str, Any], request_: dict[str, Any]) -> None:
    """In any of its fields; what is no message is passed over."""
    sending = sends.begin(request_)
    room.post("", author="alice", **fields)
    sending.doubt()

    assert index_of(sends.look(sending)) is None
    sends.end(sending)


@pytest.mark.parametrize(
    ("fields", "request_"),
    [
        ({"text": None}, {"attributes": "{}"}),
        ({"text": "x", "attributes": {"n": 1, "m": 2}}, X | {"attributes": '{"m":2,"n":1}'}),
        ({"text": "x", "subject": "s"}, X | {"subject": "s"}),
        ({"text": "made of it", "contentSid": "HX1"}, X | {"content_sid": "HX1", "content_variables": "{}"}),
        ({"text": "x", "medias": [{"sid": "ME2"}, {"sid": "ME1"}]}, X | {"media_sids": ["ME1", "ME2"]}),
    ],
)
def test_what_is_the_same_is_found(room: Room, sends: Sends, fields: dict[str, Any], request_: dict[str, Any]) -> None:
    """However it is spelled; the text of a template is the service's."""
    sending = sends.begin(request_)
    wanted = room.post("", author="alice", **fields)
    sending.doubt()

    assert index_of(sends.look(sending)) == wanted
    sends.end(sending, wanted)


def test_many_newer_messages_are_read_page_by_page(alice: Driven, room: Room, sends: Sends) -> None:
    """Down to the newest known, and no further."""
    sending = sends.begin()
    wanted = room.post("x", author="alice")
    for number in range(120):
        room.post(f"{number}")
    sending.doubt()
    alice.pages(room.messages)

    assert index_of(sends.look(sending)) == wanted
    assert len(alice.pages(room.messages)) == 3
    sends.end(sending, wanted)


def test_equal_messages_in_doubt_are_settled_one_at_a_time(alice: Driven, room: Room, sends: Sends) -> None:
    """While one looks, and is perhaps sent again, no other is under way whose message it could take for its own."""
    first, second, third = sends.begin(), sends.begin(), sends.begin()
    wanted = room.post("x", author="alice")
    first.doubt()
    looks = [sends.look(first)]
    assert not looks[0].done()  # the others may be answered with that message
    second.doubt()
    third.doubt()
    looks += [sends.look(second), sends.look(third)]
    assert index_of(looks[0]) == wanted
    assert [look.done() for look in looks] == [True, False, False]
    sends.end(first, wanted)
    assert index_of(looks[1]) is None  # it is the first one's
    assert not looks[2].done()

    second.doubt()  # sent again, and in doubt again: the next one's turn
    alice.settle()
    assert index_of(looks[2]) is None
    sends.end(third, room.post("x", author="alice"))
    assert index_of(sends.look(second)) is None  # that was the third one's
    sends.end(second, room.post("x", author="alice"))


def test_others_begin_when_equal_ones_are_settled(alice: Driven, sends: Sends) -> None:
    """A send waits within its time limit; one of another text does not."""
    sending = sends.begin()
    sending.doubt()
    with pytest.raises(RequestTimeoutError) as raised:
        sends.begin(seconds=0.05)
    assert raised.value.sent is False
    other = sends.begin(X | {"body": "y"})
    sends.end(other, 1)
    sends.end(sending, 2)

    sends.end(sends.begin(), 3)
    assert not sends.own._equals
    assert not sends.own._under_way


def test_a_send_that_gave_up_takes_no_message(alice: Driven, room: Room, sends: Sends) -> None:
    """Neither while it waits for its turn, nor while its look is under way."""
    first, second = sends.begin(mutation_id="a"), sends.begin()
    room.post("x", author="alice")
    first.doubt()
    look = sends.look(first)
    alice.backend.held = {"Items"}
    second.doubt()
    alice.settle()
    sends.end(first)
    alice.backend.held = set()
    alice.settle()
    assert index_of(look) is None
    found = index_of(sends.look(second))

    assert found == 1
    sends.end(second, found)
    again = sends.begin(mutation_id="a")
    assert index_of(sends.look(again)) is None
    sends.end(again, room.post("x", author="alice"))


def test_a_send_whose_time_is_over_does_not_look(alice: Driven, sends: Sends) -> None:
    """It waited for its turn in vain."""
    first, second = sends.begin(), sends.begin(seconds=2)
    second.doubt()
    look = sends.look(second)
    alice.run(3)
    with pytest.raises(RequestTimeoutError) as raised:
        look.result()
    assert raised.value.sent is True
    for sending in (second, first):
        sends.end(sending)


def test_a_send_repeated_by_the_program_looks_from_where_it_began(room: Room, sends: Sends) -> None:
    """The same mutation id: it begins in doubt. Another one begins anew."""
    sending = sends.begin(mutation_id="a")
    sends.end(sending)
    wanted = room.post("x", author="alice")
    sends.alice.run(1)
    other, again = sends.begin(), sends.begin(mutation_id="a")
    assert (other.in_doubt, other.above, again.in_doubt, again.above) == (False, wanted, True, wanted - 1)
    sends.end(other, room.post("x", author="alice"))

    assert index_of(sends.look(again)) == wanted
    sends.end(again, wanted)


def test_a_refused_send_is_not_remembered(sends: Sends) -> None:
    """It has had no effect, unless an earlier attempt left it in doubt."""
    for in_doubt in (False, True):
        sending = sends.begin(mutation_id="a")
        if in_doubt:
            sending.doubt()
        sends.end(sending, error=ForbiddenError("no", status=403, sent=True))
        assert ("a" in sends.own._left) is in_doubt


def test_a_list_that_cannot_be_read_fails_the_look(alice: Driven, sends: Sends) -> None:
    """Nothing is sent again on suspicion."""
    sending = sends.begin()
    sending.doubt()
    assert index_of(sends.look(sending)) is None
    alice.backend.answer("GET", alice.backend.history[-1].path, {"code": 54007}, status=403)
    found = sends.look(sending)
    with pytest.raises(SyncError):
        found.result()
    sends.end(sending)


def test_what_is_remembered_is_bounded(sends: Sends, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of sends that ended in doubt, and of results beside them."""
    monkeypatch.setattr(own_messages, "MOST_LEFT", 3)
    monkeypatch.setattr(own_messages, "MOST_TAKEN", 20)
    for number in range(5):
        sends.end(sends.begin(mutation_id=f"a{number}"))
    assert list(sends.own._left) == ["a2", "a3", "a4"]
    slow = sends.begin()
    for index in range(1, 60):
        sends.end(sends.begin(), index)
        assert len(sends.own._taken) <= 60
    assert not sends.own._left
    sends.end(slow, 60)

    assert not sends.own._taken


def test_messages_as_they_were_sent_are_bounded(alice: Driven, room: Room, sends: Sends, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest of them, and only while a send may need them."""
    monkeypatch.setattr(own_messages, "MOST_SENT", 3)
    sending = sends.begin()
    indexes = [room.post("x", author="alice") for _ in range(5)]
    alice.run(1)
    assert list(sends.own._sent) == indexes[2:]
    sends.end(sending, indexes[0])
    assert not sends.own._sent
