"""Which handler a message is for, what handlers are given, and what they can do in a conversation."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.bot.conftest import Running, Talk
from tests.support.event_log import EventLog
from twilio_conversations import ArgumentTypeError, Conversation, InvalidArgumentError, Message
from twilio_conversations.bot import Ask, Bot, Context, ErrorContext, MessageContext, Say, Typing

NewBot = Callable[..., Bot]
Start = Callable[..., Running]
Talks = Callable[..., Talk]


def test_six_lines(new_bot: NewBot, start: Start, talk: Talks) -> None:
    """The example of the guide: a pattern, and an answer; the bot does not answer itself."""
    bot = new_bot()

    @bot.message(r"^[Hh]ello")
    def hello(message: Message, say: Say) -> None:
        say(f"Hello {message.author}!")

    start(bot)
    room = talk(bot)
    author = room.say("hello").author
    room.say("good day")
    room.say("Hello!")
    room.heard(f"Hello {author}!")
    room.log.wait("message_added", lambda one: room.answers() == [f"Hello {author}!"] * 2)


def test_the_first_that_fits_is_called(new_bot: NewBot, start: Start, talk: Talks) -> None:
    """Patterns, predicates, commands and media are tried in the order of their registration."""
    bot = new_bot()

    @bot.command("/add")
    def add(arguments: list[str], say: Say) -> None:
        say("+".join(arguments))

    @bot.media
    def got(media: list[Any], say: Say) -> None:
        say(f"{len(media)} {media[0].filename}")

    @bot.message(re.compile(r"(\d+) pieces"))
    def pieces(match: re.Match[str], say: Say) -> None:
        say(f"pieces {match[1]}")

    @bot.message(lambda message: message.body == "odd")
    def odd(say: Say) -> None:
        say("even")

    @bot.message()
    def rest(context: MessageContext) -> None:
        context.say(f"? {context.arguments} {context.match}")

    start(bot)
    room = talk(bot)
    room.say('/ADD one "two three"\n  four')
    room.heard("one+two three+four")
    room.say("/added")
    room.heard("? [] None")
    room.say("/add 5 pieces", media=("a.txt", b"text"))
    room.heard("5+pieces")
    room.say("5 pieces", media=("a.txt", b"text"))
    room.heard("1 a.txt")
    room.say("make it 7 pieces")
    room.heard("pieces 7")
    room.say("odd")
    room.heard("even")


def test_say_reply_and_typing(new_bot: NewBot, start: Start, talk: Talks) -> None:
    """`say` sends text, media and attributes, `reply` names its message, `typing` is seen by the others."""
    bot = new_bot()

    @bot.message()
    def answer(message: Message, conversation: Conversation, say: Say, reply: Say, typing: Typing) -> None:
        with typing():
            say("picture", media=("p.png", b"png", "image/png"), attributes={"kind": "picture"})
        with pytest.raises(InvalidArgumentError, match="must be a JSON object"):
            reply("done", attributes=["to", message.author])
        reply("done", attributes={"to": message.author})

    start(bot)
    room = talk(bot)
    typing_log = EventLog(room.room, "typing_started")
    asked = room.say("work")
    typing_log.wait("typing_started", lambda one: one.identity == room.bot)
    picture = room.heard("picture")
    assert picture.attributes == {"kind": "picture"}
    assert [one.filename for one in picture.attached_media] == ["p.png"]
    assert room.heard("done").attributes == {"to": asked.author, "reply_to": asked.sid}


def test_joined_leaves_the_bot_out(new_bot: NewBot, start: Start, talk: Talks, fresh: Any) -> None:
    """Who joins is greeted; the bot itself, and who was there before it, are not."""
    bot = new_bot()

    @bot.joined
    def greet(participant: Any, say: Say) -> None:
        say(f"welcome {participant.identity}")

    start(bot)
    entered = EventLog(bot.client, "conversation_joined")
    room = talk(bot)
    entered.wait("conversation_joined")
    carol = fresh("carol")
    room.room.add(carol)
    room.heard(f"welcome {carol}")
    assert room.answers() == [f"welcome {carol}"]


def test_every(new_bot: NewBot, start: Start, talk: Talks) -> None:
    """A repeated handler runs again and again; one that raises is called all the same."""
    bot = new_bot()
    name = bot.client
    calls: list[Any] = []

    @bot.every(0.01)
    def tick(client: Any) -> None:
        calls.append(client)
        if len(calls) == 3:
            bot.stop()
        raise ValueError("not an end")

    running = start(bot, ready=False)
    running.thread.join()
    assert calls == [name] * 3
    assert running.raised == []


def test_errors_are_reported_and_stop_nothing(new_bot: NewBot, start: Start, talk: Talks, caplog: Any) -> None:
    """Of a handler, a predicate and an `error` handler that raises too."""
    bot = new_bot()
    seen: list[tuple[str, str | None]] = []

    def bad(message: Message) -> bool:
        raise LookupError("predicate")

    @bot.message(bad)
    def never() -> None:
        raise AssertionError

    @bot.message("fail")
    def fail() -> None:
        raise ValueError("handler")

    @bot.message()
    def fine(say: Say) -> None:
        say("fine")

    @bot.error
    def report(error: BaseException, failed: Context) -> None:
        assert isinstance(failed, MessageContext)
        seen.append((str(error), failed.message.body))
        raise RuntimeError("report")

    start(bot)
    room = talk(bot)
    room.say("fail")
    room.say("go on")
    room.heard("fine")
    assert seen == [("predicate", "fail"), ("handler", "fail"), ("predicate", "go on")]
    assert "ValueError: handler" in caplog.text
    assert "RuntimeError: report" in caplog.text


def test_handlers_that_cannot_work_are_refused(new_bot: NewBot) -> None:
    """With the text of `Client.on`, and with the names that there are."""
    bot = new_bot()

    async def lazy(message: Message) -> None: ...

    def wrong(message: Message, speak: Any) -> None: ...

    def optional(message: Message, loud: bool = False, **rest: Any) -> None: ...

    with pytest.raises(InvalidArgumentError) as theirs:
        bot.client.on("message_added", lazy)  # type: ignore[call-overload]
    for decorator in (bot.message(), bot.joined, bot.media, bot.every(1), bot.error, bot.command("/a")):
        with pytest.raises(InvalidArgumentError) as ours:
            decorator(lazy)  # type: ignore[type-var]
        assert str(ours.value) == str(theirs.value)
    with pytest.raises(InvalidArgumentError, match=r"wrong has the parameter 'speak'.*arguments, ask, client"):
        bot.message()(wrong)
    with pytest.raises(InvalidArgumentError, match=r"write @bot.message\(\) above the handler .*wrong"):
        bot.message(wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="not a regular expression"):
        bot.message("(")
    with pytest.raises(ArgumentTypeError, match="for text, not for bytes"):
        bot.message(re.compile(b"x"))  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="one word"):
        bot.command("/two words")
    with pytest.raises(InvalidArgumentError, match="above zero"):
        bot.every(0)
    assert bot.message()(optional) is optional


def test_a_client_that_exists(service: Any, connect: Any, fresh: Any, start: Start, talk: Talks) -> None:
    """It may be connected already, takes no options, and stays open."""
    client = connect(fresh("bot"))
    room = talk(client.identity)
    with pytest.raises(InvalidArgumentError, match="'endpoint'"):
        Bot(client, endpoint=service.url)
    bot = Bot(client)

    @bot.message()
    def answer(say: Say) -> None:
        say("yes")

    running = start(bot)
    room.say("there?")
    room.heard("yes")
    running.end()
    assert client.is_ready
    assert client.listeners("message_added") == []


def test_the_error_context_is_public() -> None:
    """Annotations of handlers name it."""
    assert ErrorContext.NAMES >= {"error", "failed", "client"}
    assert Ask.__doc__
