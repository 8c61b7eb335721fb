"""The object that a program makes: every method of the API. What carries them out is in `core`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, Unpack

import attrs
import requests

from twilio_conversations._version import __version__
from twilio_conversations.client.core import SURVEYED, Core
from twilio_conversations.enums import ConnectionState, NotificationsChannelType, State
from twilio_conversations.errors import ClientClosedError, ConversationsError, NotPicklableError, RequestTimeoutError
from twilio_conversations.events.names import ClientEvent, EventName
from twilio_conversations.events.signals import Receivers
from twilio_conversations.events.typed import ClientEvents
from twilio_conversations.models.conversation import Conversation
from twilio_conversations.models.pages import Paginator, page_of
from twilio_conversations.models.user import User
from twilio_conversations.options import Endpoints, OptionFields, Options
from twilio_conversations.transport.connection import ConnectionStats
from twilio_conversations.transport.plain_requests import session_class
from twilio_conversations.util import checks, patching
from twilio_conversations.util.futures import Deadline, refuse_to_wait
from twilio_conversations.util.json import dumps

if TYPE_CHECKING:
    from twilio_conversations.models.media import Media
    from twilio_conversations.values.content_templates import ContentTemplate
    from twilio_conversations.values.push import PushNotification

_PAGE_SIZE = 50


@attrs.frozen
class ClientStats:
    """Statistics of a client; a snapshot.

    Attributes:
        connection: reconnects, pending requests, age of the last byte, round trip.
        pending_events: events waiting for handlers.
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

    _surveyed: ClassVar[frozenset[EventName]] = SURVEYED

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
        if session is not None:
            checks.instance(session_class(), session, "session")
        chosen = Options.of(Endpoints.choose(region, endpoint, endpoints), options)
        if chosen.endpoints.twilsock.startswith("wss:"):
            patching.check_tls()
        if callable(token):
            checks.function(token, "token")
        core = Core(self, token, chosen, session)
        super().__init__(Receivers(core.dispatcher), core.streams)
        self._core = core
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
        self._core.start()
        return self

    def wait_until_ready(self, timeout: float | None = None) -> Self:
        """Wait until the client is ready, and return the client. `timeout` is in seconds.

        Raises:
            InitializationError: the client was rejected, or its token has expired; `.info` has the reason.
            RequestTimeoutError: it is still trying.
        """
        self._core.await_ready(timeout, "wait_until_ready()")
        return self

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the client is closed, without a limit by default. Return whether it was closed.

        Ctrl-C interrupts the wait. It raises at once when the client cannot continue: a program that only waits then ends
        with the cause. `update_token` may make a rejected client ready again; then call `wait` again.

        Raises:
            InitializationError: the client was rejected, or its token has expired without renewal; `.info` has the reason.
            TransportUnavailableError: the client has failed without being closed; `__cause__` is the reason.
        """
        core = self._core
        refuse_to_wait("wait()")
        core.check_threads()
        try:
            core.readiness.wait(core.closed, Deadline(timeout), "wait()")
        except RequestTimeoutError:
            return False
        except ClientClosedError:
            if core.lifetime.forked:
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
        self._core.update_token(token, timeout)
        return self

    def close(self) -> None:
        """Close the client: disconnect, fail pending calls with `ClientClosedError`, and end its threads.

        Returns within 2 seconds whatever the network and the service do; a running handler is not interrupted.
        May be called repeatedly; on the client's own threads it does not wait.
        """
        self._core.close()

    def shutdown(self) -> None:
        """Close the client: the official name of `close`."""
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    # -- what is known ------------------------------------------------------------------------------------------------

    @property
    def connection_state(self) -> ConnectionState:
        """State of the connection."""
        return self._core.connection.state

    @property
    def state(self) -> State | None:
        """Result of the start; `None` until it has ended."""
        return self._core.state

    @property
    def is_ready(self) -> bool:
        """Whether the client is ready: the start has succeeded, and it was not rejected, has not failed and is not closed."""
        return self._core.readiness.is_ready

    @property
    def ended_by(self) -> ConversationsError | None:
        """Error that calls raise because the client was closed or rejected, has failed, or was left behind by a fork.

        `None` while the client works or is still trying. After a rejection `update_token` may make it usable again.
        """
        return self._core.readiness.cause

    @property
    def identity(self) -> str:
        """Identity of the client, from the service or else from the token; empty until there is a token."""
        return self.user.identity

    @property
    def user(self) -> User:
        """The current user; the same object for the lifetime of the client."""
        return self._core.users.myself

    @property
    def reachability_enabled(self) -> bool:
        """Whether reachability is enabled for the service; raises `NotReadyError` before the client is ready."""
        return self._core.runtime.configuration.reachability_enabled

    def stats(self) -> ClientStats:
        """Return statistics of the client."""
        return ClientStats(self._core.connection.stats(), self._core.dispatcher.depth)

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
        """Create a conversation (``POST .../Conversations``) and return it. The creator is not a participant until
        `Conversation.join`.

        Raises:
            ConflictError: the unique name is taken.
        """
        names = {"friendly_name": friendly_name, "unique_name": unique_name, "access": access}
        body = {name: checks.text(value, name) for name, value in names.items() if value is not None}
        body["attributes"] = dumps({} if attributes is None else attributes)
        deadline = self._core.await_ready(timeout, "create_conversation()")
        return self._core.lookup.create(body, deadline, "create_conversation()")

    def get_conversation_by_sid(self, conversation_sid: str, *, timeout: float | None = None) -> Conversation:
        """Return the conversation with that sid: one of the current user's, else as `peek_conversation_by_sid` does.

        Raises:
            NotFoundError: there is none.
            ForbiddenError: this identity may not read it.
        """
        sid = checks.filled(conversation_sid, "conversation_sid")
        deadline = self._core.await_ready(timeout, "get_conversation_by_sid()")
        return self._core.lookup.by_sid(sid, deadline, "get_conversation_by_sid()")

    def peek_conversation_by_sid(self, conversation_sid: str, *, timeout: float | None = None) -> Conversation:
        """Return a conversation in which this identity need not participate (``GET .../Conversations/{sid}``).

        Raises:
            NotFoundError: there is none.
            ForbiddenError: this identity may not read it.
        """
        sid = checks.filled(conversation_sid, "conversation_sid")
        deadline = self._core.await_ready(timeout, "peek_conversation_by_sid()")
        return self._core.lookup.any(sid, deadline, "peek_conversation_by_sid()")

    def peek_conversation_by_unique_name(self, unique_name: str, *, timeout: float | None = None) -> Conversation:
        """Return a conversation in which this identity need not participate (``GET .../Conversations/{unique name}``).

        Raises:
            NotFoundError: there is none.
            ForbiddenError: this identity may not read it.
        """
        name = checks.filled(unique_name, "unique_name")
        deadline = self._core.await_ready(timeout, "peek_conversation_by_unique_name()")
        return self._core.lookup.any(name, deadline, "peek_conversation_by_unique_name()")

    def get_conversation_by_unique_name(self, unique_name: str, *, timeout: float | None = None) -> Conversation:
        """Return the current user's conversation with that unique name (``GET .../Users/{...}/Conversations/{unique name}``).

        Raises:
            NotFoundError: there is none.
        """
        name = checks.filled(unique_name, "unique_name")
        deadline = self._core.await_ready(timeout, "get_conversation_by_unique_name()")
        return self._core.lookup.own(name, deadline, "get_conversation_by_unique_name()")

    def get_subscribed_conversations(
        self, *, page_size: int = _PAGE_SIZE, timeout: float | None = None
    ) -> Paginator[Conversation]:
        """Return a page of the conversations of this identity, ordered by sid; wait until the list is complete.

        The client is subscribed to all of them, so that further pages need no request.
        """
        size = checks.positive(page_size, "page_size")
        deadline = self._core.await_ready(timeout, "get_subscribed_conversations()")
        return page_of(self._core.lookup.joined(deadline, "get_subscribed_conversations()"), 0, size)

    def iter_conversations(self, *, timeout: float | None = None) -> Iterator[Conversation]:
        """Return an iterator over the conversations of this identity."""
        return self.get_subscribed_conversations(timeout=timeout).iter_all()

    # -- media --------------------------------------------------------------------------------------------------------

    def get_temporary_content_urls_for_media_sids(
        self, media_sids: Sequence[str], *, timeout: float | None = None
    ) -> dict[str, str | None]:
        """Return temporary links of media by sid, with one request (``POST {media set}``); they expire after some minutes.

        Raises:
            MediaError: one of them is not available; `.media_sid` is its sid.
        """
        from twilio_conversations.models.media_links import sids_of, temporary_urls

        sids = sids_of(media_sids)
        deadline = self._core.await_ready(timeout, "get_temporary_content_urls_for_media_sids()")
        return temporary_urls(self._core.runtime, sids, deadline)

    def get_temporary_content_urls_for_media(
        self, content_set: Sequence[Media], *, timeout: float | None = None
    ) -> dict[str, str | None]:
        """Return temporary links of these media by sid; see `get_temporary_content_urls_for_media_sids`."""
        from twilio_conversations.models.media import media_sids_of

        return self.get_temporary_content_urls_for_media_sids(media_sids_of(content_set), timeout=timeout)

    # -- users --------------------------------------------------------------------------------------------------------

    def get_user(self, identity: str, *, timeout: float | None = None) -> User:
        """Return the user with that identity and subscribe to it (``GET .../Users/{identity}``, then its Sync map).

        The service's configuration, or the option ``user_infos_to_subscribe``, limits the number of subscribed users; one more
        unsubscribes the oldest.

        Raises:
            NotFoundError: there is none.
        """
        name = checks.filled(identity, "identity")
        deadline = self._core.await_ready(timeout, "get_user()")
        return self._core.runtime.run(lambda: self._core.users.get(name), deadline, "get_user()")

    def get_subscribed_users(self, *, timeout: float | None = None) -> list[User]:
        """Return the subscribed users: the current user, then the others in the order of their subscription."""
        deadline = self._core.await_ready(timeout, "get_subscribed_users()")
        return self._core.runtime.run_now(self._core.users.followed, deadline, "get_subscribed_users()")

    # -- content templates and push -----------------------------------------------------------------------------------

    def get_content_templates(self, *, timeout: float | None = None) -> tuple[ContentTemplate, ...]:
        """Return all content templates of the service (``GET /Client/v2/ContentTemplates``); cached for 5 seconds."""
        deadline = self._core.await_ready(timeout, "get_content_templates()")
        return self._core.runtime.run(self._core.templates.get, deadline, "get_content_templates()")

    def set_push_registration_id(
        self, channel_type: NotificationsChannelType | str, registration_id: str, *, timeout: float | None = None
    ) -> None:
        """Register a device for push notifications (``POST /v1/registrations``), replacing the one registered before.

        Args:
            channel_type: ``"fcm"`` or ``"apn"``.
            registration_id: the device's token, issued by FCM or APNs to the app.
            timeout: seconds.

        Raises:
            RegistrationError: another call for this channel is under way.
        """
        channel = checks.member(NotificationsChannelType, channel_type, "channel_type")
        device = checks.filled(registration_id, "registration_id")
        deadline = self._core.await_ready(timeout, "set_push_registration_id()")
        self._core.registrations.register(channel, device, deadline)

    def remove_push_registrations(
        self, channel_type: NotificationsChannelType | str, registration_id: str, *, timeout: float | None = None
    ) -> None:
        """Remove all registrations of a device, including those of other users (``DELETE /v1/registrations``).

        Needs a connection but does not wait until the client is ready.

        Raises:
            RegistrationError: another call for this channel is under way.
        """
        channel = checks.member(NotificationsChannelType, channel_type, "channel_type")
        device = checks.filled(registration_id, "registration_id")
        self._core.check_open()
        self._core.readiness.check_started()
        self._core.registrations.remove(channel, device, self._core.runtime.deadline(timeout))

    @staticmethod
    def parse_push_notification(payload: Mapping[str, Any]) -> PushNotification:
        """Parse the payload of a push notification from APNs or FCM; needs no connection.

        Raises:
            PushPayloadError: it is not a push notification of Conversations.
        """
        from twilio_conversations.values.push import PushNotification

        return PushNotification.parse(payload)

    def handle_push_notification(self, payload: Mapping[str, Any], *, timeout: float | None = None) -> None:
        """Parse a payload as `parse_push_notification` does, and raise the event ``push_notification`` with it."""
        notification = self.parse_push_notification(payload)
        self._core.await_ready(timeout, "handle_push_notification()")
        self._core.emit(ClientEvent.PUSH_NOTIFICATION, notification)

    # -- as an object -------------------------------------------------------------------------------------------------

    def _survey(self, event: EventName, take: Callable[[Iterable[Any]], None]) -> None:
        self._core.survey(event, take)

    def __repr__(self) -> str:
        if not hasattr(self, "_core"):  # the constructor raised, and somebody looks at its variables
            return "<Client, never made>"
        return f"<Client {checks.shown(self.identity)} {self.connection_state.value}>"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise NotPicklableError("a Client is alive and cannot be pickled")
