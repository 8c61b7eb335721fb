"""Bots that run in threads, stopped when the test is over."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from tests.support.clients import Fresh, connect
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from twilio_conversations import BackoffPolicy, Client, Conversation, Message
from twilio_conversations.bot import Bot
from twilio_conversations.server import LocalServer

__all__ = ["connect"]


@attrs.define
class Running:
    """A bot that runs in a thread of the test's, and what its `run` raised."""

    bot: Bot
    thread: threading.Thread
    raised: list[BaseException]

    def end(self) -> None:
        """Stop the bot, and wait for its end."""
        self.bot.stop()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


@pytest.fixture
def new_bot(service: LocalServer, fresh: Fresh) -> Callable[..., Bot]:
    """Returns a maker of bots of a fresh identity, or of a given one: `new_bot(catch_up=True)`."""
    own = fresh("bot")

    def make(identity: str = own, **options: Any) -> Bot:
        options.setdefault("reconnect", BackoffPolicy(minimum=0.02, maximum=0.5, stable_after=0.2))
        return Bot(lambda: service.token(identity), endpoint=service.url, default_timeout=PATIENCE, **options)

    return make


@pytest.fixture
def start() -> Iterator[Callable[[Bot], Running]]:
    """Returns a function that runs a bot in a thread until the end of the test, and waits until it is connected."""
    all_running: list[Running] = []

    def run(bot: Bot, *, ready: bool = True) -> Running:
        raised: list[BaseException] = []

        def target() -> None:
            try:
                bot.run()
            except BaseException as error:
                raised.append(error)

        one = Running(bot, threading.Thread(target=target, name="bot"), raised)
        all_running.append(one)
        one.thread.start()
        if ready:
            bot.wait_until_ready(PATIENCE)
        return one

    yield run
    for one in all_running:
        one.end()


@attrs.define
class Talk:
    """One conversation of a person with a bot, as the person sees it."""

    room: Conversation
    bot: str
    log: EventLog

    def say(self, text: str, **options: Any) -> Message:
        """Send a message to the bot."""
        return self.room.send_message(text, **options)

    def heard(self, text: str) -> Message:
        """Wait for a message of the bot with this text, and return it."""
        message = self.log.wait("message_added", lambda one: one.author == self.bot and one.body == text)
        assert isinstance(message, Message)
        return message

    def answers(self) -> list[str | None]:
        """Return the texts of the bot so far, in order."""
        return [message.body for message in self.log.of("message_added") if message.author == self.bot]


@pytest.fixture
def talk(connect: Callable[..., Client], fresh: Fresh) -> Callable[..., Talk]:
    """Returns a maker of conversations of a person with a bot: `talk(bot)`, `talk("bot-1", person)`."""
    alice: list[Client] = []

    def make(bot: Bot | str, person: Client | None = None) -> Talk:
        if person is None:
            alice[:] = alice or [connect(fresh("alice"))]
            person = alice[0]
        identity = bot if isinstance(bot, str) else bot.client.identity
        room = person.create_conversation().join()
        log = EventLog(room, "message_added")
        room.add(identity)
        return Talk(room, identity, log)

    return make
