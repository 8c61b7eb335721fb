"""The io thread: it alone drives the session, reads and writes the socket, and runs the timers."""

from __future__ import annotations

import os
import platform
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar, Final

import requests

from twilio_conversations._version import __version__
from twilio_conversations.enums import ConnectionState
from twilio_conversations.errors import (
    ClientClosedError,
    ConnectionErrorInfo,
    ConversationsError,
    NoThreadError,
    ProtocolError,
    TokenError,
    TransportUnavailableError,
)
from twilio_conversations.options import Options
from twilio_conversations.transport import process_hooks as processes
from twilio_conversations.transport.connect import Attempt
from twilio_conversations.transport.connection_log import ConnectionLog
from twilio_conversations.transport.lifetime import Lifetime
from twilio_conversations.transport.link import Link, LinkLost
from twilio_conversations.transport.listener import Listener
from twilio_conversations.transport.loop import Loop
from twilio_conversations.transport.pending import Pending
from twilio_conversations.transport.timers import Timers
from twilio_conversations.transport.token_source import TokenSource
from twilio_conversations.transport.ws_codec import BINARY
from twilio_conversations.util import logs
from twilio_conversations.util.futures import Deadline, Role, mark_thread
from twilio_conversations.util.naming import shown
from twilio_conversations.util.os_errors import start_thread
from twilio_conversations.wire import effects as fx
from twilio_conversations.wire.decoding import decode
from twilio_conversations.wire.inflight import Submission
from twilio_conversations.wire.packets import Notification
from twilio_conversations.wire.session import Session

_log = logs.logger(__name__)

CLOSE_LIMIT: Final = 2.0
"""Seconds that `close` may take."""

_SLEEP_SUSPECTED: Final = 5.0
"""Seconds by which the wall clock must run ahead of the monotonic one to tell that the computer slept."""


