"""What the tests of the state layers share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.state.backend import Room
from tests.state.driven import Driven
from twilio_conversations.models.conversation import Conversation


@pytest.fixture(scope="package", autouse=True)
def quick_collections() -> Iterator[None]:
    """What was imported is not looked through whenever a test collects garbage."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def alice() -> Iterator[Driven]:
    """Alice's client without sockets; not started yet."""
    with Driven() as driven:
        yield driven


@pytest.fixture
def room(alice: Driven) -> Room:
    """A conversation with Bob and Carol."""
    room = alice.room("CH1")
    room.add("MB1", "bob", attributes='{"n": 1}')
    room.add("MB2", "carol")
    alice.start()
    alice.told()
    return room


@pytest.fixture
def conversation(alice: Driven, room: Room) -> Conversation:
    """The same as its program sees it; its participants have been read."""
    del room
    conversation = alice.conversation("CH1")
    conversation.get_participants()
    alice.backend.history.clear()
    return conversation
