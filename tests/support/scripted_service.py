"""A twilsock service whose every byte a test decides: raw sockets, websocket-client's frame pieces, no threads of its own
beyond the one that accepts."""

from __future__ import annotations

import base64
import hashlib
import queue
import socket
import ssl
import threading
from types import TracebackType
from typing import Any, Self

from websocket import ABNF, frame_buffer

from tests.support.certificates import accepted_tls
from tests.support.patience import PATIENCE
from twilio_conversations.options import Endpoints, Options
from twilio_conversations.wire.decoding import decode
from twilio_conversations.wire.packets import Init, Packet, Reply, RestCall, Status, Update

LIMIT = PATIENCE
"""Seconds after which a test gives up waiting for anything."""

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Peer:
    """The service's end of one connection, driven by the test."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.socket.settimeout(LIMIT)
        self._frames = frame_buffer(self._recv, True)

    def _recv(self, size: int) -> bytes:
        data = self.socket.recv(size)
        if not data:
            raise ConnectionError("the client closed the connection")
        return data

    def upgrade(self) -> None:
        """Answer the WebSocket handshake."""
        request = b""
        while b"\r\n\r\n" not in request:
            request += self._recv(4096)
        key = next(
            line.split(b":", 1)[1].strip() for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")
        )
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
        self.socket.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )

    def frame(self) -> tuple[int, bytes]:
        """The next WebSocket frame of the client's: opcode and payload."""
        frame = self._frames.recv_frame()
        data = frame.data
        return frame.opcode, data.encode() if isinstance(data, str) else bytes(data)

    def answer_ping(self) -> None:
        """Answer the next frame, which must be a ping."""
        opcode, payload = self.frame()
        assert opcode == ABNF.OPCODE_PING, opcode
        self.send_frame(ABNF.OPCODE_PONG, payload)

    def packet(self, *, acks: bool = False) -> Packet:
        """The next packet of the client's; acknowledgements are passed over unless asked for, pings are answered."""
        while True:
            opcode, payload = self.frame()
            if opcode == ABNF.OPCODE_PING:
                self.send_frame(ABNF.OPCODE_PONG, payload)
            elif opcode == ABNF.OPCODE_CLOSE:
                raise ConnectionError("the client said goodbye")
            elif opcode == ABNF.OPCODE_BINARY:
                packet = decode(payload)
                if acks or not isinstance(packet, Reply):
                    return packet

    def expect(self, kind: type[Any]) -> Any:
        """The next packet, which must be of that kind."""
        packet = self.packet()
        assert isinstance(packet, kind), packet
        return packet

    def accept_init(self, **fields: Any) -> Init:
        """Take the first frame and accept it."""
        init: Init = self.expect(Init)
        self.send(Reply(init.id, fields={"continuation_token": "ct", "capabilities": [], **fields}))
        return init

    def refuse(self, packet: Packet, code: int, error_code: int | None = None, body: bytes = b"") -> None:
        """Answer a frame with a status other than 2xx."""
        assert isinstance(packet, Init | Update | RestCall), packet
        self.send(Reply(packet.id, Status(code, "NO", "because", error_code), body=body))

    def answer(self, message: Packet, status: int = 200, body: bytes = b"{}", headers: dict[str, str] | None = None) -> None:
        """Answer a tunnelled request."""
        assert isinstance(message, RestCall), message
        http = Status(status, "Whatever")
        self.send(Reply(message.id, http_status=http, http_headers=headers or {}, body=body))

    def send(self, packet: Packet | bytes) -> None:
        """Send one packet as a binary message."""
        self.send_frame(ABNF.OPCODE_BINARY, packet if isinstance(packet, bytes) else packet.encode())

    def expect_acknowledgement(self) -> str:
        """The next packet, which must be a reply; the id it acknowledges."""
        packet = self.packet(acks=True)
        assert isinstance(packet, Reply), packet
        return packet.id

    def send_many(self, many: list[Packet]) -> None:
        """Send packets in one write."""
        self.send_raw(b"".join(ABNF(1, 0, 0, 0, ABNF.OPCODE_BINARY, 0, packet.encode()).format() for packet in many))

    def send_frame(self, opcode: int, payload: bytes, fin: int = 1) -> None:
        """Send one WebSocket frame."""
        self.send_raw(ABNF(fin, 0, 0, 0, opcode, 0, payload).format())

    def send_raw(self, data: bytes) -> None:
        """Send bytes."""
        self.socket.sendall(data)

    def wait_closed(self) -> None:
        """Read until the client is gone."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionError:
            pass

    def cut(self) -> None:
        """End the connection without a word."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


class ScriptedService:
    """Accepts connections and hands them to the test, upgraded unless told otherwise."""

    def __init__(self, *, upgrade: bool = True, tls: ssl.SSLContext | None = None) -> None:
        self.upgrade = upgrade
        self._tls = tls
        self.accepted = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._peers: queue.Queue[Peer] = queue.Queue()
        self._all: list[Peer] = []
        self._thread = threading.Thread(target=self._accept, name="scripted-service", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(LIMIT)
        for peer in self._all:
            peer.cut()

    @property
    def url(self) -> str:
        """Its base address."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def options(self, **changes: Any) -> Options:
        """Options of a client of this service."""
        return Options(endpoints=Endpoints.for_base(self.url), **changes)

    def peer(self, timeout: float = LIMIT) -> Peer:
        """The next connection."""
        return self._peers.get(timeout=timeout)

    def no_peer(self, timeout: float) -> bool:
        """Whether nobody connects for so long."""
        try:
            self._peers.get(timeout=timeout)
        except queue.Empty:
            return True
        return False

    def _accept(self) -> None:
        while True:
            try:
                connected, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            connected.settimeout(LIMIT)
            try:
                peer = Peer(accepted_tls(self._tls, connected) if self._tls else connected)
                self._all.append(peer)
                if self.upgrade:
                    peer.upgrade()
            except OSError:
                continue
            self._peers.put(peer)
