"""Three thousand malformed inputs over real sockets, on either side: nothing crashes, hangs or leaks, good requests are served.

(A hundred thousand more go through codec and state machine without sockets, in tests/wire.)
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from benchmarks.bare import Bare
from benchmarks.script import CONVERSATION, DOCUMENT, IDENTITY, LIST, document
from benchmarks.scripted import Connected, ScriptedService
from benchmarks.support.observer import Packet
from tests.faults.malformed import FROM_CLIENT, FROM_SERVICE, Malformer, encode, fresh_seed
from tests.support.patience import LONG_PATIENCE, PATIENCE
from tests.support.resources import descriptors, tasks
from tests.support.service_process import ServiceProcess
from tests.support.waiting import until
from twilio_conversations import Client, ConversationsError
from twilio_conversations.options import BackoffPolicy

INPUTS = 3000
ATTACKERS = 4
BACK_OFF = 0.02
AT_ONCE = BackoffPolicy(minimum=BACK_OFF, maximum=BACK_OFF)

UPGRADE = (
    b"GET /v3/wsconnect HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Good:
    """Asks a good question again and again on a thread of its own, and keeps how long each answer took."""

    def __init__(self, ask: Callable[[], object]) -> None:
        self.times: list[float] = []
        self.failures: list[BaseException] = []
        self._ask = ask
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="good")

    def _run(self) -> None:
        while not self._stop.wait(BACK_OFF):
            began = time.monotonic()
            try:
                self._ask()
            except BaseException as error:
                self.failures.append(error)
                return
            self.times.append(time.monotonic() - began)

    def __enter__(self) -> Good:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive(), "a good request hangs"


# against the service


def attack_service(served: ServiceProcess, token: str, seed: int, counts: Counter[str]) -> None:
    """Connections with malformed input at every stage, until this attacker's share is sent."""
    malformed, rng = Malformer(seed, FROM_CLIENT, masked=True), random.Random(seed)
    share = INPUTS // ATTACKERS
    sent = 0
    while sent < share:
        with contextlib.suppress(OSError), socket.create_connection(served.address, timeout=5) as line:
            stage = rng.choice(["http", "before init", "after init", "after init"])
            if stage == "http":
                line.sendall(malformed.request())
                sent += 1
                counts[stage] += 1
                listen(line)
                continue
            open_socket(line, malformed, token if stage == "after init" else None)
            for _ in range(rng.randint(1, 12)):
                fatal = rng.random() < 0.1
                line.sendall(malformed.frame() if fatal else malformed.wrap(malformed.packet()))
                sent += 1
                counts["frame" if fatal else stage] += 1
            listen(line)
        threading.Event().wait(BACK_OFF)


def listen(line: socket.socket) -> None:
    """Take what the service says to it, until it is silent for a moment or ends the connection."""
    line.settimeout(0.05)
    while line.recv(65536):
        pass


def open_socket(line: socket.socket, malformed: Malformer, token: str | None) -> None:
    """Upgrade, and with a token also a right `init`."""
    line.sendall(UPGRADE)
    line.recv(4096)
    if token is not None:
        line.sendall(
            malformed.wrap(encode({"method": "init", "id": "TM0", "token": token, "metadata": {}, "capabilities": []}, None))
        )
        line.recv(4096)


@pytest.mark.slow
def test_the_service_withstands_malformed_input(served: ServiceProcess) -> None:
    """Another connection is answered all the time; the process's threads and descriptors are as before."""
    seed, counts = fresh_seed(), Counter[str]()
    token = served.token("attacker")
    good = Bare(served.twilsock, served.token("good"))
    good.get("/Client/v2/Configuration")
    before = (tasks(served.pid), descriptors(served.pid))
    with Good(lambda: good.get("/Client/v2/Configuration")) as asker:
        attackers = [
            threading.Thread(target=attack_service, args=(served, token, seed + number, counts)) for number in range(ATTACKERS)
        ]
        for attacker in attackers:
            attacker.start()
        for attacker in attackers:
            attacker.join(LONG_PATIENCE)
            assert not attacker.is_alive(), "an attacker hangs"
    print(f"{dict(counts)}; {len(asker.times)} good requests, the slowest {max(asker.times):.3f} s")
    assert asker.failures == []
    assert counts.total() >= INPUTS
    assert max(asker.times) < 5
    until(
        lambda: tasks(served.pid) <= before[0] and descriptors(served.pid) <= before[1],
        f"threads and descriptors as at the start: {before}",
    )
    good.close()
    assert served.crashes() == []


# against the client


def spoiled_events() -> tuple[tuple[dict[str, Any], Any], ...]:
    """Right events of objects that the client follows, as further templates to spoil."""
    added = {
        "id": 1,
        "item_index": 0,
        "list_sid": LIST,
        "item_data": {"sid": "IM1", "text": "t", "author": "a", "attributes": "{}"},
    }
    updated = {"id": 1, "document_sid": DOCUMENT, "document_data": document(0), "date_created": "2026-11-23T18:35:12.806Z"}
    kinds = (("list", "list_item_added", added), ("document", "document_updated", updated))
    return tuple(
        (
            {
                "method": "notification",
                "id": "TM8",
                "message_type": f"com.twilio.rtd.cds.{kind}",
                "payload_type": "application/json",
            },
            {"event_type": event_type, "event_protocol_version": 4, "events": [event]},
        )
        for kind, event_type, event in kinds
    )


