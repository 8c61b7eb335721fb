"""A bare TWILSOCK client for tests of the service: frames in, frames out, nothing clever."""

from __future__ import annotations

import itertools
import json
import socket
import time
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import Any
from urllib.parse import quote

import websocket
from websocket import ABNF

from tests.support.patience import PATIENCE
from twilio_conversations.server import LocalServer
from twilio_conversations.wire.decoding import decode
from twilio_conversations.wire.http_request import HttpRequest
from twilio_conversations.wire.packets import Init, Notification, Packet, Reply, RestCall, Update

TYPES = (
    "twilio.ipmsg.typing_indicator",
    "twilio.sync.event",
    "com.twilio.rtd.cds.document",
    "com.twilio.rtd.cds.list",
    "com.twilio.rtd.cds.map",
)
TIMEOUT = PATIENCE
_ids = itertools.count(1)


class Answer:
    """The answer to a request: status and decoded body."""

    def __init__(self, reply: Reply) -> None:
        assert reply.status.ok, reply.status
        assert reply.http_status is not None
        self.status = reply.http_status.code
        self.reason = reply.http_status.status
        self.body = reply.json()

    @property
    def code(self) -> int | None:
        """Twilio's error code."""
        return self.body.get("code") if isinstance(self.body, dict) else None


