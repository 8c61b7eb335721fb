"""Connection of a client, over all reconnects, as other threads use it. It is carried out by `io_thread`."""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import attrs
import requests

from twilio_conversations.enums import ConnectionState
from twilio_conversations.errors import ConversationsError, NotReadyError
from twilio_conversations.options import Options
from twilio_conversations.tokens import Claims
from twilio_conversations.transport.io_thread import CLOSE_LIMIT, IoThread
from twilio_conversations.transport.lifetime import Lifetime
from twilio_conversations.transport.listener import Listener
from twilio_conversations.transport.pending import Receiver
from twilio_conversations.transport.timers import Timers
from twilio_conversations.transport.token_source import TokenSource
from twilio_conversations.util import logs
from twilio_conversations.util.flows import Future, completed
from twilio_conversations.util.futures import Deadline, SharedFuture, current_role, wait
from twilio_conversations.wire.http_request import HttpRequest
from twilio_conversations.wire.inflight import Submission, new_id
from twilio_conversations.wire.packets import RestCall
from twilio_conversations.wire.transitions import Phase
from twilio_conversations.wire.window import Lane

_log = logs.logger(__name__)

T = TypeVar("T")

_names = itertools.count(1)


@attrs.frozen
class ConnectionStats:
    """Figures of a connection.

    Attributes:
        reconnects: number of connections that replaced another.
        queued: requests that wait for a connection.
        in_flight: requests that wait for an answer.
        last_byte_age: seconds since the latest byte from the service; `None` without a connection.
        round_trip: seconds that the latest answered request took; `None` before the first.
    """

    reconnects: int
    queued: int
    in_flight: int
    last_byte_age: float | None
    round_trip: float | None


