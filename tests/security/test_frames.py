"""Frames that are nearly right, both ways: each field of each packet replaced, removed or added, and sent over a real socket."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import websocket
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.script import CONVERSATION, IDENTITY, packet
from benchmarks.scripted import ScriptedService
from tests.acceptance.test_08_malformed import AT_ONCE, spoiled_events
from tests.faults.malformed import FROM_CLIENT, FROM_SERVICE, encode
from tests.security.hostile import spoiled
from tests.security.target import Traces
from tests.server.peer import TIMEOUT, Peer, new_id
from twilio_conversations import Client, ConversationsError
from twilio_conversations.server import LocalServer
from twilio_conversations.wire.packets import Close, Unknown

FEW, MANY = 60, 6_000
QUICKLY = settings(suppress_health_check=list(HealthCheck))


@pytest.fixture
def traces() -> Iterator[Traces]:
    """What is logged as an error, by whichever side."""
    found = Traces()
    logging.getLogger().addHandler(found)
    yield found
    logging.getLogger().removeHandler(found)


def close_to(templates: tuple[tuple[dict[str, Any], Any], ...]) -> st.SearchStrategy[tuple[Any, Any]]:
    """Header and payload of a packet that is nearly one of these. Its method stays, so that it is taken for what it was."""

    @st.composite
    def nearly(draw: st.DrawFn) -> tuple[Any, Any]:
        header, payload = draw(st.sampled_from(templates))
        return {**draw(spoiled(header)), "method": header["method"]}, None if payload is None else draw(spoiled(payload))

    return nearly()


# towards the service


def templates_for(service: LocalServer) -> tuple[tuple[dict[str, Any], Any], ...]:
    """Right packets of a client's, with a token that is good."""
    token = service.token("fuzzer")
    more = ({"method": "close", "id": "TM8"}, None), ({"method": "ping", "id": "TM9"}, None)
    return tuple(({**header, "token": token} if "token" in header else header, body) for header, body in FROM_CLIENT + more)


def outcome(peer: Peer) -> str:
    """What became of the connection: it answers on, was refused in words, or was ended."""
    probe = Unknown(new_id(), "ping")
    try:
        peer.send(probe)
        last = peer.expect(lambda found: is_refusal(found) or getattr(found, "id", None) == probe.id)
    except websocket.WebSocketTimeoutException:
        return "silent"
    except (OSError, websocket.WebSocketException):
        return "ended"
    return "served" if getattr(last, "id", None) == probe.id else "refused"


def fuzz_the_service(service: LocalServer, traces: Traces, examples: int) -> None:
    """So many conversations of one to five frames, on connections that were introduced or not."""
    outcomes: Counter[str] = Counter()
    frames = st.lists(close_to(templates_for(service)), min_size=1, max_size=5)

    @settings(QUICKLY, max_examples=examples)
    @given(frames, st.booleans())
    def run(many: list[tuple[Any, Any]], introduced: bool) -> None:
        with Peer(service) as peer:
            if introduced:
                assert peer.init(service.token("fuzzer")).status.ok
            with contextlib.suppress(OSError):
                for header, payload in many:
                    peer.send_bytes(encode(header, payload))
            outcomes[outcome(peer)] += 1
        assert outcomes["silent"] == 0
        assert traces.all() == []

    with Peer.connected(service, "bystander") as bystander:
        room = bystander.room()
        run()
    with Peer.connected(service, "bystander") as bystander:
        assert bystander.say(room)["index"] == 0
    print(dict(outcomes))
    assert outcomes["served"] > 0


def is_refusal(packet: Any) -> bool:
    """Whether the introduction is refused by this, or the connection closed: then nothing more is answered, by design."""
    return isinstance(packet, Close) or getattr(getattr(packet, "status", None), "code", 200) in (401, 429, 410)


def test_frames_towards_the_service(service: LocalServer, traces: Traces) -> None:
    """Each connection is served on, refused in words or ended; nothing is a fault of the service, others go on."""
    fuzz_the_service(service, traces, FEW)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_many_frames_towards_the_service(service: LocalServer, traces: Traces) -> None:
    """The same with more of them."""
    fuzz_the_service(service, traces, MANY)


# towards the client


class Fuzzed:
    """A client at a service that sends strange frames; replaced by a new one when it was told to stop."""

    def __init__(self, token: str) -> None:
        self.service = ScriptedService()
        self.replaced = 0
        self._token = token
        self._client = self._connect()

    def _connect(self) -> Client:
        return Client(self._token, endpoint=self.service.url, reconnect=AT_ONCE)

    def send(self, data: bytes) -> None:
        """Send bytes to every connection there is."""
        for connected in list(self.service.clients):
            with contextlib.suppress(OSError):
                connected.socket.sendall(data)

    def ask(self) -> None:
        """Ask the client something that needs the service; errors are documented ones, and there are not too many of them."""
        deadline, error = time.monotonic() + TIMEOUT, None
        while time.monotonic() < deadline:
            try:
                self._client.wait_until_ready(1)
                self._client.get_conversation_by_sid(CONVERSATION, timeout=1).get_messages_count(timeout=1)
                return
            except (ConversationsError, TimeoutError) as trouble:
                error = trouble
                if isinstance(error, ConversationsError) and not error.retryable:
                    self.replaced += 1
                    self._client.close()
                    self._client = self._connect()
        raise AssertionError("the client does not recover") from error

    def close(self) -> None:
        """End it."""
        self._client.close()
        self.service.close()


@pytest.fixture
def fuzzed(service: LocalServer) -> Iterator[Fuzzed]:
    """A client, and the service that it is at."""
    one = Fuzzed(service.token(IDENTITY))
    yield one
    one.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("conversations-io")]


def fuzz_the_client(fuzzed: Fuzzed, traces: Traces, examples: int) -> None:
    """So many batches of one to five frames."""
    right = FROM_SERVICE + spoiled_events()

    @settings(QUICKLY, max_examples=examples)
    @given(st.lists(close_to(right), min_size=1, max_size=5))
    def run(many: list[tuple[Any, Any]]) -> None:
        fuzzed.send(b"".join(packet(header, payload) for header, payload in many))
        fuzzed.ask()
        assert traces.all() == []

    fuzzed.ask()
    run()
    print(f"clients replaced: {fuzzed.replaced}")


def test_frames_towards_the_client(fuzzed: Fuzzed, traces: Traces) -> None:
    """It goes on, reconnects, or ends in a documented error; nothing fails on its threads."""
    fuzz_the_client(fuzzed, traces, FEW // 2)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_many_frames_towards_the_client(fuzzed: Fuzzed, traces: Traces) -> None:
    """The same with more of them."""
    fuzz_the_client(fuzzed, traces, MANY // 4)
