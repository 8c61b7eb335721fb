"""A conversation: what can be done with it. What is known of it is in `conversation_facts`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

import attrs

from twilio_conversations.enums import (
    ConversationStatus,
    ConversationUpdateReason,
    Direction,
    NotificationLevel,
    ParticipantEmailLevel,
)
from twilio_conversations.events.model_events import ConversationEvents
from twilio_conversations.events.names import ConversationEvent, EventName
from twilio_conversations.models import message_queries
from twilio_conversations.models.conversation_facts import ConversationFacts
from twilio_conversations.models.pages import Paginator, RestPaginator
from twilio_conversations.util import checks, urls
from twilio_conversations.util.json import dumps, whole_number
from twilio_conversations.values.bindings import ParticipantBindingOptions, ParticipantEmailBinding
from twilio_conversations.values.recipients import RecipientDescriptor

if TYPE_CHECKING:
    from twilio_conversations.models.message import Message
    from twilio_conversations.models.participant import Participant
    from twilio_conversations.sending.attachment import Attachment
    from twilio_conversations.sending.builder import MessageBuilder
    from twilio_conversations.sending.draft import ContentVariables
    from twilio_conversations.values.progress import OnProgress


@attrs.define(eq=False, repr=False)
class Conversation(ConversationEvents, ConversationFacts):  # type: ignore[misc] # `on` is narrower
    """A conversation. Made by the client only; there is one object per sid.

    Properties give the latest state known and never block. Methods send a command, wait for its answer (`timeout` in
    seconds, the client's default when `None`) and return once its effect can be read here.

    Attributes:
        sid: ``CH...``.
    """

    _events: ClassVar[type[EventName]] = ConversationEvent
    _surveyed: ClassVar[frozenset[EventName]] = frozenset({ConversationEvent.PARTICIPANT_JOINED})

    def _survey(self, event: EventName, take: Callable[[Iterable[Any]], None]) -> None:
        del event
        live = self._live
        live.services.connection.post(lambda: live.keeper.survey_participants(self.sid, take))

    # -- messages -----------------------------------------------------------------------------------------------------

    def send_message(
        self,
        body: str | None = None,
        *,
        media: Attachment | Iterable[Attachment] = (),
        attributes: Any = None,
        subject: str | None = None,
        content_sid: str | None = None,
        content_variables: ContentVariables | None = None,
        idempotency_key: str | UUID | None = None,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
    ) -> Message:
        """Send a message (``POST .../Messages``) and return it.

        It is sent once: after a broken line or a busy service the same mutation id goes again until the deadline. Use an
        `idempotency_key` of your own to make a repeat from another process the same send.

        Args:
            body: the text.
            media: what to attach, one or several: a `pathlib.Path`, bytes, an open binary file, ``(filename, content)``,
                ``(filename, content, content type)``, or `SendMediaOptions`. They are uploaded first, streamed.
            attributes: custom data, any JSON value.
            subject: of an e-mail.
            content_sid: content template (``HX...``) to make the message from; the service then ignores text and media.
            content_variables: values of its variables by name.
            idempotency_key: the mutation id: a UUID, or 1 to 64 printable ASCII characters.
            on_progress: told of the upload, piece by piece, on this thread.
            timeout: seconds for everything together; large media need more than the default.

        Raises:
            InvalidArgumentError: an argument is not acceptable, or more than `limits` allow; nothing was sent.
            MediaError: a medium was refused; the message was not sent.
            ForbiddenError: the own identity is no participant, or its role may not send.
            RequestTimeoutError: no answer came in time; `.sent` says whether it may have arrived.
        """
        return self._live.messages.send(
            body,
            media,
            attributes=attributes,
            subject=subject,
            content_sid=content_sid,
            content_variables=content_variables,
            mutation_id=checks.key(idempotency_key, "idempotency_key"),
            on_progress=on_progress,
            timeout=timeout,
        )

    def prepare_message(self) -> MessageBuilder:
        """Begin a message of several parts: text, media, e-mail bodies, a content template."""
        return self._live.messages.prepare()

    def get_messages(
        self,
        page_size: int = 30,
        anchor: int | None = None,
        direction: Direction | str = Direction.BACKWARDS,
        *,
        timeout: float | None = None,
    ) -> Paginator[Message]:
        """One page of messages, ascending by index, straight from the service.

        Args:
            page_size: how many at most.
            anchor: index to start at, inclusive; by default the newest (backwards) or the oldest (forward).
            direction: ``"backwards"`` or ``"forward"`` from the anchor.
            timeout: seconds.

        `next_page` is towards newer messages, `prev_page` towards older ones, whatever the direction.
        """
        return self._live.messages.get_page(
            checks.positive(page_size, "page_size"),
            None if anchor is None else checks.index(anchor, "anchor"),
            checks.member(Direction, direction, "direction"),
            timeout,
        )

    def iter_messages(
        self, *, newest_first: bool = True, after: int | None = None, limit: int | None = None
    ) -> Iterator[Message]:
        """Return an iterator over the messages: the newest first, by falling index, down to the first message.

        With ``newest_first=False``, or `after`, the order is that of time: the oldest first, by rising index. One page is held
        at a time and the next is read when it is needed, so that stopping early costs nothing. Messages that come meanwhile are
        included only where the order is that of time.

        Args:
            newest_first: the order, if `after` is not given.
            after: start behind the message with this index, and go on to the newest.
            limit: stop after this many.

        Raises:
            InvalidArgumentError: `after` or `limit` is no whole number of 0 or more.
        """
        start = None if after is None else checks.index(after, "after")
        most = None if limit is None else checks.index(limit, "limit")
        return self._live.messages.walk(newest_first=bool(newest_first) and start is None, after=start, limit=most)

    def get_messages_count(self, *, timeout: float | None = None) -> int:
        """How many messages there are (``GET .../Conversations/{sid}``); eventually right."""
        return _count(self._live.services.rest.get(self._url, timeout=timeout), "messages_count")

    def get_unread_messages_count(self, *, timeout: float | None = None) -> int | None:
        """How many messages are beyond the own read horizon; `None` when that was never set.

        Raises:
            NotFoundError: the own identity is no participant.
        """
        return self._live.horizon.unread_count(timeout)

    def get_message_recipients(
        self, *, page_size: int | None = None, timeout: float | None = None
    ) -> RestPaginator[RecipientDescriptor]:
        """Who its messages were addressed to, a page at a time (``GET .../MessageRecipients``).

        Args:
            page_size: messages, not recipients, per page; the service's choice when `None`.
            timeout: seconds.
        """
        size = None if page_size is None else checks.positive(page_size, "page_size")
        return message_queries.all_recipients(self._live.services, self._url, size, timeout)

    def advance_last_read_message_index(self, index: int, *, timeout: float | None = None) -> int | None:
        """Move the read horizon forward, never back; return the unread count.

        The service is asked first how far another device has read (``GET .../Users/{...}/Conversations/{sid}``). Nothing is
        posted for an index at or below that, or below what is known here.

        Raises:
            NotFoundError: the own identity is no participant.
        """
        return self._live.horizon.advance(checks.index(index, "index"), timeout)

    def update_last_read_message_index(self, index: int | None, *, timeout: float | None = None) -> int | None:
        """Set the read horizon, also back; `None` means that nothing was read. Returns the unread count."""
        return self._live.horizon.update(None if index is None else checks.index(index, "index"), timeout)

    def set_all_messages_read(self, *, timeout: float | None = None) -> int | None:
        """Move the read horizon to the newest message, as `advance_last_read_message_index` does; return the unread count.

        Without any message nothing is sent.

        Raises:
            NotFoundError: the own identity is no participant.
        """
        return self._live.horizon.all_read(timeout)

    def set_all_messages_unread(self, *, timeout: float | None = None) -> int | None:
        """Forget the read horizon; returns the unread count."""
        return self._live.horizon.update(None, timeout)

    def typing(self, *, timeout: float | None = None) -> None:
        """Tell the others that the own identity is typing; repeated calls within some seconds send nothing."""
        self._live.typing.send(timeout)

    def typing_indicator(self) -> AbstractContextManager[None]:
        """Show the others that the own identity is typing for as long as a ``with`` block lasts::

            with conversation.typing_indicator():
                answer = think()

        The notices are sent in the background; what goes wrong with them is logged and does not disturb the block.
        """
        return self._live.typing.lasting()

    # -- participants -------------------------------------------------------------------------------------------------

    def join(self, *, timeout: float | None = None) -> Conversation:
        """Become a participant (``POST .../Participants``); returns once messages and roster are followed.

        Raises:
            ConflictError: already a participant.
        """
        live, services = self._live, self._live.services
        deadline = services.deadline(timeout)
        body, url = {"identity": services.configuration.identity}, urls.join(live.url, "Participants")
        joined = {"status": ConversationStatus.JOINED}
        live.write(self, joined, lambda: services.rest.post(url, body, timeout=deadline.remaining()))
        services.run(lambda: live.keeper.follow(self.sid), deadline, "join()")
        return self

    def leave(self, *, timeout: float | None = None) -> Conversation:
        """Stop being a participant (``DELETE .../Participants/{identity}``); nothing is sent unless joined."""
        if self.status is ConversationStatus.JOINED:
            live, services = self._live, self._live.services
            deadline = services.deadline(timeout)
            url = live.participants.url_of(services.configuration.identity, deadline)
            left = {"status": ConversationStatus.NOT_PARTICIPATING}
            live.write(self, left, lambda: services.rest.delete(url, timeout=deadline.remaining()))
        return self

    def add(self, identity: str, attributes: Any = None, *, timeout: float | None = None) -> Participant:
        """Add a chat participant (``POST .../Participants``) and return it.

        Raises:
            ConflictError: already a participant.
        """
        return self._live.participants.add(
            {
                "identity": checks.filled(identity, "identity"),
                "attributes": dumps({} if attributes is None else attributes),
            },
            timeout,
        )

    def add_non_chat_participant(
        self,
        proxy_address: str,
        address: str,
        attributes: Any = None,
        binding_options: ParticipantBindingOptions | None = None,
        *,
        timeout: float | None = None,
    ) -> Participant:
        """Add somebody on another channel (``POST .../Participants``) and return the participant.

        Args:
            proxy_address: the service's own number or address that they write with, such as ``whatsapp:+15550100``.
            address: their number or address.
            attributes: custom data.
            binding_options: for e-mail, display name and level.
            timeout: seconds.

        Raises:
            ConflictError: somebody writes between these addresses already.
        """
        binding = {
            "address": checks.filled(address, "address"),
            "proxy_address": checks.filled(proxy_address, "proxy_address"),
            **_binding_fields(binding_options),
        }
        body = {"attributes": dumps({} if attributes is None else attributes), "messaging_binding": binding}
        return self._live.participants.add(body, timeout)

    def remove_participant(self, participant: str | Participant, *, timeout: float | None = None) -> None:
        """Remove a participant, given as object, sid or identity (``DELETE .../Participants/{...}``).

        Raises:
            RestNotFoundError: there is no such participant.
        """
        key = participant if isinstance(participant, str) else getattr(participant, "sid", participant)
        self._live.participants.remove(checks.filled(key, "participant"), timeout)

    def get_participants(self, *, timeout: float | None = None) -> list[Participant]:
        """All participants."""
        return self._live.participants.get_all(timeout)

    def get_participant_by_sid(self, participant_sid: str, *, timeout: float | None = None) -> Participant:
        """The participant with that sid; `NotFoundError` when there is none."""
        return self._live.participants.get_by_sid(checks.filled(participant_sid, "participant_sid"), timeout)

    def get_participant_by_identity(self, identity: str, *, timeout: float | None = None) -> Participant:
        """The chat participant with that identity; `NotFoundError` when there is none."""
        return self._live.participants.get_by_identity(checks.filled(identity, "identity"), timeout)

    def iter_participants(self, *, timeout: float | None = None) -> Iterator[Participant]:
        """The participants one after another; all of them are known once the roster is loaded, so that it costs no requests."""
        return iter(self.get_participants(timeout=timeout))

    def get_participants_count(self, *, timeout: float | None = None) -> int:
        """How many participants there are (``GET .../Conversations/{sid}``); eventually right."""
        return _count(self._live.services.rest.get(self._url, timeout=timeout), "participants_count")

    # -- the conversation itself --------------------------------------------------------------------------------------

    def update_friendly_name(self, friendly_name: str, *, timeout: float | None = None) -> Conversation:
        """Change the display name (``POST .../Conversations/{sid}``). Returns this conversation, changed."""
        name = checks.text(friendly_name, "friendly_name")
        self._live.post(self, self._url, {"friendly_name": name}, {"friendly_name": name or None}, timeout)
        return self

    def update_unique_name(self, unique_name: str | None, *, timeout: float | None = None) -> Conversation:
        """Change the unique name, or remove it with `None` (``POST .../Conversations/{sid}``).

        Raises:
            ConflictError: another conversation has that name.
        """
        name = "" if unique_name is None else checks.text(unique_name, "unique_name")
        self._live.post(self, self._url, {"unique_name": name}, {"unique_name": name or None}, timeout)
        return self

    def get_attributes(self) -> Any:
        """The custom data; same as `attributes`, since a conversation is loaded before anybody sees it."""
        return self.attributes

    def set_user_notification_level(self, notification_level: NotificationLevel | str, *, timeout: float | None = None) -> None:
        """Choose whether this conversation pushes to the own identity (``POST .../Users/{...}/Conversations/{sid}``)."""
        level = checks.member(NotificationLevel, notification_level, "notification_level")
        self._live.post(self, self._live.my_url, {"notification_level": level.value}, {"notification_level": level}, timeout)

    def delete(self, *, timeout: float | None = None) -> Conversation:
        """Delete the conversation for everybody (``DELETE .../Conversations/{sid}``); ``removed`` follows."""
        services, gone = self._live.services, {"status": ConversationStatus.NOT_PARTICIPATING}
        self._live.write(self, gone, lambda: services.rest.delete(self._url, timeout=timeout))
        return self


def _binding_fields(options: ParticipantBindingOptions | None) -> dict[str, str]:
    """What of the options the service is told: for e-mail, name and level."""
    if options is None or checks.instance(ParticipantBindingOptions, options, "binding_options").email is None:
        return {}
    email = checks.instance(ParticipantEmailBinding, options.email, "the e-mail of binding_options")
    level = checks.member(ParticipantEmailLevel, email.level, "level")
    return {"name": checks.text(email.name, "name"), "level": level.value}


def _count(answer: Any, name: str) -> int:
    value = answer.get(name) if isinstance(answer, dict) else None
    return whole_number(value) or 0


@attrs.frozen
class ConversationUpdatedEventArgs:
    """Payload of ``conversation_updated`` and of a conversation's ``updated``."""

    conversation: Conversation
    update_reasons: tuple[ConversationUpdateReason, ...]
