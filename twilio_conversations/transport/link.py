"""One open WebSocket: its received messages, its outbox, and whether the peer is alive. io thread only."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any, Final

from twilio_conversations.errors import ProtocolError
from twilio_conversations.options import Options
from twilio_conversations.transport import acknowledgements
from twilio_conversations.transport import ws_codec as stream
from twilio_conversations.transport.dialling import close_descriptor
from twilio_conversations.transport.ws_codec import Stream, WsMessage

READ_SIZE: Final = 64 * 1024
SMALL_READ: Final = 8 * 1024
"""Bytes that are asked for after a read of less: what is asked for is allocated, and an idle client keeps the pages that many
large reads of little have touched."""

READS_PER_TURN: Final = 16
"""TLS hands out one record at a time; after so many, other work gets its turn."""

OUTBOX_LIMIT: Final = 4 * 1024 * 1024
"""Unwritten bytes above which nothing more is read: a peer that does not take our acknowledgements gets no more chances to
cause some."""

SILENCE: Final = 60.0
"""Seconds of silence after which a peer is given up that has never answered a ping. Twilio's service sends a frame of its own at
least every 45 seconds."""

_GOING_AWAY: Final = (1000).to_bytes(2, "big")
_PROTOCOL_ERROR: Final = (1002).to_bytes(2, "big")


class LinkLost(Exception):
    """The connection is over. The text is the reason, and `close_code` the WebSocket's if the peer closed it."""

    def __init__(self, why: str, close_code: int | None = None) -> None:
        super().__init__(why)
        self.close_code = close_code


