"""Handlers that are registered late are not left out: they are given what is there, each once, before what comes later."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clients import Connect, told
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from tests.support.waiting import until
from twilio_conversations import Client, Conversation, Participant, User
from twilio_conversations.server import LocalServer
from twilio_conversations.util.futures import Deadline, wait

ROUNDS = 12


def names(conversations: list[Conversation]) -> list[str | None]:
    """The friendly names, in order."""
    return [conversation.friendly_name for conversation in conversations]


def room(client: Client, name: str, *, join: bool = True) -> Conversation:
    """A conversation of that name."""
    made = client.create_conversation(friendly_name=name)
    return made.join() if join else made


@pytest.mark.parametrize("event", ["conversation_added", "conversation_joined"])
def test_conversations_that_are_there(connect: Connect, fresh: Callable[[str], str], event: str) -> None:
    """All of them, then those to come; one that is only known is not joined, one that was left is not there."""
    client = connect(fresh("alice"))
    event_log = EventLog(client, "conversation_removed")
    for name in ("one", "two"):
        room(client, name)
    room(client, "left").leave()
    room(client, "known", join=False)
    event_log.wait("conversation_removed")
    got: list[Conversation] = []
    client.on(event, got.append, replay=True)  # type: ignore[call-overload]  # one of several
    room(client, "later")
    until(lambda: "later" in names(got), "the later one")

    assert names(got) == ["one", "two", *([] if event == "conversation_joined" else ["known"]), "later"]


def test_registered_before_the_client_connects(service: LocalServer, fresh: Callable[[str], str]) -> None:
    """Nothing is there yet, so everything comes live; the decorator does the same, and so does a client that just starts."""
    identity = fresh("alice")
    with Client(service.token(identity), endpoint=service.url) as maker:
        made = {room(maker, str(number)).sid for number in range(5)}
    for auto_connect in (False, True):
        seen: list[str] = []
        with Client(service.token(identity), endpoint=service.url, auto_connect=auto_connect) as client:

            @client.on("conversation_joined", replay=True)
            def joined(conversation: Conversation, seen: list[str] = seen) -> None:
                seen.append(conversation.sid)

            client.connect().get_subscribed_conversations()
            until(lambda seen=seen: len(seen) >= 5, "all of them")
            told(client)
        assert sorted(seen) == sorted(made)


def test_each_once_whenever_it_is_registered(connect: Connect, fresh: Callable[[str], str]) -> None:
    """Handlers come while conversations do, from several threads and from handlers: none misses one or has one twice."""
    alice, bob = connect(fresh("alice")), connect(fresh("bob"))
    handlers: list[list[str]] = []

    def register() -> None:
        seen: list[str] = []
        handlers.append(seen)
        bob.on("conversation_joined", lambda conversation: seen.append(conversation.sid), replay=True)

    bob.on("conversation_joined", lambda conversation: register())
    stop = threading.Event()

    def go_on() -> None:
        while not stop.wait(0.005):
            register()

    threads = [threading.Thread(target=go_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    sids = set()
    for number in range(ROUNDS):
        conversation = room(alice, str(number))
        conversation.add(bob.identity)
        sids.add(conversation.sid)
    stop.set()
    for thread in threads:
        thread.join()
    until(lambda: all(set(seen) == sids for seen in handlers), "all in every handler")

    assert len(handlers) > ROUNDS
    assert {count for seen in handlers for count in Counter(seen).values()} == {1}


def test_participants_that_are_there(connect: Connect, fresh: Callable[[str], str]) -> None:
    """Those of before, the own identity too, then those to come; in a conversation that is not joined they are read first."""
    alice = connect(fresh("alice"))
    conversation = room(alice, "people")
    people = [fresh("p") for _ in range(4)]
    for identity in people[:2]:
        conversation.add(identity)
    bob = connect(fresh("bob"))
    got: list[Participant] = []
    conversation.on("participant_joined", got.append, replay=True)
    for identity in people[2:]:
        conversation.add(identity)
    until(lambda: len(got) >= 5, "all five")
    told(alice)
    assert [one.identity for one in got] == [alice.identity, *people]
    conversation.remove_participant(people[0])
    conversation.add(people[0])
    until(lambda: len(got) == 6, "who comes back is there anew")

    conversation.add(bob.identity)
    his = bob.get_conversation_by_sid(conversation.sid)
    until(lambda: his.status == "joined", "bob is in")
    seen: list[Any] = []
    bob.on("conversation_joined", lambda one: one.on("participant_joined", seen.append, replay=True), replay=True)
    until(lambda: len(seen) >= 6, "all six")
    told(bob)
    assert Counter(one.identity for one in seen) == Counter([alice.identity, bob.identity, *people])


def test_participants_each_once_whenever_it_is_registered(connect: Connect, fresh: Callable[[str], str]) -> None:
    """Handlers come while people do."""
    alice, bob = connect(fresh("alice")), connect(fresh("bob"))
    conversation = room(alice, "people")
    conversation.add(bob.identity)
    his = bob.get_conversation_by_sid(conversation.sid)
    until(lambda: his.status == "joined", "bob is in")
    handlers: list[list[str]] = []
    stop = threading.Event()

    def go_on() -> None:
        while not stop.wait(0.005):
            seen: list[str] = []
            handlers.append(seen)
            his.on("participant_joined", lambda one, seen=seen: seen.append(one.sid), replay=True)  # type: ignore[call-overload]

    thread = threading.Thread(target=go_on)
    thread.start()
    for _ in range(ROUNDS):
        conversation.add(fresh("p"))
    stop.set()
    thread.join()
    sids = {one.sid for one in conversation.get_participants()}
    until(lambda: all(set(seen) == sids for seen in handlers), "all in every handler")

    assert {count for seen in handlers for count in Counter(seen).values()} == {1}


def test_users_that_are_followed(connect: Connect, fresh: Callable[[str], str]) -> None:
    """The own one and the others, each once."""
    alice, name = connect(fresh("alice")), fresh("bob")
    connect(name)
    alice.get_user(name)
    got: list[User] = []
    alice.on("user_subscribed", got.append, replay=True)
    until(lambda: len(got) == 2, "both")
    told(alice)
    assert [user.identity for user in got] == [alice.identity, name]


def test_once_and_cancel(connect: Connect, fresh: Callable[[str], str]) -> None:
    """`once` takes the first that is there and no further one; what was cancelled gets nothing."""
    client = connect(fresh("alice"))
    for name in ("one", "two"):
        room(client, name)
    got: list[Conversation] = []
    never: list[Conversation] = []
    client.once("conversation_joined", got.append, replay=True)
    cancelled = client._core.connection.call(lambda: client.on("conversation_joined", never.append, replay=True).cancel())
    wait(cancelled, Deadline(PATIENCE), "registering")
    room(client, "three")
    told(client)

    assert names(got) == ["one"]
    assert never == []


def test_a_handler_that_raises_misses_nothing_else(connect: Connect, fresh: Callable[[str], str]) -> None:
    """Each is reported by itself."""
    client = connect(fresh("alice"))
    for name in ("one", "two"):
        room(client, name)
    errors = EventLog(client, "error")

    @client.on("conversation_joined", replay=True)
    def fails(conversation: Conversation) -> None:
        raise ValueError(conversation.friendly_name)

    until(lambda: len(errors.of("error")) == 2, "two reports")
    assert [str(report.error) for report in errors.of("error")] == ["one", "two"]
