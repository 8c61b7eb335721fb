"""Requests that end the connection, over real sockets."""

from __future__ import annotations

import socket
import struct

import pytest

from tests.support.patience import PATIENCE
from tests.support.scripted_service import Peer
from tests.transport.conftest import Wire, Wired
from twilio_conversations.errors import RequestTooLargeError, TransportUnavailableError
from twilio_conversations.transport.tunnel import MOST_CUTS, Tunnel
from twilio_conversations.util.futures import Deadline, SharedFuture, wait
from twilio_conversations.wire.inflight import SUSPECT_AFTER
from twilio_conversations.wire.packets import Reply, RestCall

LIMIT = PATIENCE
NAMED = b"frame exceeds limit of 1000 bytes"


def ask(wired: Wired, path: str, body: bytes = b"") -> SharedFuture[Reply]:
    """Send an idempotent request."""
    tunnel = Tunnel(wired.connection, wired.connection._options)
    return wired.connection.run(
        lambda: tunnel.request("PUT", f"https://h/{path}", body=body, deadline=Deadline(LIMIT), idempotent=True)
    )


def close_frame(code: int, reason: bytes) -> bytes:
    """The peer's close, with the WebSocket's code."""
    return struct.pack("!BBH", 0x88, 2 + len(reason), code) + reason


def next_peer(wired: Wired) -> Peer:
    """The service's end of the next connection."""
    peer = wired.service.peer()
    peer.accept_init()
    return peer


def test_one_that_is_too_large_fails_alone(wire: Wire) -> None:
    """At once, with the sizes; the other one is sent again and answered, and the next large one is not sent at all."""
    wired = wire()
    peer = wired.up()
    large, small = ask(wired, "large", b"x" * 5000), ask(wired, "small")
    peer.expect(RestCall), peer.expect(RestCall)
    peer.socket.sendall(close_frame(1009, NAMED))
    with pytest.raises(RequestTooLargeError, match="the service takes 1000 at most") as raised:
        wait(large, Deadline(LIMIT), "PUT")
    assert (raised.value.limit, raised.value.sent, raised.value.attempts) == (1000, True, 1)
    peer.cut()

    peer = next_peer(wired)
    peer.answer(peer.expect(RestCall))
    assert wait(small, Deadline(LIMIT), "PUT").attempts == 2
    with pytest.raises(RequestTooLargeError) as raised:
        wait(ask(wired, "large", b"x" * 5000), Deadline(LIMIT), "PUT")
    assert raised.value.sent is False


def test_last_words_are_read_though_nothing_can_be_written(wire: Wire) -> None:
    """A peer that closes in the middle of a frame resets the connection: what it had said before counts."""
    wired = wire()
    peer = wired.up()
    answered = ask(wired, "small")
    asked = peer.expect(RestCall)
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
    large = ask(wired, "large", b"x" * 20_000_000)  # more than the buffers on the way take
    peer.socket.recv(65536)
    peer.answer(asked)
    peer.socket.sendall(close_frame(1009, NAMED))
    peer.cut()
    assert wait(answered, Deadline(LIMIT), "PUT").ok
    with pytest.raises(RequestTooLargeError):
        wait(large, Deadline(LIMIT), "PUT")
    next_peer(wired)


def test_one_that_ends_every_connection_fails(wire: Wire) -> None:
    """After so many connections in a row it is not sent again; who was under way beside it is answered in the end."""
    wired = wire()
    peer = wired.up()
    poison, innocent = ask(wired, "poison"), ask(wired, "innocent")
    for _ in range(SUSPECT_AFTER):  # until then they are sent together
        assert {peer.expect(RestCall).request.path for _ in range(2)} == {"/poison", "/innocent"}
        peer.cut()
        peer = next_peer(wired)
    sent, answered = SUSPECT_AFTER, False
    while sent < MOST_CUTS or not answered:
        message = peer.expect(RestCall)
        if message.request.path == "/innocent":
            peer.answer(message)
            answered = True
        else:
            sent += 1
            peer.cut()
            peer = next_peer(wired)

    assert wait(innocent, Deadline(LIMIT), "PUT").attempts <= SUSPECT_AFTER + 1
    with pytest.raises(TransportUnavailableError, match=f"{MOST_CUTS} connections in a row ended") as raised:
        wait(poison, Deadline(LIMIT), "PUT")
    assert (raised.value.attempts, raised.value.sent, raised.value.retryable) == (MOST_CUTS, True, False)
