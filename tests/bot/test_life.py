"""The life of a bot: run in a thread and as a program, stopped, refused; its log."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import pytest

from tests.bot.conftest import Running, Talk
from tests.support.clients import Fresh
from tests.support.patience import PATIENCE
from twilio_conversations import ClientClosedError, NoThreadError
from twilio_conversations.bot import Bot, MessageContext, NoAnswerError, Say
from twilio_conversations.server import LocalServer

NewBot = Callable[..., Bot]
Start = Callable[..., Running]
Talks = Callable[..., Talk]


def test_stop_in_a_thread(new_bot: NewBot, start: Start, talk: Talks) -> None:
    """`run` returns when the handler in hand has finished; no thread is left, and the client is closed."""
    bot = new_bot()
    begun, go_on = threading.Event(), threading.Event()
    notes: list[tuple[str, str | None]] = []

    @bot.message()
    def slow(message: Any) -> None:
        notes.append(("begins", message.body))
        begun.set()
        assert go_on.wait(PATIENCE)
        notes.append(("ends", message.body))

    running = start(bot)
    room = talk(bot)
    texts = [f"text {number}" for number in range(20)]
    for text in texts:
        room.say(text)
    assert begun.wait(PATIENCE)
    bot.stop()
    go_on.set()
    running.end()
    assert notes == [(what, text) for text in texts[: len(notes) // 2] for what in ("begins", "ends")]
    assert running.raised == []
    assert isinstance(bot.client.ended_by, ClientClosedError)
    assert [one.name for one in threading.enumerate() if one.name.startswith("conversations-bot")] == []


def test_a_handler_that_does_not_end_is_named(new_bot: NewBot, start: Start, talk: Talks, caplog: Any) -> None:
    """`run` returns after `stop_timeout` all the same."""
    bot = new_bot(stop_timeout=0.05)
    begun, go_on = threading.Event(), threading.Event()

    @bot.message()
    def endless() -> None:
        begun.set()
        go_on.wait(PATIENCE)

    running = start(bot)
    talk(bot).say("go")
    assert begun.wait(PATIENCE)
    running.end()
    assert "still running" in caplog.text
    assert "endless" in caplog.text
    go_on.set()


def test_a_client_that_ends_ends_the_bot(new_bot: NewBot, start: Start) -> None:
    """A closed client ends it without an error; `stop` before `run` is remembered."""
    bot = new_bot()
    running = start(bot)
    bot.client.close()
    running.thread.join(PATIENCE)
    assert running.raised == []
    other = new_bot()
    other.stop()
    other.run()
    with pytest.raises(ClientClosedError):
        other.run()


def test_who_waits_for_a_bot_that_cannot_connect(new_bot: NewBot, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait ends with the error of `run`."""
    bot = new_bot()
    begin = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("conversations-io"):
            raise RuntimeError("can't start new thread")
        begin(thread)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        running = start(bot, ready=False)
        with pytest.raises(NoThreadError):
            bot.wait_until_ready(PATIENCE)
        running.thread.join(PATIENCE)
    assert [type(error) for error in running.raised] == [NoThreadError]


@pytest.mark.parametrize("how", [lambda: sys.exit(3), lambda: exec("raise KeyboardInterrupt")], ids=["exit", "interrupt"])
def test_exit_in_a_handler_ends_the_bot(how: Callable[[], None], new_bot: NewBot, start: Start, talk: Talks) -> None:
    """`run` raises what the handler has raised."""
    bot = new_bot(catch_up=True)

    @bot.message()
    def leave() -> None:
        how()

    running = start(bot)
    talk(bot).say("go")
    running.thread.join(PATIENCE)
    assert [type(one) for one in running.raised] in ([SystemExit], [KeyboardInterrupt])


