"""A service that plays a script to any number of clients at once, over real sockets."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import threading
from collections.abc import Mapping
from typing import Any

import attrs

from benchmarks.script import Script, events, notification, reply
from benchmarks.support.observer import Observer, Packet

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
FIRST_OWN_ID = 1 << 40  # ids of subscription messages, far above those of events


@attrs.define(eq=False)
class Connected:
    """One connected client: what it has subscribed to, and how much it has acknowledged."""

    socket: socket.socket
    seen: Observer = attrs.field(factory=Observer)
    subscribed: set[str] = attrs.field(factory=set)
    acknowledged: int = 0
    gone: bool = False


class ScriptedService:
    """Answers what the script has an answer for; a thread for each connection."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.twilsock = f"ws://127.0.0.1:{port}/v3/wsconnect"
        self.clients: list[Connected] = []
        self.changed = threading.Condition()
        self._script = Script(self.url)
        self._accepter = threading.Thread(target=self._accept, daemon=True)
        self._accepter.start()

    def drop_all(self) -> None:
        """End every connection."""
        for client in list(self.clients):
            with contextlib.suppress(OSError):
                client.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End every connection and the port."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread, which close() alone does not
        self._accepter.join(5)
        self._listener.close()
        self.drop_all()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                end, _ = self._listener.accept()
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve, args=(Connected(end),), daemon=True).start()

    def _serve(self, client: Connected) -> None:
        with contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head and (part := client.socket.recv(65536)):
                head += part
            list(client.seen.feed(head))
            with self.changed:
                self.clients.append(client)
            if head and self.greet(client, head):
                while data := client.socket.recv(262144):
                    self._hear(client, data)
        with self.changed:
            client.gone = True
            if client in self.clients:
                self.clients.remove(client)
            self.changed.notify_all()
        client.socket.close()

    def _hear(self, client: Connected, data: bytes) -> None:
        acknowledged = 0
        for packet in client.seen.feed(data):
            if packet.method == "reply":
                acknowledged += 1
            elif packet.method != "close":
                client.socket.sendall(self.answer(client, packet))
        with self.changed:
            client.acknowledged += acknowledged
            self.changed.notify_all()

    def greet(self, client: Connected, head: bytes) -> bool:
        """Answer the handshake `head`; whether the connection goes on."""
        client.socket.sendall(upgrade(head))
        return True

    def answer(self, client: Connected, packet: Packet) -> bytes:
        """What is sent back for a packet that is owed an answer."""
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

    def _subscribe(self, client: Connected, name: str, poke: Mapping[str, Any]) -> bytes:
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
