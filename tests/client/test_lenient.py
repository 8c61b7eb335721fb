"""What the service says may be damaged, incomplete or newer than this package: nothing of that ends a client.

The service is a real one whose Sync objects are spoiled on their way into the database. Two people are on it: one acts, the
other one is told the spoiled things and must go on as if nothing had happened.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from tests.support.clients import Connect
from tests.support.event_log import EventLog
from twilio_conversations import Client, Conversation
from twilio_conversations.server import LocalServer
from twilio_conversations.server.sync import projection
from twilio_conversations.util import logs

ODD: tuple[Any, ...] = (None, True, -1, 10**30, 1.5, "", "{{", "somethingNew", [], [None], {}, {"a": {"b": [1]}})
"""What a field may hold that nobody expects there."""


@attrs.define
class Spoiler:
    """Stands in front of the service's own writing, and changes what is written to objects of one kind."""

    suffix: str = ""
    change: Callable[[Any], Any] | None = None
    spoiled: int = 0

    def __call__(self, name: str, data: Any) -> Any:
        if self.change is None or not name.endswith(self.suffix):
            return data
        self.spoiled += 1
        return self.change(data)


@pytest.fixture
def spoiler(monkeypatch: pytest.MonkeyPatch) -> Spoiler:
    """Does nothing until it is told what to change."""
    found = Spoiler()
    for function in (projection.add_item, projection.set_item):
        monkeypatch.setattr(projection, function.__name__, _spoiled_item(function, found))
    write = projection.set_document
    monkeypatch.setattr(projection, "set_document", lambda tx, name, data: write(tx, name, found(name, data)))
    return found


def _spoiled_item(write: Callable[..., None], spoiler: Spoiler) -> Callable[..., None]:
    return lambda tx, name, key, data: write(tx, name, key, spoiler(name, data))


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The client logs no error: that would be an exception which no call could report."""
    with caplog.at_level(logging.WARNING):
        yield
        assert logs.flush(10)
    ours = [record for record in caplog.records if record.name.startswith("twilio_conversations.")]
    assert [record.getMessage() for record in ours if record.levelno >= logging.ERROR] == []


def damages(keys: tuple[str, ...]) -> Iterator[Callable[[Any], Any]]:
    """No object at all; an object with something more; and each field missing or odd, by itself."""
    things: tuple[Any, ...] = (None, 5, "text", [], {})
    for thing in things:
        yield lambda data, thing=thing: thing
    yield lambda data: data | {"hologram": {"depth": 3}}
    for key in keys:
        yield lambda data, key=key: {name: value for name, value in data.items() if name != key}
        for odd in ODD:
            yield lambda data, key=key, odd=odd: data | {key: odd}


def everything(client: Client) -> str:
    """Whatever can be read of a client's conversations, as JSON; so every getter has been called."""
    found: list[Any] = []
    for conversation in client.get_subscribed_conversations().iter_all():
        found.append(conversation.to_dict())
        found += [message.to_dict() for message in conversation.iter_messages()]
        found += [participant.to_dict() for participant in conversation.get_participants()]
    return json.dumps(found)


def still_well(spoiler: Spoiler, sender: Conversation, receiver: Client) -> None:
    """A message comes through, no handler and nothing of the client's has failed, and everything can be read."""
    spoiler.change = None
    assert spoiler.spoiled > 15
    event_log = EventLog(receiver, "message_added", "error")
    sender.send_message("still well")
    event_log.wait("message_added", lambda message: message.body == "still well")
    assert event_log.of("error") == []
    everything(receiver)


@pytest.mark.usefixtures("quiet")
@pytest.mark.row("ME08", "ME12", "ME13")
def test_messages(pair: tuple[Conversation, Conversation], spoiler: Spoiler) -> None:
    """A message that can be told from others is there, with what can be read of it; one that cannot is left out."""
    alices, bobs = pair
    bob: Any = bobs._live.runtime.events
    keys = ("sid", "type", "author", "memberSid", "text", "subject", "timestamp", "dateUpdated", "lastUpdatedBy")
    more = ("attributes", "contentSid", "channelMetadata", "delivery", "medias", "media")
    spoiler.suffix = ".messages"
    for spoiler.change in damages(keys + more):
        alices.send_message("spoiled")
    still_well(spoiler, alices, bob)

    shown = list(bobs.iter_messages(newest_first=False))
    assert len(shown) > 150
    assert all(isinstance(message.sid, str) for message in shown)


