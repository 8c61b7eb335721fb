"""The facade: the only module that puts the others together."""

from __future__ import annotations

import collections
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, ClassVar, NoReturn, Self

import attrs
import requests

from twilio_conversations import checks, tokens, urls
from twilio_conversations._version import __version__
from twilio_conversations.client_events import ClientEvents
from twilio_conversations.content import ContentTemplate
from twilio_conversations.conversation import Conversation
from twilio_conversations.directory import Directory
from twilio_conversations.dispatcher import Dispatcher
from twilio_conversations.enums import ConnectionState, NotificationsChannelType, State
from twilio_conversations.errors import (
    ClientClosedError,
    ConnectionErrorInfo,
    ConversationsError,
    InitializationError,
    InvalidArgumentError,
    NotReadyError,
    RequestTimeoutError,
    RestNotFoundError,
    TokenError,
    TransportUnavailableError,
)
from twilio_conversations.event_names import ClientEvent, HandlerError, InitFailedEventArgs
from twilio_conversations.futures import Deadline, Future, current_role, fail, failed, refuse_to_wait, settle
from twilio_conversations.json_values import dumps
from twilio_conversations.lru import Lru
from twilio_conversations.media import Media, media_sids_of, sids_of, temporary_urls
from twilio_conversations.options import Endpoints, Options
from twilio_conversations.paginator import Paginator
from twilio_conversations.push import PushNotification
from twilio_conversations.registrations import Registrations
from twilio_conversations.services import Services
from twilio_conversations.startup import Startup
from twilio_conversations.sync.client import SyncClient
from twilio_conversations.templates import Templates
from twilio_conversations.transport.connection import CLOSE_LIMIT, Connection, ConnectionStats
from twilio_conversations.transport.media_http import MediaHttp
from twilio_conversations.transport.rest import Rest
from twilio_conversations.transport.token_source import TokenSource
from twilio_conversations.transport.tunnel import Tunnel
from twilio_conversations.user import User
from twilio_conversations.users import Users

_log = logging.getLogger(__name__)
_TYPING = "twilio.ipmsg.typing_indicator"
_PAGE_SIZE = 50


@attrs.frozen
class ClientStats:
    """How a client is doing; a glance, not a measurement.

    Attributes:
        connection: reconnects, requests under way, age of the last byte, round trip.
        pending_events: events that wait for handlers.
    """

    connection: ConnectionStats
    pending_events: int


