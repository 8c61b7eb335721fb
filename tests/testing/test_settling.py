"""The looks of `settled`: one proves nothing, two equal ones do, and frames on their way to other processes count."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.server.peer import Peer
from tests.support.patience import PATIENCE
from tests.support.settling import until_under_way
from twilio_conversations.server import LocalServer
from twilio_conversations.testing import Person, Service, Settled
from twilio_conversations.wire.packets import acknowledgement


@pytest.mark.parametrize("moves", [1, 2])
def test_one_look_proves_nothing(conversations_service: Service, person: Person, settled: Settled, moves: int) -> None:
    """What moves in the service after it was looked at is noticed, though nothing is under way in any look before.

    The last change is held back until the service is looked at again, so the client is quiet before. Where a change came and went
    before it, the second look is as quiet as the first; only their marks differ.
    """
    bob = person("bob")
    room = bob.create_conversation().join()
    settled()
    looks = itertools.count(1)

    def look_and_change(method: str, operation: str, body: dict[str, Any]) -> Any:
        outcome = conversations_service.perform(method, operation, body)
        number = next(looks)
        if number == moves:
            conversations_service.faults.hold_events(bob.identity)
        if number <= moves:
            conversations_service.update_conversation(room.sid, state=("active", "inactive")[number % 2])
        if number < moves:
            settled()
        if number > moves:
            conversations_service.faults.release_events(bob.identity)
        return outcome

    Settled(Service(conversations_service.url, conversations_service.endpoints, lambda *_: "", look_and_change))(PATIENCE)
    assert room.state is not None
    assert room.state.current == ("active", "inactive")[moves % 2]


def test_frames_that_are_not_acknowledged_are_under_way() -> None:
    """Of a program in another process only its acknowledgements are known: a frame counts until its own has come."""
    with LocalServer() as server, Peer.connected(server, "dave") as dave:
        settled = Settled(Service.of(server))
        room = dave.room()
        messages = dave.open("list", f"{room.rpartition('/')[2]}.messages")
        settled()
        subscribe = partial(dave.poke, ("list", messages["sid"], messages["last_event_id"]))
        steps: list[tuple[Callable[[], object], str]] = [
            (subscribe, "subscription_established"),
            (partial(dave.say, room), "list_item_added"),
        ]
        for cause, event_type in steps:
            cause()
            frame = dave.event(event_type)
            until_under_way(settled, "1 frames that are not acknowledged to dave")
            dave.send_bytes(acknowledgement(frame.id or ""))
            settled()
