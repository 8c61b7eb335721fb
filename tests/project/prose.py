"""Turns of phrase that the prose rules forbid, and the texts that the rules hold for."""

import enum
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Turn(NamedTuple):
    """One forbidden turn of phrase."""

    pattern: re.Pattern[str]
    instead: str


def _turn(pattern: str, instead: str) -> Turn:
    return Turn(re.compile(pattern, re.IGNORECASE), instead)


FIRST_LINES = [
    _turn(r"^What\b", "the noun: 'Settings of a client', not 'What a client is set to'"),
    _turn(r"^Who(se|m|ever)?\b", "the noun or the verb: 'Return the participants', not 'Who is in it'"),
    _turn(r"^How\b", "the noun: 'Number of messages', not 'How many messages there are'"),
    _turn(r"^Where\b", "the noun: 'Position of the page', not 'Where the page is'"),
    _turn(r"^When\b", "the noun: 'Time of the last update', not 'When it was updated'"),
    _turn(r"^(Says?|Tells?|Hears?)\b", "return, report, notify, receive"),
    _turn(r"^(It|They) (does|do|is|are)\.$", "a docstring that says something, or none"),
]
"""For the first lines of docstrings. 'Whether ...' stays: it is how Python's own documentation describes a boolean."""

ANYWHERE = [
    _turn(r"\bsays\b", "return, report, raise, name, describe"),
    _turn(r"\btells?\b|\btelling\b", "return, report, notify, describe"),
    _turn(r"\b(is|are|was|were|be|been|being|not|and|unless) told\b", "be notified, be reported, receive"),
    _turn(r"\bhears\b|\bhears? (of|from|what|no)\b|\bheard\b", "receive"),
    _turn(r"\b(take|takes|taken|taking|took) in\b", "accept, read, process"),
    _turn(r"\b(let|lets|letting) go\b", "release, discard"),
    _turn(r"\bthose outside\b|\b(somebody|someone|everybody|people|address|addresses|world) outside\b", "non-chat participants"),
    _turn(r"\boutside world\b|\bmessages? from outside\b", "non-chat participants, other channels"),
    _turn(r"\ba medium\b|\bone medium\b", "an attachment"),
    _turn(r"\bneedless\b", "superseded, redundant, unnecessary"),
    _turn(r"\bown (user|identity)\b|\bthe own\b", "the current user, the client's identity"),
    _turn(r"\bIt does\.", "a sentence that describes something, or none"),
    _turn(r"\bservice says so\b", "the value that the service returns"),
    _turn(r"\banew\b", "again, from the beginning"),
    _turn(r"\bas ever\b|\bas they say\b", "the fact itself"),
    _turn(r"\bgoodbye\b|\bgood-bye\b", "the closing handshake, the close frame"),
]
"""For every sentence. Quotations of code are left out, so that names and literals may hold anything."""


PAGES = sorted(path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")] if "_build" not in path.parts)
"""The pages that are written by hand; those that the build makes are below `_build`."""


def turns_in(text: str, turns: list[Turn]) -> Iterator[str]:
    """Yield a description of each forbidden turn in a text: the words around it, and what to write instead."""
    for turn in turns:
        for found in turn.pattern.finditer(text):
            around = text[max(0, found.start() - 40) : found.end() + 40]
            yield f"{found[0]!r} in {around!r}; write: {turn.instead}"


def prose_of_page(text: str) -> list[tuple[int, str]]:
    """Return the paragraphs of a page with the numbers of their first lines; code, in blocks and in lines, is left out."""
    paragraphs: list[tuple[int, str]] = []
    fenced = False
    current: list[str] = []
    start = 1
    for number, line in enumerate([*text.splitlines(), ""], 1):
        fence = line.lstrip().startswith("```")
        fenced ^= fence
        left_out = fence or fenced or not line.strip()
        if current and (left_out or line.startswith(("|", "- ", "#"))):
            paragraphs.append((start, " ".join(current)))
            current = []
        if left_out:
            continue
        if not current:
            start = number
        current.append(line.strip())
    return [(number, re.sub(r"`+[^`]*`+", "...", paragraph)) for number, paragraph in paragraphs]


def public_docstrings() -> Iterator[tuple[str, str]]:
    """Yield the name and the docstring of everything public, members included."""
    seen: set[int] = set()
    for module in (importlib.import_module("twilio_conversations"), importlib.import_module("twilio_conversations.server")):
        yield module.__name__, module.__doc__ or ""
        for name in module.__all__:
            yield from _of(f"{module.__name__.rpartition('.')[2]}.{name}", getattr(module, name), seen)


def _of(name: str, thing: object, seen: set[int]) -> Iterator[tuple[str, str]]:
    if isinstance(thing, ModuleType):
        for member in getattr(thing, "__all__", [member for member in vars(thing) if not member.startswith("_")]):
            found = getattr(thing, member)
            if getattr(found, "__module__", "") == thing.__name__:
                yield from _of(f"{name}.{member}", found, seen)
    elif isinstance(thing, type):
        yield from _of_class(name, thing, seen)
    elif isinstance(thing, FunctionType):
        yield name, inspect.getdoc(thing) or ""


def _of_class(name: str, cls: type, seen: set[int]) -> Iterator[tuple[str, str]]:
    for base in cls.__mro__:
        if not base.__module__.startswith("twilio_conversations") or id(base) in seen:
            continue
        seen.add(id(base))
        if "__doc__" in vars(base) and not (base is not cls and issubclass(cls, enum.Enum)):
            yield name if base is cls else f"{name} ({base.__qualname__})", inspect.cleandoc(base.__doc__ or "")
        for member, found in vars(base).items():
            if member.startswith("_"):
                continue
            function = found.fget if isinstance(found, property) else getattr(found, "__func__", found)
            if isinstance(function, FunctionType) and function.__doc__:
                yield f"{name}.{member}", inspect.cleandoc(function.__doc__)
