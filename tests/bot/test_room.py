"""One conversation of a bot, its turns made by the test: failures at its end, and answers in the last moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from tests.state.backend import Room as Stored
from tests.state.driven import Driven
from tests.support.patience import PATIENCE
from twilio_conversations.bot.calls import Calls
from twilio_conversations.bot.horizon import Horizon
from twilio_conversations.bot.room import Desk, Room
from twilio_conversations.bot.workers import Workers
from twilio_conversations.util.futures import SharedFuture


class NoWorkers(Workers):
    """Workers without a thread: the test makes the turns. `at_the_end` is called when a wait for an answer has ended."""

    def __init__(self, later: list[Callable[[], object]]) -> None:
        super().__init__(0, 0, lambda seconds, call: later.append(call))
        self.at_the_end: Callable[[], object] = lambda: None

    @contextmanager
    def away(self, until: SharedFuture[Any]) -> Iterator[None]:
        """Wait as others do."""
        with super().away(until):
            try:
                yield
            finally:
                self.at_the_end()


@pytest.fixture
def alice() -> Iterator[Driven]:
    """Alice's client without sockets; not started yet."""
    with Driven() as driven:
        yield driven


@pytest.fixture
def stored(alice: Driven) -> Stored:
    """A conversation that alice is in; her client has started."""
    stored = alice.room("CH1")
    alice.start()
    return stored


@pytest.fixture
def later() -> list[Callable[[], object]]:
    """What is to be called after a while."""
    return []


@pytest.fixture
def workers(later: list[Callable[[], object]]) -> Iterator[NoWorkers]:
    """Workers without a thread; what waits for them is not under way any more at the end."""
    workers = NoWorkers(later)
    yield workers
    assert workers.stop(PATIENCE)


def room_of(alice: Driven, workers: Workers, *, catch_up: bool) -> Room:
    """Return the bot's side of the conversation."""
    client: Any = SimpleNamespace(identity="alice")
    calls = Calls(nullcontext, lambda error: None)
    later: Any = workers._later
    return Room(Desk(client, workers, calls, [], [], later, catch_up), alice.conversation("CH1"))


@pytest.mark.parametrize("stays", [True, False])
def test_a_turn_that_the_service_has_failed(
    alice: Driven, stored: Stored, workers: NoWorkers, later: list[Callable[[], object]], stays: bool
) -> None:
    """It is repeated as long as the bot is in the conversation."""
    room = room_of(alice, workers, catch_up=True)
    if not stays:
        alice.disown(stored)
        alice.run(1)
    assert not room._turn()  # there is no participant of this name
    assert len(later) == stays


def test_an_answer_in_the_last_moment(alice: Driven, stored: Stored, workers: NoWorkers) -> None:
    """It comes when the time is over and the question not yet withdrawn: it is an answer all the same."""
    room = room_of(alice, workers, catch_up=False)
    conversation = alice.conversation("CH1")
    conversation.on("message_added", room.put)
    alice.backend.answer("POST", f"{stored.url}/Messages", {"sid": "IM0", "index": 0}, status=201)

    def answered() -> None:
        stored.post("what?", "alice")
        stored.post("tea", "bob")
        alice.run(1)
        alice.told()

    workers.at_the_end = answered
    assert room.ask("what?", "bob", 0).body == "tea"


@pytest.mark.parametrize("dated", [True, False])
def test_where_messages_begin(alice: Driven, stored: Stored, dated: bool) -> None:
    """Without a horizon they begin when the bot became a participant; with the first one if it is not known when."""
    stored.post("before")
    stored.post("after")
    stored.add("MB1", "alice", **({"dateCreated": "2026-01-01T00:00:01.000Z"} if dated else {}))
    alice.run(1)
    assert Horizon(alice.conversation("CH1"), "alice").start() == (0 if dated else None)
