"""Catching up: messages that came while the bot was away, in order and once each, over restarts and faults."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from tests.bot.conftest import Running, Talk
from tests.support.clients import Connect, Fresh
from tests.support.patience import PATIENCE
from tests.support.waiting import until
from twilio_conversations import Message
from twilio_conversations.bot import Ask, Bot, Say
from twilio_conversations.bot import room as room_module
from twilio_conversations.server import LocalServer

NewBot = Callable[..., Bot]
Start = Callable[..., Running]
Talks = Callable[..., Talk]


class Seen:
    """The texts that a bot's handler was given, by conversation, in order."""

    def __init__(self, bot: Bot, pattern: str = "") -> None:
        self.by_room: dict[str, list[str | None]] = defaultdict(list)
        bot.message(pattern)(self.take)

    def take(self, message: Message) -> None:
        """Note a message."""
        self.by_room[message.conversation.sid].append(message.body)

    def until(self, room: Talk, texts: list[str]) -> None:
        """Wait until that many have come; they are the expected ones."""
        seen = self.by_room[room.room.sid]
        until(lambda: len(seen) >= len(texts), f"{len(texts)} messages")
        assert seen == texts


def texts(count: int, start: int = 0) -> list[str]:
    """Return numbered texts."""
    return [f"text {number}" for number in range(start, start + count)]


def test_what_came_meanwhile_comes_first(new_bot: NewBot, start: Start, talk: Talks, fresh: Fresh) -> None:
    """Three conversations are several pages behind; what is written while the bot catches up comes after, nothing twice."""
    me = fresh("bot")
    rooms = [talk(me) for _ in range(3)]
    for room in rooms:
        for text in texts(120):
            room.say(text)
    bot = new_bot(me, catch_up=True)
    seen = Seen(bot)
    start(bot, ready=False)
    for number in range(120, 160):
        for room in rooms:
            room.say(f"text {number}")
    for room in rooms:
        seen.until(room, texts(160))
        until(lambda room=room: horizon(room, me) == 159, "the horizon is at the end")


def horizon(room: Talk, identity: str) -> int | None:
    """Return the read horizon of a participant, as the others see it."""
    return room.room.get_participant_by_identity(identity).last_read_message_index


def test_nothing_twice_over_restarts(new_bot: NewBot, start: Start, talk: Talks, fresh: Fresh) -> None:
    """Each run goes on where the last one ended, also after handlers that have raised, and messages for which there is none."""
    me = fresh("bot")
    room = talk(me)
    for round_ in range(3):
        room.say("nobody wants this")
        for text in texts(5, 5 * round_):
            room.say(text)
        bot = new_bot(me, catch_up=True)
        seen = Seen(bot, "text")

        @bot.message("bad")
        def bad() -> None:
            raise ValueError("handed over all the same")

        running = start(bot)
        seen.until(room, texts(5, 5 * round_))
        last = room.say("bad").index
        until(lambda last=last: horizon(room, me) == last, "the failed one is behind")
        last = room.say("nobody").index
        until(lambda last=last: horizon(room, me) == last, "the unwanted one is behind")
        running.end()


def test_without_catch_up_the_horizon_stays(new_bot: NewBot, start: Start, talk: Talks, fresh: Fresh) -> None:
    """Messages of earlier times are left alone, and so is the horizon."""
    me = fresh("bot")
    room = talk(me)
    room.say("early")
    bot = new_bot(me)
    seen = Seen(bot)
    start(bot)
    room.say("late")
    seen.until(room, ["late"])
    assert horizon(room, me) is None


