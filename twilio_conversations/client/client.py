"""The facade: what a program asks of a client."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from twilio_conversations._version import __version__
from twilio_conversations.client.core import ClientLife
from twilio_conversations.enums import NotificationsChannelType
from twilio_conversations.errors import RestNotFoundError
from twilio_conversations.events.names import ClientEvent
from twilio_conversations.models.conversation import Conversation
from twilio_conversations.models.media import Media, media_sids_of
from twilio_conversations.models.media_links import sids_of, temporary_urls
from twilio_conversations.models.pages import Paginator
from twilio_conversations.models.user import User
from twilio_conversations.util import checks, urls
from twilio_conversations.util.futures import Deadline
from twilio_conversations.util.json import dumps
from twilio_conversations.values.content_templates import ContentTemplate
from twilio_conversations.values.push import PushNotification

_PAGE_SIZE = 50


class Client(ClientLife):
    """A connection to Twilio Conversations as one identity.

    The constructor returns at once; the client connects in the background and reconnects by itself until `close`. Every
    method waits until the client is ready, then for its own answer, at most `timeout` seconds together
    (`default_timeout` when `None`). Methods may be called from any thread, handlers included.

    Attributes:
        version: version of this package.
    """

    version: ClassVar[str] = __version__

    @property
    def user(self) -> User:
        """The current user; the same object for the lifetime of the client."""
        return self._users.myself

    @property
    def reachability_enabled(self) -> bool:
        """Whether reachability is enabled for the service; raises `NotReadyError` before the client is ready."""
        return self._services.configuration.reachability_enabled

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
        deadline = self._await_ready(self._services.deadline(timeout), "create_conversation()")
        url = self._services.configuration.conversations_url
        answer = self._services.rest.post(url, body, timeout=deadline.remaining())
        return self._learn(answer, deadline, "create_conversation()")

    def get_conversation_by_sid(self, conversation_sid: str, *, timeout: float | None = None) -> Conversation:
        """Return the conversation with that sid: one of the current user's, else as `peek_conversation_by_sid` does.

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
        """Return a conversation in which this identity need not participate (``GET .../Conversations/{sid}``).

        Raises:
            NotFoundError: there is none.
            ForbiddenError: this identity may not read it.
        """
        sid = checks.filled(conversation_sid, "conversation_sid")
        deadline = self._await_ready(self._services.deadline(timeout), "peek_conversation_by_sid()")
        return self._peek(sid, deadline, "peek_conversation_by_sid()")

    def get_conversation_by_unique_name(self, unique_name: str, *, timeout: float | None = None) -> Conversation:
        """Return the current user's conversation with that unique name (``GET .../Users/{...}/Conversations/{unique name}``).

        Raises:
            NotFoundError: there is none.
        """
        name = checks.filled(unique_name, "unique_name")
        deadline = self._await_ready(self._services.deadline(timeout), "get_conversation_by_unique_name()")
        return self._look_up(name, deadline, "get_conversation_by_unique_name()")

    def get_subscribed_conversations(
        self, *, page_size: int = _PAGE_SIZE, timeout: float | None = None
    ) -> Paginator[Conversation]:
        """Return a page of the conversations of this identity, ordered by sid; wait until the list is complete.

        The client is subscribed to all of them, so that further pages need no request.
        """
        size = checks.positive(page_size, "page_size")
        deadline = self._await_ready(self._services.deadline(timeout), "get_subscribed_conversations()")
        self._services.wait(self._directory.listed, deadline, "get_subscribed_conversations()")
        return _list_page(self._services.run_now(self._directory.joined, deadline, "the list"), 0, size)

    def iter_conversations(self, *, timeout: float | None = None) -> Iterator[Conversation]:
        """Return an iterator over the conversations of this identity."""
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
        """Return temporary links of media by sid, with one request (``POST {media set}``); they expire after some minutes.

        Raises:
            MediaError: one of them is not available; `.media_sid` is its sid.
        """
        sids = sids_of(media_sids)
        deadline = self._await_ready(self._services.deadline(timeout), "get_temporary_content_urls_for_media_sids()")
        return temporary_urls(self._services, sids, deadline)

    def get_temporary_content_urls_for_media(
        self, content_set: Sequence[Media], *, timeout: float | None = None
    ) -> dict[str, str | None]:
        """Return temporary links of these media by sid; see `get_temporary_content_urls_for_media_sids`."""
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
        deadline = self._await_ready(self._services.deadline(timeout), "get_user()")
        return self._services.run(lambda: self._users.get(name), deadline, "get_user()")

    def get_subscribed_users(self, *, timeout: float | None = None) -> list[User]:
        """Return the subscribed users: the current user, then the others in the order of their subscription."""
        deadline = self._await_ready(self._services.deadline(timeout), "get_subscribed_users()")
        return self._services.run_now(self._users.followed, deadline, "get_subscribed_users()")

    # -- content templates and push -----------------------------------------------------------------------------------

    def get_content_templates(self, *, timeout: float | None = None) -> tuple[ContentTemplate, ...]:
        """Return all content templates of the service (``GET /Client/v2/ContentTemplates``); cached for 5 seconds."""
        deadline = self._await_ready(self._services.deadline(timeout), "get_content_templates()")
        return self._services.run(self._templates.get, deadline, "get_content_templates()")

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
        deadline = self._await_ready(self._services.deadline(timeout), "set_push_registration_id()")
        self._registrations.register(channel, device, deadline)

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
        self._check_open()
        self._readiness.check_started()
        self._registrations.remove(channel, device, self._services.deadline(timeout))

    @staticmethod
    def parse_push_notification(payload: Mapping[str, Any]) -> PushNotification:
        """Parse the payload of a push notification from APNs or FCM; needs no connection.

        Raises:
            PushPayloadError: it is not a push notification of Conversations.
        """
        return PushNotification.parse(payload)

    def handle_push_notification(self, payload: Mapping[str, Any], *, timeout: float | None = None) -> None:
        """Parse a payload as `parse_push_notification` does, and raise the event ``push_notification`` with it."""
        notification = PushNotification.parse(payload)
        self._await_ready(self._services.deadline(timeout), "handle_push_notification()")
        self._tell(ClientEvent.PUSH_NOTIFICATION, notification)


def _list_page(conversations: list[Conversation], start: int, size: int) -> Paginator[Conversation]:
    """The page of a list that begins at `start`."""

    def turn(to: int) -> Callable[[float | None], Paginator[Conversation]]:
        return lambda _: _list_page(conversations, to, size)

    return Paginator(
        conversations[start : start + size],
        turn(start + size) if start + size < len(conversations) else None,
        turn(max(0, start - size)) if start > 0 else None,
    )
