"""Bots that run for as long as a test."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Final, Self

import attrs

from twilio_conversations.bot.bot import Bot
from twilio_conversations.client.client import Client
from twilio_conversations.errors import RequestTimeoutError
from twilio_conversations.testing.people import PATIENCE
from twilio_conversations.util.futures import Deadline

_SLICE: Final = 0.5
"""Seconds after which it is looked whether a bot that is not ready has ended."""


@attrs.define(eq=False)
class _Run:
    """A bot, the thread that runs it, and the error with which it has ended."""

    bot: Bot
    thread: threading.Thread = attrs.field(init=False)
    error: BaseException | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.thread = threading.Thread(target=self._run, name="bot-under-test", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.bot.run()
        except BaseException as error:
            self.error = error

    def raise_error(self) -> None:
        """Raise the error with which the bot has ended, once."""
        error, self.error = self.error, None
        if error is not None:
            raise error


@attrs.define(eq=False, repr=False)
class RunBot:
    """Runs bots in threads: ``client = run_bot(bot)``; they are stopped at the end of the test."""

    _runs: list[_Run] = attrs.field(factory=list, init=False)

    def __call__(self, bot: Bot) -> Client:
        """Return the client of the bot, which is ready, once the bot hands messages over.

        Raises:
            RequestTimeoutError: the bot is not ready after `PATIENCE` seconds.
            Exception: whatever the bot has ended with instead.
        """
        run, deadline = _Run(bot), Deadline(PATIENCE)
        self._runs.append(run)
        while True:
            try:
                return bot.wait_until_ready(_SLICE).client
            except RequestTimeoutError:
                run.raise_error()
                if deadline.passed:
                    raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        for run in self._runs:
            run.bot.stop()
        for run in self._runs:
            run.thread.join(PATIENCE)
            if run.thread.is_alive():
                raise AssertionError(f"the bot is still running {PATIENCE:g} s after it was stopped")
        for run in self._runs:
            run.raise_error()