class Client(ClientEvents):
    """A connection to Twilio Conversations as one identity.

    The constructor returns at once; the client connects in the background and reconnects by itself until `close`. Every
    method waits until the client is ready, then for its own answer, at most `timeout` seconds together
    (`default_timeout` when `None`). Methods may be called from any thread, handlers included.

    Attributes:
        version: version of this package.
    """

    version: ClassVar[str] = __version__

    def __init__(
        self,
        token: str | Callable[[], str],
        *,
        region: str | None = None,
        endpoint: str | None = None,
        endpoints: Endpoints | None = None,
        session: requests.Session | None = None,
        auto_connect: bool = True,
        **options: Any,
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
            InvalidArgumentError: an option does not exist or has a value that cannot be.
        """
        self._options = _options(Endpoints.choose(region, endpoint, endpoints), options)
        self._claimed = "" if callable(token) else tokens.check(token).identity
        connection = Connection(self._options, TokenSource(token, self._options), _Listener(self), session=session)
        dispatcher = Dispatcher(connection.name, self._options.max_pending_events)
        super().__init__(dispatcher, self._options.max_pending_events)
        tunnel = Tunnel(connection, self._options)
        sync = SyncClient(
            tunnel.request, connection.timers, self._options.endpoints.sync, congested=lambda: dispatcher.full
        )
        self._services = Services(
            self._options,
            connection,
            tunnel,
            Rest(tunnel, self._options),
            MediaHttp(self._options, session, lambda: connection.token),
            sync,
            dispatcher,
            self,
            collections.deque(maxlen=self._options.max_cached_messages),
            Lru(self._options.channel_metadata_cache_capacity),
            Lru(self._options.message_recipients_cache_capacity),
        )
        self._connection = connection
        self._directory = Directory(self._services)
        self._users = self._services.users = Users(self._services)
        self._templates = Templates(self._services)
        self._registrations = Registrations(self._services)
        self._startup = Startup(self._services, self._users, self._directory, self._on_ready, self._on_start_failed)
        self._ready: Future[None] = Future()
        self._state: State | None = None
        self._dead: ConversationsError | None = None  # why it can never be used again, unless it was closed
        self._connection_state = ConnectionState.UNKNOWN
        self._closing = threading.Lock()
        self._close_deadline: Deadline | None = None
        dispatcher.root = self
        dispatcher.on_room = lambda: connection.post(sync.release_all)
        dispatcher.on_death = self._on_death
        self._started = False
        if auto_connect:
            self.connect()

    # -- life ---------------------------------------------------------------------------------------------------------

    def connect(self) -> Client:
        """Start connecting, if the client was made with ``auto_connect=False``. Returns this client."""
        try:
            with self._closing:
                self._check_open()
                if not self._started:
                    self._started = True
                    self._dispatcher.start()
                    self._connection.start()
        except (MemoryError, OSError, RuntimeError):  # no thread or no descriptor to be had
            self.close()
            raise
        return self

    def wait_until_ready(self, timeout: float | None = None) -> Client:
        """Wait until the client is ready, and return it. `timeout` is in seconds.

        Raises:
            InitializationError: the client was refused; `.info` says why.
            RequestTimeoutError: it is still trying.
        """
        self._await_ready(self._services.deadline(timeout), "wait_until_ready()")
        return self

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the client is closed; without a limit, as long as it takes. Says whether it was closed.

        Ctrl-C interrupts it.

        Raises:
            TransportUnavailableError: the client has failed though nobody closed it; `__cause__` says why.
        """
        refuse_to_wait("wait()")
        over = self._over.wait(timeout)
        if self._dead is not None:
            raise self._dead.again()
        return over

    def update_token(self, token: str, *, timeout: float | None = None) -> Client:
        """Use another token from now on; returns when the service has taken it. Does not wait for readiness.

        Raises:
            TokenError: the token cannot work, or is for another identity; nothing was sent, the connection is as before.
            ReplyError: the service refused it, and the connection with it: the next token, also the former one, connects again.
        """
        refuse_to_wait("update_token()")
        self._check_holder(tokens.check(token))
        self._check_open()
        if token == self._connection.latest_token and self._connection.state is not ConnectionState.DENIED:
            return self
        deadline = self._services.deadline(timeout)
        self._ready_again()
        self._services.wait(self._connection.update_token(token, deadline), deadline, "update_token()")
        self._connection.post(self._services.sync.token_updated)
        return self

    def _check_holder(self, claims: tokens.Claims) -> None:
        """What a client knows belongs to one identity."""
        known = self._services.known_configuration
        if known is not None and claims.identity != known.identity:
            text = f"the token is for {claims.identity!r}, and this client is {known.identity!r}: make another client"
            raise TokenError(text, code=20106)

    def close(self) -> None:
        """End the client: disconnect, fail what is pending with `ClientClosedError`, and end its threads.

        Returns within 2 seconds whatever the line and the service do; a handler that is running is not interrupted.
        Repeated calls are harmless, and on the client's own threads it waits for nothing.
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
        if current_role() is None and self._started:
            self._dispatcher.join(deadline)

    def shutdown(self) -> None:
        """The official name of `close`."""
        self.close()

    def _end(self) -> None:
        """The connection is over: last words, and whoever waits is woken."""
        error = self._dead or ClientClosedError("the client was closed")
        self._wake(error)
        if self._started and self._connection_state is not ConnectionState.DISCONNECTED:
            self._tell(ClientEvent.CONNECTION_STATE_CHANGED, ConnectionState.DISCONNECTED)
        self._connection_state = ConnectionState.DISCONNECTED
        self._dispatcher.close()
        self._over.set()

    def _wake(self, error: ConversationsError) -> None:
        """Nothing comes any more: whoever waits for it hears why."""
        fail(self._ready, error.again())
        self._directory.fail(error)
        for stream in list(self._streams):
            stream.end(self._dead)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    # -- what is known ------------------------------------------------------------------------------------------------

    @property
    def connection_state(self) -> ConnectionState:
        """What the connection is doing."""
        return self._connection_state

    @property
    def state(self) -> State | None:
        """How the start ended; `None` while it has not."""
        return self._state

    @property
    def is_ready(self) -> bool:
        """Whether calls need not wait for the start."""
        return self._state is State.INITIALIZED

    @property
    def identity(self) -> str:
        """Who this client is, by the service once it said so, else by the token; empty when a provider gave none yet."""
        known = self._services.known_configuration
        if known is not None:
            return known.identity
        token = self._connection.latest_token
        return tokens.read(token).identity if token is not None else self._claimed

    @property
    def user(self) -> User:
        """The own user; the same object for the whole life of the client."""
        return self._users.myself

    @property
    def reachability_enabled(self) -> bool:
        """Whether the service tells who is online; `NotReadyError` before the service has said so."""
        return self._services.configuration.reachability_enabled

    def stats(self) -> ClientStats:
        """How the client is doing."""
        return ClientStats(self._connection.stats(), self._dispatcher.depth)

    # -- conversations ------------------------------------------------------------------------------------------------

    def create_conversation(
        self,
        *,
        friendly_name: str | None = None,
        unique_name: str | None = None,
        attributes: Any = None,
        access: str | None = None,
        timeout: float | None = None,
    ) -> Conversation:
        """Create a conversation (``POST .../Conversations``). The creator is no participant until `Conversation.join`.

        Raises:
            ConflictError: the unique name is taken.
        """
        names = {"friendly_name": friendly_name, "unique_name": unique_name, "access": access}
        body = {name: checks.text(value, name) for name, value in names.items() if value is not None}
        body["attributes"] = dumps({} if attributes is None else attributes)
        deadline = self._await_ready(self._services.deadline(timeout), "create_conversation()")
        url = self._services.configuration.conversations_url
        answer = self._services.rest.post(url, body, timeout=deadline.remaining())
        return self._learn(answer, deadline, "create_conversation()")

    def get_conversation_by_sid(self, conversation_sid: str, *, timeout: float | None = None) -> Conversation:
        """The conversation with that sid: one of the own, else looked up as `peek_conversation_by_sid` does.

        Raises:
            NotFoundError: there is none, or it is not visible to this identity.
        """
        sid = checks.filled(conversation_sid, "conversation_sid")
        deadline = self._await_ready(self._services.deadline(timeout), "get_conversation_by_sid()")
        if self._directory.known(sid) is None:
            self._services.wait(self._directory.listed, deadline, "get_conversation_by_sid()")
        known = self._directory.known(sid)
        if known is not None:
            return self._services.wait(known.ready, deadline, "get_conversation_by_sid()")
        try:
            return self._look_up(sid, deadline, "get_conversation_by_sid()")
        except RestNotFoundError:
            return self._peek(sid, deadline, "get_conversation_by_sid()")

    def peek_conversation_by_sid(self, conversation_sid: str, *, timeout: float | None = None) -> Conversation:
        """Look a conversation up that this identity need not be in (``GET .../Conversations/{sid}``).

        Raises:
            NotFoundError: there is none.
            ForbiddenError: this identity may not look at it.
        """
        sid = checks.filled(conversation_sid, "conversation_sid")
        deadline = self._await_ready(self._services.deadline(timeout), "peek_conversation_by_sid()")
        return self._peek(sid, deadline, "peek_conversation_by_sid()")

    def get_conversation_by_unique_name(self, unique_name: str, *, timeout: float | None = None) -> Conversation:
        """The own conversation with that unique name (``GET .../Users/{...}/Conversations/{unique name}``).

        Raises:
            NotFoundError: there is none.
        """
        name = checks.filled(unique_name, "unique_name")
        deadline = self._await_ready(self._services.deadline(timeout), "get_conversation_by_unique_name()")
        return self._look_up(name, deadline, "get_conversation_by_unique_name()")

    def get_subscribed_conversations(
        self, *, page_size: int = _PAGE_SIZE, timeout: float | None = None
    ) -> Paginator[Conversation]:
        """The conversations this identity participates in, by sid; waits until the list is complete.

        Every conversation of the list is followed, so that turning the pages needs no request.
        """
        size = checks.positive(page_size, "page_size")
        deadline = self._await_ready(self._services.deadline(timeout), "get_subscribed_conversations()")
        self._services.wait(self._directory.listed, deadline, "get_subscribed_conversations()")
        return _list_page(self._services.run_now(self._directory.joined, deadline, "the list"), 0, size)

    def iter_conversations(self, *, timeout: float | None = None) -> Iterator[Conversation]:
        """The conversations this identity participates in, one after another."""
        return self.get_subscribed_conversations(timeout=timeout).iter_all()

    def _look_up(self, key: str, deadline: Deadline, what: str) -> Conversation:
        """One of the own conversations, by sid or unique name; it may be so new that Sync has not told of it."""
        url = urls.join(self._services.configuration.my_conversations_url, key)
        return self._learn(self._services.rest.get(url, timeout=deadline.remaining()), deadline, what)

    def _peek(self, sid: str, deadline: Deadline, what: str) -> Conversation:
        url = urls.join(self._services.configuration.conversations_url, sid)
        return self._learn(self._services.rest.get(url, timeout=deadline.remaining()), deadline, what)

    def _learn(self, answer: Any, deadline: Deadline, what: str) -> Conversation:
        """The live conversation of a REST answer, once it is followed."""
        return self._services.run(lambda: self._directory.learn(answer).ready, deadline, what)

    # -- media --------------------------------------------------------------------------------------------------------

    def get_temporary_content_urls_for_media_sids(
        self, media_sids: Sequence[str], *, timeout: float | None = None
    ) -> dict[str, str | None]:
        """Temporary links of media, by sid, in one request (``POST {media set}``); good for some minutes, not to be kept.

        Raises:
            MediaError: one of them cannot be had; `.media_sid` says which.
        """
        sids = sids_of(media_sids)
        deadline = self._await_ready(self._services.deadline(timeout), "get_temporary_content_urls_for_media_sids()")
        return temporary_urls(self._services, sids, deadline)

    def get_temporary_content_urls_for_media(
        self, content_set: Sequence[Media], *, timeout: float | None = None
    ) -> dict[str, str | None]:
        """Temporary links of these media, by sid; as `get_temporary_content_urls_for_media_sids`."""
        return self.get_temporary_content_urls_for_media_sids(media_sids_of(content_set), timeout=timeout)

    # -- users --------------------------------------------------------------------------------------------------------

    def get_user(self, identity: str, *, timeout: float | None = None) -> User:
        """The user with that identity, followed from now on (``GET .../Users/{identity}``, then its Sync map).

        As many users are followed at once as the service, or the option ``user_infos_to_subscribe``, says; one more
        unsubscribes the one that came first.

        Raises:
            NotFoundError: there is none.
        """
        name = checks.filled(identity, "identity")
        deadline = self._await_ready(self._services.deadline(timeout), "get_user()")
        return self._services.run(lambda: self._users.get(name), deadline, "get_user()")

    def get_subscribed_users(self, *, timeout: float | None = None) -> list[User]:
        """The users that are followed: the own one, then the others in the order they came."""
        deadline = self._await_ready(self._services.deadline(timeout), "get_subscribed_users()")
        return self._services.run_now(self._users.followed, deadline, "get_subscribed_users()")

    # -- content templates and push -----------------------------------------------------------------------------------

    def get_content_templates(self, *, timeout: float | None = None) -> tuple[ContentTemplate, ...]:
        """All content templates of the service (``GET /Client/v2/ContentTemplates``); remembered for 5 seconds."""
        deadline = self._await_ready(self._services.deadline(timeout), "get_content_templates()")
        return self._services.run(self._templates.get, deadline, "get_content_templates()")

    def set_push_registration_id(
        self, channel_type: NotificationsChannelType | str, registration_id: str, *, timeout: float | None = None
    ) -> None:
        """Have a device notified of messages and memberships (``POST /v1/registrations``), instead of one set before.

        Args:
            channel_type: ``"fcm"`` or ``"apn"``.
            registration_id: the device's token, as FCM or APNs gave it to the app.
            timeout: seconds.

        Raises:
            RegistrationError: another call for this channel is under way.
        """
        channel = checks.member(NotificationsChannelType, channel_type, "channel_type")
        device = checks.filled(registration_id, "registration_id")
        deadline = self._await_ready(self._services.deadline(timeout), "set_push_registration_id()")
        self._registrations.register(channel, device, deadline)

    def remove_push_registrations(
        self, channel_type: NotificationsChannelType | str, registration_id: str, *, timeout: float | None = None
    ) -> None:
        """End all registrations of a device, also those made by others (``DELETE /v1/registrations``).

        It needs a connection but does not wait until the client is ready.

        Raises:
            RegistrationError: another call for this channel is under way.
        """
        channel = checks.member(NotificationsChannelType, channel_type, "channel_type")
        device = checks.filled(registration_id, "registration_id")
        self._check_open()
        self._registrations.remove(channel, device, self._services.deadline(timeout))

    @staticmethod
    def parse_push_notification(payload: Mapping[str, Any]) -> PushNotification:
        """What a device was sent by APNs or FCM, as a value; needs no connection.

        Raises:
            PushPayloadError: it is no push notification of Conversations.
        """
        return PushNotification.parse(payload)

    def handle_push_notification(self, payload: Mapping[str, Any], *, timeout: float | None = None) -> None:
        """Read a payload as `parse_push_notification` does, and give it to the handlers of ``push_notification``."""
        notification = PushNotification.parse(payload)
        self._await_ready(self._services.deadline(timeout), "handle_push_notification()")
        self._tell(ClientEvent.PUSH_NOTIFICATION, notification)

    # -- readiness ----------------------------------------------------------------------------------------------------

    def _await_ready(self, deadline: Deadline, what: str) -> Deadline:
        self._check_open()
        if not self._started:
            raise NotReadyError("call connect() first: the client was made with auto_connect=False")
        refuse_to_wait(what)
        try:
            self._services.wait(self._ready, deadline, what)
        except RequestTimeoutError as error:
            error.sent = False
            raise
        return deadline

    def _check_open(self) -> None:
        if self._dead is not None:
            raise self._dead.again()
        if self._close_deadline is not None or self._connection.over is not None:
            raise ClientClosedError("the client was closed")

    def _ready_again(self) -> None:
        """A start that failed for good is wanted again, as another token may succeed."""
        if self._state is State.FAILED:
            self._state = None
            self._ready = Future()

    # -- the io thread tells ------------------------------------------------------------------------------------------

    def _tell(self, event: ClientEvent, payload: Any = None) -> None:
        self._dispatcher.post(((self, event),), payload)

    def _on_ready(self) -> None:
        if self._ready.done():
            self._ready = Future()
        self._state = State.INITIALIZED
        settle(self._ready, None)
        self._tell(ClientEvent.STATE_CHANGED, State.INITIALIZED)
        self._tell(ClientEvent.INITIALIZED)

    def _on_start_failed(self, info: ConnectionErrorInfo) -> None:
        if self._state is not None:
            return
        self._state = State.FAILED
        fail(self._ready, InitializationError(info))
        self._tell(ClientEvent.STATE_CHANGED, State.FAILED)
        self._tell(ClientEvent.INIT_FAILED, InitFailedEventArgs(info))

    def _on_death(self, cause: BaseException) -> None:
        """A thread of ours ended though nobody closed the client: nothing may wait for it any more."""
        if self._dead is not None:
            return
        error = cause if isinstance(cause, TransportUnavailableError) else _failed_by(cause)
        self._dead = error
        self._tell_state(ConnectionState.ERROR)
        self._tell(ClientEvent.ERROR, HandlerError(error))
        self._wake(error)
        self._over.set()
        self._services.media.close(error)
        self._connection.begin_close(why=error)

    def _forget_in_child(self, why: ConversationsError) -> None:
        """This is a forked child: whatever is asked of this client fails at once. Locks may be held by nobody for ever."""
        self._dead = why
        self._ready = failed(why)
        self._services.lock = threading.Lock()
        self._closing = threading.Lock()
        self._close_deadline = Deadline(0.0)
        self._over = threading.Event()
        self._over.set()
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
        return f"<Client {self.identity!r} {self._connection_state.value}>"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a Client is alive and cannot be pickled")


class _Listener:
    """What the connection tells, passed on to who cares; on the io thread."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def on_state(self, state: ConnectionState) -> None:
        """The connection does something else now."""
        if self._client._dead is None:
            self._client._tell_state(state)

    def on_connected(self, resumed: bool) -> None:
        """The service took the token."""
        del resumed
        client = self._client
        client._ready_again()
        client._services.sync.connected()
        client._services.connected()
        client._startup.begin()

    def on_disconnected(self) -> None:
        """The line is cut."""
        self._client._services.sync.disconnected()

    def on_notification(self, message_type: str, payload: Any) -> None:
        """Something happened to a Sync object, or somebody types."""
        client = self._client
        if message_type != _TYPING:
            client._services.sync.notification(message_type, payload)
        elif isinstance(payload, dict):
            client._directory.typing(payload.get("channel_sid"), payload.get("identity"), payload.get("typing_timeout"))

    def on_batch_end(self) -> None:
        """Nothing is kept for the end of a read."""

    def on_connection_error(self, info: ConnectionErrorInfo) -> None:
        """Connecting or authorising failed; for good, a start that has not ended fails with it."""
        self._client._tell(ClientEvent.CONNECTION_ERROR, info)
        if info.terminal:
            self._client._on_start_failed(info)

    def on_token_about_to_expire(self) -> None:
        """The service says so."""
        self._client._tell(ClientEvent.TOKEN_ABOUT_TO_EXPIRE)

    def on_token_expired(self) -> None:
        """The service says so."""
        self._client._tell(ClientEvent.TOKEN_EXPIRED)

    def on_forked(self, why: ConversationsError) -> None:
        """This process is not the one that the client was made in."""
        self._client._forget_in_child(why)

    def on_failed(self, cause: BaseException) -> None:
        """The connection is over for good."""
        self._client._on_death(cause)


def _failed_by(cause: BaseException) -> TransportUnavailableError:
    error = TransportUnavailableError(f"the client has failed: {cause!r}")
    error.__cause__ = cause
    return error


def _options(endpoints: Endpoints, given: dict[str, Any]) -> Options:
    known = {field.name for field in attrs.fields(Options)} - {"endpoints"}
    unknown = sorted(given.keys() - known)
    if unknown:
        raise InvalidArgumentError(f"unknown option {unknown[0]!r}; there are: {', '.join(sorted(known))}")
    return Options(endpoints=endpoints, **given)


def _list_page(conversations: list[Conversation], start: int, size: int) -> Paginator[Conversation]:
    """The page of a list that begins at `start`."""

    def turn(to: int) -> Callable[[float | None], Paginator[Conversation]]:
        return lambda _: _list_page(conversations, to, size)

    return Paginator(
        conversations[start : start + size],
        turn(start + size) if start + size < len(conversations) else None,
        turn(max(0, start - size)) if start > 0 else None,
    )
