"""A connection without a client: websocket-client, json, and nothing else. For the floors of the rows, and for what seeds data.

Reads are buffered and the acknowledgements of one read leave in one send, since that is the fastest that such a loop gets.
"""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import websocket

Answer = tuple[int, Any]  # HTTP status, body
SUBSCRIPTIONS = "/v4/Subscriptions"


class BufferedSocket:
    """A socket that is read 64 KiB at a time, however little is asked for."""

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw
        self._buffer = b""
        self._at = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    @property
    def drained(self) -> bool:
        """Nothing is left of what was read."""
        return self._at >= len(self._buffer)

    def recv(self, size: int) -> bytes:
        """The next bytes, from the buffer where it has some."""
        if self.drained:
            self._buffer, self._at = self._raw.recv(65536), 0
        part = self._buffer[self._at : self._at + size]
        self._at += len(part)
        return part


class Bare:
    """One connection after its `init`."""

    def __init__(self, twilsock: str, token: str) -> None:
        parts = urlsplit(twilsock)
        raw = socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 80), timeout=30)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = BufferedSocket(raw)
        self.ws = websocket.create_connection(twilsock, socket=self.socket, skip_utf8_validation=True, timeout=30)
        self._acks: list[bytes] = []
        self._send({"method": "init", "id": "init", "token": token, "continuation_token": None, "metadata": {}, **REGISTRATIONS})
        header, _ = self.receive()
        if header["status"]["code"] != 200:
            raise ConnectionError(f"init refused: {header['status']}")

    def close(self) -> None:
        """End the connection."""
        self.socket.close()

    def _send(self, header: Mapping[str, Any], payload: bytes = b"") -> None:
        text = json.dumps({**header, "payload_size": len(payload)}).encode()
        self.ws.send_binary(b"TWILSOCK V3.0 %d\r\n%s\r\n%s" % (len(text), text, payload))

    def receive(self, *, acknowledge: bool = True) -> tuple[dict[str, Any], Any]:
        """The next packet: header and JSON payload."""
        _, data = self.ws.recv_data()
        start = data.index(b"\r\n") + 2
        stop = start + int(data[14 : start - 2])
        header = json.loads(data[start:stop])
        size = header.get("payload_size", 0)
        payload = json.loads(data[stop + 2 : stop + 2 + size]) if size else None
        if acknowledge:
            if header["method"] != "reply":
                self._acks.append(acknowledgement(header["id"]))
            if self._acks and self.socket.drained:
                self.socket.sendall(b"".join(self._acks))
                self._acks.clear()
        return header, payload

    def notified(self, payload: Any) -> None:
        """Receive what comes while answers are awaited; here it is of no interest."""

    def post(self, name: str, verb: str, path: str, body: Any = None) -> None:
        """Send a tunnelled request under the id `name`."""
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if verb != "GET":
            headers["X-Twilio-Mutation-Id"] = str(uuid.uuid4())
        path, _, query = path.partition("?")
        params = dict(pair.split("=", 1) for pair in query.split("&")) if query else {}
        request = {"host": "local", "path": path, "method": verb, "params": params, "headers": headers}
        payload = b"" if body is None else json.dumps(body).encode()
        kind = headers["Content-Type"]
        self._send(
            {"method": "message", "id": name, "active_grant": "ip_messaging", "payload_type": kind, "http_request": request},
            payload,
        )

    def request(self, verb: str, path: str, body: Any = None) -> Answer:
        """One request and its answer."""
        return self.pipeline([(verb, path, body)])[0]

    def get(self, path: str) -> Any:
        """The body of a GET."""
        status, body = self.request("GET", path)
        if status != 200:
            raise ConnectionError(f"GET {path}: {status}")
        return body

    def pipeline(self, requests: Iterable[tuple[str, str, Any]], in_flight: int = 100) -> list[Answer]:
        """Many requests, at most `in_flight` unanswered at a time; the answers in the order asked."""
        todo = [(f"P{number}", *request) for number, request in enumerate(requests)]
        answers: dict[str, Answer] = {}
        for sent, request in enumerate(todo):
            self.post(*request)
            while sent - len(answers) >= in_flight:
                self._take_answer(answers)
        while len(answers) < len(todo):
            self._take_answer(answers)
        return [answers[name] for name, *_ in todo]

    def _take_answer(self, answers: dict[str, Answer]) -> None:
        header, payload = self.receive()
        self.notified(payload)
        if header["method"] == "reply" and "http_status" in header:
            answers[header["id"]] = (header["http_status"]["code"], payload)


REGISTRATIONS: Mapping[str, Any] = {
    "registrations": [
        {
            "product": "ip_messaging",
            "type": "ers",
            "notification_protocol_version": 0,
            "message_types": [
                "twilio.ipmsg.typing_indicator",
                "twilio.sync.event",
                "com.twilio.rtd.cds.document",
                "com.twilio.rtd.cds.list",
                "com.twilio.rtd.cds.map",
            ],
        }
    ],
    "tweaks": None,
    "capabilities": ["client_update", "offline_storage", "telemetry.v1"],
}


def acknowledgement(name: str) -> bytes:
    """The masked frame that says: received."""
    header = (
        b'{"id":"%s","method":"reply","payload_type":"application/json","status":{"code":200,"status":"OK"},"payload_size":0}'
    )
    text = header % name.encode()
    packet = b"TWILSOCK V3.0 %d\r\n%s\r\n" % (len(text), text)
    return websocket.ABNF.create_frame(packet, websocket.ABNF.OPCODE_BINARY).format()


def subscribe(bare: Bare, sid: str) -> None:
    """Subscribe to a conversation's list of messages and to its document."""
    objects = [("list", bare.get(f"/v3/Lists/{sid}.messages")), ("document", bare.get(f"/v3/Documents/{sid}.channel"))]
    bare.request("POST", SUBSCRIPTIONS, poke(1, objects))


def poke(correlation_id: int, objects: Iterable[tuple[str, Mapping[str, Any]]]) -> Mapping[str, Any]:
    """The body of a request for subscriptions: the kinds of some objects, and their roots."""
    wanted = [{"object_sid": root["sid"], "object_type": kind, "last_event_id": root["last_event_id"]} for kind, root in objects]
    head = {"event_protocol_version": 4, "action": "establish", "retried_requests": 0, "ttl_in_s": -1}
    return {**head, "correlation_id": correlation_id, "requests": wanted}
