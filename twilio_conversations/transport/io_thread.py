"""The io thread of a client: it alone drives the session, reads and writes the socket, and runs the timers."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar, Final

import requests

from twilio_conversations.enums import ConnectionState
from twilio_conversations.errors import (
    ClientClosedError,
    ConnectionErrorInfo,
    ConversationsError,
    NoThreadError,
    ProtocolError,
    TransportUnavailableError,
)
from twilio_conversations.options import Options
from twilio_conversations.transport import process_hooks as processes
from twilio_conversations.transport.attempts import Attempts
from twilio_conversations.transport.client_metadata import client_metadata
from twilio_conversations.transport.connect import Attempt
from twilio_conversations.transport.connection_log import ConnectionLog
from twilio_conversations.transport.lifetime import Lifetime
from twilio_conversations.transport.link import Link, LinkLost
from twilio_conversations.transport.listener import Listener, notify
from twilio_conversations.transport.loop import Loop
from twilio_conversations.transport.pending import Pending
from twilio_conversations.transport.sleep_watch import SleepWatch
from twilio_conversations.transport.timers import Timers
from twilio_conversations.transport.token_exchange import TokenExchange
from twilio_conversations.transport.token_source import TokenSource
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


class IoThread:
    """Carries out the effects of the session, over all reconnects of one client.

    `start`, `post`, `begin_close`, `fail`, `join` and `forget_in_child` are for any thread; everything else happens on this one.

    Attributes:
        timers: run functions on this thread.
        session: the protocol; it knows tokens and requests.
        pending: futures that end with the connection.
        link: the open socket.
        tokens: passes tokens between the provider, the session and the program.
        state: the state as the program sees it.
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
        """Make a thread that does nothing before `start`. See `Connection` for the arguments."""
        self.name: str = name
        self._loop = Loop()
        self.timers: Timers = self._loop.timers
        self._options = options
        self._source = tokens
        self._listener = listener
        self._sleep = SleepWatch(clock)
        self.lifetime: Lifetime = lifetime
        self.pending: Pending = Pending()
        self.session: Session = Session(
            options,
            token=tokens.initial,
            refreshable=tokens.refreshable,
            metadata=client_metadata(options.client_metadata),
        )
        self.state: ConnectionState = self.session.state
        self.link: Link | None = None
        self._answers_pings = False  # by the connection before
        self._log = ConnectionLog(name, options.endpoints.twilsock)
        self.tokens: TokenExchange = TokenExchange(tokens, self.session, listener, self._log, self.apply)
        self._attempts = Attempts(
            options.endpoints.twilsock, http_session, options.connect_timeout, name, self.post, self._take_attempt
        )
        self._effects: list[fx.Effect] = []
        self._applying = False
        self._thread: threading.Thread | None = None
        self._over = False  # then nothing more is carried out

    def start(self) -> None:
        """Start the io thread, which connects; once only, and again only after it raised."""
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
        """Run `function` on the io thread soon; discard it silently once the connection is over."""
        if not self._over:
            self._loop.post(function)

    @property
    def is_current(self) -> bool:
        """Whether the caller is this thread."""
        return threading.current_thread() is self._thread

    def begin_close(self, timeout: float = CLOSE_LIMIT) -> None:
        """Begin to close, and return at once. Everything pending fails."""
        if self.lifetime.close(timeout):
            self._stop()

    def fail(self, cause: ConversationsError) -> None:
        """End though nobody closed the client, and report `cause`, with which everything pending fails."""
        if self.lifetime.fail(cause):
            self._report_failure(cause)
            self._stop()

    def join(self, timeout: float) -> None:
        """Wait for the threads, at most `timeout` seconds."""
        deadline = Deadline(timeout)
        if self._thread is not None:
            self._thread.join(timeout)
        self._attempts.join(deadline.remaining() or 0.0)

    def forget_in_child(self) -> None:
        """Leave the connection to the parent, in a forked child: close the child's copies of the descriptors."""
        why = ClientClosedError(
            f"this client was made in process {os.getppid()} and cannot be used in its forked child: make a new one there"
        )
        self._over = True
        self.lifetime.forget_in_child(why)
        self.pending.end_in_child(why)
        self.state = ConnectionState.DISCONNECTED
        self._thread = None
        if self.link is not None:
            self.link.close_in_child()
        self._attempts.close_in_child()
        self._loop.close_in_child()
        self._listener.on_forked(why)

    # The loop

    def _run(self) -> None:
        mark_thread(Role.IO)
        try:
            self.tokens.start(self.timers, self.post, self.name)
            self.apply(self.session.connect(time.monotonic()))
            while not self._over:
                self._turn()
        except BaseException as error:
            try:
                self._crash(error)
            finally:  # the end is reported before anything else can go wrong
                _log.critical("the io thread failed", exc_info=error)

    def _turn(self) -> None:
        due = self.session.next_deadline()
        readable = self._loop.turn(self._next_deadline(due))
        if self._over:
            return
        now = time.monotonic()
        self._check_sleep(now)
        link = self.link
        if link is not None and (readable or link.has_more):
            self._read(link)
        if due is not None and due <= now:
            self.apply(self.session.on_time(now))
        if self.link is not None:
            self._serve(self.link)

    def _next_deadline(self, due: float | None) -> float | None:
        """Return the time of the next turn, if nothing happens before: what the session has `due`, or the link."""
        link = self.link
        if link is None:
            return due
        if link.has_more:
            return 0.0
        return link.next_deadline() if due is None else min(due, link.next_deadline())

    def _read(self, link: Link) -> None:
        now = time.monotonic()
        session = self.session
        try:
            for _, data in link.read(now):  # of either type: a text message is read like a binary one
                try:
                    packet = decode(data, max_bytes=self._options.max_frame_bytes)
                except ProtocolError as error:
                    self.apply(session.receive_bad(error, now))
                else:
                    self.apply(session.receive(packet, now))
                if self.link is not link:
                    break  # closed by what was just read: the rest is discarded
        except LinkLost as lost:
            self._lose(link, lost)

    def _serve(self, link: Link) -> None:
        """Write what waits, check that the peer is alive, and watch for the events that are wanted next."""
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
        slept = self._sleep.slept(now)
        if not slept:
            return
        _log.info("the clock jumped by %.0f seconds: checking the connection", slept)
        if self.link is not None:
            self.link.ping(now)
        self._source.check_clock()
        self.apply(self.session.wake(now))

    # Effects of the session

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
        done = 0
        try:
            while done < len(effects):
                effect = effects[done]
                done += 1
                self._PERFORM[type(effect)](self, effect)
        finally:
            del effects[:done]
            self._applying = False

    def _do_send(self, effect: fx.Send) -> None:
        if self.link is not None:
            self.link.send(effect.data)

    def _do_notification(self, effect: Notification) -> None:
        link = self.link
        try:
            self._listener.on_notification(effect.message_type, effect.payload)
        except Exception:
            _log.exception("a listener failed")
        if effect.id and link is not None:
            link.acknowledge(effect.id)

    def _do_open(self, effect: fx.OpenSocket) -> None:
        try:
            self._attempts.begin(effect.generation)
        except NoThreadError as error:
            self.apply(self.session.socket_lost(effect.generation, error, time.monotonic()))

    def _take_attempt(self, attempt: Attempt) -> None:
        now = time.monotonic()
        try:
            with processes.no_fork():
                opened = attempt.take()
                self.link = Link(opened, attempt.generation, self._options, now, answers_pings=self._answers_pings)
        except Exception as error:
            self.apply(self.session.socket_lost(attempt.generation, error, now))
            return
        self._loop.watch(self.link)
        self.apply(self.session.socket_opened(attempt.generation, now))

    def _do_close_socket(self, _: fx.CloseSocket) -> None:
        if self.link is not None:
            self._answers_pings = self.link.answers_pings
            self._loop.unwatch()
            self.link.close()
            self.link = None  # not before: a child that is forked meanwhile closes its copy
        self._attempts.abandon()

    def _do_state(self, effect: fx.StateChanged) -> None:
        if not self.lifetime.failed:  # after a failure only its end is reported
            self.become(effect.state)

    def become(self, state: ConnectionState) -> None:
        """Report the state if it is another than before."""
        before, self.state = self.state, state
        if state is not before:
            notify(self._listener.on_state, state, before)

    def _do_settle(self, effect: fx.Settle) -> None:
        if isinstance(effect.outcome, ConversationsError):
            self.pending.fail(effect.key, effect.outcome)
        else:
            self.pending.settle(effect.key, effect.outcome)

    def _do_failed(self, effect: fx.Failed) -> None:
        self.fail(effect.error)

    def _do_connected(self, effect: fx.Connected) -> None:
        if self.link is not None:
            self.link.probe(time.monotonic())
        self._log.connected(effect.resumed)
        notify(self._listener.on_connected, effect.resumed)

    def _do_report(self, info: ConnectionErrorInfo) -> None:
        self._log.trouble(info)
        notify(self._listener.on_connection_error, info)

    # The end

    def _stop(self) -> None:
        """End the io thread soon; end a connection that was never started at once."""
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
        """Fail what is pending, and release everything; nothing is carried out afterwards."""
        self._over = True
        self._source.close()
        self._do_close_socket(fx.CloseSocket(0))
        self.pending.end(self._why())
        self._loop.close()
        processes.unregister(self)

    def _why(self) -> ConversationsError:
        """Return the error of what was pending at the end."""
        cause = self.lifetime.cause
        return cause if cause is not None and self.lifetime.failed else ClientClosedError("the client was closed", sent=False)

    def _crash(self, cause: BaseException) -> None:
        """End after an error in the io thread itself, and report it so that nobody can miss it."""
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
        notify(self._listener.on_failed, cause)

    _PERFORM: ClassVar[dict[type, Callable[[IoThread, Any], None]]] = {
        fx.Send: _do_send,
        Notification: _do_notification,
        fx.Settle: _do_settle,
        fx.OpenSocket: _do_open,
        fx.CloseSocket: _do_close_socket,
        fx.StateChanged: _do_state,
        fx.Connected: _do_connected,
        fx.Disconnected: lambda self, effect: notify(self._listener.on_disconnected),
        fx.TokenAccepted: lambda self, effect: self.tokens.accepted(effect),
        fx.TokenWanted: lambda self, effect: self._source.refresh(),
        fx.TokenExpired: lambda self, effect: notify(self._listener.on_token_expired),
        fx.RetryScheduled: lambda self, effect: self._log.retrying(effect.seconds, effect.cause),
        fx.TokenAboutToExpire: lambda self, effect: self.tokens.about_to_expire(effect),
        fx.Failed: _do_failed,
        ConnectionErrorInfo: _do_report,
    }
