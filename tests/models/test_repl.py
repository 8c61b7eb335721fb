"""What a person meets in an interactive session: reprs, tab completion, and objects as plain data."""

from __future__ import annotations

import json
import rlcompleter
import threading
from typing import Any

import pytest

from tests.support.clients import Connect
from tests.support.patience import PATIENCE
from twilio_conversations import Client, Conversation, Message
from twilio_conversations.errors import ConversationsError

LONG = "x" * 5_000
NAME = "n" * 200


@pytest.fixture
def message(connect: Connect, fresh: Any) -> Message:
    """A message with a medium, in a conversation, all with long texts."""
    client = connect(fresh("alice"))
    room = client.create_conversation(friendly_name=NAME, attributes={"a": LONG}).join()
    return room.send_message(LONG, media=("a" * 200 + ".txt", b"content", "text/plain"), attributes={"a": [NAME]})


def things(message: Message) -> dict[str, Any]:
    """Return one of everything that a program holds."""
    room: Conversation = message.conversation
    client: Any = room._live.runtime.events
    stream = client.events("message_added", timeout=PATIENCE)
    room.send_message(LONG)
    builder = room.prepare_message().set_body(LONG)
    handle = builder.build_and_send_in_background()
    handle.result(PATIENCE)
    return {
        "client": client,
        "conversation": room,
        "message": message,
        "participant": room.get_participants()[0],
        "user": client.user,
        "media": message.attached_media[0],
        "page": room.get_messages(),
        "stream": stream,
        "event": next(stream),
        "subscription": room.on("message_added", print),
        "signals": room.signals,
        "signal": room.signals.message_added,
        "builder": builder,
        "unsent": builder.build(),
        "handle": handle,
        "stats": client.stats(),
        "limits": room.limits,
        "state": room.state,
        "last message": room.last_message,
        "bindings": room.bindings,
    }


def test_every_repr_is_short_and_says_what_it_is(message: Message) -> None:
    """One line of some words, however long what the object holds; no address in memory, no token, no signature."""
    found = things(message)
    token = found["client"]._core.connection.token
    for name, thing in found.items():
        text = repr(thing)
        assert type(thing).__name__.split("[")[0] in text, name
        assert len(text) < 500, name
        assert "\n" not in text, name
        assert " object at 0x" not in text, name
        assert token.split(".")[2] not in text, name
        assert "Signature" not in text, name


def test_a_repr_takes_no_lock(message: Message) -> None:
    """A debugger shows objects while other threads stand still."""
    found = things(message)
    client: Client = found["client"]
    shown: list[str] = []
    with client._core.runtime.lock, client._core.dispatcher.registering, client._core.lock:
        looking = threading.Thread(target=lambda: shown.extend(map(repr, found.values())), daemon=True)
        looking.start()
        looking.join(PATIENCE)
        assert len(shown) == len(found)
    client.close()
    assert "disconnected" in repr(client)
    assert all(map(repr, found.values()))


def test_tab_completion_shows_what_can_be_done(message: Message) -> None:
    """Methods and properties; no constants before them, nothing private, nothing of what this package stands on."""
    for name, thing in things(message).items():
        names = dir(thing)
        if name in ("client", "conversation", "message", "participant", "user", "signals"):
            assert [one for one in names if one.startswith("_") or one.isupper()] == [], name
        completer = rlcompleter.Completer({"thing": thing})
        offered = [completer.complete("thing.", number) for number in range(300)]
        assert [one for one in offered if one is not None and "attrs" in one] == [], name
    assert {"send_message", "on", "friendly_name", "to_dict"} <= set(dir(message.conversation))
    assert "message_added" in dir(message.conversation.signals)
    assert {"connect", "disconnect"} <= set(dir(message.conversation.signals.message_added))
    assert "MESSAGE_ADDED" in dir(Client)


def test_data_says_whose_it_is(message: Message) -> None:
    """What identifies an object is in its data, under the names of the attributes, and JSON gives the same back."""
    room = message.conversation
    room.refresh()
    users: Any = room._live.runtime.users
    person, user, media = room.get_participants()[0], users.myself, message.attached_media[0]
    wanted: dict[str, tuple[Any, dict[str, Any]]] = {
        "conversation": (room, {"sid": room.sid, "friendly_name": NAME, "attributes": {"a": LONG}}),
        "message": (message, {"sid": message.sid, "index": 0, "conversation_sid": room.sid, "author": message.author}),
        "participant": (person, {"sid": person.sid, "conversation_sid": room.sid, "identity": person.identity}),
        "user": (user, {"identity": user.identity}),
        "media": (media, {"sid": media.sid, "filename": media.filename, "size": 7}),
    }
    for name, (thing, facts) in wanted.items():
        data: dict[str, Any] = thing.to_dict()
        assert facts.items() <= data.items(), name
        assert json.loads(json.dumps(data)) == data, name
        assert kinds_of(data) <= {"dict", "list", "str", "int", "float", "bool", "NoneType"}, name
        assert {key for key in data if not hasattr(thing, key)} <= {"conversation_sid", "email_media"}, name
    assert [one["sid"] for one in message.to_dict()["attached_media"]] == [media.sid]


def kinds_of(value: Any) -> set[str]:
    """Return the exact types in a value: a word that is an enumeration's would need this package to be unpickled."""
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {type(value).__name__}.union(*map(kinds_of, members))


def test_messages_are_walked_through_in_the_order_that_is_said(connect: Connect, fresh: Any) -> None:
    """Newest first unless asked otherwise; wrong bounds are found before the loop."""
    room = connect(fresh("alice")).create_conversation().join()
    for number in range(4):
        room.send_message(str(number))
    assert [message.body for message in room.iter_messages()] == ["3", "2", "1", "0"]
    assert [message.body for message in room.iter_messages(newest_first=False)] == ["0", "1", "2", "3"]
    assert [message.body for message in room.iter_messages(after=1)] == ["2", "3"]
    assert [message.body for message in room.iter_messages(limit=1)] == ["3"]
    wrong: Any
    for wrong in ("1", -1, 1.5, 2**60):
        with pytest.raises(ConversationsError, match="after"):
            room.iter_messages(after=wrong)
        with pytest.raises(ConversationsError, match="limit"):
            room.iter_messages(limit=wrong)