class Hostile(ScriptedService):
    """A scripted service that spoils some upgrades, mixes malformed packets into its answers and ends in broken frames."""

    def __init__(self, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.friendly = False
        self._random = random.Random(seed)
        self._malformed = Malformer(seed, FROM_SERVICE + spoiled_events(), masked=False)
        self._lock = threading.Lock()
        super().__init__()

    def greet(self, client: Connected, head: bytes) -> bool:
        """A good upgrade, or in one of six cases a bad one and the end."""
        with self._lock:
            spoiled = not self.friendly and self._random.random() < 1 / 6
            if spoiled:
                self.counts["http"] += 1
                response = self._malformed.response()
        if spoiled:
            client.socket.sendall(response)
            return False
        return super().greet(client, head)

    def answer(self, client: Connected, packet: Packet) -> bytes:
        """The right answer in malformed company; sometimes spoiled itself, sometimes the end of the connection."""
        right = super().answer(client, packet)
        if self.friendly:
            return right
        with self._lock:
            count = self._random.randint(0, 7)
            self.counts["packet"] += count
            company = [self._malformed.wrap(self._malformed.packet()) for _ in range(count)]
            chance = self._random.random()
            if chance < 0.05:
                self.counts["frame"] += 1
                return b"".join([*company, self._malformed.frame()])
            if chance < 0.1 and packet.method == "message":
                self.counts["answer"] += 1
                right = self._malformed.wrap(self._spoiled_answer(packet.id))
            return b"".join([*company, right])

    def _spoiled_answer(self, name: str) -> bytes:
        ok = {"code": 200, "status": "OK"}
        header: dict[str, Any] = {
            "method": "reply",
            "id": name,
            "status": ok,
            "http_status": ok,
            "payload_type": "application/json",
        }
        spoil = self._random.choice(["no status", "no http status", "body", "strange body"])
        if spoil == "no status":
            del header["status"]
        elif spoil == "no http status":
            header["http_status"] = self._random.choice([None, [], {"code": "200"}, {"code": 10**30}])
        body: Any = self._random.choice([None, [], 7, {"items": 5}, {"sid": None}, "text"]) if spoil == "strange body" else {}
        return encode(header, body)[: -1 if spoil == "body" else None]


class Victim:
    """Keeps a client at the hostile service: asks it things, expects errors of the documented kind only, replaces failed ones."""

    def __init__(self, url: str, token: str) -> None:
        self.surprises: list[BaseException] = []
        self._url = url
        self._token = token
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="victim")
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            with self._client() as client:
                while not self._stop.wait(BACK_OFF):
                    try:
                        client.wait_until_ready(1)
                        client.get_conversation_by_sid(CONVERSATION, timeout=1).get_messages_count(timeout=1)
                    except TimeoutError:
                        continue
                    except ConversationsError as error:
                        if not error.retryable:
                            break
                    except BaseException as error:
                        self.surprises.append(error)
                        return

    def _client(self) -> Client:
        return Client(self._token, endpoint=self._url, reconnect=AT_ONCE)

    def stop(self) -> None:
        """End the thread and its client."""
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive(), "a victim hangs"


@pytest.fixture
def hostile() -> Iterator[Hostile]:
    """A hostile service, its seed printed."""
    service = Hostile(fresh_seed())
    yield service
    service.close()


@pytest.mark.slow
def test_the_client_withstands_malformed_input(served: ServiceProcess, hostile: Hostile) -> None:
    """Its calls end in documented errors, a client beside it works on, and all threads and descriptors are freed."""
    token = served.token(IDENTITY)
    with served.client("good") as neighbour:
        conversation = neighbour.create_conversation(friendly_name="untouched")
        conversation.join()
        before, opened = set(threading.enumerate()), descriptors()
        with Good(conversation.get_messages_count) as asker:
            victims = [Victim(hostile.url, token) for _ in range(ATTACKERS)]
            until(lambda: hostile.counts.total() >= INPUTS, f"{INPUTS} inputs, so far {dict(hostile.counts)}", LONG_PATIENCE)
            hostile.friendly = True
            with Client(token, endpoint=hostile.url, reconnect=AT_ONCE) as client:
                client.wait_until_ready(PATIENCE)
            for victim in victims:
                victim.stop()
        print(f"{dict(hostile.counts)}; {len(asker.times)} good requests, the slowest {max(asker.times):.3f} s")
        assert [victim.surprises for victim in victims] == [[]] * ATTACKERS
        assert asker.failures == []
        assert max(asker.times) < 5
        hostile.drop_all()
        until(
            lambda: set(threading.enumerate()) <= before and descriptors() <= opened,
            f"no more threads and descriptors than at the start: {before}, {opened}",
            10,
        )
