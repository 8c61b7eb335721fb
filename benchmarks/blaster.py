"""A scripted service that is never the brake: it plays the start-up from a script, then sends prebuilt frames on order.

Orders on standard input, one JSON object a line: `ready` waits until the client has subscribed, `blast` sends `count` messages
(two frames each) and waits for their acknowledgements unless `acknowledged` is false.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

import attrs

from benchmarks.script import DOCUMENT, LIST, Script, events, message_frames, notification, reply
from benchmarks.worker import answer_lines
from tests.faults.observer import Observer, Packet

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
FIRST_OWN_ID = 1 << 40  # ids of subscription messages, far above those of the blast


@attrs.define(eq=False)
class Client:
    """One connected client: what it has subscribed to, and how much it has acknowledged."""

    socket: socket.socket
    seen: Observer = attrs.field(factory=Observer)
    subscribed: set[str] = attrs.field(factory=set)
    acknowledged: int = 0
    gone: bool = False


class Blaster:
    """Serves one client at a time; the newest is the one that is blasted."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.twilsock = f"ws://127.0.0.1:{port}/v3/wsconnect"
        self._script = Script(self.url)
        self._client: Client | None = None
        self._changed = threading.Condition()
        self._frames = b""
        self._built = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def ready(self, timeout: float = 20.0) -> Mapping[str, Any]:
        """Wait until a client follows both the message list and the document."""
        with self._changed:
            if not self._changed.wait_for(
                lambda: self._client is not None and {LIST, DOCUMENT} <= self._client.subscribed, timeout
            ):
                raise TimeoutError("no client subscribed")
        return {}

    def blast(self, count: int, acknowledged: bool = True, timeout: float = 120.0) -> Mapping[str, Any]:
        """Send `count` messages at once; when that began, on the machine's monotonic clock."""
        self._build(count)
        client = self._client
        assert client is not None
        before = client.acknowledged
        started = time.monotonic()
        client.socket.sendall(self._frames)
        if acknowledged:
            with self._changed:
                if not self._changed.wait_for(lambda: client.gone or client.acknowledged - before >= 2 * count, timeout):
                    raise TimeoutError(f"{client.acknowledged - before} of {2 * count} acknowledged")
        with self._changed:
            self._client = None
        return {"started": started}

    def _build(self, count: int) -> None:
        if count != self._built:
            self._frames = b"".join(message_frames(index) for index in range(count))
            self._built = count

    def _accept(self) -> None:
        while True:
            end, _ = self._listener.accept()
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(Client(end),), daemon=True).start()

    def _serve(self, client: Client) -> None:
        with contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head and (part := client.socket.recv(65536)):
                head += part
            client.socket.sendall(upgrade(head))
            list(client.seen.feed(head))
            with self._changed:
                self._client = client
            while data := client.socket.recv(262144):
                self._hear(client, data)
        client.gone = True
        with self._changed:
            self._changed.notify_all()
        client.socket.close()

    def _hear(self, client: Client, data: bytes) -> None:
        acknowledged = 0
        for packet in client.seen.feed(data):
            if packet.method == "reply":
                acknowledged += 1
            elif packet.method != "close":
                client.socket.sendall(self._answer(client, packet))
        with self._changed:
            client.acknowledged += acknowledged
            self._changed.notify_all()

    def _answer(self, client: Client, packet: Packet) -> bytes:
        http = packet.header.get("http_request")
        if http is None:
            return reply(packet.id, continuation_token="one", capabilities=["client_update"])
        if http["path"].endswith("/Subscriptions"):
            return self._subscribe(client, packet.id, packet.json())
        body = self._script.answer(http["path"], http.get("params") or {})
        return (
            reply(packet.id, {"status": 404, "code": 50404, "message": "not found"}, 404)
            if body is None
            else reply(packet.id, body)
        )

    def _subscribe(self, client: Client, name: str, poke: Mapping[str, Any]) -> bytes:
        sids = [one["object_sid"] for one in poke["requests"]]
        answers = reply(name, {"max_batch_size": 100, "estimated_delivery_in_ms": 10000, "ttl_in_s": -1})
        if poke["action"] != "establish":
            return answers
        client.subscribed.update(sids)
        for number, one in enumerate(poke["requests"]):
            done = {"object_sid": one["object_sid"], "object_type": one["object_type"], "replay_status": "completed"}
            payload = events("subscription_established", done | {"last_event_id": self._script.head(one["object_sid"])})
            identifier = FIRST_OWN_ID + hash((name, number)) % FIRST_OWN_ID
            answers += notification(identifier, "twilio.sync.event", payload | {"correlation_id": poke["correlation_id"]})
        return answers


def upgrade(head: bytes) -> bytes:
    """The answer to a WebSocket handshake, without any extension."""
    key = next(line.split(b":", 1)[1].strip() for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + accept
        + b"\r\n\r\n"
    )


if __name__ == "__main__":
    blaster = Blaster()
    print(json.dumps({"url": blaster.url, "twilsock": blaster.twilsock}), flush=True)
    answer_lines({"ready": blaster.ready, "blast": blaster.blast})
    sys.exit(0)