class IoThread:
    """Carries out what the session wants, over all reconnects of one client.

    `start`, `post`, `begin_close`, `fail`, `join` and `forget_in_child` are for any thread; everything else happens on this one.

    Attributes:
        timers: run functions on this thread.
        session: the protocol; it knows tokens and requests.
        pending: futures that end with the connection.
        link: the open socket.
        state: the state the program is told of.
    """

    def __init__(
        self,
        name: str,
        options: Options,
        tokens: TokenSource,
        listener: Listener,
        http_session: requests.Session | None,
        clock: Callable[[], float],
        lifetime: Lifetime,
    ) -> None:
        """Nothing happens before `start`. See `Connection` for the arguments."""
        self.name: str = name
        self._loop = Loop()
        self.timers: Timers = self._loop.timers
        self._options = options
        self._tokens = tokens
        self._listener = listener
        self._http_session = http_session
        self._clock = clock
        self._clock_gap = clock() - time.monotonic()
        self.lifetime: Lifetime = lifetime
        self.pending: Pending = Pending()
        self.session: Session = Session(
            options, token=tokens.initial, refreshable=tokens.refreshable, metadata=_metadata(options)
        )
        self.state: ConnectionState = self.session.state
        self.link: Link | None = None
        self._log = ConnectionLog(name, options.endpoints.twilsock)
        self._attempt: Attempt | None = None  # the one that is wanted
        self._latest_attempt: Attempt | None = None
        self._effects: deque[fx.Effect] = deque()
        self._applying = False
        self._thread: threading.Thread | None = None
        self._over = False  # nothing more is carried out

    def start(self) -> None:
        """Start the io thread, which connects; once only, but again after it raised."""
        self._loop.open()
        processes.register(self)
        self._thread = threading.Thread(target=self._run, name=f"conversations-io-{self.name}", daemon=True)
        try:
            start_thread(self._thread)
        except BaseException:
            self._thread = None
            processes.unregister(self)
            self._loop.release()
            raise

    def post(self, function: Callable[[], object]) -> None:
        """Run `function` on the io thread soon; dropped silently once the connection is over."""
        if not self._over:
            self._loop.post(function)

    @property
    def is_current(self) -> bool:
        """Whether the caller is this thread."""
        return threading.current_thread() is self._thread

    def begin_close(self, timeout: float = CLOSE_LIMIT) -> None:
        """Start closing, and return at once. Everything pending fails."""
        if self.lifetime.close(timeout):
            self._stop()

    def fail(self, cause: ConversationsError) -> None:
        """Report that nothing can go on, though nobody closed the client, and end. Everything pending fails with `cause`."""
        if self.lifetime.fail(cause):
            self._report_failure(cause)
            self._stop()

    def join(self, timeout: float) -> None:
        """Wait for the threads, at most `timeout` seconds."""
        deadline = Deadline(timeout)
        if self._thread is not None:
            self._thread.join(timeout)
        if self._latest_attempt is not None:
            self._latest_attempt.join(deadline.remaining() or 0.0)

    def forget_in_child(self) -> None:
        """In a forked child: the connection stays the parent's; the child's copies of the descriptors are closed."""
        why = ClientClosedError(
            f"this client was made in process {os.getppid()} and cannot be used in its forked child: make a new one there"
        )
        self._over = True
        self.lifetime.forget_in_child(why)
        self.pending.end_in_child(why)
        self.state = ConnectionState.DISCONNECTED
        self._thread = None
        for owner in (self.link, self._latest_attempt, self._loop):
            if owner is not None:
                owner.close_in_child()
        self._latest_attempt = None
        self._listener.on_forked(why)

    # The loop

    def _run(self) -> None:
        mark_thread(Role.IO)
        try:
            self._tokens.attach(self, self.session.credentials, self.timers, self.post, self.name)
            if self._tokens.initial is not None:
                self.note_token(self._tokens.initial)
            self.apply(self.session.connect(time.monotonic()))
            while not self._over:
                self._turn()
        except BaseException as error:
            try:
                self._crash(error)
            finally:  # the end is reported before anything else can go wrong
                _log.critical("the io thread failed", exc_info=error)

    def _turn(self) -> None:
        readable = self._loop.turn(self._next_deadline())
        if self._over:
            return
        now = time.monotonic()
        self._check_sleep(now)
        link = self.link
        if link is not None and (readable or link.has_more):
            self._read(link)
        deadline = self.session.next_deadline()
        if deadline is not None and deadline <= now:
            self.apply(self.session.on_time(now))
        if self.link is not None:
            self._serve(self.link)

    def _next_deadline(self) -> float | None:
        link, deadline = self.link, self.session.next_deadline()
        if link is None:
            return deadline
        if link.has_more:
            return 0.0
        return link.next_deadline() if deadline is None else min(deadline, link.next_deadline())

    def _read(self, link: Link) -> None:
        now = time.monotonic()
        session = self.session
        try:
            for opcode, data in link.read(now):
                try:
                    if opcode != BINARY:
                        raise ProtocolError("a text message")
                    packet = decode(data, max_bytes=self._options.max_frame_bytes)
                except ProtocolError as error:
                    self.apply(session.receive_bad(error, now))
                else:
                    self.apply(session.receive(packet, now))
                if self.link is not link:
                    break  # closed by what was just read: the rest is nobody's
        except LinkLost as lost:
            self._lose(link, lost)

    def _serve(self, link: Link) -> None:
        """Write what is to be written, see whether the peer lives, and watch for what is wanted next."""
        try:
            link.check(time.monotonic())
            if link.wants_write:
                link.flush()
        except LinkLost as lost:
            self._lose(link, lost)
            return
        self._loop.want(read=link.wants_read, write=link.wants_write)

    def _lose(self, link: Link, lost: LinkLost) -> None:
        if self.link is link:
            now = time.monotonic()
            self.apply(self.session.socket_lost(link.generation, lost, now, lost.close_code))

    def _check_sleep(self, now: float) -> None:
        gap = self._clock() - now
        slept, self._clock_gap = gap - self._clock_gap, gap
        if slept < _SLEEP_SUSPECTED:
            return
        _log.info("the clock jumped by %.0f seconds: checking the connection", slept)
        if self.link is not None:
            self.link.ping(now)
        self._tokens.check_clock()
        self.apply(self.session.wake(now))

    # What the session wants done

    def submit(self, submission: Submission) -> None:
        """Send a request, or queue it until there is a connection."""
        self.apply(self.session.submit(submission, time.monotonic()))

    def apply(self, wanted: list[fx.Effect]) -> None:
        """Carry out effects in order; what they cause in turn comes after them."""
        effects = self._effects
        effects.extend(wanted)
        if self._applying:
            return
        self._applying = True
        try:
            while effects:
                effect = effects.popleft()
                self._PERFORM[type(effect)](self, effect)
        finally:
            self._applying = False

    def _tell(self, what: Callable[..., None], *facts: Any) -> None:
        try:
            what(*facts)
        except Exception:
            _log.exception("a listener failed")

    def _do_send(self, effect: fx.Send) -> None:
        if self.link is not None:
            self.link.send(effect.data)

    def _do_notification(self, effect: Notification) -> None:
        try:
            self._listener.on_notification(effect.message_type, effect.payload)
        except Exception:
            _log.exception("a listener failed")

    def _do_open(self, effect: fx.OpenSocket) -> None:
        timeout = self._options.connect_timeout
        url = self._options.endpoints.twilsock
        attempt = Attempt(effect.generation, url, self._http_session, timeout, self._on_attempt_done)
        self._attempt = self._latest_attempt = attempt
        try:
            attempt.start(f"conversations-connect-{self.name}")
        except NoThreadError as error:  # no thread to be had now
            self._attempt = None
            self.apply(self.session.socket_lost(attempt.generation, error, time.monotonic()))

    def _on_attempt_done(self, attempt: Attempt) -> None:
        """On the connecting thread."""
        self.post(lambda: self._take_attempt(attempt))

    def _take_attempt(self, attempt: Attempt) -> None:
        if attempt is not self._attempt:
            return
        self._attempt = None
        now = time.monotonic()
        try:
            opened = attempt.take()
        except Exception as error:
            self.apply(self.session.socket_lost(attempt.generation, error, now))
            return
        self.link = Link(opened, attempt.generation, self._options, now)
        self._loop.watch(self.link)
        self.apply(self.session.socket_opened(attempt.generation, now))

    def _do_close_socket(self, _: fx.CloseSocket) -> None:
        link, self.link = self.link, None
        if link is not None:
            self._loop.unwatch()
            link.close()
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.abandon()

    def _do_state(self, effect: fx.StateChanged) -> None:
        if not self.lifetime.failed:  # after a failure only its end is told
            self.become(effect.state)

    def become(self, state: ConnectionState) -> None:
        """Report another state than before."""
        before, self.state = self.state, state
        if state is not before:
            self._tell(self._listener.on_state, state, before)

    def _do_settle(self, effect: fx.Settle) -> None:
        if isinstance(effect.outcome, ConversationsError):
            self.pending.fail(effect.key, effect.outcome)
        else:
            self.pending.settle(effect.key, effect.outcome)

    def _do_failed(self, effect: fx.Failed) -> None:
        self.fail(effect.error)

    def _do_token_about_to_expire(self, _: fx.TokenAboutToExpire) -> None:
        self._tell(self._listener.on_token_about_to_expire)
        self._tokens.about_to_expire()

    def _do_connected(self, effect: fx.Connected) -> None:
        self._log.connected(effect.resumed)
        self._tell(self._listener.on_connected, effect.resumed)

    def _do_report(self, info: ConnectionErrorInfo) -> None:
        self._log.trouble(info)
        self._tell(self._listener.on_connection_error, info)

    def _do_token_accepted(self, effect: fx.TokenAccepted) -> None:
        self._log.token_accepted(effect.token)
        if effect.is_new:
            self._tokens.accepted(effect.token)

    # The token source's answers

    def on_token(self, token: str) -> None:
        """The provider gave a token."""
        self.note_token(token)
        self.apply(self.session.update_token(token, time.monotonic()))

    def on_token_refused(self, error: TokenError) -> None:
        """The provider said that there will be no token."""
        self.apply(self.session.token_refused(error, time.monotonic()))

    def on_token_problem(self, info: ConnectionErrorInfo) -> None:
        """The provider failed and will be asked again."""
        self.session.token_delayed(info.message)
        self._log.trouble(info, about_token=True)
        self._tell(self._listener.on_connection_error, info)

    def on_token_ending(self, seconds: float) -> None:
        """The token ends soon, and there is no provider."""
        self._log.token_ending(seconds)

    def note_token(self, token: str) -> None:
        """Report a token that is used from now on."""
        self._log.token_given(token)
        self._tell(self._listener.on_token, token)

    def on_token_over(self, token: str) -> None:
        """That token's time has passed by our clock."""
        if self.session.token_expired(token):
            self._tokens.refresh()

    # The end

    def _stop(self) -> None:
        """End the io thread soon; a connection that was never started ends here."""
        if self._thread is None:
            self._finish()
        else:
            self.post(self._shut)

    def _shut(self) -> None:
        if not self._over:
            self.pending.end(self._why())
            self.apply(self.session.close(time.monotonic()))
            self._finish()

    def _finish(self) -> None:
        """Nothing goes on from here: fail what is left, give everything back."""
        self._over = True
        self._tokens.close()
        self._do_close_socket(fx.CloseSocket(0))
        self.pending.end(self._why())
        self._loop.close()
        processes.unregister(self)

    def _why(self) -> ConversationsError:
        """The error of what was pending at the end."""
        cause = self.lifetime.cause
        return cause if cause is not None and self.lifetime.failed else ClientClosedError("the client was closed", sent=False)

    def _crash(self, cause: BaseException) -> None:
        """The io thread cannot go on: make that impossible to miss."""
        why = TransportUnavailableError(f"the client's io thread failed: {shown(cause)}")
        why.__cause__ = cause
        is_first = self.lifetime.fail(why)
        try:
            self._finish()
        finally:
            if is_first:
                self._report_failure(why)

    def _report_failure(self, cause: ConversationsError) -> None:
        self.become(ConnectionState.ERROR)
        self._tell(self._listener.on_failed, cause)

    _PERFORM: ClassVar[dict[type, Callable[[IoThread, Any], None]]] = {
        fx.Send: _do_send,
        Notification: _do_notification,
        fx.Settle: _do_settle,
        fx.OpenSocket: _do_open,
        fx.CloseSocket: _do_close_socket,
        fx.StateChanged: _do_state,
        fx.Connected: _do_connected,
        fx.Disconnected: lambda self, effect: self._tell(self._listener.on_disconnected),
        fx.TokenAccepted: _do_token_accepted,
        fx.TokenWanted: lambda self, effect: self._tokens.refresh(),
        fx.TokenExpired: lambda self, effect: self._tell(self._listener.on_token_expired),
        fx.RetryScheduled: lambda self, effect: self._log.retrying(effect.seconds, effect.cause),
        fx.TokenAboutToExpire: _do_token_about_to_expire,
        fx.Failed: _do_failed,
        ConnectionErrorInfo: _do_report,
    }


def _metadata(options: Options) -> dict[str, Any]:
    """What the client says about itself in its first frame."""
    return {
        "ver": __version__,
        "env": platform.python_implementation(),
        "envv": platform.python_version(),
        "os": platform.system() or "unknown",
        "osv": platform.release() or "unknown",
        "osa": 8 * struct.calcsize("P"),
        "type": "conversations",
        "sdk": "Python",
        "sdkv": __version__,
        **options.client_metadata,
    }
