"""The inside of a client: its construction, readiness, callbacks of the connection, and closing."""

from __future__ import annotations

import functools
import itertools
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import requests

from twilio_conversations import tokens
from twilio_conversations.client.lookup import Lookup
from twilio_conversations.client.startup import Startup
from twilio_conversations.enums import ConnectionState, State
from twilio_conversations.errors import (
    ConnectionErrorInfo,
    ConversationsError,
    InitializationError,
    TokenError,
    TransportUnavailableError,
)
from twilio_conversations.events.dispatcher import Dispatcher
from twilio_conversations.events.emitter import EventEmitter
from twilio_conversations.events.names import ClientEvent, EventName, HandlerError, InitFailedEventArgs
from twilio_conversations.events.stream import EventStream, Streams
from twilio_conversations.options import Options
from twilio_conversations.runtime import Runtime
from twilio_conversations.state.conversations import Conversations
from twilio_conversations.state.phases import Following
from twilio_conversations.state.users import Users
from twilio_conversations.transport.connection import Connection
from twilio_conversations.transport.lifetime import Lifetime
from twilio_conversations.transport.readiness import Readiness
from twilio_conversations.transport.token_source import TokenSource
from twilio_conversations.util import logs, patching
from twilio_conversations.util.futures import Deadline, SharedFuture, current_role
from twilio_conversations.util.naming import shown
from twilio_conversations.util.os_errors import descriptor_errors
from twilio_conversations.wire.message_types import TYPING

if TYPE_CHECKING:
    from twilio_conversations.client.registrations import Registrations
    from twilio_conversations.client.templates import Templates

P = TypeVar("P")
SURVEYED: Final = frozenset({ClientEvent.CONVERSATION_ADDED, ClientEvent.CONVERSATION_JOINED, ClientEvent.USER_SUBSCRIBED})
"""Events whose `replay` gives everything that is there."""


_living: Final[weakref.WeakValueDictionary[int, Core]] = weakref.WeakValueDictionary()
_numbers = itertools.count(1)


def living() -> list[Core]:
    """Return the insides of all clients of this process that exist, whoever made them, in the order they were made."""
    cores = [reference() for reference in _living.valuerefs()]
    return sorted((core for core in cores if core is not None), key=lambda core: core.number)


