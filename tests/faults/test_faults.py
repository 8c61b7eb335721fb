"""The fault tools themselves, shown with plain sockets."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from benchmarks.support.line import DelayProxy
from benchmarks.support.observer import Observer
from benchmarks.support.relay import Direction, Relay
from tests.faults.lockstep import LockstepProxy
from tests.faults.plan import Cuts
from tests.faults.proxy import FaultProxy
from tests.support.patience import PATIENCE

HEAD_UP = b"GET /v3/wsconnect HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
HEAD_DOWN = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


def packet(header: dict[str, object], payload: bytes = b"") -> bytes:
    """A TWILSOCK packet as it stands in the protocol's description."""
    text = json.dumps({**header, "payload_size": len(payload)}).encode()
    return b"TWILSOCK V3.0 %d\r\n%s\r\n%s" % (len(text), text, payload)


def frame(message: bytes, *, masked: bool) -> bytes:
    """One binary WebSocket frame."""
    mask = os.urandom(4) if masked else b""
    length = len(message)
    bit = 0x80 if masked else 0
    size = bytes([bit | length]) if length < 126 else bytes([bit | 126]) + struct.pack(">H", length)
    body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(message)) if masked else message
    return b"\x82" + size + mask + body


def command(name: str, verb: str = "POST", path: str = "/Client/v2/Messages") -> bytes:
    """A tunnelled request as a client sends it."""
    header: dict[str, object] = {"method": "message", "id": name, "http_request": {"method": verb, "path": path}}
    return frame(packet(header), masked=True)


def reply(name: str) -> bytes:
    """The service's answer to it."""
    return frame(packet({"method": "reply", "id": name}), masked=False)


class Service:
    """A plain TCP server that keeps what it got and hands its connections to the test."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.listener.settimeout(PATIENCE)
        self.address: tuple[str, int] = self.listener.getsockname()
        self._stack = stack

    def connect(self, relay: Relay) -> tuple[socket.socket, socket.socket]:
        """A client's and the service's end of one connection through the relay."""
        client = self._stack.enter_context(socket.create_connection(("127.0.0.1", relay.port), timeout=PATIENCE))
        peer = self._stack.enter_context(self.listener.accept()[0])
        peer.settimeout(PATIENCE)
        return client, peer


@pytest.fixture
def service() -> Iterator[Service]:
    """A service on loopback."""
    with contextlib.ExitStack() as stack:
        yield Service(stack)


def knock(relay: Relay) -> None:
    """Connect and wait for a byte; on loopback a reset may come as early as the connect."""
    with socket.create_connection(("127.0.0.1", relay.port), timeout=PATIENCE) as client:
        client.recv(1)


def receive(end: socket.socket, size: int) -> bytes:
    """Exactly `size` bytes."""
    data = b""
    while len(data) < size:
        part = end.recv(size - len(data))
        assert part, f"closed after {len(data)} of {size} bytes"
        data += part
    return data


def until(condition: Callable[[], bool], timeout: float = 5.0) -> None:
    """Wait for what another thread will make true."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "timed out"
        threading.Event().wait(0.005)


def test_relay_carries_bytes_both_ways_and_passes_on_a_half_close(service: Service) -> None:
    """What goes in comes out, larger than any buffer too; the end of one half leaves the other open."""
    with Relay(service.address) as relay:
        client, peer = service.connect(relay)
        blob = os.urandom(3_000_000)
        sender = threading.Thread(target=client.sendall, args=(blob,))
        sender.start()
        assert receive(peer, len(blob)) == blob
        sender.join(PATIENCE)
        client.shutdown(socket.SHUT_WR)
        assert peer.recv(1) == b""
        peer.sendall(b"still open")
        assert receive(client, 10) == b"still open"
        client.close()
        peer.close()
        until(lambda: not relay.links)


