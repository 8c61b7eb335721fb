"""A client's life: how it is put together, becomes ready, goes on with another token, and ends.

What a program asks of it while it lives is in `client`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, NoReturn, Self, Unpack

import attrs
import requests

from twilio_conversations import tokens
from twilio_conversations.client.listener import ClientListener
from twilio_conversations.client.registrations import Registrations
from twilio_conversations.client.startup import Startup
from twilio_conversations.client.templates import Templates
from twilio_conversations.enums import ConnectionState, State
from twilio_conversations.errors import (
    ClientClosedError,
    ConnectionErrorInfo,
    ConversationsError,
    InitializationError,
    NotPicklableError,
    RequestTimeoutError,
    TokenError,
    TransportUnavailableError,
)
from twilio_conversations.events.client_events import ClientEvents
from twilio_conversations.events.dispatcher import Dispatcher
from twilio_conversations.events.names import ClientEvent, EventName, HandlerError, InitFailedEventArgs
from twilio_conversations.events.stream import EventStream
from twilio_conversations.options import Endpoints, OptionFields, Options
from twilio_conversations.runtime import Services
from twilio_conversations.state.conversations import Directory
from twilio_conversations.state.tracked import Following
from twilio_conversations.state.users import Users
from twilio_conversations.transport.connection import CLOSE_LIMIT, Connection, ConnectionStats
from twilio_conversations.transport.plain_requests import session_class
from twilio_conversations.transport.token_source import TokenSource
from twilio_conversations.util import checks, logs, patching
from twilio_conversations.util.futures import Deadline, Future, current_role, refuse_to_wait
from twilio_conversations.util.naming import shown
from twilio_conversations.util.os_errors import descriptor_errors
from twilio_conversations.util.readiness import Readiness


@attrs.frozen
class ClientStats:
    """Statistics of a client; a snapshot.

    Attributes:
        connection: reconnects, pending requests, age of the last byte, round trip.
        pending_events: events waiting for handlers.
    """

    connection: ConnectionStats
    pending_events: int


class ClientLife(ClientEvents):
    """State of a client: connected, ready, failed, closed."""

    _surveyed = frozenset({ClientEvent.CONVERSATION_ADDED, ClientEvent.CONVERSATION_JOINED, ClientEvent.USER_SUBSCRIBED})

    def __init__(
        self,
        token: str | Callable[[], str],
        *,
        region: str | None = None,
        endpoint: str | None = None,
        endpoints: Endpoints | None = None,
        session: requests.Session | None = None,
        auto_connect: bool = True,
        **options: Unpack[OptionFields],
    ) -> None:
        """Check the token and start connecting.

        Args:
            token: an access token, or a function that returns one; it is called at the start, before and after the expiry
                of the last one, and whenever a reconnect needs it.
            region: Twilio's region, ``us1`` by default.
            endpoint: a service that answers everything at one address, such as the local one; the environment variable
                ``TWILIO_CONVERSATIONS_ENDPOINT`` is read when no address is given.
            endpoints: each address by itself.
            session: carries media, and gives proxies, CA and client certificates for the websocket too.
            auto_connect: connect now; otherwise call `connect`, after handlers were registered.
            options: the fields of `Options`, such as ``default_timeout``.

        Raises:
            TokenError: the token cannot work; the text names its fault.
            ArgumentTypeError: the session is no `requests.Session`, or an option is of another type.
            InvalidArgumentError: an option does not exist or has a value that cannot be.
            UnsupportedOperationError: gevent or eventlet have patched the process too late for TLS.
        """
        self._made_with = patching.kind_of_threads()
        if session is not None:
            checks.instance(session_class(), session, "session")
        self._options = Options.of(Endpoints.choose(region, endpoint, endpoints), options)
        if self._options.endpoints.twilsock.startswith("wss:"):
            patching.check_tls()
        if callable(token):
            checks.function(token, "token")
        identity = "" if callable(token) else tokens.check(token).identity
        connection = Connection(self._options, TokenSource(token, self._options), ClientListener(self), session=session)
        dispatcher = Dispatcher(connection.name, self._options.max_pending_events)
        super().__init__(dispatcher, self._options.max_pending_events, Readiness(lambda: connection.trouble))
        self._services = Services.assembled(self._options, session, connection, self._readiness, dispatcher, self)
        self._connection = connection
        self._dispatcher = dispatcher
        self._directory = Directory(self._services)
        self._users = self._services.users = Users(self._services, identity)
        self._templates = Templates(self._services)
        self._registrations = Registrations(self._services)
        self._startup = Startup(self._services, self._users, self._directory, self._on_ready, self._on_given_up)
        self._state: State | None = None
        self._dead: ConversationsError | None = None  # why it can never be used again, unless it was closed
        self._connection_state = ConnectionState.UNKNOWN
        self._closing = threading.Lock()
        self._close_deadline: Deadline | None = None
        self._closed: Future[None] = Future()  # never done: what waits for it ends with the client
        dispatcher.root = self
        dispatcher.on_room = lambda: connection.post(self._services.sync.release_all)
        dispatcher.on_death = self._on_death
        if auto_connect:
            try:
                self.connect()
            except BaseException:  # nobody has this client, so nobody else can close it
                self.close()
                raise

    # -- life ---------------------------------------------------------------------------------------------------------

    def connect(self) -> Self:
        """Start connecting, if the client was created with ``auto_connect=False``. Returns this client.

        May be called again after it raised.

        Raises:
            NoThreadError, NoDescriptorError: the system has none available.
        """
        with self._closing, descriptor_errors():
            self._check_open()
            if not self._readiness.started:
                self._start()
        return self

    def _start(self) -> None:
        """Start the threads: both, or none."""
        self._readiness.started = True
        try:
            self._dispatcher.start()
            self._connection.start()
        except BaseException:
            self._readiness.started = False
            self._dispatcher.undo_start()
            raise
        self._dispatcher.release()

    def wait_until_ready(self, timeout: float | None = None) -> Self:
        """Wait until the client is ready, and return the client. `timeout` is in seconds.

        Raises:
            InitializationError: the client was rejected, or its token has expired; `.info` has the reason.
            RequestTimeoutError: it is still trying.
        """
        self._await_ready(self._services.deadline(timeout), "wait_until_ready()")
        return self

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the client is closed, without a limit by default. Return whether it was closed.

        Ctrl-C interrupts the wait. It raises at once when the client cannot continue: a program that only waits then ends
        with the cause. `update_token` may make a rejected client ready again; then call `wait` again.

        Raises:
            InitializationError: the client was rejected, or its token has expired without renewal; `.info` has the reason.
            TransportUnavailableError: the client has failed without being closed; `__cause__` is the reason.
        """
        refuse_to_wait("wait()")
        patching.check_kind(self._made_with)
        try:
            self._readiness.wait(self._closed, Deadline(timeout), "wait()")
        except RequestTimeoutError:
            return False
        except ClientClosedError:
            if self._dead is not None:
                raise
        return True

    def update_token(self, token: str, *, timeout: float | None = None) -> Self:
        """Replace the token; return when the service has accepted it. Does not wait for readiness.

        Raises:
            TokenError: the token is invalid, or for another identity; nothing was sent, the connection is unchanged.
            ReplyError: the service rejected it. The previous token stays in use, if it is still valid; the client
                reconnects.
        """
        refuse_to_wait("update_token()")
        claims = tokens.check(token)
        if (holder := self._connection.holder) is not None:
            tokens.check_successor(claims, holder)
        self._check_open()
        self._readiness.check_started()
        if token == self._connection.latest_token and self._connection.state is not ConnectionState.DENIED:
            return self
        deadline = self._services.deadline(timeout)
        connection = self._connection
        connection.wait(connection.update_token(token, deadline), deadline, "update_token()")
        connection.wait(connection.call(self._on_token_updated), deadline, "update_token()")
        return self

    def _on_token_updated(self) -> None:
        """A start that failed for want of rights is tried again, and what could not be followed too."""
        self._begin_again()
        self._startup.begin()
        self._services.sync.token_updated()

    def close(self) -> None:
        """Close the client: disconnect, fail pending calls with `ClientClosedError`, and end its threads.

        Returns within 2 seconds whatever the network and the service do; a running handler is not interrupted.
        May be called repeatedly; on the client's own threads it does not wait.
        """
        with self._closing:
            first = self._close_deadline is None
            if first:
                self._close_deadline = Deadline(CLOSE_LIMIT)
        deadline = self._close_deadline
        assert deadline is not None
        if first:
            self._connection.begin_close(CLOSE_LIMIT)
            self._services.media.close(self._dead)
        try:
            if current_role() is None:
                self._connection.join(deadline.remaining() or 0.0)
        finally:  # Ctrl-C may come here too
            if first:
                self._end()
        if current_role() is None:
            if self._readiness.started:
                self._dispatcher.join(deadline)
            logs.flush(deadline.remaining() or 0.0)

    def shutdown(self) -> None:
        """Close the client: the official name of `close`."""
        self.close()

    def _end(self) -> None:
        """The connection is over: last words, and whoever waits is woken."""
        error = self._dead or ClientClosedError("the client was closed")
        self._wake(error)
        if self._readiness.started and self._connection_state is not ConnectionState.DISCONNECTED:
            self._tell(ClientEvent.CONNECTION_STATE_CHANGED, ConnectionState.DISCONNECTED)
        self._connection_state = ConnectionState.DISCONNECTED
        self._dispatcher.close()

    def _wake(self, error: ConversationsError) -> None:
        """Nothing comes any more: whoever waits for it hears why."""
        self._readiness.end(error, final=True)
        self._directory.fail(error)
        self._end_streams(list(self._streams), error)

    def _end_streams(self, streams: Iterable[EventStream[Any]], cause: ConversationsError) -> None:
        for stream in streams:
            stream.end(cause)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    # -- what is known ------------------------------------------------------------------------------------------------

    @property
    def connection_state(self) -> ConnectionState:
        """State of the connection."""
        return self._connection_state

    @property
    def state(self) -> State | None:
        """Result of the start; `None` until it has ended."""
        return self._state

    @property
    def is_ready(self) -> bool:
        """Whether the client is ready: the start has succeeded, and it was not rejected, has not failed and is not closed."""
        return self._readiness.is_ready and self._close_deadline is None

    @property
    def identity(self) -> str:
        """Identity of the client, from the service or else from the token; empty until there is a token."""
        return self._users.myself.identity

    def stats(self) -> ClientStats:
        """Return statistics of the client."""
        return ClientStats(self._connection.stats(), self._dispatcher.depth)

    # -- readiness ----------------------------------------------------------------------------------------------------

    def _await_ready(self, deadline: Deadline, what: str) -> Deadline:
        self._check_open()
        return self._readiness.await_ready(deadline, what)

    def _check_open(self) -> None:
        patching.check_kind(self._made_with)
        if self._dead is not None:
            raise self._dead.again()
        if self._close_deadline is not None or self._connection.over is not None:
            raise ClientClosedError("the client was closed")

    def _begin_again(self) -> None:
        """What ended for want of a good token is wanted again, as another one may succeed."""
        self._readiness.begin_again()
        if self._state is State.FAILED:
            self._state = None

    # -- the io thread tells ------------------------------------------------------------------------------------------

    def _tell(self, event: ClientEvent, payload: Any = None) -> None:
        self._dispatcher.post(((self, event),), payload)

    def _survey(self, event: EventName, take: Callable[[Iterable[Any]], None]) -> None:
        there: dict[EventName, Callable[[], Iterable[Any]]] = {
            ClientEvent.CONVERSATION_ADDED: lambda: self._directory.announced(Following.KNOWN),
            ClientEvent.CONVERSATION_JOINED: lambda: self._directory.announced(Following.JOINED),
            ClientEvent.USER_SUBSCRIBED: self._users.subscribed,
        }
        self._connection.post(lambda: take(there[event]()))

    def _on_token(self, token: str) -> None:
        """A token came: until the service says who the client is, the token does."""
        if self._services.known_configuration is None:
            try:
                self._users.myself.identity = tokens.read(token).identity
            except TokenError:
                pass

    def _on_ready(self) -> None:
        self._state = State.INITIALIZED
        self._readiness.ready()
        self._tell(ClientEvent.STATE_CHANGED, State.INITIALIZED)
        self._tell(ClientEvent.INITIALIZED)

    def _on_given_up(self, info: ConnectionErrorInfo) -> None:
        """Nothing more is tried until another token comes: whoever waits is woken; a stream has its events of before first."""
        error = InitializationError(info)
        if self._state is None:
            self._state = State.FAILED
            self._tell(ClientEvent.STATE_CHANGED, State.FAILED)
            self._tell(ClientEvent.INIT_FAILED, InitFailedEventArgs(info))
        self._readiness.end(error)
        streams = list(self._streams)
        self._dispatcher.call(self._end_streams, streams, error)

    def _on_death(self, cause: BaseException) -> None:
        """A thread of ours ended though nobody closed the client: nothing may wait for it any more."""
        if self._dead is not None:
            return
        error = cause if isinstance(cause, TransportUnavailableError | InitializationError) else _failed_by(cause)
        self._dead = error
        self._tell_state(ConnectionState.ERROR)
        self._tell(ClientEvent.ERROR, HandlerError(error))
        self._wake(error)
        self._services.media.close(error)
        self._connection.begin_close(why=error)

    def _forget_in_child(self, why: ConversationsError) -> None:
        """This is a forked child: whatever is asked of this client fails at once. Locks may be held by nobody for ever."""
        self._dead = why
        self._readiness.forget_in_child(why)
        self._services.lock = threading.Lock()
        self._closing = threading.Lock()
        self._close_deadline = Deadline(0.0)
        self._connection_state = ConnectionState.DISCONNECTED
        self._dispatcher.forget_in_child()
        for stream in list(self._streams):
            stream.forget_in_child(why)

    def _tell_state(self, state: ConnectionState) -> None:
        if state is not self._connection_state:
            self._connection_state = state
            self._tell(ClientEvent.CONNECTION_STATE_CHANGED, state)

    def __repr__(self) -> str:
        if not hasattr(self, "_connection_state"):  # the constructor raised, and somebody looks at its variables
            return "<Client, never made>"
        return f"<Client {checks.shown(self.identity)} {self._connection_state.value}>"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise NotPicklableError("a Client is alive and cannot be pickled")


def _failed_by(cause: BaseException) -> TransportUnavailableError:
    error = TransportUnavailableError(f"the client has failed: {shown(cause)}")
    error.__cause__ = cause
    return error
