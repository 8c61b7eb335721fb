"""uvicorn's plain HTTP with bounds on connections, the size of a head, and the time that a client may take.

Every websocket begins as one of these connections, so a client is bounded from the first byte on.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from twilio_conversations.server.errors import Refusal, reason
from twilio_conversations.server.http.admission import ADMISSION, Admission
from twilio_conversations.wire.frame import json_bytes

HEAD_TIME = 10.0
"""Seconds for the head of a request, since the connection was made or the last answer was sent."""
STALL_TIME = 30.0
"""Seconds for `STEP` bytes of a body to arrive, or of an answer to be read."""
STEP = 16 * 1024


class HttpProtocol(H11Protocol):
    """One connection, closed when it makes no progress."""

    _timer: asyncio.TimerHandle | None = None
    _since_step = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Admit a connection, or refuse it."""
        super().connection_made(transport)
        self.access_log = False  # also where the program has set up uvicorn's log: links are keys
        self._admission: Admission = self.app_state[ADMISSION]
        if self._admission.is_closed:
            transport.close()  # accepted just before; uvicorn has ended the others already and would wait for this one
        elif self._admission.take_plain(self):
            self._wait(HEAD_TIME)
        else:
            self._refuse(Refusal(20429), b"retry-after: 1\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        """Release what the connection holds."""
        self._release()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over to the websocket protocol."""
        self._release()
        super().handle_websocket_upgrade(event)

    def data_received(self, data: bytes) -> None:
        """Parse bytes. The time of a head is for the whole of it, that of a body for each step."""
        before = self.conn.their_state
        super().data_received(data)
        if self not in self.connections:
            return  # it has become a websocket
        self._since_step += len(data)
        if self.conn.their_state is h11.SEND_BODY:
            if before is not h11.SEND_BODY or self._since_step >= STEP:
                self._wait(STALL_TIME)
        elif self.conn.their_state is not h11.IDLE:
            self._wait(None)

    def on_response_complete(self) -> None:
        """Start the time of the next request's head."""
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE and not self.flow.write_paused:
            self._wait(HEAD_TIME)

    def pause_writing(self) -> None:
        """Start the time in which the client must take more of its answer."""
        super().pause_writing()
        self._wait(STALL_TIME)

    def resume_writing(self) -> None:
        """End that time."""
        super().resume_writing()
        self._wait(HEAD_TIME if self.conn.their_state is h11.IDLE else None)

    def _wait(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._since_step = 0
        self._timer = None if seconds is None else self.loop.call_later(seconds, self._time_is_up)

    def _time_is_up(self) -> None:
        if self.flow.write_paused:
            self.transport.abort()
        elif self.flow.read_paused or ((request := self._request()) and request.waiting_for_100_continue):
            self._wait(STALL_TIME)  # it is the service that is slow
        else:
            self._refuse(Refusal(20408))

    def _refuse(self, error: Refusal, more: bytes = b"") -> None:
        """Answer with the refusal, unless an answer has begun, and close."""
        request = self._request()
        if request is None or request.response_complete or not request.response_started:
            body = json_bytes(error.to_json())
            head = f"HTTP/1.1 {error.status} {reason(error.status)}\r\ncontent-type: application/json\r\n".encode()
            self.transport.write(head + more + b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        self.transport.close()

    def _request(self) -> RequestResponseCycle | None:
        """Return the last request whose head was complete."""
        return self.cycle

    def _release(self) -> None:
        self._admission.leave(self)
        self._wait(None)
