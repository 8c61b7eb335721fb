"""Messages of a program before they are sent: by their fields, or piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import attrs

from twilio_conversations.enums import MediaCategory
from twilio_conversations.errors import InvalidArgumentError
from twilio_conversations.sending.attachment import Attachment, FileTuple, SendEmailOptions, SendMediaOptions, attachment
from twilio_conversations.sending.draft import ContentVariables, Draft, MediaItem, check_limits, variables_by_name
from twilio_conversations.sending.sender import Post, Sender, checked_progress
from twilio_conversations.util import checks
from twilio_conversations.util.json import copied, dumps

if TYPE_CHECKING:
    from twilio_conversations.models.message import Message
    from twilio_conversations.runtime import Runtime
    from twilio_conversations.sending.uploads import UploadHandle
    from twilio_conversations.values.progress import OnProgress


@attrs.define(eq=False, repr=False)
class UnsentMessage:
    """A message returned by `MessageBuilder.build`; its fields may be changed before it is sent.

    If sending failed and is repeated with the same fields, finished uploads are not repeated, and a message that has
    arrived is not sent twice. After a success each further call sends another message.

    Attributes:
        text: the body; `None` for none.
        attributes: custom data.
        media_content: category and content of each attachment, in the order of the uploads.
        email_options: parts that only e-mails have.
        content_sid: content template (``HX...``) for the message.
        content_variables: values of the template's variables by name, or `ContentTemplateVariable` objects.
    """

    _sender: Sender = attrs.field(repr=False)
    text: str | None = None
    attributes: Any = attrs.field(factory=dict)
    media_content: list[MediaItem] = attrs.field(factory=list)
    email_options: SendEmailOptions = attrs.field(factory=SendEmailOptions)
    content_sid: str | None = None
    content_variables: ContentVariables | None = None

    def __repr__(self) -> str:
        media: Any = self.media_content
        return f"<UnsentMessage {checks.shown(self.text)} {len(media) if isinstance(media, list) else checks.shown(media)} media>"

    def send(self, *, on_progress: OnProgress | None = None, timeout: float | None = None) -> Message:
        """Upload the media one after another, then send the message (``POST .../Messages``) and return it.

        Args:
            on_progress: receives an `UploadProgress` after each piece, on this thread.
            timeout: seconds for everything together; `None` is the client's default, which is too short for large media.

        Raises:
            InvalidArgumentError: the message exceeds the limits of the conversation; nothing was uploaded.
            MediaError: an attachment was rejected; the message was not sent.
            ForbiddenError: the current user is not a participant, or its role may not send.
            RequestTimeoutError: the time limit has passed.
        """
        told = checked_progress(on_progress)
        return self._sender.send(self._draft(), told, timeout)

    def send_in_background(self, *, on_progress: OnProgress | None = None, timeout: float | None = None) -> UploadHandle:
        """Send the message as `send` does, on a thread of its own; an invalid message raises at once.

        `on_progress` is called on that thread. Without `timeout` it continues as long as data is transferred.
        """
        told = checked_progress(on_progress)
        return self._sender.send_in_background(self._draft(), told, timeout)

    def _draft(self) -> Draft:
        """Return the draft of the current fields."""
        return Draft.of(
            self.text,
            self.attributes,
            self.media_content,
            self.email_options,
            self.content_sid,
            self.content_variables,
            self._sender.limits,
        )


class MessageBuilder:
    """Builder of a message, returned by `Conversation.prepare_message`. Every setter returns the builder.

    `build` checks the message against `Conversation.limits` before anything is uploaded, and may be called repeatedly: each
    call returns an independent message.
    """

    def __init__(self, runtime: Runtime, post: Post) -> None:
        self._runtime = runtime
        self._post = post
        self._text: str | None = None
        self._subject: str | None = None
        self._attributes: Any = {}
        self._media: list[SendMediaOptions] = []
        self._bodies: dict[str, SendMediaOptions] = {}
        self._histories: dict[str, SendMediaOptions] = {}
        self._content_sid: str | None = None
        self._content_variables: dict[str, str] | None = None

    def __repr__(self) -> str:
        return f"<MessageBuilder {checks.shown(self._text)} {len(self._media)} media>"

    def set_body(self, text: str) -> Self:
        """Set the text; may be empty."""
        self._text = checks.text(text, "text")
        return self

    def set_subject(self, subject: str) -> Self:
        """Set the subject of an e-mail; may be empty."""
        self._subject = checks.text(subject, "subject")
        return self

    def set_attributes(self, attributes: Any) -> Self:
        """Set the custom data: any JSON value, including `None`."""
        dumps(attributes)
        self._attributes = copied(attributes)
        return self

    def set_email_body(self, content_type: str, body: SendMediaOptions | FileTuple) -> Self:
        """Set the body of an e-mail in one content type; the latest for a type wins."""
        self._bodies[checks.filled(content_type, "content_type")] = _part(body, content_type)
        return self

    def set_email_history(self, content_type: str, history: SendMediaOptions | FileTuple) -> Self:
        """Set the history of an e-mail in one content type; the latest for a type wins."""
        self._histories[checks.filled(content_type, "content_type")] = _part(history, content_type)
        return self

    def set_content_template(self, content_sid: str, content_variables: ContentVariables = ()) -> Self:
        """Set the content template (``HX...``); the service then ignores text and media.

        Without variables the template's own defaults apply.
        """
        values = variables_by_name(content_variables)
        self._content_sid, self._content_variables = checks.filled(content_sid, "content_sid"), values
        return self

    def add_media(self, payload: Attachment) -> Self:
        """Add an attachment after the existing ones.

        Raises:
            InvalidArgumentError: content or content type is empty.
        """
        self._media.append(attachment(payload))
        return self

    def build(self) -> UnsentMessage:
        """Check the parts and return the message.

        Raises:
            InvalidArgumentError: a content type of the e-mail is not allowed, or a limit is exceeded.
        """
        limits = self._runtime.configuration.limits
        for content_type in self._bodies:
            _check_type(content_type, limits.email_bodies_allowed_content_types, "body")
        for content_type in self._histories:
            _check_type(content_type, limits.email_histories_allowed_content_types, "history")
        parts = [
            *((MediaCategory.MEDIA, options) for options in self._media),
            *((MediaCategory.BODY, options) for options in self._bodies.values()),
            *((MediaCategory.HISTORY, options) for options in self._histories.values()),
        ]
        items: list[MediaItem] = [(category, attrs.evolve(options)) for category, options in parts]
        check_limits(items, limits)
        return UnsentMessage(
            Sender(self._runtime, self._post),
            self._text,
            copied(self._attributes),
            items,
            SendEmailOptions(self._subject),
            self._content_sid,
            None if self._content_variables is None else dict(self._content_variables),
        )

    def build_and_send(self, *, on_progress: OnProgress | None = None, timeout: float | None = None) -> Message:
        """Call `build`, then `UnsentMessage.send`."""
        return self.build().send(on_progress=on_progress, timeout=timeout)

    def build_and_send_in_background(
        self, *, on_progress: OnProgress | None = None, timeout: float | None = None
    ) -> UploadHandle:
        """Call `build`, then `UnsentMessage.send_in_background`; errors of `build` are raised at once."""
        return self.build().send_in_background(on_progress=on_progress, timeout=timeout)


def _part(payload: SendMediaOptions | FileTuple, content_type: str) -> SendMediaOptions:
    """Return a part of an e-mail, of the declared type unless it has another one itself."""
    if isinstance(payload, SendMediaOptions) and payload.content_type is None:
        payload = attrs.evolve(payload, content_type=content_type)
    elif isinstance(payload, tuple) and len(payload) == 2:
        payload = (*payload, content_type)
    return attachment(payload)


def _check_type(content_type: str, allowed: tuple[str, ...], what: str) -> None:
    if content_type not in allowed:
        known = ", ".join(allowed)
        raise InvalidArgumentError(f"unsupported e-mail {what} content type {checks.shown(content_type)}; allowed: {known}")
