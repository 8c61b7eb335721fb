"""Write `twilio_conversations/events/typed.py` from the tables in `events/names.py`: `python .ci/generate_typed_events.py`.

With `--check` nothing is written; the exit status says whether the file is fresh.

One group of overloads per type of payload; a name that does not exist, or a handler that takes something else, is a type error.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twilio_conversations.events.names import EventName

PACKAGE = Path(__file__).parents[1] / "twilio_conversations"
TARGET = PACKAGE / "events" / "typed.py"
OWNERS = ("Conversation", "Message", "Participant", "User", "Client")
WIDTH = 130

HEAD = '''"""Events and the payloads of their handlers: names as constants, and types for type checkers.

Generated from `events/names.py` by `.ci/generate_typed_events.py`: do not edit. At run time there are only the constants; `on`,
`once`, `wait_for` and `events` are those of `EventEmitter` and `EventSource`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from twilio_conversations.events.names import ClientEvent, ConversationEvent, EventName, MessageEvent, ParticipantEvent, UserEvent
from twilio_conversations.events.stream import EventSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal, Protocol, TypeAlias, overload

    from twilio_conversations.enums import ConnectionState, State
    from twilio_conversations.errors import ConnectionErrorInfo
    from twilio_conversations.events.handlers import Handler, Ignored, Registrar
    from twilio_conversations.events.names import HandlerError, InitFailedEventArgs
    from twilio_conversations.events.signals import Subscription
    from twilio_conversations.events.stream import EventStream
    from twilio_conversations.models.conversation import Conversation, ConversationUpdatedEventArgs
    from twilio_conversations.models.message import Message, MessageUpdatedEventArgs
    from twilio_conversations.models.participant import Participant, ParticipantUpdatedEventArgs
    from twilio_conversations.models.user import User, UserUpdatedEventArgs
    from twilio_conversations.values.push import PushNotification
