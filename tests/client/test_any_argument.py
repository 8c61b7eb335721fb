"""No argument of any call can end a client: there is a result or a `ConversationsError`, and the client goes on.

The methods are found by looking at the classes, so that new ones are included.
"""

from __future__ import annotations

import datetime as dt
import decimal
import inspect
import itertools
import logging
import math
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.client.test_hostile_answers import Errors
from tests.support.odd_values import Rude, deep
from tests.support.patience import PATIENCE
from twilio_conversations import (
    Client,
    ConnectionState,
    ConversationsError,
    ParticipantBindingOptions,
    ParticipantEmailBinding,
    SendEmailOptions,
    SendMediaOptions,
)
from twilio_conversations.server import LocalServer

TIMEOUT = PATIENCE
ENDS = {"close", "shutdown"}
"""What is called at the end of every test: it takes no argument."""
WAITS = {("wait", "timeout"), ("wait_for", "timeout"), ("result", "timeout"), ("exception", "timeout")}
"""What waits for ever if told to."""


def loop() -> tuple[Any, Any]:
    """Return a list and a mapping that hold themselves."""
    values: list[Any] = []
    values.append(values)
    mapping: dict[str, Any] = {}
    mapping["self"] = mapping
    return values, mapping


VALUES: list[Any] = [None, True, False, -1, 0, 1, 2**53, 2**63, 10**400, 10**5000, 0.5, math.nan, math.inf, -math.inf, 1e300]
VALUES += ["", " ", "x", "\x00", "\ud800", "x\ud800", "x" * 70_000, ".", "..", "a/b", "\u202e", "%2e", "☃", "message_added"]
VALUES += ["fcm"]
VALUES += [b"", b"x", bytearray(b"x"), memoryview(b"x"), [], {}, set(), (), [None], {"a": math.nan}, {1: 2}, {"a": object()}]
VALUES += [*loop(), deep(), object(), Rude(), bool, repr, lambda *_: None, uuid.uuid4()]
VALUES += [Path("nowhere"), Path("a\0b"), Path("/")]
VALUES += [decimal.Decimal(1), dt.datetime.now(dt.UTC), dt.timedelta(1), iter([1]), range(3), NotImplemented, ...]
VALUES += [("name", b"x"), ("name", 5), ("name", b"x", 5), ("\ud800", b"x"), ("x", b"x", "text/plain\n")]
VALUES += [{"aps": deep()}, {"data": None}]
ODD_MEDIA: list[tuple[Any, Any]] = [(5, "x"), (b"x", 5), (b"x", "\ud800"), (Path("a\0"), "x")]
VALUES += [SendMediaOptions(media=media, filename=name) for media, name in ODD_MEDIA]
NUMBER: Any = 5
VALUES += [SendMediaOptions(media=b"x", content_type=NUMBER), SendEmailOptions(subject=NUMBER)]
VALUES += [ParticipantBindingOptions(email=NUMBER), ParticipantBindingOptions(ParticipantEmailBinding(name="\ud800"))]

names = (f"n{number}" for number in itertools.count())
RIGHT: dict[str, Callable[[], Any]] = {
    "address": lambda: f"+1555{next(names)[1:]:0>6}",
    "attributes": lambda: {"a": 1},
    "body": lambda: "text",
    "categories": lambda: ["media"],
    "channel_type": lambda: "fcm",
    "content_set": list,
    "content_sid": lambda: "HX" + "0" * 32,
    "content_type": lambda: "text/plain",
    "conversation_sid": lambda: "CH" + "0" * 32,
    "event": lambda: "updated",
    "friendly_name": lambda: "name",
    "function": lambda: lambda handle: None,
    "handler": lambda: print,
    "history": lambda: ("x", b"x"),
    "identity": lambda: next(names),
    "index": lambda: 0,
    "media_sids": lambda: ["ME" + "0" * 32],
    "name": lambda: next(names),
    "notification_level": lambda: "default",
    "participant": lambda: next(names),
    "participant_sid": lambda: "MB" + "0" * 32,
    "path": lambda: "/dev/null",
    "payload": dict,
    "proxy_address": lambda: "+15550100",
    "registration_id": lambda: "device",
    "subject": lambda: "subject",
    "text": lambda: "text",
    "token": lambda: "token",
    "unique_name": lambda: next(names),
    "value": lambda: "value",
}
"""What is given for the other parameters of a call."""


