"""`Bot`: functions are registered for what happens, then it runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Self, Unpack

from twilio_conversations.bot.calls import Calls
from twilio_conversations.bot.context import Context, JoinedContext, MessageContext
from twilio_conversations.bot.ensure import ensure_conversation
from twilio_conversations.bot.handlers import (
    Decorator,
    ErrorContext,
    F,
    Handler,
    Matches,
    by_command,
    by_media,
    by_text,
    handler_of,
)
from twilio_conversations.bot.room import Desk
from twilio_conversations.bot.rooms import Rooms
from twilio_conversations.bot.running import Loop, ended_by_signals, log_readably
from twilio_conversations.bot.workers import Workers
from twilio_conversations.client.client import Client
from twilio_conversations.errors import ClientClosedError, ConversationsError, InvalidArgumentError
from twilio_conversations.options import Endpoints, OptionFields
from twilio_conversations.util import checks, logs
from twilio_conversations.util.futures import Deadline, SharedFuture, wait

if TYPE_CHECKING:
    import requests

    from twilio_conversations.models.conversation import Conversation
    from twilio_conversations.models.message import Message

_log = logs.logger(__name__)


class ClientOptions(OptionFields, total=False):
    """The arguments of `Client` that a bot takes by name."""

    region: str | None
    endpoint: str | None
    endpoints: Endpoints | None
    session: requests.Session | None


class Bot:
    """A program that answers messages::

        bot = Bot(get_token)

        @bot.message(r"^hello")
        def hello(message, say):
            say(f"Hello {message.author}!")

        bot.run()

    A handler names as parameters what it needs: `MessageContext` has the names. Of the handlers for messages, commands and media
    the first one that fits is called, in the order of their registration. The bot's own messages are left out.

    Handlers run on worker threads, one at a time in each conversation. What they raise is logged, passed to the `error` handlers,
    and stops nothing; `sys.exit` ends the bot.

    Args:
        token: a function that returns a token, a token, or a `Client`; the bot closes a client only if it has made it.
        catch_up: hand over the messages that came while the bot was away, too: those above its read horizon, which the bot moves
            when a handler has finished. In a conversation without a read horizon they begin with the millisecond in which the bot
            became a participant.
        workers: largest number of handlers that run at once.
        dialogues: largest number of handlers that wait in `ask` without counting as running.
        stop_timeout: seconds that handlers which are running have to finish when the bot stops.
        options: the arguments of `Client`, such as ``endpoint``; its ``handler_context`` is entered around the bot's handlers,
            too, and may also be given with a client.

    Raises:
        TokenError: the token cannot work.
        InvalidArgumentError: an argument is invalid, or there are options for a client that exists.

    Attributes:
        client: the client of the bot. It is not connected before `run`, unless it was given so.
    """

    def __init__(
        self,
        token: str | Callable[[], str] | Client,
        *,
        catch_up: bool = False,
        workers: int = 8,
        dialogues: int = 100,
        stop_timeout: float = 30.0,
        **options: Unpack[ClientOptions],
    ) -> None:
        self._catch_up = bool(catch_up)
        self._limits = checks.positive(workers, "workers"), checks.index(dialogues, "dialogues")
        self._stop_timeout = checks.seconds(stop_timeout, "stop_timeout")
        self._messages: list[Handler] = []
        self._joined: list[Handler] = []
        self._repeated: list[tuple[float, Handler]] = []
        self._loop = Loop()
        self._connecting: SharedFuture[None] = SharedFuture()
        self._makes_client = not isinstance(token, Client)
        if not isinstance(token, Client):
            token = Client(token, auto_connect=False, **options)
        elif others := sorted(options.keys() - {"handler_context"}):
            raise InvalidArgumentError(f"the client exists: it cannot be given {others[0]!r} any more")
        self._calls = Calls(options.get("handler_context") or nullcontext, self._loop.end)
        self.client: Client = token

    # -- handlers -----------------------------------------------------------------------------------------------------

    def message(self, wanted: str | re.Pattern[str] | Callable[[Message], object] | None = None) -> Decorator:
        """Register a handler for messages, as ``@bot.message(r"^hello")``.

        `wanted` is a regular expression that is searched for in the text, a predicate of a message, or nothing: all messages.

        Raises:
            InvalidArgumentError: the pattern, the predicate or the handler is invalid; ``async def`` handlers are.
        """
        return self._for_messages(by_text(wanted))

    def command(self, name: str) -> Decorator:
        """Register a handler for a command, as ``@bot.command("/remind")``: the first word of a message.

        The words after it are the parameter ``arguments``; those with spaces are written in double quotes.
        """
        return self._for_messages(by_command(name))

    def media(self, handler: F, /) -> F:
        """Register a handler for messages with attachments, as ``@bot.media``; they are the parameter ``media``."""
        return self._for_messages(by_media)(handler)

    def joined(self, handler: F, /) -> F:
        """Register a handler for new participants, as ``@bot.joined``; each is the parameter ``participant``.

        The bot itself is left out, and so is who came while it was away.
        """
        self._joined.append(handler_of(handler, JoinedContext))
        return handler

    def every(self, seconds: float) -> Decorator:
        """Register a handler that is called so many seconds after the start, and after each of its ends: ``@bot.every(60)``."""
        if checks.seconds(seconds, "seconds") <= 0:
            raise InvalidArgumentError(f"seconds must be above zero, not {seconds!r}")

        def register(handler: F) -> F:
            self._repeated.append((seconds, handler_of(handler, Context)))
            return handler

        return register

    def error(self, handler: F, /) -> F:
        """Register a handler for what other handlers raise, as ``@bot.error``; `ErrorContext` has its parameters."""
        self._calls.error_handlers.append(handler_of(handler, ErrorContext))
        return handler

    def _for_messages(self, matches: Matches) -> Decorator:
        def register(handler: F) -> F:
            self._messages.append(handler_of(handler, MessageContext, matches))
            return handler

        return register

    # -- life ---------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Connect, and return when the bot was stopped: by `stop`, SIGTERM, SIGINT, or the end of its client.

        Handlers that are running finish first. On another thread than the main one signals are left to the program. A program
        that has not configured logging gets a log on standard error.

        Raises:
            InitializationError: the client was rejected, or its token has expired without renewal.
            ClientClosedError: the client was closed before.
            SystemExit: a handler has raised it.
        """
        log_readably()
        workers = Workers(*self._limits, self._loop.later)
        with ended_by_signals(self._loop):
            cause = self._run(workers)
        if cause is not None:
            raise cause

    def wait_until_ready(self, timeout: float = 30.0) -> Self:
        """Wait until `run`, on another thread, has connected the bot; return the bot.

        Messages that are sent after that in a conversation of the bot are handed over.

        Raises:
            RequestTimeoutError: it was not connected within `timeout` seconds.
            InitializationError: the client was rejected.
            ConversationsError: `run` could not connect it.
        """
        deadline = Deadline(timeout)
        wait(self._connecting, deadline, "wait_until_ready()")
        self.client.wait_until_ready(deadline.remaining())
        self.client.get_subscribed_conversations(timeout=deadline.remaining())
        return self

    def stop(self) -> None:
        """End `run`, from any thread, also from a handler; does not wait for it."""
        self._loop.end()

    def ensure_conversation(
        self,
        unique_name: str,
        participants: Iterable[str] = (),
        *,
        friendly_name: str | None = None,
        attributes: Any = None,
        timeout: float | None = None,
    ) -> Conversation:
        """Return the conversation with that unique name: `ensure_conversation` with the bot's client."""
        return ensure_conversation(
            self.client, unique_name, participants, friendly_name=friendly_name, attributes=attributes, timeout=timeout
        )

    def _run(self, workers: Workers) -> BaseException | None:
        desk = Desk(self.client, workers, self._calls, self._messages, self._joined, self._loop.later, self._catch_up)
        rooms = Rooms(desk)
        try:
            self._connect()
            for seconds, handler in self._repeated:
                self._repeat(workers, seconds, handler)
            _log.info("the bot runs; handlers for messages: %d", len(self._messages))
            cause = self._loop.run(lambda: self.client.ended_by)
            return None if isinstance(cause, ClientClosedError) else cause
        finally:
            _log.info("the bot stops")
            rooms.close()
            if not workers.stop(self._stop_timeout):
                _log.warning("still running after %.0f s: %s", self._stop_timeout, ", ".join(self._calls.running))
            if self._makes_client:
                self.client.close()

    def _connect(self) -> None:
        if self._connecting.done():
            self._connecting = SharedFuture()
        try:
            self.client.connect()
        except ConversationsError as error:
            self._connecting.fail(error.again())
            raise
        self._connecting.settle(None)

    def _repeat(self, workers: Workers, seconds: float, handler: Handler) -> None:
        def turn() -> bool:
            self._calls.call(handler, Context(self.client), f"every {seconds:g} s")
            self._repeat(workers, seconds, handler)
            return False

        self._loop.later(seconds, lambda: workers.add(turn))