'''


def bracketed(head: str, items: list[str], tail: str, indent: int) -> str:
    """`head`, the items and `tail`: in one line, else the items in one line, else each in its own, as ruff formats it."""
    margin = " " * indent
    line = f"{margin}{head}{', '.join(items)}{tail}"
    if len(line) <= WIDTH:
        return line + "\n"
    inner = f"{margin}    {', '.join(items)}"
    if len(inner) <= WIDTH and not head.endswith("["):
        return f"{margin}{head}\n{inner}\n{margin}{tail}\n"
    return f"{margin}{head}\n" + "".join(f"{margin}    {item},\n" for item in items) + f"{margin}{tail}\n"


def load_names() -> types.ModuleType:
    """`events/names.py` alone: the package itself cannot be imported while `typed.py` does not fit."""
    package = types.ModuleType("twilio_conversations")
    package.__path__ = [str(PACKAGE)]
    sys.modules[package.__name__] = package
    return importlib.import_module("twilio_conversations.events.names")


NAMES = load_names()


def groups(owner: str) -> dict[str, list[EventName]]:
    """The events of each type of payload."""
    found: dict[str, list[EventName]] = {}
    for event in getattr(NAMES, f"{owner}Event"):
        found.setdefault(event.payload_type, []).append(event)
    return found


def alias(owner: str, payload: str) -> str:
    """The name of the type of one group's names."""
    return f"_{owner}{'Nothing' if payload == 'None' else payload.removesuffix('EventArgs')}"


def spellings(event: EventName) -> list[str]:
    """Every way to name an event, as source text."""
    names = dict.fromkeys((event.python_name, event.official_name))
    return [*(f'"{name}"' for name in names), f"{type(event).__name__}.{event.name}"]


def name_types(owner: str) -> Iterator[str]:
    """The types of names, by payload; for a client also that of any name."""
    for payload, events in groups(owner).items():
        names = [spelling for event in events for spelling in spellings(event)]
        yield bracketed(f"{alias(owner, payload)} = Literal[", names, "]", 4)
    if owner == "Client":
        aliases = [alias(owner, payload) for payload in groups(owner)]
        yield (
            f"    _ClientAny: TypeAlias = (\n        {aliases[0]}\n"
            + "".join(f"        | {name}\n" for name in aliases[1:])
            + "    )\n"
        )


def registering(owner: str) -> Iterator[str]:
    """The protocol of `on` and `once`."""
    yield f"\n    class {owner}On(Protocol):\n"
    yield f'        """`on` and `once` of a `{owner}`: each event with what its handlers receive."""\n\n'
    for payload in groups(owner):
        handler, given = ("Callable[[], Ignored]", "") if payload == "None" else (f"Handler[{payload}]", payload)
        for parameter, returned in ((f"handler: {handler}", "Subscription"), ("handler: None = ...", f"Registrar[[{given}]]")):
            parameters = ["self", f"event: {alias(owner, payload)}", parameter, "*", "replay: bool = ..."]
            yield "        @overload\n" + bracketed("def __call__(", parameters, f") -> {returned}: ...", 8)


def constants(owner: str) -> Iterator[str]:
    """The names as constants of the class."""
    for events in groups(owner).values():
        yield from (f"    {event.name}: Final = {type(event).__name__}.{event.name}\n" for event in events)


def model(owner: str) -> Iterator[str]:
    """The mixin of a model."""
    yield f'\n\nclass {owner}Events:\n    """The events of a `{owner}` as constants, and their types."""\n\n    __slots__ = ()\n'
    yield from constants(owner)
    yield f"\n    if TYPE_CHECKING:\n        on: ClassVar[{owner}On]\n        once: ClassVar[{owner}On]\n"


def overloads(signatures: list[tuple[list[str], str]], name: str) -> Iterator[str]:
    """The overloads of a method of the client."""
    for number, (parameters, returned) in enumerate(signatures):
        narrower = "  # type: ignore[override] # narrower: names that exist" if number == 0 else ""
        yield f"        @overload{narrower}\n" + bracketed(f"def {name}(", ["self", *parameters], f") -> {returned}: ...", 8)


def client() -> Iterator[str]:
    """The base of the client."""
    yield '\n\nclass ClientEvents(EventSource):\n    """The events of a `Client` as constants, and their types."""\n\n'
    yield "    _events: ClassVar[type[EventName]] = ClientEvent\n"
    yield from constants("Client")
    yield "\n    if TYPE_CHECKING:\n"
    yield "        on: ClassVar[ClientOn]  # type: ignore[assignment] # narrower: names that exist, handlers that fit\n"
    yield "        once: ClassVar[ClientOn]  # type: ignore[assignment]\n\n"
    limit = "timeout: float | None = None"
    names = {payload: alias("Client", payload) for payload in groups("Client")}
    waits = [
        ([f"event: {name}", f"predicate: Callable[[{payload}], bool] | None = None", limit], payload)
        for payload, name in names.items()
    ]
    yield from overloads(waits, "wait_for")
    yield f"        def wait_for(self, event: str, predicate: Any = None, {limit}) -> Any: ...  # noqa: D102\n\n"
    streams = [([f"name: {name}", "/", f"*names: {name}", limit], f"EventStream[{payload}]") for payload, name in names.items()]
    mixed = (["name: _ClientAny", "/", "*names: _ClientAny", limit], "EventStream[Any]")
    yield from overloads([(["*", limit], "EventStream[Any]"), *streams, mixed], "events")
    yield f"        def events(self, *names: str, {limit}) -> EventStream[Any]: ...  # noqa: D102\n"


def source() -> str:
    """The text of the module."""
    parts = [HEAD, "\n"]
    for owner in OWNERS:
        parts += name_types(owner)
    for owner in OWNERS:
        parts += registering(owner)
    for owner in OWNERS:
        parts += client() if owner == "Client" else model(owner)
    return "".join(parts)


if __name__ == "__main__":
    if sys.argv[1:] != ["--check"]:
        TARGET.write_text(source(), encoding="utf-8")
    elif TARGET.read_text(encoding="utf-8") != source():
        sys.exit("events/typed.py is not what events/names.py says: run python .ci/generate_typed_events.py")
