"""Turns of phrase that the prose rules forbid, and the texts that the rules hold for."""

import ast
import importlib
import inspect
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Turn(NamedTuple):
    """One forbidden turn of phrase."""

    pattern: re.Pattern[str]
    instead: str


class Docstring(NamedTuple):
    """A docstring, and whether it belongs to a function or method."""

    name: str
    text: str
    is_function: bool


def _turn(pattern: str, instead: str) -> Turn:
    return Turn(re.compile(pattern, re.IGNORECASE), instead)


FIRST_LINES = [
    _turn(r"^What\b", "the noun: 'Settings of a client', not 'What a client is set to'"),
    _turn(r"^Who(se|m|ever)?\b", "the noun or the verb: 'Return the participants', not 'Who is in it'"),
    _turn(r"^How\b", "the noun: 'Number of messages', not 'How many messages there are'"),
    _turn(r"^(Where|When|Why|Which)\b", "the noun: 'Time of the last change', not 'When it was changed'"),
    _turn(r"^(Says?|Tells?|Hears?|Knows?|Makes)\b", "return, report, notify, receive, or a noun for a class"),
    _turn(r"^(It|They|Everything|Something|Somebody)\b", "the thing itself"),
]
"""For the first lines of docstrings. 'Whether ...' stays for a property: so Python's own documentation describes a boolean."""

FIRST_LINES_OF_FUNCTIONS = [
    _turn(r"^(The|A|An|All|One|Whether|These|This)\b", "an imperative verb: 'Return the participants'"),
]
"""For functions and methods, which do something; a property or a class is described by a noun."""

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


def public_docstrings() -> Iterator[Docstring]:
    """Yield the docstring of everything that can be imported from the package and its service, with all public members."""
    seen: set[type] = set()
    for package in ("twilio_conversations", "twilio_conversations.bot", "twilio_conversations.server"):
        module = importlib.import_module(package)
        yield Docstring(package, module.__doc__ or "", is_function=False)
        for name in module.__all__:
            thing = getattr(module, name)
            if isinstance(thing, type):
                yield from _of_class(thing, seen)
            elif isinstance(thing, FunctionType):
                yield Docstring(name, inspect.getdoc(thing) or "", is_function=True)


def _of_class(cls: type, seen: set[type]) -> Iterator[Docstring]:
    own_bases = {base for base in cls.__mro__ if base.__module__.startswith("twilio_conversations")}
    for base in own_bases - seen:
        seen.add(base)
        yield Docstring(base.__qualname__, inspect.cleandoc(vars(base).get("__doc__") or ""), is_function=False)
        for name, member in vars(base).items():
            function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
            if isinstance(function, FunctionType) and function.__doc__ and not name.startswith("_"):
                text = inspect.cleandoc(function.__doc__)
                yield Docstring(f"{base.__qualname__}.{name}", text, is_function=not isinstance(member, property))


def docstrings_of(file: Path) -> Iterator[Docstring]:
    """Yield all docstrings of a file, private ones too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
            decorators = [ast.unparse(one) for one in getattr(node, "decorator_list", [])]
            is_function = isinstance(node, ast.FunctionDef) and not any("property" in one for one in decorators)
            yield Docstring(getattr(node, "name", file.name), text, is_function=is_function)


def comments_of(file: Path) -> list[str]:
    """Return the comments of a file."""
    tokens = tokenize.generate_tokens(io.StringIO(file.read_text(encoding="utf-8")).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


def messages_of(file: Path) -> list[str]:
    """Return the texts in a file that a program or its log may show: strings of several words, without docstrings."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    strings = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [str(node.value) for node in strings if id(node) not in bare and " " in str(node.value)]
