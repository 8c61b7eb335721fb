"""The client's side of a twilsock connection, as a state machine: inputs in, effects out.

Every input returns the effects (`wire.effects`) that it calls for, to be carried out in order. The session owns no socket, no
thread and no clock: the caller passes the time, asks `next_deadline()` when to come back, and calls `on_time(now)` then. It is
not thread-safe; one thread must own it. What happens when is a table: `wire.transitions.TRANSITIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from twilio_conversations.enums import ConnectionState
from twilio_conversations.errors import ConversationsError, InitializationError, ProtocolError
from twilio_conversations.options import Options
from twilio_conversations.util import logs
from twilio_conversations.wire import greeting, packets
from twilio_conversations.wire.backoff import spread
from twilio_conversations.wire.credentials import Credentials
from twilio_conversations.wire.decoding import PacketError
from twilio_conversations.wire.effects import (
    CloseSocket,
    Connected,
    Disconnected,
    Effect,
    Failed,
    OpenSocket,
    RetryScheduled,
    Send,
    Settle,
    StateChanged,
    TokenAboutToExpire,
    TokenAccepted,
    TokenExpired,
    TokenWanted,
)
from twilio_conversations.wire.failures import Cause, timed_out, unavailable
from twilio_conversations.wire.inflight import Requests, Submission, new_id
from twilio_conversations.wire.packets import Packet, Reply, Status
from twilio_conversations.wire.reconnecting import Reconnecting
from twilio_conversations.wire.refusals import TOKEN_EXPIRED, TOKEN_REFUSALS, input_of_answer, input_of_close, is_expiry
from twilio_conversations.wire.request_flow import RequestFlow
from twilio_conversations.wire.transitions import PUBLIC_STATES, TRANSITIONS, Action, Input, Phase

_log = logs.logger(__name__)

MAX_BAD_FRAMES: Final = 3
"""Frames that are not the protocol, on one connection, before it is replaced."""

LINGER: Final = 2.0
"""Seconds for which answers are read from a socket that the service asked to leave."""

_UP = (Phase.CONNECTED, Phase.UPDATING)
_NO_SERVICE = (Phase.DENIED, Phase.FAILED, Phase.CLOSED)
_BAD_REQUEST: Final = Status(400, "BAD_REQUEST")


class Session:
    """One client's connection over all its sockets: at most one at a time, and nothing after `close()`."""

    def __init__(
        self,
        options: Options,
        *,
        token: str | None = None,
        refreshable: bool = False,
        metadata: Mapping[str, Any] | None = None,
        rng: Callable[[], float] = spread,
        new_id: Callable[[], str] = new_id,
    ) -> None:
        """Make an idle session.

        Args:
            options: timeouts, limits and the back-off policy.
            token: the access token, if it is known already.
            refreshable: whether a token provider can give another one when a token expires.
            metadata: the client's metadata for the service.
            rng: source of jitter, values in [0, 1).
            new_id: names frames.
        """
        self._options = options
        self._metadata = metadata or {}
        self._new_id = new_id
        self._reconnecting = Reconnecting(options.reconnect, rng)
        self._phase = Phase.IDLE
        self._generation = 0
        self._has_socket = False
        self._socket_open = False
        self._timer: float | None = None
        self._connections = 0
        self._bad_frames = 0
        self._control_id: str | None = None  # the init or update that waits for its answer
        self._init_id = ""
        self._credentials = Credentials(token, refreshable=refreshable)
        self._flow = RequestFlow()
        self._requests = self._flow.requests
        self._cause = Cause("the client was not started")  # why there is no connection
        self._effects: list[Effect] = []
        self._now = 0.0

    # What is known

    @property
    def phase(self) -> Phase:
        """Phase of the table."""
        return self._phase

    @property
    def state(self) -> ConnectionState:
        """Public connection state."""
        return PUBLIC_STATES[self._phase]

    @property
    def token(self) -> str | None:
        """The access token that is good, as far as is known."""
        return self._credentials.current

    @property
    def credentials(self) -> Credentials:
        """Knowledge of the tokens; to be looked at only."""
        return self._credentials

    @property
    def refusal(self) -> ConversationsError | None:
        """Cause for which nothing can be sent until there is another token, or ever; `None` while requests can be sent."""
        return self._unavailable() if self._phase in _NO_SERVICE else None

    @property
    def latest_token(self) -> str | None:
        """The token that was given last and not refused, accepted already or not."""
        return self._credentials.latest

    @property
    def generation(self) -> int:
        """Number of the latest socket."""
        return self._generation

    @property
    def connections(self) -> int:
        """Number of times that the service accepted an init."""
        return self._connections

    @property
    def init_id(self) -> str:
        """Id of the latest init; empty before the first."""
        return self._init_id

    @property
    def requests(self) -> Requests:
        """Queued and written requests; to be looked at only."""
        return self._requests

    @property
    def round_trip(self) -> float | None:
        """Seconds between the latest answered request and its answer."""
        return self._flow.round_trip

    @property
    def trouble(self) -> str | None:
        """Reason for the missing connection in words; `None` while there is one."""
        return None if self._phase in _UP else self._cause.message or f"the connection is still {self._phase}"

    def next_deadline(self) -> float | None:
        """Return the time at which `on_time` must be called next, if nothing else happens."""
        requests, due = self._requests, self._timer
        for moment in (requests.next_deadline(), requests.window.resumes_at, self._credentials.updates.next_deadline()):
            if moment is not None and (due is None or moment < due):
                due = moment
        return due

    # Inputs

    def connect(self, now: float) -> list[Effect]:
        """Start, with the token or by asking for one."""
        return self._input(now, Input.CONNECT_TOKENLESS if self._credentials.missing else Input.CONNECT)

    def close(self, now: float) -> list[Effect]:
        """End for good: everything pending fails, nothing happens afterwards."""
        return self._input(now, Input.CLOSE, Cause("the client was closed"))

    def socket_opened(self, generation: int, now: float) -> list[Effect]:
        """Process the opening of the socket of `generation`, after its WebSocket handshake."""
        if not self._is_current(generation):
            return []
        self._socket_open = True
        return self._input(now, Input.SOCKET_OPEN)

    def socket_lost(self, generation: int, error: BaseException | str, now: float, close_code: int | None = None) -> list[Effect]:
        """Process the loss of the socket of `generation`: not opened, failed, silent, or closed by the peer with `close_code`."""
        if not self._is_current(generation):
            return []
        cause = self._cause if self._phase is Phase.LEAVING else Cause.of_socket(error, close_code)
        return self._input(now, Input.SOCKET_DOWN, cause)

    def wake(self, now: float) -> list[Effect]:
        """Stop waiting, since the computer slept or the network is back."""
        return self._input(now, Input.WAKE)

    def submit(self, request: Submission, now: float) -> list[Effect]:
        """Write a request, or queue it until there is a connection, and room."""
        if self._phase in _UP and request.deadline > now and self._flow.may_write(request):
            self._requests.write(request, now)
            return [Send(request.data)]
        if (error := self._refusal(request, now)) is not None:
            return [Settle(request.id, error)]
        self._requests.queue(request)
        return []

    def update_token(self, token: str, now: float, *, key: str | None = None, deadline: float = float("inf")) -> list[Effect]:
        """Use another token from now on; `key` is settled when the service has taken it, or refused it for good."""
        self._now = now
        if self._phase in (Phase.FAILED, Phase.CLOSED):
            return [] if key is None else [Settle(key, self._unavailable())]
        in_use = self._phase is Phase.CONNECTED and self._credentials.is_settled(token)
        self._credentials.replace(token)
        if in_use:
            return [] if key is None else [Settle(key, None)]
        if key is not None:
            self._credentials.updates.add(key, token, deadline)
        return self._input(now, Input.TOKEN)

    def token_refused(self, error: BaseException, now: float) -> list[Effect]:
        """Process the provider's report that there will be no token."""
        return self._input(now, Input.TOKEN_REFUSED, Cause(str(error), Status(401, "UNAUTHORIZED")))

    def token_delayed(self, message: str) -> None:
        """Process a failure of the provider, which is called again: while the token is waited for, that is the trouble."""
        if self._phase is Phase.AUTHORISING:
            self._cause = Cause(message)

    def token_expired(self, token: str) -> bool:
        """Record that a token's time is over; return whether it is the latest, so that the provider must be asked for another."""
        return self._credentials.expire(token)

    def receive(self, packet: Packet, now: float) -> list[Effect]:
        """Process a packet from the current socket."""
        if not self._socket_open:
            return []
        if type(packet) is packets.Notification:
            if self._phase is Phase.LEAVING:
                return []  # the next connection replays it
            return [packet]
        self._now = now
        if type(packet) is Reply:
            self._receive_reply(packet)
        elif self._phase is not Phase.LEAVING:
            if packet.id:
                self._effects.append(Send(packets.acknowledgement(packet.id)))
            if type(packet) is packets.Close:
                self._receive_close(packet)
            elif type(packet) is packets.ClientUpdate and packet.client_update_type == "token_about_to_expire":
                self._effects.append(TokenAboutToExpire())
        return self._take_effects()

    def receive_bad(self, error: ProtocolError, now: float) -> list[Effect]:
        """Process a message from the current socket that is not a packet."""
        if not self._socket_open:
            return []
        self._now = now
        _log.warning("a frame that is not the protocol: %s", error)
        self._bad_frames += 1
        if isinstance(error, PacketError) and error.id:
            self._answer_bad(error, error.id)
        if self._bad_frames >= MAX_BAD_FRAMES:
            self._dispatch(Input.GARBAGE, Cause(f"the service does not speak the protocol: {error}"))
        return self._take_effects()

    def on_time(self, now: float) -> list[Effect]:
        """Process the deadlines that have passed by the time of `next_deadline`."""
        self._now = now
        self._requests.window.resume(now)
        self._effects += self._flow.expire(now, self.trouble)
        for key in self._credentials.updates.take_expired(now):
            error = timed_out(written=self._phase is Phase.UPDATING, trouble=self.trouble)
            self._effects.append(Settle(key, error))
        if self._timer is not None and self._timer <= now:
            self._on_phase_over()
        return self._take_effects()

    # The machine

    def _input(self, now: float, event: Input, cause: Cause | None = None) -> list[Effect]:
        self._now = now
        self._dispatch(event, cause or Cause())
        return self._take_effects()

    def _take_effects(self) -> list[Effect]:
        if self._phase is Phase.LEAVING and not self._requests.written:
            self._dispatch(Input.DRAINED, self._cause)
        if self._requests.queued and self._phase in _UP:
            self._effects += self._flow.flush(self._now)  # what waited may be written, now that another is over
        effects, self._effects = self._effects, []
        return effects

    def _dispatch(self, event: Input, cause: Cause) -> None:
        row = TRANSITIONS.get((self._phase, event))
        if row is None:
            _log.debug("nothing to do for %s while %s", event.name, self._phase)
            return
        before, self._phase = self._phase, row.phase
        if row.phase is not before:
            self._timer = None
            self._announce(before, cause)
        for action in row.actions:
            self._ACTIONS[action](self, cause)

    def _announce(self, before: Phase, cause: Cause) -> None:
        if cause.message or self._phase in _UP or before is Phase.IDLE:
            self._cause = cause
        if before in _UP and self._phase not in _UP:
            self._effects.append(Disconnected())
        if PUBLIC_STATES[before] is not self.state:
            self._effects.append(StateChanged(self.state))

    def _on_phase_over(self) -> None:
        if self._phase is Phase.WAITING:
            self._dispatch(Input.TIMEOUT_TOKENLESS if self._credentials.missing else Input.TIMEOUT, Cause())
            return
        late = Cause(f"no answer in time while {self._phase}")
        self._dispatch(Input.TIMEOUT, self._cause if self._phase is Phase.LEAVING else late)

    def _is_current(self, generation: int) -> bool:
        return self._has_socket and generation == self._generation

    # Frames

    def _receive_reply(self, reply: Reply) -> None:
        if reply.id == self._control_id:
            self._control_id = None
            self._receive_control(reply)
            return
        settled = self._flow.answer(reply, self._now)
        if not settled:
            _log.debug("an answer to nothing that waits: %s", reply.id)
            return
        self._effects += settled
        if reply.status.error_code == TOKEN_EXPIRED:
            self._note_expiry()

    def _receive_control(self, reply: Reply) -> None:
        status = reply.status
        if not status.ok:
            self._refuse(input_of_answer(status, self._credentials), status, Cause.of_reply(reply))
            return
        if isinstance(token := reply.fields.get("continuation_token"), str):
            self._credentials.continuation_token = token
        self._dispatch(Input.ACCEPTED, Cause())
        if self._credentials.newer_at_hand:
            self._dispatch(Input.TOKEN, Cause())

    def _receive_close(self, packet: packets.Close) -> None:
        status = packet.status or Status(0)
        self._refuse(input_of_close(status, self._credentials, self._phase), status, Cause.of_close(packet))

    def _refuse(self, event: Input, status: Status, cause: Cause) -> None:
        """Process a refusal; announce the expiry of the token in use, if that is the cause."""
        if event in TOKEN_REFUSALS:
            expired = is_expiry(status)
            self._credentials.refuse(self._credentials.sent, expired=expired)
            if expired and event is not Input.DENIED_FALLBACK:
                self._effects.append(TokenExpired())
        self._dispatch(event, cause)

    def _note_expiry(self) -> None:
        """Note that a request was rejected because the token in use has expired, though the connection is open."""
        token = self._credentials.current or ""
        self._credentials.refuse(token, expired=True)
        self._effects.append(TokenExpired())
        if self._credentials.expire(token) and self._credentials.refreshable:
            self._effects.append(TokenWanted())

    def _answer_bad(self, error: PacketError, id_: str) -> None:
        if error.reply_to is None:
            self._effects.append(Send(packets.acknowledgement(id_, _BAD_REQUEST)))
        elif id_ == self._control_id:
            self._control_id = None
            self._dispatch(Input.REFUSED, Cause(f"Connection error: {error}"))
        else:
            self._effects += self._flow.answer_bad(id_, error)

    # Requests

    def _refusal(self, request: Submission, now: float) -> ConversationsError | None:
        if self._phase in _NO_SERVICE:
            return self._unavailable()
        if request.deadline <= now:
            return timed_out(written=False, trouble=self.trouble)
        return self._flow.refusal(request)

    def _unavailable(self) -> ConversationsError:
        return unavailable(self._cause, closed=self._phase is Phase.CLOSED)

    # Actions

    def _ask_token(self, _: Cause) -> None:
        self._effects.append(TokenWanted())

    def _open(self, _: Cause) -> None:
        self._generation += 1
        self._has_socket = True
        self._timer = self._now + self._options.connect_timeout
        self._effects.append(OpenSocket(self._generation))

    def _send_init(self, _: Cause) -> None:
        self._control_id = self._init_id = self._new_id()
        self._bad_frames = 0
        self._timer = self._now + self._options.init_timeout
        self._effects.append(Send(greeting.init(self._control_id, self._credentials, self._metadata).encode()))

    def _send_update(self, _: Cause) -> None:
        self._control_id = self._new_id()
        self._timer = self._now + self._options.init_timeout
        self._effects.append(Send(packets.Update(self._control_id, self._credentials.send()).encode()))

    def _farewell(self, _: Cause) -> None:
        if self._socket_open:
            self._effects.append(Send(packets.Close(self._new_id()).encode()))

    def _linger(self, _: Cause) -> None:
        self._control_id = None
        self._timer = self._now + LINGER

    def _drop(self, cause: Cause) -> None:
        self._control_id = None
        if self._has_socket:
            self._effects.append(CloseSocket(self._generation))
        self._has_socket = self._socket_open = False
        self._effects += self._flow.cut(cause, closed=self._phase is Phase.CLOSED)

    def _back_off(self, cause: Cause) -> None:
        delay = self._reconnecting.next_delay(self._now, cause.hint)
        self._timer = self._now + delay
        self._effects.append(RetryScheduled(delay, self._cause.message))

    def _hasten(self, _: Cause) -> None:
        self._timer = self._reconnecting.hasten(self._now)
        if self._timer <= self._now:
            self._on_phase_over()

    def _establish(self, cause: Cause) -> None:
        self._reconnecting.established(self._now)
        self._connections += 1
        self._effects.append(Connected(resumed=self._connections > 1))
        self._accept_token(cause)
        self._effects += self._flow.flush(self._now)

    def _accept_token(self, _: Cause) -> None:
        self._timer = None
        credentials = self._credentials
        self._effects.append(TokenAccepted(credentials.sent, is_new=credentials.sent != credentials.in_use))
        for key in credentials.accept():
            self._effects.append(Settle(key, None))

    def _roll_back(self, cause: Cause) -> None:
        for key in self._credentials.reject():
            self._effects.append(Settle(key, cause.refusal()))

    def _report(self, cause: Cause) -> None:
        self._effects.append(cause.info(terminal=False))

    def _report_terminal(self, cause: Cause) -> None:
        info = cause.info(terminal=True)
        self._effects.append(info)
        if self._phase is Phase.FAILED:
            self._effects.append(Failed(InitializationError(info)))

    def _fail_all(self, _: Cause) -> None:
        for id_ in self._requests.take_queued():
            self._effects.append(Settle(id_, self._unavailable()))
        for key in self._credentials.updates.take_all():
            self._effects.append(Settle(key, self._unavailable()))

    _ACTIONS: ClassVar[Mapping[Action, Callable[[Session, Cause], None]]] = {
        Action.ASK_TOKEN: _ask_token,
        Action.OPEN: _open,
        Action.SEND_INIT: _send_init,
        Action.SEND_UPDATE: _send_update,
        Action.FAREWELL: _farewell,
        Action.LINGER: _linger,
        Action.DROP: _drop,
        Action.BACK_OFF: _back_off,
        Action.HASTEN: _hasten,
        Action.ESTABLISH: _establish,
        Action.ACCEPT_TOKEN: _accept_token,
        Action.ROLL_BACK: _roll_back,
        Action.REPORT: _report,
        Action.REPORT_TERMINAL: _report_terminal,
        Action.FAIL_ALL: _fail_all,
    }
