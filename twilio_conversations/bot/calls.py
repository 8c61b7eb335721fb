"""Calls of a bot's handlers: what they raise is reported, and stops nobody else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Final

from twilio_conversations.bot.context import Context, Found
from twilio_conversations.bot.errors import DialogueCutError, NoAnswerError
from twilio_conversations.bot.handlers import ErrorContext, Handler
from twilio_conversations.events.dispatcher import note
from twilio_conversations.events.names import HandlerError
from twilio_conversations.models.message import Message
from twilio_conversations.util import logs

_log = logs.logger(__name__)
_ENDING: Final = (SystemExit, KeyboardInterrupt)
"""Exceptions of handlers that end the bot; all others are reported."""


class Calls:
    """Calls handlers, within `handler_context()`; `end` ends the bot with an exception."""

    def __init__(
        self, handler_context: Callable[[], AbstractContextManager[object]], end: Callable[[BaseException], None]
    ) -> None:
        self.error_handlers: list[Handler] = []
        self._handler_context = handler_context
        self._end = end
        self._running: dict[int, str] = {}

    @property
    def running(self) -> list[str]:
        """Names of the handlers that run now."""
        return list(self._running.values())

    def first(self, handlers: Iterable[Handler], message: Message, failed: Context) -> tuple[Handler, Found] | None:
        """Return the first handler that a message is for, and what it found in it; a predicate that raises is reported."""
        for handler in handlers:
            try:
                matches, found = handler.matches(message)
            except BaseException as error:
                self._report(error, handler, failed)
            else:
                if matches:
                    return handler, found
        return None

    def call(self, handler: Handler, context: Context, what: str) -> None:
        """Run a handler and return when it has finished; `what` is what it is called for.

        Raises:
            DialogueCutError: it waited for an answer when the bot stopped; it has not finished.
        """
        thread = threading.get_ident()
        self._running[thread] = handler.name
        try:
            with self._handler_context():
                handler.call(context)
            _log.info("%s: %s has finished", what, handler.name)
        except NoAnswerError as error:
            _log.info("%s: %s has ended: %s", what, handler.name, error)
        except DialogueCutError:
            _log.info("%s: %s was cut while it waited for an answer", what, handler.name)
            raise
        except _ENDING as error:
            _log.info("%s: %s ends the bot by %s", what, handler.name, type(error).__name__)
            self._end(error)
        except BaseException as error:
            self._report(error, handler, context)
        finally:
            del self._running[thread]

    def _report(self, error: BaseException, handler: Handler, failed: Context) -> None:
        _log.error("the handler %s raised", handler.name, exc_info=error)
        note(HandlerError(error, None, handler.function))
        for receiver in self.error_handlers:
            try:
                with self._handler_context():
                    receiver.call(ErrorContext(failed.client, error, failed))
            except BaseException as another:
                _log.error("the error handler %s raised", receiver.name, exc_info=another)
                note(HandlerError(another, None, receiver.function))
