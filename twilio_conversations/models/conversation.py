"""A conversation: its methods. Its attributes are in `conversation_facts`."""

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
from twilio_conversations.events.names import ConversationEvent, EventName
from twilio_conversations.events.typed import ConversationEvents
from twilio_conversations.models.conversation_facts import ConversationFacts
from twilio_conversations.models.pages import Paginator, RestPaginator
from twilio_conversations.transport.commands import CommandKind
from twilio_conversations.util import checks, urls
from twilio_conversations.util.json import dumps, whole_number
from twilio_conversations.values.bindings import ParticipantBindingOptions, ParticipantEmailBinding

if TYPE_CHECKING:
    from twilio_conversations.models.message import Message
    from twilio_conversations.models.participant import Participant
    from twilio_conversations.sending.attachment import Attachment
    from twilio_conversations.sending.builder import MessageBuilder
    from twilio_conversations.sending.draft import ContentVariables
    from twilio_conversations.values.progress import OnProgress
    from twilio_conversations.values.recipients import RecipientDescriptor


@attrs.define(eq=False, repr=False)
class Conversation(ConversationEvents, ConversationFacts):  # type: ignore[misc] # `on` is narrower
    """A conversation. Created by the client only; there is one object per sid.

    Properties return the latest known state and never block. Methods send a command, wait for the response (`timeout` in
    seconds, the client's default when `None`) and return when its effect is visible here.

    Attributes:
        sid: ``CH...``.
    """

    _events: ClassVar[type[EventName]] = ConversationEvent
    _surveyed: ClassVar[frozenset[EventName]] = frozenset({ConversationEvent.PARTICIPANT_JOINED})

    def _survey(self, event: EventName, take: Callable[[Iterable[Any]], None]) -> None:
        del event
        live = self._live
        live.runtime.connection.post(lambda: live.keeper.survey_participants(self.sid, take))

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

        It is sent once: after a disconnect or a busy response the message is looked for in the conversation. If it is not there,
        the request is repeated with the same mutation id, until the deadline. Pass an `idempotency_key` to make a repetition from
        another process the same send.

        Args:
            body: the text.
            media: one attachment or several: a `pathlib.Path`, bytes, an open binary file, ``(filename, content)``,
                ``(filename, content, content type)``, or `SendMediaOptions`. They are uploaded first, streamed.
            attributes: custom data, any JSON value.
            subject: of an e-mail.
            content_sid: content template (``HX...``) for the message; the service then ignores text and media.
            content_variables: values of its variables by name.
            idempotency_key: the mutation id: a UUID, or 1 to 64 printable ASCII characters.
            on_progress: receives an `UploadProgress` after each piece of the upload, on this thread.
            timeout: seconds for everything together; large media need more than the default.

        Raises:
            InvalidArgumentError: an argument is invalid, or exceeds `limits`; nothing was sent.
            MediaError: an attachment was rejected; the message was not sent.
            ForbiddenError: the current user is not a participant, or its role may not send.
            RequestTimeoutError: there was no response in time; `.sent` is true if the message may have arrived.
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
        """Return a builder for a message: text, media, e-mail bodies, a content template."""
        return self._live.messages.prepare()

    def get_messages(
        self,
        page_size: int = 30,
        anchor: int | None = None,
        direction: Direction | str = Direction.BACKWARDS,
        *,
        timeout: float | None = None,
    ) -> Paginator[Message]:
        """Return a page of messages, ascending by index, read from the service.

        Args:
            page_size: largest number of messages.
            anchor: index to start at, inclusive; by default the newest (backwards) or the oldest (forward).
            direction: ``"backwards"`` or ``"forward"`` from the anchor.
            timeout: seconds.

        `next_page` of the result is towards newer messages, `prev_page` towards older ones, for both directions.
        """
        return self._live.messages.pages.get_page(
            checks.positive(page_size, "page_size"),
            None if anchor is None else checks.index(anchor, "anchor"),
            checks.member(Direction, direction, "direction"),
            timeout,
        )

    def iter_messages(
        self, *, newest_first: bool = True, after: int | None = None, limit: int | None = None
    ) -> Iterator[Message]:
        """Return an iterator over the messages: the newest first, by descending index, down to the first message.

        With ``newest_first=False``, or `after`, the oldest comes first, by ascending index. One page is held at a time and the
        next is fetched when it is needed. Messages that arrive meanwhile are included only if the oldest comes first.

        Args:
            newest_first: the order, if `after` is not given.
            after: start with the message after this index, and continue to the newest.
            limit: stop after this many.

        Raises:
            InvalidArgumentError: `after` or `limit` is not an integer of 0 or more.
        """
        start = None if after is None else checks.index(after, "after")
        most = None if limit is None else checks.index(limit, "limit")
        return self._live.messages.pages.walk(newest_first=bool(newest_first) and start is None, after=start, limit=most)

    def get_messages_count(self, *, timeout: float | None = None) -> int:
        """Return the number of messages (``GET .../Conversations/{sid}``); eventually consistent."""
        return _count(self._live.runtime.rest.get(self._url, timeout=timeout), "messages_count")

    def get_unread_messages_count(self, *, timeout: float | None = None) -> int | None:
        """Return the number of messages after the read horizon of the current user; `None` when that was never set.

        Raises:
            NotFoundError: the current user is not a participant.
        """
        return self._live.horizon.unread_count(timeout)

    def get_message_recipients(
        self, *, page_size: int | None = None, timeout: float | None = None
    ) -> RestPaginator[RecipientDescriptor]:
        """Return a page of the recipients of its messages (``GET .../MessageRecipients``).

        Args:
            page_size: messages, not recipients, per page; the service's default when `None`.
            timeout: seconds.
        """
        size = None if page_size is None else checks.positive(page_size, "page_size")
        from twilio_conversations.models import message_queries

        return message_queries.all_recipients(self._live.runtime, self._url, size, timeout)

    def advance_last_read_message_index(self, index: int, *, timeout: float | None = None) -> int | None:
        """Move the read horizon forward, never back; return the number of unread messages.

        The horizon that another device may have set is read first (``GET .../Users/{...}/Conversations/{sid}``). Nothing is
        posted for an index at or below it, or below the value known here.

        Raises:
            NotFoundError: the current user is not a participant.
        """
        return self._live.horizon.advance(checks.index(index, "index"), timeout)

    def update_last_read_message_index(self, index: int | None, *, timeout: float | None = None) -> int | None:
        """Set the read horizon, also back, or remove it with `None`; return the number of unread messages."""
        return self._live.horizon.update(None if index is None else checks.index(index, "index"), timeout)

    def set_all_messages_read(self, *, timeout: float | None = None) -> int | None:
        """Move the read horizon to the newest message, as `advance_last_read_message_index` does; return the unread count.

        Nothing is sent if there are no messages.

        Raises:
            NotFoundError: the current user is not a participant.
        """
        return self._live.horizon.all_read(timeout)

    def set_all_messages_unread(self, *, timeout: float | None = None) -> int | None:
        """Remove the read horizon; return the number of unread messages."""
        return self._live.horizon.update(None, timeout)

    def typing(self, *, timeout: float | None = None) -> None:
        """Notify the others that the current user is typing; repeated calls within some seconds send nothing."""
        self._live.typing.send(timeout)

    def typing_indicator(self) -> AbstractContextManager[None]:
        """Notify the others that the current user is typing for the duration of a ``with`` block::

            with conversation.typing_indicator():
                answer = think()

        The notifications are sent in the background; errors are logged and do not affect the block.
        """
        return self._live.typing.lasting()

    # -- participants -------------------------------------------------------------------------------------------------

    def join(self, *, timeout: float | None = None) -> Conversation:
        """Become a participant (``POST .../Participants``); return when messages and participants are subscribed to.

        Raises:
            ConflictError: already a participant.
        """
        live, runtime = self._live, self._live.runtime
        deadline = runtime.deadline(timeout)
        body, url = {"identity": runtime.configuration.identity}, urls.join(live.url, "Participants")
        joined = {"status": ConversationStatus.JOINED}
        live.write(self, joined, lambda: runtime.rest.post(url, body, CommandKind.JOIN, timeout=deadline.remaining()))
        runtime.run(lambda: live.keeper.follow(self.sid), deadline, "join()")
        return self

    def leave(self, *, timeout: float | None = None) -> Conversation:
        """Stop being a participant (``DELETE .../Participants/{identity}``); send nothing if not joined."""
        if self.status is ConversationStatus.JOINED:
            live, runtime = self._live, self._live.runtime
            deadline = runtime.deadline(timeout)
            url = live.participants.url_of(runtime.configuration.identity, deadline)
            left = {"status": ConversationStatus.NOT_PARTICIPATING}
            live.write(self, left, lambda: runtime.rest.delete(url, CommandKind.LEAVE, timeout=deadline.remaining()))
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
        """Add a non-chat participant (``POST .../Participants``) and return it.

        Args:
            proxy_address: the service's number or address for the participant, such as ``whatsapp:+15550100``.
            address: number or address of the participant.
            attributes: custom data.
            binding_options: for e-mail, display name and level.
            timeout: seconds.

        Raises:
            ConflictError: there is a participant with this pair of addresses already.
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
        """Return all participants."""
        return self._live.participants.get_all(timeout)

    def get_participant_by_sid(self, participant_sid: str, *, timeout: float | None = None) -> Participant:
        """Return the participant with that sid; raise `NotFoundError` when there is none."""
        return self._live.participants.get_by_sid(checks.filled(participant_sid, "participant_sid"), timeout)

    def get_participant_by_identity(self, identity: str, *, timeout: float | None = None) -> Participant:
        """Return the chat participant with that identity; raise `NotFoundError` when there is none."""
        return self._live.participants.get_by_identity(checks.filled(identity, "identity"), timeout)

    def iter_participants(self, *, timeout: float | None = None) -> Iterator[Participant]:
        """Return an iterator over the participants; they are loaded with the conversation, so that it sends no requests."""
        return iter(self.get_participants(timeout=timeout))

    def get_participants_count(self, *, timeout: float | None = None) -> int:
        """Return the number of participants (``GET .../Conversations/{sid}``); eventually consistent."""
        return _count(self._live.runtime.rest.get(self._url, timeout=timeout), "participants_count")

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
        """Return the custom data; the same as `attributes`, since conversations are loaded before they are returned."""
        return self.attributes

    def set_user_notification_level(self, notification_level: NotificationLevel | str, *, timeout: float | None = None) -> None:
        """Set whether this conversation notifies the current user by push (``POST .../Users/{...}/Conversations/{sid}``)."""
        level = checks.member(NotificationLevel, notification_level, "notification_level")
        self._live.post(self, self._live.my_url, {"notification_level": level.value}, {"notification_level": level}, timeout)

    def delete(self, *, timeout: float | None = None) -> Conversation:
        """Delete the conversation for everybody (``DELETE .../Conversations/{sid}``); the event ``removed`` follows."""
        runtime, gone = self._live.runtime, {"status": ConversationStatus.NOT_PARTICIPATING}
        self._live.write(self, gone, lambda: runtime.rest.delete(self._url, CommandKind.DELETE, timeout=timeout))
        return self


def _binding_fields(options: ParticipantBindingOptions | None) -> dict[str, str]:
    """Return the fields of a request for these options: for e-mail, name and level."""
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