@pytest.mark.usefixtures("quiet")
@pytest.mark.row("ER17", "PA12")
def test_participants(pair: tuple[Conversation, Conversation], spoiler: Spoiler, fresh: Any) -> None:
    """An entry that is nobody is left out of the roster, which is otherwise whole."""
    alices, bobs = pair
    bob: Any = bobs._live.runtime.events
    bobs.get_participants()
    keys = ("identity", "type", "roleSid", "attributes", "userInfo", "dateCreated", "dateUpdated")
    more = ("lastConsumedMessageIndex", "lastConsumptionTimestamp", "bindings")
    spoiler.suffix = ".roster"
    for spoiler.change in damages(keys + more):
        alices.add(fresh("guest"))
    spoiler.change = None
    last = alices.add(fresh("last"))
    still_well(spoiler, alices, bob)

    shown = bobs.get_participants()
    assert len(shown) > 100
    assert last.sid in [participant.sid for participant in shown]


@pytest.mark.usefixtures("quiet")
@pytest.mark.row("CV06", "CV09", "CV11", "CV15")
def test_conversations(
    pair: tuple[Conversation, Conversation], spoiler: Spoiler, connect: Connect, fresh: Any, service: LocalServer
) -> None:
    """What a conversation's document says, when it changes and when a client starts with it."""
    alices, bobs = pair
    bob: Any = bobs._live.runtime.events
    keys = ("sid", "friendlyName", "uniqueName", "attributes", "createdBy", "dateCreated", "dateUpdated", "state", "lastMessage")
    spoiler.suffix = ".channel"
    names = (*keys, "bindings", "messages", "roster")
    for number, change in enumerate(damages(names)):
        spoiler.change = change
        alices.update_friendly_name(str(number))
    again = connect(bob.identity)
    everything(again)
    spoiler.change = None
    alices.update_friendly_name("whole")
    still_well(spoiler, alices, bob)
    assert bobs.friendly_name == "whole"


@pytest.mark.usefixtures("quiet")
def test_memberships(pair: tuple[Conversation, Conversation], spoiler: Spoiler, connect: Connect) -> None:
    """A conversation that cannot be found in the own list is left out; the others are there, also after a start."""
    alices, bobs = pair
    bob: Any = bobs._live.runtime.events
    alice: Any = alices._live.runtime.events
    failures = EventLog(bob, "error")
    spoiler.suffix = ".channels"
    for change in damages(("channel", "status", "lastConsumedMessageIndex", "notificationLevel")):
        spoiler.change = None
        room = alice.create_conversation().join()
        spoiler.change = change
        room.add(bob.identity)
    still_well(spoiler, alices, bob)
    assert failures.of("error") == []
    again = connect(bob.identity)
    assert alices.sid in [one.sid for one in again.get_subscribed_conversations().iter_all()]
    still_well(spoiler, alices, again)


@pytest.mark.usefixtures("quiet")
def test_users(pair: tuple[Conversation, Conversation], spoiler: Spoiler) -> None:
    """What is said of a user."""
    alices, bobs = pair
    alice: Any = alices._live.runtime.events
    bob: Any = bobs._live.runtime.events
    user = bob.get_user(alice.identity)
    spoiler.suffix = ".info"
    for change in damages(("value",)):
        spoiler.change = change
        alice.user.update_friendly_name("spoiled")
        alice.user.update_attributes({"spoiled": True})
    spoiler.change = None
    event_log = EventLog(user, "updated")
    alice.user.update_friendly_name("whole")
    alice.user.update_attributes({"whole": True})
    event_log.wait("updated", lambda _: (user.friendly_name, user.attributes) == ("whole", {"whole": True}))
    still_well(spoiler, alices, bob)