def test_relay_resets_when_the_service_is_down() -> None:
    """A client of a service that is not there is refused at once."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = gone.getsockname()
    with Relay(address) as relay, pytest.raises(ConnectionResetError):
        knock(relay)


def test_delay_holds_each_byte_for_its_time(service: Service) -> None:
    """A round trip through a delay of 30 ms takes at least 60 ms, and order is kept."""
    with DelayProxy(service.address, delay=0.03) as proxy:
        client, peer = service.connect(proxy)
        start = time.monotonic()
        client.sendall(b"ping")
        client.sendall(b"pong")
        assert receive(peer, 8) == b"pingpong"
        peer.sendall(b"back")
        assert receive(client, 4) == b"back"
        assert time.monotonic() - start >= 0.06


def test_cut_at_a_byte_count_is_a_reset(service: Service) -> None:
    """A connection whose plan is a byte count ends with RST near it, and is counted."""
    with FaultProxy(service.address, seed=1, cuts=Cuts(bytes_between=(1000, 1000), unanswered=0.0)) as proxy:
        client, peer = service.connect(proxy)

        def talk() -> None:
            while True:
                client.sendall(b"x" * 100)
                peer.sendall(b"y" * 100)
                client.recv(100)

        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            talk()
        assert proxy.counts["cuts"] == proxy.counts["cuts_at_bytes"] == 1


def test_cut_before_the_answer_of_a_command(service: Service) -> None:
    """The service has the whole command and has answered it; the client sees RST and no answer."""
    with FaultProxy(service.address, seed=1, cuts=Cuts(commands_between=(2, 2), unanswered=1.0)) as proxy:
        client, peer = service.connect(proxy)
        client.sendall(HEAD_UP + command("one"))
        receive(peer, len(HEAD_UP + command("one")))
        peer.sendall(HEAD_DOWN + reply("one"))
        assert receive(client, len(HEAD_DOWN + reply("one")))
        client.sendall(command("read", "GET") + command("poke", path="/v4/Subscriptions") + command("two"))
        receive(peer, len(command("read", "GET") + command("poke", path="/v4/Subscriptions") + command("two")))
        peer.sendall(reply("read"))
        assert receive(client, len(reply("read")))
        peer.sendall(reply("two"))
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        assert proxy.counts == {"commands": 2, "cuts": 1, "cuts_before_answer": 1, "ended_by_reset": 1}


def test_stall_is_a_black_hole_until_resumed(service: Service) -> None:
    """While stalled nothing passes and nothing is lost."""
    with FaultProxy(service.address, seed=1) as proxy:
        client, peer = service.connect(proxy)
        proxy.stall()
        client.sendall(b"later")
        peer.settimeout(0.1)
        with pytest.raises(TimeoutError):
            peer.recv(1)
        proxy.resume()
        peer.settimeout(PATIENCE)
        assert receive(peer, 5) == b"later"


def test_refuse_and_half_close_and_cut_all(service: Service) -> None:
    """The orders do what they say, on open and on new connections."""
    with FaultProxy(service.address, seed=1) as proxy:
        client, peer = service.connect(proxy)
        proxy.half_close(Direction.DOWN)
        assert client.recv(1) == b""
        client.sendall(b"up is open")
        assert receive(peer, 10) == b"up is open"
        assert proxy.cut_all() == 1
        with pytest.raises(ConnectionResetError):
            peer.recv(1)
        proxy.refuse()
        with pytest.raises(ConnectionResetError):
            knock(proxy)
        until(lambda: proxy.counts["refused"] == 1)


def test_observer_reads_packets_however_they_are_split() -> None:
    """One byte at a time gives the same packets as all at once, fragments and control frames included."""
    ping = b"\x89\x80" + os.urandom(4)
    body = packet({"method": "message", "id": "two"}, b'{"a":1}')
    fragmented = b"\x02" + frame(body[:20], masked=True)[1:] + ping + b"\x80" + frame(body[20:], masked=True)[1:]
    stream = HEAD_UP + command("one") + fragmented + command("three", "GET")
    whole = list(Observer().feed(stream))
    single = Observer()
    assert [p for byte in stream for p in single.feed(bytes([byte]))] == whole
    assert [(p.id, p.is_command) for p in whole] == [("one", True), ("two", False), ("three", False)]
    assert whole[1].json() == {"a": 1}
    assert single.position == len(stream)


def test_lockstep_counts_rounds_and_sets_pokes_apart(service: Service) -> None:
    """Answers to questions asked together are one round; a round of pokes alone is counted by itself."""
    with LockstepProxy(service.address, quiet=0.02) as proxy:
        client, peer = service.connect(proxy)
        client.sendall(HEAD_UP)
        receive(peer, len(HEAD_UP))
        peer.sendall(HEAD_DOWN)
        receive(client, len(HEAD_DOWN))
        asked = command("one", "GET", "/a") + command("two", "GET", "/b")
        client.sendall(asked)
        receive(peer, len(asked))
        peer.sendall(reply("one"))
        peer.sendall(reply("two"))
        receive(client, len(reply("one") + reply("two")))
        client.sendall(command("poke", path="/v4/Subscriptions"))
        receive(peer, len(command("poke", path="/v4/Subscriptions")))
        established = frame(
            packet({"method": "notification", "id": "n"}, b'{"event_type":"subscription_established"}'), masked=False
        )
        peer.sendall(reply("poke") + established)
        receive(client, len(reply("poke") + established))
        assert [one.kinds for one in proxy.rounds] == [("upgrade",), ("GET /a", "GET /b"), ("poke", "subscription")]
        assert (proxy.counted, proxy.pokes) == (2, 1)
