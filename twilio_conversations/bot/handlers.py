"""Handlers of a bot: which message each is for, and the parameters that it names."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, TypeVar

import attrs

from twilio_conversations.bot.context import Context, Found
from twilio_conversations.errors import ArgumentTypeError, InvalidArgumentError
from twilio_conversations.util import checks, naming

if TYPE_CHECKING:
    from twilio_conversations.client.client import Client
    from twilio_conversations.events.handlers import Ignored
    from twilio_conversations.models.message import Message

F = TypeVar("F", bound="Callable[..., Ignored]")
Matches = Callable[["Message"], tuple[bool, Found]]
"""Return whether a message is for a handler, and what was found in it."""

_WORDS: Final = re.compile(r'"([^"]*)"|(\S+)')


class Decorator(Protocol):
    """A decorator that returns the function unchanged."""

    def __call__(self, handler: F, /) -> F:
        """Register `handler`."""
        ...


class ErrorContext(Context):
    """Context of an `error` handler: ``error``, ``failed``, ``client``.

    Attributes:
        error: the exception.
        failed: the context of the handler that raised it.
    """

    NAMES: ClassVar[frozenset[str]] = Context.NAMES | {"error", "failed"}

    def __init__(self, client: Client, error: BaseException, failed: Context) -> None:
        super().__init__(client)
        self.error: BaseException = error
        self.failed: Context = failed


@attrs.frozen
class Handler:
    """A function of the program's, with the parameters that it names."""

    function: Callable[..., Any]
    parameters: tuple[str, ...]
    matches: Matches

    def call(self, context: Context) -> None:
        """Run the function with what it names."""
        checks.ran(self.function(**{name: getattr(context, name) for name in self.parameters}), "a handler", self.function)

    @property
    def name(self) -> str:
        """Name of the function."""
        return naming.name_of(self.function)


def handler_of(function: Callable[..., Any], kind: type[Context], matches: Matches = lambda message: (True, None)) -> Handler:
    """Return the handler that `function` is for contexts of a kind.

    Raises:
        InvalidArgumentError: it is no function, is ``async def`` or a generator, or names a parameter that there is not.
    """
    checks.function(function, "a handler")
    names = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.name in kind.NAMES and parameter.kind is not parameter.POSITIONAL_ONLY:
            names.append(parameter.name)
        elif parameter.default is parameter.empty:
            text = f"{naming.name_of(function)} has the parameter {parameter.name!r}, which this handler is not given"
            raise InvalidArgumentError(f"{text}; there are: {', '.join(sorted(kind.NAMES))}")
    return Handler(function, tuple(names), matches)


def by_text(wanted: str | re.Pattern[str] | Callable[[Message], object] | None) -> Matches:
    """Return what decides about messages: a pattern that is searched for in the text, a predicate, or `None` for all.

    Raises:
        InvalidArgumentError: it is neither of them, or no valid pattern, or a handler without the parentheses of the decorator.
    """
    if wanted is None:
        return lambda message: (True, None)
    if isinstance(wanted, str | re.Pattern):
        pattern = _compiled(wanted)
        return lambda message: ((match := pattern.search(message.body or "")) is not None, match)
    predicate = checks.function(wanted, "a pattern or predicate")
    try:
        inspect.signature(predicate).bind(None)
    except TypeError:
        text = f"a predicate takes one argument, the message; write @bot.message() above the handler {naming.name_of(predicate)}"
        raise InvalidArgumentError(text) from None
    return lambda message: (bool(predicate(message)), None)


def by_command(name: str) -> Matches:
    """Return what decides about messages: whether the first word is this one, in upper or lower case.

    Raises:
        InvalidArgumentError: it is empty or has a space in it.
    """
    command = checks.filled(name, "the command").casefold()
    if len(command.split()) != 1 or command.strip() != command:
        raise InvalidArgumentError(f"a command is one word, not {checks.shown(name)}")

    def matches(message: Message) -> tuple[bool, Found]:
        first, *rest = (message.body or "").split(maxsplit=1) or [""]
        if first.casefold() != command:
            return False, None
        return True, [quoted or word for text in rest for quoted, word in _WORDS.findall(text)]

    return matches


def by_media(message: Message) -> tuple[bool, Found]:
    """Return whether a message has attachments."""
    return bool(message.attached_media), None


def _compiled(pattern: str | re.Pattern[str]) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InvalidArgumentError(f"not a regular expression: {checks.shown(pattern)}: {error}") from error
    if not isinstance(compiled.pattern, str):
        raise ArgumentTypeError(f"a pattern must be for text, not for bytes: {checks.shown(pattern)}")
    return compiled