def test_history_before_the_bot_was_added(
    new_bot: NewBot, start: Start, connect: Connect, fresh: Fresh, service: LocalServer
) -> None:
    """Without a read horizon, messages begin when the bot became a participant, whether it was there then or not."""
    alice, me = connect(fresh("alice")), fresh("bot")
    bot = new_bot(me, catch_up=True)
    seen = Seen(bot)

    def a_moment_later() -> None:
        """The service counts milliseconds, and a quick machine sends two requests in one."""
        now = service.now()
        until(lambda: service.now() > now, "the next millisecond")

    def a_room() -> Any:
        room = alice.create_conversation().join()
        room.send_message("before")
        a_moment_later()
        room.add(me)
        room.send_message("after")
        return room

    away = a_room()
    start(bot)
    live = a_room()
    for room in (away, live):
        until(lambda room=room: seen.by_room[room.sid], "a message")
        room.remove_participant(me)
        room.send_message("without it")
        a_moment_later()
        room.add(me)
        room.send_message("again")
        until(lambda room=room: len(seen.by_room[room.sid]) > 1, "another message")
        assert seen.by_room[room.sid] == ["after", "again"]


def test_the_horizon_never_goes_back(new_bot: NewBot, start: Start, talk: Talks, connect: Connect, fresh: Fresh) -> None:
    """Another device of the bot has moved it on meanwhile."""
    me = fresh("bot")
    room = talk(me)
    first = room.say("first").index
    begun, go_on = threading.Event(), threading.Event()
    bot = new_bot(me, catch_up=True)

    @bot.message("first")
    def wait() -> None:
        begun.set()
        assert go_on.wait(PATIENCE)

    @bot.message()
    def answer(say: Say) -> None:
        say("answered")

    start(bot)
    assert begun.wait(PATIENCE)
    second = room.say("second").index
    mine = bot.client.get_conversation_by_sid(room.room.sid)
    connect(me).get_conversation_by_sid(room.room.sid).advance_last_read_message_index(second + 5)
    until(lambda: mine.last_read_message_index == second + 5, "the other mark is known")
    go_on.set()
    room.heard("answered")
    assert first < second
    assert horizon(room, me) == second + 5


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", r"/Users/[^/]+/Conversations/"), ("GET", r"/v3/Lists/[^/]+/Items")],
    ids=["horizon", "pages"],
)
def test_what_the_service_fails_is_repeated(
    method: str,
    path: str,
    new_bot: NewBot,
    start: Start,
    talk: Talks,
    fresh: Fresh,
    service: LocalServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A page that cannot be read is read again, and the next message waits until the horizon has moved."""
    monkeypatch.setattr(room_module, "_RETRIES", (0.01,))
    me = fresh("bot")
    room = talk(me)
    for text in texts(250):
        room.say(text)
    bot = new_bot(me, catch_up=True)
    seen = Seen(bot)

    @bot.error
    def never(error: BaseException) -> None:
        raise AssertionError from error

    service.faults.refuse(3, identity=me, method=method, path=path, status=400)
    start(bot, ready=False)
    seen.until(room, texts(250))
    until(lambda: horizon(room, me) == 249, "the horizon is at the end")
    assert not [one for one in service.faults.pending() if one["identity"] == me]


def test_a_dialogue_over_a_restart(new_bot: NewBot, start: Start, talk: Talks, fresh: Fresh) -> None:
    """One in which the bot stops begins again; one that is over is not repeated, nor is its answer handed over."""
    me = fresh("bot")
    room = talk(me)

    def a_bot() -> Bot:
        bot = new_bot(me, catch_up=True)

        @bot.message("order")
        def order(ask: Ask, say: Say) -> None:
            say("welcome")
            say(f"a {ask('what?').body}")

        @bot.message()
        def echo(message: Message, say: Say) -> None:
            say(f"echo {message.body}")

        return bot

    first = start(a_bot())
    room.say("order")
    room.heard("what?")
    first.end()
    second = start(a_bot())
    until(lambda: room.answers().count("what?") == 2, "it asks again")
    answer = room.say("tea").index
    room.heard("a tea")
    until(lambda: horizon(room, me) == answer, "the answer is behind")
    second.end()
    start(a_bot())
    room.say("end")
    room.heard("echo end")
    assert room.answers() == ["welcome", "what?", "what?", "a tea", "echo end"]
