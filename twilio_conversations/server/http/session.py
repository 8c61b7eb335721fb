"""The service's side of one websocket: its token, its requests, its outgoing frames.

A client sends `init` with a token, then requests in frames; all outgoing frames go through one bounded queue in
order. Bad frames are answered with a `close` 406 (417 for a bad acknowledgement). After a refusal the client closes the
socket; the service does so itself only after `LINGER` seconds, because a socket that closes right behind the refusal makes
official clients take it for a fault of the network.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect

from twilio_conversations.errors import ProtocolError
from twilio_conversations.server.addresses import Addresses
from twilio_conversations.server.auth import Grant
from twilio_conversations.server.calls import Caller, Request, Response
from twilio_conversations.server.errors import Refusal, reason
from twilio_conversations.server.http import replies
from twilio_conversations.server.http.admission import Admission, ConnectionRefusal
from twilio_conversations.server.http.outbox import Outbox
from twilio_conversations.server.http.sockets import FrameSocket, socket_of
from twilio_conversations.server.http.traffic import IN, OUT, Peer, Traffic
from twilio_conversations.server.settings import TEXT, LiveSettings
from twilio_conversations.util import logs
from twilio_conversations.wire import packets
from twilio_conversations.wire.decoding import PacketError, decode
from twilio_conversations.wire.frame import json_bytes
from twilio_conversations.wire.packets import (
    BackoffHint,
    ClientUpdate,
    Close,
    Init,
    Packet,
    Reply,
    RestCall,
    Status,
    Unknown,
    Update,
)

_log = logs.logger(__name__)

LINGER = 5.0
"""Seconds for a refused client to close the socket."""
INIT_TIMEOUT = 10.0
"""Seconds for a client to send `init`."""
EXPIRY_NOTICE = 180.0
"""Seconds of the notice before the token expires; it is sent at once if less is left."""
MAX_COMMANDS = 500
"""Most commands of one connection in progress; beyond, its socket is not read."""
ACKNOWLEDGED = ("ping", "put_notification_ctx", "delete_notification_ctx")
"""Methods that are acknowledged and have no effect."""
UNANSWERED = ("telemetry.v1",)
"""Methods that are not even acknowledged."""
CAPABILITIES = ("client_update", "offline_storage", "telemetry.v1")


class Host(Protocol):
    """The service, as a session needs it."""

    traffic: Traffic
    admission: Admission
    settings: LiveSettings

    def authenticate(self, token: str) -> Grant:
        """Return the grant of a token. Raises `Refusal`."""

    def storage_id(self, identity: str) -> str:
        """Return an opaque id, the same for an identity at all times."""

    def admit(self, session: Session, then: Callable[[], None]) -> None:
        """Create the user if needed, admit the session, then call `then`."""

    def request(self, session: Session, request: Request, reply: Callable[[Response], None]) -> None:
        """Answer a request, now or later."""

    def caught_up(self, session: Session) -> None:
        """Send the events that wait: the session has room again."""

    def leave(self, session: Session) -> None:
        """Release a session that ended."""


class Session:
    """One connection, on the event loop."""

    def __init__(self, websocket: WebSocket, host: Host, addresses: Addresses) -> None:
        self.identity = ""
        self.init_id = ""
        self.addresses = addresses
        self._websocket = websocket
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._message_types: frozenset[str] = frozenset()
        self._capabilities: tuple[str, ...] = ()
        self._admitted = False
        self._ended = False
        self._refused = False
        self._reading = True
        self._standing_still = False
        self._commands = 0
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._socket: FrameSocket
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._peer = Peer()
        self.number = self._peer.number
        self._requests = host.admission.request_meter()
        self._traffic = host.traffic
        self.outbox = Outbox(lambda frame: self._traffic.record(self._peer, OUT, frame))
        self._inbox: deque[bytes | None] = deque()

    @property
    def is_open(self) -> bool:
        """Whether the session may still be served."""
        return not (self._ended or self._refused)

    @property
    def caller(self) -> Caller:
        """Caller of the session's requests."""
        return Caller(self.identity, self.addresses, self)

    async def run(self) -> None:
        """Serve until the connection ends."""
        await self._websocket.accept()
        self._socket = self.outbox.socket = socket_of(self._websocket, self._host.admission.patience)
        self._socket.listen(self._on_bytes, self._flush, self._host.admission.frame_meter())
        self._socket.as_text = self._host.settings.current.frame_type == TEXT
        self._at("init", INIT_TIMEOUT, self._miss_init)
        disconnected = asyncio.create_task(self._socket.until_disconnected(self._websocket.receive), name="conversations-session")
        try:
            await asyncio.wait({disconnected, self._over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._ended = True
            for timer in self._timers.values():
                timer.cancel()
            self._host.leave(self)
            disconnected.cancel()
            await asyncio.gather(disconnected, return_exceptions=True)

    def _end(self) -> None:
        if not self._over.done():
            self._over.set_result(None)

    # -- sending -----------------------------------------------------------------------------------------------------------

    def send(self, message_type: str, frame: bytes) -> None:
        """Queue a notification, if the client registered for its type."""
        if message_type not in self._message_types:
            return
        self.outbox.notify(frame, self._flush)

    def has_room(self) -> bool:
        """Return whether the client keeps up; if not, the service is notified when it does again."""
        if self.outbox.has_room:
            return True
        self._standing_still = True
        return False

    def _push(self, frame: bytes) -> None:
        self.outbox.push(frame, self._flush)

    def _flush(self) -> None:
        """Send queued frames, then handle waiting messages; the socket calls again when it is writable."""
        self.outbox.flush()
        while self._inbox and self._is_ready():
            self._on_message_bytes(self._inbox.popleft())
        self._regulate()
        if self._standing_still and self.outbox.is_half_empty:
            self._standing_still = False
            self._host.caught_up(self)

    # -- receiving ---------------------------------------------------------------------------------------------------------

    def _on_bytes(self, data: bytes | None) -> None:
        """Handle a message, or keep it until there is room; nothing further is read until then."""
        if self._inbox or not self._is_ready():
            self._inbox.append(data)
        else:
            self._on_message_bytes(data)
        self._regulate()

    def _on_message_bytes(self, data: bytes | None) -> None:
        if not self.is_open or self._over.done():
            return
        try:
            if not self._take(data):
                self._end()
        except Exception:
            _log.exception("a session failed and was ended")
            self._end()

    def _is_ready(self) -> bool:
        """Return whether a request may be executed: a client that does not read its answers cannot send more."""
        return not self.outbox.is_full and self._commands < MAX_COMMANDS

    def _regulate(self) -> None:
        """Stop reading the socket, or read it again."""
        wanted = self._is_ready() and not self._inbox
        if wanted is not self._reading:
            self._reading = wanted
            self._socket.read_on(wanted)

    def _take(self, data: bytes | None) -> bool:
        """Handle one websocket message; return whether to go on."""
        try:
            if data is None:
                raise ProtocolError("frames are binary")
            self._traffic.record(self._peer, IN, data)
            packet = decode(data)
        except ProtocolError as error:
            if isinstance(error, PacketError) and error.reply_to:
                self._refuse(Close(replies.new_id(), Status(417, "PROTOCOL_ERROR", str(error)[:200])))
            else:
                self._refuse(replies.not_acceptable(error))
            return True
        return self._handle(packet)

    def _handle(self, packet: Packet) -> bool:
        """Handle a packet; return whether to go on."""
        if isinstance(packet, Close):
            return False
        handler = self.FRAMES.get(type(packet))
        if handler is not None:
            handler(self, packet)
        return True

    def _on_unknown(self, packet: Unknown) -> None:
        if packet.id and packet.method not in UNANSWERED:
            known = packet.method in ACKNOWLEDGED
            status = packets.OK if known else Status(400, "BAD REQUEST", f"unknown method {packet.method[:50]!r}")
            self._push(packets.acknowledgement(packet.id, status))

    def under_way(self) -> Iterator[str]:
        """Yield what is under way with the connection, in words."""
        who = self.identity or "somebody"
        if not (self._admitted and self.is_open):
            yield f"a connection of {who} that begins or ends"
        if self._commands or self._inbox or self._standing_still:
            yield f"requests of {who}"
        yield from (f"{text} to {who}" for text in self.outbox.under_way())

    # -- tokens ------------------------------------------------------------------------------------------------------------

    def _on_init(self, packet: Init) -> None:
        if self.identity:
            self._push(Reply(packet.id, Status(400, "BAD REQUEST", "the session is initialised already")).encode())
            return
        try:
            self._host.admission.enter(self)
            grant = self._host.authenticate(packet.token)
        except Refusal as error:
            self._reject(packet.id, error)
            return
        self.identity = self._peer.identity = grant.identity
        self.init_id = packet.id
        self._message_types = _message_types(packet)
        self._capabilities = tuple(name for name in CAPABILITIES if name in packet.capabilities)
        self._timers.pop("init").cancel()
        self._host.admit(self, lambda: self._welcome(packet, grant))

    def _welcome(self, packet: Init, grant: Grant) -> None:
        self._admitted = True
        self._push(replies.welcome(packet, self._capabilities, self._host.storage_id(self.identity)))
        self._schedule_ping()
        self._watch_expiry(grant)

    def _on_update(self, packet: Update) -> None:
        try:
            if not self._admitted:
                raise Refusal(20101, "The session is not initialised")
            grant = self._host.authenticate(packet.token)
            if grant.identity != self.identity:
                raise Refusal(20106, "The token is for another identity")
        except Refusal as error:
            self._reject(packet.id, error)
            return
        self._push(Reply(packet.id).encode())
        self._watch_expiry(grant)

    def _reject(self, id_: str, error: Refusal) -> None:
        status = Status(error.status, reason(error.status), error.message or None, error.code or None)
        body = b""
        if isinstance(error, ConnectionRefusal) and error.status == 429:
            body = json_bytes({"backoff_policy": {"reconnect_min_ms": error.reconnect_min_ms}})
        self._refuse(Reply(id_, status, body=body))

    def _refuse(self, last: Reply | Close) -> None:
        """Send a last frame and wait for the client to close."""
        self._refused = True
        self._push(last.encode())
        self._host.leave(self)
        self._at("linger", LINGER, lambda: self._loop.create_task(self._hang_up()))

    def _miss_init(self) -> None:
        """Close a connection that nobody has introduced."""
        self._refused = True
        self._loop.create_task(self._hang_up("no-init-from-client"))

    def _schedule_ping(self) -> None:
        if interval := self._host.settings.current.ping_interval:
            self._at("ping", interval, self._ping)

    def _ping(self) -> None:
        """Have something to read for a peer that nothing else is sent to."""
        if self.is_open:
            if not self.outbox.is_full:
                self.outbox.ask(replies.ping(), self._flush)
            self._schedule_ping()

    async def _hang_up(self, why: str | None = None) -> None:
        try:
            await self._websocket.close(1000, why)
        except (WebSocketDisconnect, RuntimeError, OSError) as error:
            _log.debug("a refused connection was gone already: %s", error)

    def _watch_expiry(self, grant: Grant) -> None:
        left = grant.expires_at - time.time()
        self._at("notice", max(0.0, left - EXPIRY_NOTICE), self.warn_of_expiry)
        self._at("expiry", left, self.expire)

    def _at(self, name: str, delay: float, action: Callable[[], object]) -> None:
        """Call `action` after `delay` seconds; a timer of the same name is replaced."""
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
        self._timers[name] = self._loop.call_later(delay, action)

    # -- what happens to it from outside -----------------------------------------------------------------------------------

    def cut(self) -> None:
        """End the connection; nothing more is read or sent."""
        self._refused = True
        self._inbox.clear()
        self.outbox.clear()
        self._host.leave(self)
        self._loop.create_task(self._hang_up())

    def offload(self, reconnect_min_ms: int) -> None:
        """Request the client to reconnect elsewhere (308)."""
        self._refuse(Close(replies.new_id(), Status(308, "OFFLOAD"), BackoffHint(reconnect_min_ms)))

    def warn_of_expiry(self) -> None:
        """Notify the client that its token is about to expire, if it supports that."""
        if "client_update" in self._capabilities and not self.outbox.is_full:
            self.outbox.ask(ClientUpdate(replies.new_id(), "token_about_to_expire").encode(), self._flush)

    def expire(self) -> None:
        """Close the session because its token has expired."""
        self._refuse(Close(replies.new_id(), Status(410, "GONE", "Access Token expired", 20104)))

    def hold(self, held: bool) -> None:
        """Hold notifications back from now on, or send those that were held, in order."""
        self.outbox.hold(held, self._flush)

    # -- requests ----------------------------------------------------------------------------------------------------------

    def _on_message(self, packet: RestCall) -> None:
        if not self._admitted:
            self._push(Reply(packet.id, Status(401, "UNAUTHORIZED", "send init first", 20101)).encode())
            return
        self._commands += 1
        if not self._requests.admits():
            self._answer(packet, replies.TOO_MANY_REQUESTS[self._host.settings.current.requests_refused_by])
            return
        try:
            request = Request.from_tunnel(packet.request)
        except Refusal as error:
            self._answer(packet, Response.error(error))
            return
        self._host.request(self, request, lambda response: self._answer(packet, response))

    def _answer(self, packet: RestCall, response: Response) -> None:
        """Send the reply to a request. Called once for each, possibly after the connection has ended."""
        self._commands -= 1
        self._regulate()
        self._push(replies.answer(packet, response))

    FRAMES: ClassVar[Mapping[type[Packet], Callable[[Session, Any], None]]] = {
        RestCall: _on_message,
        Reply: lambda self, _packet: self.outbox.acknowledge(),
        Init: _on_init,
        Update: _on_update,
        Unknown: _on_unknown,
    }


def _message_types(packet: Init) -> frozenset[str]:
    """Return the types of notifications that the client registers for."""
    wanted: set[str] = set()
    for registration in packet.registrations:
        types = registration.get("message_types")
        if isinstance(types, list):
            wanted.update(name for name in types if isinstance(name, str))
    return frozenset(wanted)
