"""How far was read, on several devices of one person that do not know the same."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from tests.support.clients import Connect
from tests.support.delayed_calls import delayed
from tests.support.waiting import until
from twilio_conversations import Conversation, NotFoundError
from twilio_conversations.server import LocalServer
from twilio_conversations.transport.rest import Rest


@attrs.frozen
class Devices:
    """Two devices of Bob's in a conversation with ten messages, of which both know that he has read up to 5."""

    server: LocalServer
    one: Conversation
    other: Conversation

    def posts(self) -> list[Any]:
        """The marks that were posted, in order."""
        bodies = [frame.get("payload") for frame in self.server.traffic("bob") if frame["direction"] == "in"]
        name = "last_read_message_index"
        return [body[name] for body in bodies if isinstance(body, dict) and name in body]

    def agree_on(self, mark: int | None) -> None:
        """Wait until both devices and the service have that mark."""
        until(lambda: {self.one.last_read_message_index, self.other.last_read_message_index} == {mark}, f"both know {mark}")
        participant = self.one.get_participant_by_identity("bob")
        until(lambda: participant.last_read_message_index == mark, f"the service has {mark}")


@pytest.fixture
def devices(own: LocalServer, connect: Connect) -> Devices:
    """Bob's devices, and nothing posted yet."""
    alice, one, other = (connect(who, token=own.token(who), endpoint=own.url) for who in ("alice", "bob", "bob"))
    room = alice.create_conversation().join()
    room.add("bob")
    seen = []
    for client in (one, other):
        until(lambda client=client: list(client.iter_conversations()), "joined")
        seen.append(client.get_conversation_by_sid(room.sid))
    found = Devices(own, *seen)
    for number in range(10):
        found.one.send_message(str(number))
    found.one.update_last_read_message_index(5)
    found.agree_on(5)
    own.forget_traffic()
    return found


@pytest.mark.parametrize("index", [3, 5, 7, 9])
def test_a_device_that_knows_less_takes_nothing_back(devices: Devices, index: int) -> None:
    """Another has read up to 9, which this one was not told: it posts nothing, returns the count, and shows the mark."""
    with devices.server.faults.held_events("bob"):
        assert devices.one.advance_last_read_message_index(9) == 0
        assert devices.other.advance_last_read_message_index(index) == 0
        assert devices.other.last_read_message_index == 9
    devices.agree_on(9)
    assert devices.posts() == [9]


def test_all_read_on_a_device_that_knows_less(devices: Devices) -> None:
    """The newest messages were removed after another device had read them: the mark stays behind them."""
    with devices.server.faults.held_events("bob"):
        devices.one.advance_last_read_message_index(9)
        for message in devices.one.get_messages(2).items:
            message.remove()
        assert devices.other.set_all_messages_read() == 0
        assert devices.other.last_read_message_index == 9
    devices.agree_on(9)
    assert devices.posts() == [9]


def test_an_advance_that_meets_another_on_the_way(devices: Devices) -> None:
    """Both ask, then one posts 9 and the other 7: the mark that 7 took back is posted again."""

    def meanwhile() -> None:
        devices.one.advance_last_read_message_index(9)
        until(lambda: devices.other.last_read_message_index == 9, "told")

    assert delayed(Rest.post.__code__, lambda: devices.other.advance_last_read_message_index(7), meanwhile) == 0
    assert devices.posts() == [9, 7, 9]
    devices.agree_on(9)


def test_an_advance_that_meets_a_step_back_on_the_way(devices: Devices) -> None:
    """Who sets the mark back on purpose is not overruled by what was before that."""

    def meanwhile() -> None:
        devices.one.advance_last_read_message_index(9)
        devices.one.update_last_read_message_index(2)
        until(lambda: devices.other.last_read_message_index == 2, "told")

    assert delayed(Rest.post.__code__, lambda: devices.other.advance_last_read_message_index(7), meanwhile) == 2
    assert devices.posts() == [9, 2, 7]
    devices.agree_on(7)


def test_what_is_told_while_the_service_is_asked_counts(devices: Devices) -> None:
    """Another device goes back while the answer is on its way: what the answer said is not shown any more."""
    devices.one.advance_last_read_message_index(9)
    devices.agree_on(9)

    def meanwhile() -> None:
        devices.one.update_last_read_message_index(1)
        until(lambda: devices.other.last_read_message_index == 1, "told")

    assert delayed(Rest.get.__code__, lambda: devices.other.advance_last_read_message_index(9), meanwhile, after=True) == 0
    assert devices.other.last_read_message_index == 1


def test_the_unread_count_brings_the_mark(devices: Devices) -> None:
    """Asking how much is unread shows how far another device has read."""
    with devices.server.faults.held_events("bob"):
        devices.one.advance_last_read_message_index(8)
        assert devices.other.get_unread_messages_count() == 1
        assert devices.other.last_read_message_index == 8


def test_a_step_back_is_still_possible(devices: Devices) -> None:
    """Setting posts what it is given, and so does forgetting."""
    assert devices.one.update_last_read_message_index(2) == 7
    devices.agree_on(2)
    assert devices.other.set_all_messages_unread() == 10
    devices.agree_on(None)
    assert devices.one.advance_last_read_message_index(0) == 9
    assert devices.posts() == [2, None, 0]


def test_advancing_needs_a_participant(own: LocalServer, connect: Connect) -> None:
    """Whoever is not in the conversation has no mark there."""
    alice = connect("alice", token=own.token("alice"), endpoint=own.url)
    room = alice.create_conversation()
    with pytest.raises(NotFoundError):
        room.advance_last_read_message_index(0)