class Connection:
    """The connection of one client, over all reconnects.

    `run`, `call`, `post`, `update_token`, `stats`, `state`, `start` and `close` may be used from any thread; `timers`, `send`
    and `sleep` on the io thread only, where everything else happens.
    """

    def __init__(
        self,
        options: Options,
        tokens: TokenSource,
        listener: Listener,
        *,
        session: requests.Session | None = None,
        name: str | None = None,
        clock: Callable[[], float] = time.time,
        lifetime: Lifetime | None = None,
    ) -> None:
        """Make a connection that does nothing before `start`.

        Args:
            options: addresses, timeouts, limits.
            tokens: the source of tokens.
            listener: receives what happens.
            session: the caller's session, asked for proxies and certificates at each attempt.
            name: ends the names of the threads.
            clock: the wall clock, which shows that the computer slept.
            lifetime: shared with the owner of this connection.
        """
        self.name: str = name or str(next(_names))
        self.lifetime: Lifetime = lifetime or Lifetime()
        self._options = options
        self._io = io = IoThread(self.name, options, tokens, listener, session, clock, self.lifetime)
        self.timers: Timers = io.timers
        self.start: Callable[[], None] = io.start
        self.post: Callable[[Callable[[], object]], None] = io.post
        self.begin_close: Callable[..., None] = io.begin_close
        self.fail: Callable[[ConversationsError], None] = io.fail
        self.join: Callable[[float], None] = io.join

    # -- from any thread ----------------------------------------------------------------------------------------------

    @property
    def state(self) -> ConnectionState:
        """The state as the program sees it."""
        return self._io.state

    @property
    def token(self) -> str:
        """The access token in use, for what does not go through the connection.

        Raises:
            ClientClosedError: the connection is over.
            TransportUnavailableError: the token was refused, or has ended, and there is no other.
            NotReadyError: there is no token yet.
        """
        self.lifetime.check()
        if (refusal := self._io.session.refusal) is not None:
            raise refusal
        token = self._io.session.token
        if token is None:
            raise NotReadyError("there is no access token yet")
        return token

    @property
    def latest_token(self) -> str | None:
        """The token that was given last and not refused, accepted already or not."""
        return self._io.session.latest_token

    @property
    def holder(self) -> Claims | None:
        """Claims of the token that the service accepted last; `None` before, and of one that cannot be read."""
        return self._io.session.credentials.holder

    def run(self, start: Callable[[], Future[T]]) -> SharedFuture[T]:
        """Run `start` on the io thread soon; return a future that ends as the one it returns, or with the connection."""
        future: SharedFuture[T] = SharedFuture()
        pending = self._io.pending
        key = pending.add(future)

        def run() -> None:
            try:
                started = start()
            except Exception as error:
                pending.fail(key, error)
            else:
                started.add_done_callback(functools.partial(pending.finish, key))

        self.post(run)
        return future

    def call(self, function: Callable[[], T]) -> SharedFuture[T]:
        """Run `function` on the io thread soon; return the future of its result."""
        return self.run(lambda: completed(function()))

    # -- on the io thread ---------------------------------------------------------------------------------------------

    def sleep(self, seconds: float) -> Future[None]:
        """Return a future that is done after some seconds; it fails if the connection ends before that."""
        future: Future[None] = Future()
        pending = self._io.pending
        key = pending.add(future)
        timer = self.timers.call_later(seconds, functools.partial(pending.settle, key, None))

        def over(_: Future[None]) -> None:  # perhaps before its time
            timer.cancel()
            pending.settle(key, None)

        future.add_done_callback(over)
        return future

    def send(
        self, request: HttpRequest, deadline: Deadline, receiver: Receiver, *, cuts: int = 0, lane: Lane = Lane.COMMAND
    ) -> str:
        """Send a REST call through the connection, or queue it until there is one with room. Return its id.

        `cuts` is the number of connections in a row that have ended while it was under way; `lane` is its importance.

        `receiver` receives the `Reply`, or `RequestTimeoutError`, `TransportUnavailableError`, `ReplyError`, `ProtocolError` or
        `ClientClosedError`, whose `sent` is whether the request had been written.
        """
        id_ = new_id()
        submission = Submission(id_, RestCall(id_, request).encode(), deadline.at, cuts, lane)
        self._io.pending.add(receiver, id_)
        self._io.submit(submission)
        return id_

    # -- from any thread ----------------------------------------------------------------------------------------------

    @property
    def trouble(self) -> str | None:
        """Reason for the missing connection in words; `None` while there is one."""
        return self._io.session.trouble

    def wait(self, future: SharedFuture[T], deadline: Deadline, what: str) -> T:
        """Wait as `futures.wait` does; the error of a time limit names what keeps the connection away."""
        return wait(future, deadline, what, lambda: self.trouble)

    def has_written(self, id_: str) -> bool:
        """Return whether a request was written and waits for its answer."""
        return self._io.session.requests.has_written(id_)

    def update_token(self, token: str, deadline: Deadline | None = None) -> SharedFuture[None]:
        """Use another token; the future is done when the service has accepted it, and fails when it was refused for good."""
        future: SharedFuture[None] = SharedFuture()
        until = (deadline or Deadline(self._options.default_timeout)).at
        key = self._io.pending.add(future)

        self.post(lambda: self._io.tokens.give(token, key, until))
        return future

    def stats(self) -> ConnectionStats:
        """Return figures of the connection as of about now."""
        link, session = self._io.link, self._io.session
        return ConnectionStats(
            reconnects=max(0, session.connections - 1),
            queued=session.requests.queued,
            in_flight=session.requests.written,
            last_byte_age=None if link is None else time.monotonic() - link.last_byte_at,
            round_trip=session.round_trip,
        )

    def under_way(self) -> Iterator[str]:
        """Yield what is under way, in words; io thread only."""
        session, waiting = self._io.session, self._io.pending.waiting
        if session.phase is not Phase.CONNECTED:
            yield f"a connection that is {session.phase}"
        if waiting or len(session.requests):
            yield f"{max(waiting, len(session.requests))} requests"

    @property
    def mark(self) -> tuple[str, float | None]:
        """Id of the latest init, and the moment of the last byte received: with the same mark nothing was received."""
        link = self._io.link
        return self._io.session.init_id, None if link is None else link.last_byte_at

    def close(self, timeout: float = CLOSE_LIMIT) -> None:
        """End the connection: everything pending fails with `ClientClosedError`.

        Returns within `timeout` seconds whatever the peer does; at once on the client's threads. Closing twice is
        harmless, and the second caller waits no longer than the first.
        """
        self.begin_close(timeout)
        deadline = self.lifetime.deadline
        assert deadline is not None
        if current_role() is None:
            self.join(deadline.remaining() or 0.0)
            logs.flush(deadline.remaining() or 0.0)

    def set_disconnected(self) -> None:
        """Report the end of the connection after closing, whatever the io thread still does."""
        self._io.become(ConnectionState.DISCONNECTED)