class Peer:
    """One connection. What arrives while something else is awaited is kept in `inbox`."""

    def __init__(self, server: LocalServer, *, sockopt: tuple[tuple[int, int, int], ...] = ()) -> None:
        self.server = server
        self.socket = websocket.create_connection(server.twilsock, timeout=TIMEOUT, skip_utf8_validation=True, sockopt=sockopt)
        self.inbox: list[Packet] = []
        self.configuration: dict[str, Any] = {}

    @classmethod
    def connected(
        cls, server: LocalServer, identity: str, ttl: float = 3600, *, sockopt: tuple[tuple[int, int, int], ...] = ()
    ) -> Peer:
        """A connection that has been let in and knows its configuration."""
        token = server.token(identity, ttl)  # before: where a command makes it, that takes longer than an init may
        peer = cls(server, sockopt=sockopt)
        try:
            reply = peer.init(token)
            assert reply.status.ok, reply.status
            peer.configuration = peer.get("/Client/v2/Configuration").body
        except BaseException:
            peer.close()
            raise
        return peer

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, _type: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()

    @property
    def raw(self) -> socket.socket:
        """The socket below WebSocket frames."""
        assert self.socket.sock is not None
        return self.socket.sock

    def close(self) -> None:
        """Cut the connection."""
        self.socket.shutdown()  # type: ignore[no-untyped-call]

    # -- frames ------------------------------------------------------------------------------------------------------------

    def send(self, packet: Packet) -> None:
        """Send a packet."""
        self.send_bytes(packet.encode())

    def send_bytes(self, data: bytes) -> None:
        """Send a binary websocket message."""
        self.socket.send_binary(data)

    def receive(self) -> Packet:
        """The next packet; acknowledges nothing. Raises at the end of the connection and after `TIMEOUT`."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            opcode, data = self.socket.recv_data(
                control_frame=True
            )  # WebSocket pings return here: they must not prolong the wait
            if opcode not in (ABNF.OPCODE_PING, ABNF.OPCODE_PONG):
                break
            if time.monotonic() > deadline:
                raise TimeoutError("nothing but WebSocket pings arrived")
        if opcode != ABNF.OPCODE_BINARY:
            raise ConnectionError(f"the service closed the connection, or sent something that is not binary: {data!r}")
        return decode(data)

    def expect(self, wanted: Callable[[Any], bool]) -> Any:
        """The first packet, arrived already or yet to come, that is wanted."""
        for number, packet in enumerate(self.inbox):
            if wanted(packet):
                return self.inbox.pop(number)
        while not wanted(packet := self.receive()):
            self.inbox.append(packet)
        return packet

    def reply_to(self, id_: str) -> Reply:
        """The reply to a frame."""
        reply = self.expect(lambda packet: isinstance(packet, Reply) and packet.id == id_)
        assert isinstance(reply, Reply)
        return reply

    def init(self, token: str, **fields: Any) -> Reply:
        """Introduce oneself; the reply."""
        registrations = ({"product": "ip_messaging", "type": "ers", "message_types": list(TYPES)},)
        packet = Init(new_id(), token, registrations=registrations, capabilities=("client_update", "telemetry.v1"), **fields)
        self.send(packet)
        return self.reply_to(packet.id)

    def update(self, token: str) -> Reply:
        """Change the token; the reply."""
        packet = Update(new_id(), token)
        self.send(packet)
        return self.reply_to(packet.id)

    # -- requests ----------------------------------------------------------------------------------------------------------

    def start(self, method: str, url: str, body: Any = None, *, mutation: str | None = None, form: str | None = None) -> str:
        """Send a request; the id of its frame. `url` may be a path."""
        headers = {"Content-Type": "application/x-www-form-urlencoded" if form else "application/json"}
        if mutation:
            headers["X-Twilio-Mutation-Id"] = mutation
        data = form.encode() if form else b"" if body is None else json.dumps(body).encode()
        full = url if url.startswith("http") else self.server.url + url
        packet = RestCall(new_id(), HttpRequest.from_url(method, full, headers, data))
        self.send(packet)
        return packet.id

    def request(self, method: str, url: str, body: Any = None, **options: Any) -> Answer:
        """Send a request and wait for the answer."""
        return Answer(self.reply_to(self.start(method, url, body, **options)))

    def get(self, url: str) -> Answer:
        """GET."""
        return self.request("GET", url)

    def post(self, url: str, body: Any = None, *, mutation: str | None = None) -> Answer:
        """POST."""
        return self.request("POST", url, body or {}, mutation=mutation)

    def delete(self, url: str, *, mutation: str | None = None) -> Answer:
        """DELETE."""
        return self.request("DELETE", url, {}, mutation=mutation)

    # -- conversations -----------------------------------------------------------------------------------------------------

    @property
    def identity(self) -> str:
        """Who this is."""
        return str(self.configuration["identity"])

    def link(self, name: str) -> str:
        """A link of the configuration."""
        return str(self.configuration["links"][name])

    def room(self, *others: str, **fields: Any) -> str:
        """Make and join a conversation with others; its URL."""
        made = self.post(self.link("conversations"), {"attributes": "{}", **fields})
        assert made.status == 201, made.body
        for identity in (self.identity, *others):
            added = self.post(made.body["links"]["participants"], {"identity": identity})
            assert added.status == 201, added.body
        return str(made.body["url"])

    def say(self, room: str, text: str = "hello", **fields: Any) -> dict[str, Any]:
        """Send a message; its body."""
        answer = self.post(f"{room}/Messages", {"body": text, "attributes": "{}", **fields})
        assert answer.status == 201, answer.body
        return dict(answer.body)

    # -- Sync --------------------------------------------------------------------------------------------------------------

    def open(self, kind: str, name: str) -> dict[str, Any]:
        """Open a Sync object: ``document``, ``list`` or ``map``."""
        answer = self.get(f"/v3/{kind.capitalize()}s/{quote(name, safe='')}")
        assert answer.status == 200, answer.body
        return dict(answer.body)

    def items(self, kind: str, name: str, **query: Any) -> list[dict[str, Any]]:
        """Items of a list or map."""
        return list(self.page(self.open(kind, name), **query)["items"])

    def page(self, root: dict[str, Any], **query: Any) -> dict[str, Any]:
        """A page of items."""
        text = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in query.items())
        answer = self.get(root["links"]["items"] + (f"?{text}" if text else ""))
        assert answer.status == 200, answer.body
        return dict(answer.body)

    def poke(self, *objects: tuple[str, str, Any], action: str = "establish", correlation: int = 1) -> Answer:
        """Subscribe to, or cancel, objects given as (kind, sid, last event id), and wait for the answer."""
        return Answer(self.reply_to(self.start_poke(*objects, action=action, correlation=correlation)))

    def start_poke(self, *objects: tuple[str, str, Any], action: str = "establish", correlation: int = 1) -> str:
        """Send a poke; the id of its frame."""
        requests = [{"object_type": kind, "object_sid": sid, "last_event_id": last} for kind, sid, last in objects]
        body = {"event_protocol_version": 4, "action": action, "correlation_id": correlation, "requests": requests}
        return self.start("POST", "/v4/Subscriptions", body)

    def follow(self, kind: str, name: str, since: int | None = None, correlation: int = 1) -> dict[str, Any]:
        """Open an object, subscribe to it from its head (or from `since`) and wait until established; its root."""
        root = self.open(kind, name)
        last = root["last_event_id"] if since is None else since
        assert self.poke((kind, root["sid"], last), correlation=correlation).status == 202
        self.expect(lambda packet: is_event(packet, "subscription_established") and sids(packet) == [root["sid"]])
        return root

    def event(self, event_type: str) -> Notification:
        """The next notification with events of this type."""
        found = self.expect(lambda packet: is_event(packet, event_type))
        assert isinstance(found, Notification)
        return found

    def barrier(self) -> list[Notification]:
        """All notifications that were sent before now and not asked for yet."""
        self.get("/Client/v2/Configuration")
        found = [packet for packet in self.inbox if isinstance(packet, Notification)]
        self.inbox = [packet for packet in self.inbox if not isinstance(packet, Notification)]
        return found


def new_id() -> str:
    """An id for a frame."""
    return f"TM{next(_ids)}"


def new_mutation() -> str:
    """A mutation id."""
    return str(uuid.uuid4())


def is_event(packet: Packet, event_type: str) -> bool:
    """Whether this is a notification with events of this type."""
    return isinstance(packet, Notification) and packet.payload.get("event_type") == event_type


def sids(packet: Notification) -> list[str]:
    """The objects that a ``subscription_...`` notification speaks of."""
    return [event["object_sid"] for event in packet.payload["events"]]


def names(notifications: list[Notification]) -> list[str]:
    """The event types of notifications."""
    return [packet.payload.get("event_type", packet.message_type) for packet in notifications]
