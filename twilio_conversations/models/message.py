"""A message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from twilio_conversations.enums import MediaCategory, MessageType, MessageUpdateReason
from twilio_conversations.errors import NotFoundError
from twilio_conversations.events.names import EventName, MessageEvent
from twilio_conversations.events.typed import MessageEvents
from twilio_conversations.models.base import DatedModel
from twilio_conversations.transport.commands import CommandKind
from twilio_conversations.util import checks, urls
from twilio_conversations.values.message import MessageData

if TYPE_CHECKING:
    from twilio_conversations.models.conversation import Conversation
    from twilio_conversations.models.media import Media
    from twilio_conversations.models.participant import Participant
    from twilio_conversations.values.channel_metadata import ChannelMetadata
    from twilio_conversations.values.content_templates import ContentData
    from twilio_conversations.values.receipts import AggregatedDeliveryReceipt, DetailedDeliveryReceipt
    from twilio_conversations.values.recipients import RecipientDescriptor


@attrs.define(eq=False, repr=False)
class Message(MessageEvents, DatedModel[MessageData]):  # type: ignore[misc] # `on` is narrower
    """A message of a conversation. Created by the client only; later pages return the same object.

    Attributes:
        conversation: the conversation it belongs to.
        index: its position in the conversation; ascending with gaps, so it is not a count.
    """

    _events: ClassVar[type[EventName]] = MessageEvent
    conversation: Conversation
    index: int

    @property
    def key(self) -> tuple[str, int]:
        """Identifier of the object: its conversation's sid, and its index."""
        return (self.conversation.sid, self.index)

    @property
    def sid(self) -> str:
        """``IM...``."""
        return self._live.state.visible.sid

    @property
    def author(self) -> str | None:
        """Identity or address of the sender."""
        return self._live.state.visible.author

    @property
    def body(self) -> str | None:
        """The text; `None` when there is none."""
        return self._live.state.visible.body

    @property
    def subject(self) -> str | None:
        """Subject of an e-mail."""
        return self._live.state.visible.subject

    @property
    def content_sid(self) -> str | None:
        """Sid of the content template it was created from (``HX...``)."""
        return self._live.state.visible.content_sid

    @property
    def participant_sid(self) -> str | None:
        """Sid of the author's participant (``MB...``)."""
        return self._live.state.visible.participant_sid

    @property
    def last_updated_by(self) -> str | None:
        """Identity of the last editor; `None` if it was never edited."""
        return self._live.state.visible.last_updated_by

    @property
    def type(self) -> MessageType | str:
        """Type of the message: with or without media."""
        return self._live.state.visible.type

    # -- media --------------------------------------------------------------------------------------------------------

    @property
    def attached_media(self) -> list[Media]:
        """Attachments, without the bodies and histories of e-mails."""
        return self.get_media_by_categories([MediaCategory.MEDIA])

    def get_media_by_categories(self, categories: Iterable[MediaCategory | str]) -> list[Media]:
        """Return the media of some categories, in the service's order. Sends no request."""
        from twilio_conversations.models.media import Media

        given = [categories] if isinstance(categories, str) else checks.several(categories, "categories")
        wanted = [checks.member(MediaCategory, category, "category") for category in given]
        return [Media(data, self._live.runtime) for data in self._live.state.visible.medias if data.category in wanted]

    def get_email_body(self, type: str = "text/plain") -> Media | None:  # noqa: A002 - the official name
        """Return the body of an e-mail in that content type; `None` when there is none."""
        return self._first(MediaCategory.BODY, type)

    def get_email_history(self, type: str = "text/plain") -> Media | None:  # noqa: A002 - the official name
        """Return the history of an e-mail in that content type; `None` when there is none."""
        return self._first(MediaCategory.HISTORY, type)

    def _first(self, category: MediaCategory, content_type: str) -> Media | None:
        wanted = checks.filled(content_type, "type")
        return next((media for media in self.get_media_by_categories([category]) if media.content_type == wanted), None)

    def get_temporary_content_urls_for_attached_media(self, *, timeout: float | None = None) -> dict[str, str | None]:
        """Return temporary links of all attachments by media sid, with one request; ``{}`` without attachments."""
        attached = self.attached_media
        return self.get_temporary_content_urls_for_media(attached, timeout=timeout) if attached else {}

    def get_temporary_content_urls_for_media(
        self, content_set: Sequence[Media], *, timeout: float | None = None
    ) -> dict[str, str | None]:
        """Return temporary links of these media by sid, with one request (``POST {media set}``).

        Raises:
            MediaError: one of them is not available; `.media_sid` is its sid.
        """
        from twilio_conversations.models.media import media_sids_of

        return self.get_temporary_content_urls_for_media_sids(media_sids_of(content_set), timeout=timeout)

    def get_temporary_content_urls_for_media_sids(
        self, media_sids: Sequence[str], *, timeout: float | None = None
    ) -> dict[str, str | None]:
        """Return temporary links by media sid, with one request; the media need not belong to this message.

        Raises:
            MediaError: one of them is not available; `.media_sid` is its sid.
        """
        from twilio_conversations.models.media_links import temporary_urls

        return temporary_urls(self._live.runtime, media_sids, self._live.runtime.deadline(timeout))

    # -- changing -----------------------------------------------------------------------------------------------------

    def update_body(self, body: str, *, timeout: float | None = None) -> Message:
        """Change the text (``POST .../Messages/{sid}``); may be empty. Returns this message, changed.

        Raises:
            RestNotFoundError: the message was removed.
            ForbiddenError: the identity's role does not allow it.
        """
        written = {"body": checks.text(body, "body")}
        # Only a new text changes who edited it last.
        editor = {"last_updated_by": self._live.runtime.configuration.identity}
        self._live.post(self, self._url, written, {**written, **editor}, timeout)
        return self

    def remove(self, *, timeout: float | None = None) -> Message:
        """Delete the message (``DELETE .../Messages/{sid}``); the event ``message_removed`` follows."""
        self._live.runtime.rest.delete(self._url, CommandKind.DELETE, timeout=timeout)
        return self

    def get_participant(self, *, timeout: float | None = None) -> Participant:
        """Return the author's participant, by participant sid or else by the author's identity.

        Raises:
            NotFoundError: the author is not a participant any more.
        """
        data = self._live.state.visible
        participants = self.conversation.get_participants(timeout=timeout)
        for participant in participants:
            if participant.sid == data.participant_sid:
                return participant
        for participant in participants:
            if data.author is not None and participant.identity == data.author:
                return participant
        raise NotFoundError(f"no participant with sid {data.participant_sid!r} or identity {data.author!r}")

    @property
    def aggregated_delivery_receipt(self) -> AggregatedDeliveryReceipt | None:
        """Delivery to non-chat participants in total; `None` if there are none, or nothing is known."""
        return self._live.state.visible.delivery

    def get_detailed_delivery_receipts(self, *, timeout: float | None = None) -> list[DetailedDeliveryReceipt]:
        """Return the delivery receipt of each non-chat participant (``GET .../Messages/{sid}/Receipts``)."""
        from twilio_conversations.models import message_queries

        return message_queries.receipts(self._live.runtime, self.conversation.sid, self.sid, timeout)

    def get_content_data(self, *, timeout: float | None = None) -> ContentData | None:
        """Return the content of a message made from a content template; `None` for other messages.

        Raises:
            MediaError: it could not be fetched.
            ProtocolError: it is not valid content.
        """
        from twilio_conversations.values.content_templates import RICH_CONTENT, parse_rich_content

        if self.content_sid is None:
            return None
        for media in self.get_media_by_categories([MediaCategory.BODY]):
            if media.content_type.startswith(RICH_CONTENT):
                return parse_rich_content(media.content_type, media.read(timeout=timeout))
        return None

    def get_channel_metadata(self, *, timeout: float | None = None) -> ChannelMetadata | None:
        """Return additional data from its channel (``GET .../Messages/{sid}/ChannelMetadata``); `None` if there is none.

        Requested only if the message has channel metadata, and cached.
        """
        from twilio_conversations.models import message_queries

        if not self._live.state.visible.has_channel_metadata:
            return None
        return message_queries.channel_metadata(self._live.runtime, self._url, self.sid, timeout)

    def get_message_recipients(self, *, timeout: float | None = None) -> list[RecipientDescriptor]:
        """Return its sender and recipients (``GET .../MessageRecipients?MessageSid={sid}``); cached if there are any."""
        from twilio_conversations.models import message_queries

        return message_queries.recipients(self._live.runtime, self.conversation._live.url, self.sid, timeout)

    def _names(self) -> dict[str, Any]:
        return {"index": self.index, "conversation_sid": self.conversation.sid}

    def _facts(self, data: dict[str, Any]) -> dict[str, Any]:
        medias, delivery = data.pop("medias"), data.pop("delivery")
        del data["has_channel_metadata"]
        attached = [media for media in medias if media["category"] == MediaCategory.MEDIA]
        email = [media for media in medias if media["category"] != MediaCategory.MEDIA]
        return {**data, "attached_media": attached, "email_media": email, "aggregated_delivery_receipt": delivery}

    @property
    def _url(self) -> str:
        return urls.join(self.conversation._live.url, "Messages", self.sid)

    def __repr__(self) -> str:
        return f"<Message {self.index} {checks.brief(self.sid)} by {checks.shown(self.author)}>"


@attrs.frozen
class MessageUpdatedEventArgs:
    """Payload of ``message_updated`` and of a message's ``updated``.

    `update_reasons` is empty if the previous state of the message is not known.
    """

    message: Message
    update_reasons: tuple[MessageUpdateReason, ...]
