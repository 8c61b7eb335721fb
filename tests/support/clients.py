"""Clients of a local service, closed when the test is over."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.faults.proxy import FaultProxy
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from twilio_conversations import BackoffPolicy, Client, Conversation
from twilio_conversations.server import LocalServer

Connect = Callable[..., Client]
Fresh = Callable[[str], str]
Pair = tuple[Conversation, Conversation]


@pytest.fixture(scope="module")
def shared() -> Iterator[LocalServer]:
    """A service of the module's own, which may be told to go wrong; tests ask for `own`."""
    with LocalServer() as server:
        yield server


@pytest.fixture
def own(shared: LocalServer) -> LocalServer:
    """A service with default settings and nothing in it, for this test alone."""
    shared.reset()
    return shared


def told(client: Client) -> Client:
    """Return the client once all events of its start were delivered: a test's handlers see only what the test brings about."""
    done = threading.Event()
    client._core.dispatcher.call(done.set)
    assert done.wait(PATIENCE)
    return client


@pytest.fixture
def connect(service: LocalServer) -> Iterator[Connect]:
    """Returns a maker of ready clients: `connect("alice")`."""
    clients: list[Client] = []

    def make(identity: str, *, ready: bool = True, **options: Any) -> Client:
        options.setdefault("reconnect", BackoffPolicy(minimum=0.02, maximum=0.5, stable_after=0.2))
        options.setdefault("endpoint", service.url)
        options.setdefault("default_timeout", PATIENCE)
        client = Client(options.pop("token", None) or service.token(identity), **options)
        clients.append(client)
        return told(client.wait_until_ready(PATIENCE)) if ready else client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def line(service: LocalServer) -> Iterator[FaultProxy]:
    """A line to the service that can be cut; a module with a service of its own gets a line to that."""
    with FaultProxy(("127.0.0.1", service.port), seed=1) as proxy:
        yield proxy


@pytest.fixture
def pair(connect: Connect, fresh: Fresh) -> Pair:
    """One conversation of two people, as each of them sees it."""
    alice, bob = connect(fresh("alice")), connect(fresh("bob"))
    event_log = EventLog(bob, "conversation_joined")
    conversation = alice.create_conversation(friendly_name="pair")
    conversation.join()
    conversation.add(bob.identity)
    return conversation, event_log.wait("conversation_joined")