class Core:
    """Parts of a `Client`; the listener of its connection.

    Attributes:
        runtime: what the models are handed.
        number: of this client among those of the process.
        lifetime: whether the client is open, closed or failed, and why.
        readiness: where callers wait until the client is ready.
        state: how the start ended; `None` while it has not.
        lock: held while the threads are started, and while it is decided who ends them.
    """

    def __init__(
        self, client: EventEmitter, token: str | Callable[[], str], options: Options, session: requests.Session | None
    ) -> None:
        """Put everything together for `client`, on which events happen. Nothing is started."""
        self._made_with = patching.kind_of_threads()
        identity = "" if callable(token) else tokens.check(token).identity or ""
        self._client = client
        self.connection: Connection
        self.connection = connection = Connection(options, TokenSource(token, options), self, session=session)
        self.lifetime: Lifetime = connection.lifetime
        self.readiness: Readiness = Readiness(self.lifetime, lambda: connection.trouble)
        self.dispatcher: Dispatcher
        self.dispatcher = dispatcher = Dispatcher(connection.name, options.max_pending_events, options.handler_context)
        self.streams: Streams = Streams(options.max_pending_events, self._check_source, lambda: self.readiness.cause)
        self.runtime: Runtime = Runtime.assembled(options, session, connection, self.readiness, dispatcher, client)
        self.conversations: Conversations = Conversations(self.runtime)
        self.users: Users = Users(self.runtime, identity)
        self.runtime.users = self.users
        self.lookup: Lookup = Lookup(self.runtime, self.conversations)
        self._parts: dict[object, Any] = {}
        self._startup = Startup(self.runtime, self.users, self.conversations, self._on_ready, self._on_given_up)
        self.state: State | None = None
        self.lock: threading.Lock = threading.Lock()
        self._closing = False
        dispatcher.root = client
        dispatcher.on_room = lambda: connection.post(self.runtime.sync.release_all)
        dispatcher.on_death = self._on_death
        self.number: int = next(_numbers)
        _living[self.number] = self

    # -- made at first use --------------------------------------------------------------------------------------------

    @functools.cached_property
    def closed(self) -> SharedFuture[None]:
        """Never done: what waits for it ends with the client."""
        return SharedFuture()

    @property
    def templates(self) -> Templates:
        """The content templates of the service."""
        from twilio_conversations.client.templates import Templates

        return self._part(Templates)

    @property
    def registrations(self) -> Registrations:
        """The push registrations that this client made."""
        from twilio_conversations.client.registrations import Registrations

        return self._part(Registrations)

    def _part(self, kind: Callable[[Runtime], P]) -> P:
        """Return the one object of a kind, made of the runtime; of threads that ask at the same time all get the same."""
        if kind not in self._parts:
            self._parts.setdefault(kind, kind(self.runtime))
        part: P = self._parts[kind]
        return part

    # -- from any thread ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the threads, unless that was done."""
        with self.lock, descriptor_errors():
            self.check_open()
            if not self.readiness.started:
                self._start_threads()

    def _start_threads(self) -> None:
        """Both, or none."""
        self.readiness.started = True
        try:
            self.dispatcher.start()
            self.connection.start()
        except BaseException:
            self.readiness.started = False
            self.dispatcher.undo_start()
            raise
        self.dispatcher.release()

    def check_open(self) -> None:
        """Raise why the client cannot be used any more, if that is so."""
        self.check_threads()
        self.lifetime.check()

    def check_threads(self) -> None:
        """Raise an error when gevent or eventlet have patched the process since the client was made."""
        patching.check_kind(self._made_with)

    def _check_source(self) -> None:
        self.check_open()
        self.readiness.check()

    def await_ready(self, timeout: float | None, what: str) -> Deadline:
        """Wait until the client is ready, and return the deadline of the whole call."""
        deadline = self.runtime.deadline(timeout)
        self.check_open()
        return self.readiness.await_ready(deadline, what)

    def update_token(self, token: str, timeout: float | None) -> None:
        """Use another token, and wait until the service has taken it."""
        claims = tokens.check(token)
        connection = self.connection
        if (holder := connection.holder) is not None:
            tokens.check_successor(claims, holder)
        self.check_open()
        self.readiness.check_started()
        if token == connection.latest_token and connection.state is not ConnectionState.DENIED:
            return
        deadline = self.runtime.deadline(timeout)
        connection.wait(connection.update_token(token, deadline), deadline, "update_token()")
        connection.wait(connection.call(self._on_token_updated), deadline, "update_token()")

    def survey(self, event: EventName, take: Callable[[Iterable[Any]], None]) -> None:
        """Have `take` called, on the io thread, with all existing objects of one of the `SURVEYED` events."""
        there: dict[EventName, Callable[[], Iterable[Any]]] = {
            ClientEvent.CONVERSATION_ADDED: lambda: self.conversations.announced(Following.DOCUMENT),
            ClientEvent.CONVERSATION_JOINED: lambda: self.conversations.announced(Following.EVERYTHING),
            ClientEvent.USER_SUBSCRIBED: self.users.subscribed,
        }
        self.connection.post(lambda: take(there[event]()))

    def emit(self, event: ClientEvent, payload: Any = None) -> None:
        """Queue an event of the client."""
        self.dispatcher.post(((self._client, event),), payload)

    # -- the end ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Disconnect, fail what is pending and end the threads, within `CLOSE_LIMIT`."""
        with self.lock:
            is_first, self._closing = not self._closing, True
            self.connection.begin_close()
        deadline = self.lifetime.deadline
        assert deadline is not None
        if is_first:
            self.runtime.close_media(self.lifetime.cause)
        try:
            if current_role() is None:
                self.connection.join(deadline.remaining() or 0.0)
        finally:  # Ctrl-C may come here too
            if is_first:
                self._end()
        if current_role() is None:
            if self.readiness.started:
                self.dispatcher.join(deadline)
            logs.flush(deadline.remaining() or 0.0)

    def _end(self) -> None:
        """End the client after its connection: report the cause, and wake waiting calls."""
        self._wake()
        self.connection.set_disconnected()
        self.dispatcher.close()

    def _wake(self) -> None:
        """Wake all waiting calls with the cause, since nothing can arrive any more."""
        cause = self.lifetime.cause
        assert cause is not None
        self.readiness.end()
        self.streams.end(cause)

    def _on_death(self, cause: BaseException) -> None:
        """Fail the client, since its events thread ended without `close`."""
        error = cause if isinstance(cause, TransportUnavailableError | InitializationError) else _failed_by(cause)
        self.connection.fail(error)

    def on_failed(self, cause: ConversationsError) -> None:
        """Fail all waiting calls, since a thread of the client ended or the connection is given up for good."""
        self.emit(ClientEvent.ERROR, HandlerError(cause))
        self._wake()
        self.runtime.close_media(cause)

    def on_forked(self, why: ConversationsError) -> None:
        """Fail all calls in a forked child. Locks may be held forever by threads that do not exist here."""
        self.readiness.forget_in_child()
        self.runtime.lock = threading.Lock()
        self.lock = threading.Lock()
        self._closing = True
        self.dispatcher.forget_in_child()
        for stream in self.streams:
            stream.forget_in_child(why)

    # -- the start, on the io thread ----------------------------------------------------------------------------------

    def _on_ready(self) -> None:
        self.state = State.INITIALIZED
        self.readiness.ready()
        self.emit(ClientEvent.STATE_CHANGED, State.INITIALIZED)
        self.emit(ClientEvent.INITIALIZED)

    def _on_given_up(self, info: ConnectionErrorInfo) -> None:
        """Nothing more is tried until another token comes: whoever waits is woken; a stream has its events of before first."""
        error = InitializationError(info)
        if self.state is None:
            self.state = State.FAILED
            self.emit(ClientEvent.STATE_CHANGED, State.FAILED)
            self.emit(ClientEvent.INIT_FAILED, InitFailedEventArgs(info))
        self.readiness.refuse(error)
        self.dispatcher.call(_end_all, list(self.streams), error)

    def _on_token_updated(self) -> None:
        """Retry a start that failed because of permissions, and forbidden subscriptions."""
        self._begin_again()
        self._startup.begin()
        self.runtime.sync.token_updated()

    def _begin_again(self) -> None:
        """Accept calls again that ended because of the token, as another one may succeed."""
        self.readiness.begin_again()
        if self.state is State.FAILED:
            self.state = None

    # -- what the connection reports, on the io thread ----------------------------------------------------------------

    def on_state(self, state: ConnectionState, before: ConnectionState) -> None:
        """Report the new state of the connection."""
        if before is ConnectionState.DENIED and self.lifetime.cause is None:
            self._begin_again()
        if self.readiness.started:
            self.emit(ClientEvent.CONNECTION_STATE_CHANGED, state)

    def on_connected(self, resumed: bool) -> None:
        """Start, or resume, after the service has accepted the token."""
        del resumed
        self._begin_again()
        self.runtime.sync.connected()
        self.runtime.connected()
        self._startup.begin()

    def on_disconnected(self) -> None:
        """Note that the connection is lost."""
        self.runtime.sync.disconnected()

    def on_notification(self, message_type: str, payload: Any) -> None:
        """Process a notification: an event of a Sync object, or typing."""
        if message_type != TYPING:
            self.runtime.sync.notification(message_type, payload)
        elif isinstance(payload, dict):
            self.conversations.typing(payload.get("channel_sid"), payload.get("identity"), payload.get("typing_timeout"))

    def on_connection_error(self, info: ConnectionErrorInfo) -> None:
        """Connecting or authorising failed; where that is final, whoever waits receives it."""
        self.emit(ClientEvent.CONNECTION_ERROR, info)
        if info.terminal:
            self._on_given_up(info)

    def on_token(self, token: str) -> None:
        """Read the identity from a new token, if that can be read, until the service has sent it."""
        if self.runtime.known_configuration is None:
            try:
                self.users.myself.identity = tokens.read(token).identity or self.users.myself.identity
            except TokenError:
                pass

    def on_token_about_to_expire(self) -> None:
        """Raise ``token_about_to_expire``, announced by the service."""
        self.emit(ClientEvent.TOKEN_ABOUT_TO_EXPIRE)

    def on_token_expired(self) -> None:
        """Raise ``token_expired``, since the service rejected the token in use as expired."""
        self.emit(ClientEvent.TOKEN_EXPIRED)


def _end_all(streams: list[EventStream[Any]], cause: ConversationsError) -> None:
    for stream in streams:
        stream.end(cause)


def _failed_by(cause: BaseException) -> TransportUnavailableError:
    error = TransportUnavailableError(f"the client has failed: {shown(cause)}")
    error.__cause__ = cause
    return error