def test_handlers_run_in_their_context(new_bot: NewBot, start: Start, talk: Talks) -> None:
    """The option `handler_context` is entered on the worker's thread around each handler of the bot."""
    seen: list[tuple[str, str]] = []

    @contextmanager
    def context() -> Any:
        is_the_bots = threading.current_thread().name.startswith("conversations-bot")
        if is_the_bots:
            seen.append(("in", threading.current_thread().name))
        try:
            yield
        finally:
            if is_the_bots:
                seen.append(("out", threading.current_thread().name))

    bot = new_bot(handler_context=context)

    @bot.message()
    def answer(say: Say) -> None:
        seen.append(("handler", threading.current_thread().name))
        say("yes")
        raise ValueError

    @bot.error
    def failed(failed: MessageContext) -> None:
        seen.append(("error handler", threading.current_thread().name))
        failed.say("no")

    running = start(bot)
    room = talk(bot)
    room.say("go")
    room.heard("no")
    running.end()
    assert [what for what, _ in seen] == ["in", "handler", "out", "in", "error handler", "out"]
    assert len({thread for _, thread in seen}) == 1


PROGRAM = """
import sys
from twilio_conversations.bot import Bot

url, token = sys.argv[1:3]
bot = Bot(lambda: token, endpoint=url, catch_up=True)


@bot.message("hello")
def hello(message, say):
    say(f"Hello {message.author}!")


@bot.message("wait")
def wait(say, ask):
    say("waiting")
    sys.stdin.readline()
    say("finished")


bot.run()
print("the end")
"""


class Program:
    """The bot above, in a process of its own."""

    def __init__(self, url: str, token: str, program: str = PROGRAM) -> None:
        command = [sys.executable, "-W", "error", "-c", program, url, token]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)

    def end(self, given: str = "") -> tuple[int, str, str]:
        """Write to the program, wait for its end; return its exit code and what it wrote."""
        output, errors = self.process.communicate(given, timeout=PATIENCE)
        return self.process.returncode, output, errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_finish_the_handler_in_hand(number: int, service: LocalServer, fresh: Fresh, talk: Talks) -> None:
    """The program goes on behind `run`, and its exit code is 0; the log is readable, and names what was handled."""
    me = fresh("bot")
    room = talk(me)
    greeting = room.say("hello").index
    room.say("wait")
    with Program(service.url, service.token(me)) as program:
        room.heard("waiting")
        program.process.send_signal(number)
        code, output, errors = program.end("go on\n")
    assert (code, output) == (0, "the end\n"), errors
    room.heard("finished")
    assert f"message {greeting} of {room.room.sid}: hello has finished" in errors
    assert "Traceback" not in errors


def test_a_second_signal_ends_at_once(service: LocalServer, fresh: Fresh, talk: Talks) -> None:
    """A handler that hangs does not keep the program from ending by Ctrl-C twice."""
    me = fresh("bot")
    room = talk(me)
    room.say("wait")
    with Program(service.url, service.token(me)) as program:
        room.heard("waiting")
        program.process.send_signal(signal.SIGTERM)
        assert program.process.stderr is not None
        while "the bot stops" not in program.process.stderr.readline():
            pass
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(PATIENCE) == -signal.SIGTERM


def test_a_refused_program_ends_with_the_error(service: LocalServer, fresh: Fresh) -> None:
    """`run` raises the reason; the exit code is that of an error."""
    with LocalServer() as other:
        foreign = other.token(fresh("bot"))
    with Program(service.url, foreign, PROGRAM.replace("lambda: token", "token")) as program:
        code, output, errors = program.end()
    assert (code, output) == (1, "")
    assert "InitializationError" in errors


def test_a_log_that_is_configured_stays(new_bot: NewBot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a program without any handler is given one."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    mine = logging.StreamHandler()
    logging.getLogger("twilio_conversations").addHandler(mine)
    try:
        bot = new_bot()
        bot.stop()
        bot.run()
        assert root.handlers == []
    finally:
        logging.getLogger("twilio_conversations").removeHandler(mine)
    again = new_bot()
    again.stop()
    again.run()
    assert len(root.handlers) == 1


def test_a_dialogue_is_cut(new_bot: NewBot, start: Start, talk: Talks) -> None:
    """A handler that waits for an answer ends when the bot stops, also one that catches every exception."""
    bot = new_bot()
    after: list[str] = []

    @bot.message()
    def dialogue(ask: Any) -> None:
        try:
            ask("why?", timeout=PATIENCE)
        except Exception:
            after.append("caught")
        after.append("went on")

    running = start(bot)
    room = talk(bot)
    room.say("go")
    room.heard("why?")
    running.end()
    assert after == []
    assert issubclass(NoAnswerError, TimeoutError)