class Scene:
    """A client and one object of every kind."""

    def __init__(self, client: Client, errors: Errors) -> None:
        self.client, self.errors = client, errors
        self.room = client.create_conversation().join()
        self.message = self.room.send_message("first", media=("a.txt", b"content", "text/plain"))

    def subjects(self) -> dict[str, Callable[[], Any]]:
        """Return how to have one of each kind; those that a call may end are made anew."""
        return {
            "client": lambda: self.client,
            "conversation": lambda: self.client.create_conversation().join(),
            "message": lambda: self.room.send_message("another"),
            "participant": lambda: self.room.add(next(names)),
            "user": lambda: self.client.user,
            "media": lambda: self.message.attached_media[0],
            "builder": self.room.prepare_message,
            "unsent": lambda: self.room.prepare_message().set_body("x").build(),
            "handle": lambda: self.room.prepare_message().set_body("x").build_and_send_in_background(),
            "page": self.room.get_messages,
        }


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One client for all examples: it has to live through them."""
    errors = Errors()
    logging.getLogger("twilio_conversations").addHandler(errors)
    with pytest.MonkeyPatch.context() as patch, LocalServer() as server:
        patch.chdir(tmp_path_factory.mktemp("written"))
        with Client(server.token("alice"), endpoint=server.url, default_timeout=TIMEOUT) as client:
            yield Scene(client, errors)
    logging.getLogger("twilio_conversations").removeHandler(errors)


def methods(thing: Any) -> list[tuple[str, str]]:
    """Return the public methods of an object, each with every one of its parameters."""
    found = []
    for name in sorted(dir(type(thing))):
        if name.startswith("_") or name in ENDS or not callable(inspect.getattr_static(thing, name)):
            continue
        for parameter in inspect.signature(getattr(thing, name)).parameters:
            found.append((name, parameter))
    return found


def call(thing: Any, name: str, odd: str, value: Any) -> Any:
    """Call a method with one odd argument, and use what it gives."""
    method = getattr(thing, name)
    positional, named = [], {}
    for parameter in inspect.signature(method).parameters.values():
        if parameter.name == odd:
            given = value
        elif parameter.name == "timeout":
            given = 3
        elif parameter.default is inspect.Parameter.empty and parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
            given = RIGHT[parameter.name]()
        else:
            continue
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
            positional.append(given)
        else:
            named[parameter.name] = given
    result = method(*positional, **named)
    if inspect.isgenerator(result):
        list(itertools.islice(result, 3))
    elif result is thing:
        pass
    elif hasattr(result, "cancel"):
        result.cancel()
    elif hasattr(result, "close"):
        result.close()
    return result


def for_ever(name: str, odd: str, value: Any) -> bool:
    """Whether a call would wait without end, or nearly, as it was asked to."""
    return (name, odd) in WAITS and (value is None or (isinstance(value, int | float) and value > 1))


KINDS = ["client", "conversation", "message", "participant", "user", "media", "builder", "unsent", "handle", "page"]


@settings(max_examples=400, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.sampled_from(KINDS), st.integers(0, 999), st.integers(0, len(VALUES) - 1))
def test_whatever_is_given_the_client_goes_on(scene: Scene, kind: str, place: int, number: int) -> None:
    """One odd argument, in any place of any method of any object."""
    thing = scene.subjects()[kind]()
    found = methods(thing)
    name, odd = found[place % len(found)]
    try_odd(scene, thing, name, odd, VALUES[number])


def try_odd(scene: Scene, thing: Any, name: str, odd: str, value: Any) -> None:
    """Call, and check that all is as before."""
    if for_ever(name, odd, value):
        return
    try:
        call(thing, name, odd, value)
    except ConversationsError as error:
        str(error)
    assert scene.client.connection_state is ConnectionState.CONNECTED
    assert scene.room.get_messages_count(timeout=TIMEOUT) > 0
    assert scene.errors.seen == []


@settings(max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.integers(0, 99), st.integers(0, len(VALUES) - 1))
def test_whatever_an_unsent_message_holds_the_client_goes_on(scene: Scene, place: int, number: int) -> None:
    """Its fields may be changed before it is sent, to anything."""
    unsent = scene.room.prepare_message().set_body("x").build()
    fields = [field.name for field in attrs.fields(type(unsent)) if not field.name.startswith("_")]
    setattr(unsent, fields[place % len(fields)], VALUES[number])
    for name in ("send", "send_in_background"):
        try_odd(scene, unsent, name, "nothing", None)


def test_every_place_of_every_method_is_tried(scene: Scene) -> None:
    """The commonest mistakes, once everywhere: a number, bytes, a lone surrogate, something endless."""
    for kind, make in scene.subjects().items():
        thing = make()
        for name, odd in methods(thing):
            if name in ("delete", "leave", "remove", "unsubscribe", "remove_all_listeners"):
                thing = make()
            for value in (4711, b"x", "\ud800", VALUES[-1]):
                try_one(scene, kind, thing, name, odd, value)
    assert scene.client.connection_state is ConnectionState.CONNECTED
    assert scene.errors.seen == []


def try_one(scene: Scene, kind: str, thing: Any, name: str, odd: str, value: Any) -> None:
    """Call, and name the call if it raises something else."""
    if for_ever(name, odd, value):
        return
    try:
        call(thing, name, odd, value)
    except ConversationsError:
        pass
    except Exception as error:
        raise AssertionError(f"{kind}.{name}({odd}={value!r:.40}) raised {error!r:.200}") from error