class Link:
    """A socket after the upgrade. Its owner calls `read` and `flush` when the socket is ready, and `check` in time.

    Attributes:
        answers_pings: whether the peer answers pings, as far as is known: this one, or else the one of the connection before.
    """

    def __init__(self, opened: Any, generation: int, options: Options, now: float, *, answers_pings: bool = False) -> None:
        """`opened` is a connected, non-blocking socket (plain, TLS, or TLS in TLS)."""
        self.generation = generation
        self.last_byte_at: float = now
        self._socket = opened
        self._encrypted = not hasattr(opened, "recvmsg_into") or isinstance(opened, ssl.SSLSocket)
        self._read_size = SMALL_READ
        self._stream = Stream(options.max_frame_bytes)
        self._outbox = bytearray()
        self._unacknowledged: list[str] = []  # ids whose acknowledgements come next in the outbox
        self._interval = options.keepalive_interval
        self._patience = options.keepalive_timeout
        self._pinged_at: float | None = None
        self.answers_pings: bool = answers_pings
        self._has_answered = False
        self._broken: Exception | None = None  # nothing can be written any more
        self.has_more: bool = self._encrypted

    def fileno(self) -> int:
        """Return the descriptor to watch."""
        return self._socket.fileno()  # type: ignore[no-any-return]

    # Receiving

    @property
    def wants_read(self) -> bool:
        """Whether `read` should be called when the socket is readable."""
        return len(self._outbox) < OUTBOX_LIMIT

    def read(self, now: float) -> Iterator[WsMessage]:
        """Yield the data messages that have come; the control frames of WebSocket are processed here.

        Raises:
            LinkLost: after the messages that came before the end.
        """
        for _ in range(READS_PER_TURN if self._encrypted else 1):
            data = self._receive()
            if data is None:
                self._end_if_broken()
                self.has_more = False
                return
            self.last_byte_at = now
            self._pinged_at = None
            yield from self._messages(data)
        self.has_more = self._encrypted or self._broken is not None

    def _end_if_broken(self) -> None:
        if self._broken is not None:
            raise LinkLost(f"the connection broke: {self._broken}") from self._broken

    def _receive(self) -> bytes | None:
        try:
            data: bytes = self._socket.recv(self._read_size)
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        except (OSError, ValueError) as error:
            raise LinkLost(f"the connection broke: {error}") from error
        if not data:
            raise LinkLost("the peer closed the connection")
        self._read_size = SMALL_READ if len(data) < SMALL_READ else READ_SIZE
        return data

    def _messages(self, data: bytes) -> Iterator[WsMessage]:
        try:
            for opcode, payload in self._stream.feed(data):
                if opcode == stream.BINARY or opcode == stream.TEXT:
                    yield opcode, payload
                elif opcode == stream.PING:
                    self._put(stream.PONG, payload)
                elif opcode == stream.PONG:
                    self.answers_pings = self._has_answered = True
                elif opcode == stream.CLOSE:
                    self._put(stream.CLOSE, payload[:2])
                    raise LinkLost(*_closed(payload))
        except ProtocolError as error:
            self._put(stream.CLOSE, _PROTOCOL_ERROR)
            raise LinkLost(str(error)) from error

    # Sending

    def send(self, packet: bytes) -> None:
        """Put a packet into the outbox, as one binary message."""
        self._put(stream.BINARY, packet)

    def acknowledge(self, id_: str) -> None:
        """Acknowledge a packet, ahead of what is sent afterwards."""
        self._unacknowledged.append(id_)

    def _put(self, opcode: int, payload: bytes) -> None:
        self._put_acknowledgements()
        self._outbox += stream.build(opcode, payload)

    def _put_acknowledgements(self) -> None:
        if self._unacknowledged:
            self._outbox += acknowledgements.frames(self._unacknowledged)
            self._unacknowledged.clear()

    @property
    def wants_write(self) -> bool:
        """Whether `flush` should be called when the socket is writable."""
        return bool(self._outbox or self._unacknowledged)

    def flush(self) -> None:
        """Write the outbox as far as the peer takes it.

        If the peer takes nothing any more, `read` raises that, after the messages that the peer sent before.
        """
        self._put_acknowledgements()
        outbox = self._outbox
        while outbox and self._broken is None:
            try:
                sent = self._socket.send(outbox)
            except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except (OSError, ValueError) as error:
                self._broken = error
                self.has_more = True
                break
            del outbox[:sent]
        if self._broken is not None:
            self._outbox = bytearray()  # not `clear`: TLS inside TLS may hold a view of the former one in its error

    # Silence

    def next_deadline(self) -> float:
        """Return the time at which `check` must be called."""
        if self._pinged_at is None:
            return self.last_byte_at + self._interval
        answer_due = self._pinged_at + self._patience
        return answer_due if self.answers_pings else max(answer_due, self.last_byte_at + SILENCE)

    def check(self, now: float) -> None:
        """Ping a peer that has been silent.

        Raises:
            LinkLost: it stayed silent.
        """
        if now < self.next_deadline():
            return
        if self._pinged_at is not None:
            self.answers_pings = self._has_answered  # if that is not known of this one, the next has more time
            raise LinkLost(f"not a byte for {now - self.last_byte_at:.0f} seconds, and no answer to a ping")
        self.ping(now)

    def probe(self, now: float) -> None:
        """Find out whether the peer answers pings, unless that is known: if so, silence is a sign of death much earlier."""
        if not self._has_answered:
            self.ping(now)

    def ping(self, now: float) -> None:
        """Send a ping; without any byte in time, `check` raises `LinkLost`."""
        if self._pinged_at is None:
            self._pinged_at = now
            self._put(stream.PING, b"")

    # The end

    def close(self) -> None:
        """Write what the system takes at once, send a close frame, and close the descriptor. Waits for nothing."""
        self._put(stream.CLOSE, _GOING_AWAY)
        self.flush()
        try:
            self._socket.close()
        except OSError:
            pass

    def close_in_child(self) -> None:
        """Close the child's descriptor after a fork; the connection stays the parent's."""
        close_descriptor(self._socket)


def _closed(payload: bytes) -> tuple[str, int | None]:
    """Return the error of a close frame: its reason and its code."""
    if len(payload) < 2:
        return "the peer closed the connection", None
    code, reason = int.from_bytes(payload[:2], "big"), payload[2:].decode(errors="replace")
    return f"the peer closed the connection with {code} {reason}".rstrip(), code
