"""Peers that are cut off when the test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.server.peer import Peer
from twilio_conversations.server import LocalServer

Connect = Callable[..., Peer]


@pytest.fixture
def connect(service: LocalServer, fresh: Callable[[str], str]) -> Iterator[Connect]:
    """Returns a function that connects a new person, or `identity`: `connect("alice")`."""
    peers: list[Peer] = []

    def make(name: str = "alice", *, identity: str | None = None, ttl: float = 3600) -> Peer:
        peer = Peer.connected(service, identity or fresh(name), ttl)
        peers.append(peer)
        return peer

    yield make
    for peer in peers:
        peer.close()


@pytest.fixture
def configure(service: LocalServer) -> Iterator[Callable[..., object]]:
    """Returns a function that changes settings of the service until the end of the test."""
    before = service.configure()
    yield service.configure
    service.configure(**before)


@pytest.fixture
def alice(connect: Connect) -> Peer:
    """A person who is connected."""
    return connect("alice")


@pytest.fixture
def bob(connect: Connect) -> Peer:
    """Another person who is connected."""
    return connect("bob")
