"""Dialogues by `ask`, slow handlers, and the bounds of what waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.bot.conftest import Running, Talk
from tests.support.clients import Connect, Fresh
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from tests.support.waiting import until
from twilio_conversations import Message, Participant
from twilio_conversations.bot import Ask, Bot, NoAnswerError, Say
from twilio_conversations.bot import room as room_module

NewBot = Callable[..., Bot]
Start = Callable[..., Running]
Talks = Callable[..., Talk]


def dialogue_bot(bot: Bot) -> Bot:
    """Give a bot a dialogue of two questions, and an echo for all else."""

    @bot.message("^order$")
    def order(ask: Ask, say: Say) -> None:
        what = ask("what?").body
        size = ask("which size?").body
        say(f"a {size} {what}")

    @bot.message()
    def echo(message: Message, say: Say) -> None:
        say(f"echo {message.body}")

    return bot


def test_answers_are_not_passed_to_handlers(new_bot: NewBot, start: Start, talk: Talks) -> None:
    """A dialogue of two questions; what comes after it goes to the handlers again."""
    start(bot := dialogue_bot(new_bot()))
    room = talk(bot)
    room.say("order")
    room.heard("what?")
    room.say("coffee")
    room.heard("which size?")
    room.say("large")
    room.heard("a large coffee")
    room.say("thanks")
    room.heard("echo thanks")
    assert room.answers() == ["what?", "which size?", "a large coffee", "echo thanks"]


def test_only_the_person_asked_answers(new_bot: NewBot, start: Start, talk: Talks, connect: Connect, fresh: Fresh) -> None:
    """What others write meanwhile waits, and is handed over after the dialogue, in order."""
    start(bot := dialogue_bot(new_bot(catch_up=True)))
    room = talk(bot)
    bob = connect(fresh("bob"))
    room.room.add(bob.identity)
    his = bob.get_conversation_by_sid(room.room.sid)
    room.say("order")
    room.heard("what?")
    his.send_message("one")
    his.send_message("two")
    room.say("tea")
    room.heard("which size?")
    room.say("small")
    room.heard("echo two")
    assert room.answers() == ["what?", "which size?", "a small tea", "echo one", "echo two"]


def test_dialogues_hold_up_nobody(new_bot: NewBot, start: Start, talk: Talks) -> None:
    """With one worker, three dialogues go on in turns, and a fourth conversation is answered."""
    start(bot := dialogue_bot(new_bot(workers=1)))
    rooms = [talk(bot) for _ in range(3)]
    for room in rooms:
        room.say("order")
    for room in rooms:
        room.heard("what?")
    other = talk(bot)
    other.say("hello")
    other.heard("echo hello")
    for room in reversed(rooms):
        room.say("tea")
        room.heard("which size?")
    for room in rooms:
        room.say("small")
        room.heard("a small tea")


def test_dialogues_are_bounded(new_bot: NewBot, start: Start, talk: Talks) -> None:
    """Those beyond `dialogues` count as running; threads do not grow without limit."""
    start(bot := dialogue_bot(new_bot(workers=1, dialogues=1)))
    rooms = [talk(bot) for _ in range(2)]
    for room in rooms:
        room.say("order")
        room.heard("what?")
    last = talk(bot)
    last.say("hello")
    assert len([one for one in threading.enumerate() if one.name.startswith("conversations-bot")]) == 2
    assert last.answers() == []
    for room in rooms:
        room.say("tea")
        room.heard("which size?")
        room.say("small")
    last.heard("echo hello")


def test_no_answer(new_bot: NewBot, start: Start, talk: Talks, caplog: Any) -> None:
    """`NoAnswerError` may be caught; otherwise it ends the handler, which is no error of the bot."""
    bot = new_bot()
    errors: list[BaseException] = []

    @bot.message("caught")
    def caught(ask: Ask, say: Say) -> None:
        with pytest.raises(NoAnswerError, match=r"no answer within 0.01 s"):
            ask("well?", 0.01)
        say("never mind")

    @bot.message()
    def uncaught(ask: Ask, say: Say) -> None:
        ask("so?", timeout=0.01)
        say("not reached")

    @bot.error
    def report(error: BaseException) -> None:
        errors.append(error)

    caplog.set_level("INFO", logger="twilio_conversations.bot")
    start(bot)
    room = talk(bot)
    room.say("go")
    # What comes before that is an answer.
    until(lambda: "uncaught has ended: no answer within 0.01 s" in caplog.text, "nobody answered")
    room.say("caught")
    room.heard("never mind")
    assert room.answers() == ["so?", "well?", "never mind"]
    assert errors == []


@pytest.mark.parametrize("catch_up", [False, True])
def test_a_slow_handler_keeps_its_order_and_holds_up_nobody(
    catch_up: bool, new_bot: NewBot, start: Start, talk: Talks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of far more messages than may wait in memory each is handed over once, in order; others are answered meanwhile."""
    monkeypatch.setattr(room_module, "MOST_WAITING", 5)
    bot = new_bot(catch_up=catch_up)
    begun, go_on = threading.Event(), threading.Event()
    seen: list[str | None] = []

    @bot.message("slow")
    def slow(message: Message) -> None:
        seen.append(message.body)
        begun.set()
        assert go_on.wait(PATIENCE)

    @bot.message()
    def echo(message: Message, say: Say) -> None:
        say(f"echo {message.body}")

    start(bot)
    room, other = talk(bot), talk(bot)
    texts = [f"slow {number}" for number in range(130)]
    room.say(texts[0])
    assert begun.wait(PATIENCE)
    for text in texts[1:]:
        room.say(text)
    for number in range(3):
        other.say(f"hello {number}")
        other.heard(f"echo hello {number}")
    assert seen == texts[:1]
    go_on.set()
    room.say("end")
    room.heard("echo end")
    assert seen == texts


def test_new_participants_are_all_greeted(
    new_bot: NewBot, start: Start, talk: Talks, fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where more join than may wait, the events thread waits for room; none is lost, and the order is kept."""
    monkeypatch.setattr(room_module, "MOST_WAITING", 2)
    bot = new_bot()
    begun, go_on = threading.Event(), threading.Event()

    @bot.joined
    def greet(participant: Participant, say: Say) -> None:
        begun.set()
        assert go_on.wait(PATIENCE)
        say(f"welcome {participant.identity}")

    @bot.message()
    def echo(message: Message, say: Say) -> None:
        say(f"echo {message.body}")

    start(bot)
    entered = EventLog(bot.client, "conversation_joined")
    room = talk(bot)
    entered.wait("conversation_joined")
    names = [fresh("guest") for _ in range(6)]
    for name in names:
        room.room.add(name)
        room.say("hello")
    assert begun.wait(PATIENCE)
    until(lambda: bot.client.stats().pending_events > 0, "events wait in the client")
    go_on.set()
    for name in names:
        room.heard(f"welcome {name}")
    until(lambda: room.answers().count("echo hello") == 6, "messages are answered too")
    assert [one for one in room.answers() if one != "echo hello"] == [f"welcome {name}" for name in names]
