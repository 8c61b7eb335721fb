"""A message as it goes out: checked, frozen, and independent of what the program does meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from twilio_conversations.enums import MediaCategory
from twilio_conversations.errors import ArgumentTypeError, InvalidArgumentError
from twilio_conversations.sending.attachment import SendEmailOptions, SendMediaOptions, checked, known_size
from twilio_conversations.util import checks
from twilio_conversations.util.json import dumps
from twilio_conversations.util.values import value
from twilio_conversations.values.configuration import ConversationLimits

if TYPE_CHECKING:
    from twilio_conversations.values.content_templates import ContentTemplateVariable

ContentVariables: TypeAlias = "Mapping[str, str] | Iterable[ContentTemplateVariable]"
"""Values by name, or variables; of two with the same name the later wins."""

MediaItem = tuple[MediaCategory, SendMediaOptions]
_MEGABYTE = 1024 * 1024


@value
class Draft:
    """A message that can be sent.

    Attributes:
        request: the body of the POST, as far as it is known before the uploads.
        items: category and content of each medium, in the order in which they are uploaded.
    """

    request: Mapping[str, Any]
    items: tuple[MediaItem, ...] = ()

    @classmethod
    def of(
        cls,
        text: str | None,
        attributes: Any,
        media: Iterable[MediaItem],
        email: SendEmailOptions,
        content_sid: str | None,
        content_variables: ContentVariables | None,
        limits: Callable[[], ConversationLimits],
    ) -> Draft:
        """Check what a program wants to send, and copy it; `limits` is called where there are media.

        Raises:
            InvalidArgumentError: something cannot be sent, or is more than the limits allow.
        """
        email = checks.instance(SendEmailOptions, email, "email_options")
        request: dict[str, Any] = {"attributes": dumps(attributes)}
        if text is not None:
            request["body"] = checks.text(text, "text")
        if email.subject is not None:
            request["subject"] = checks.text(email.subject, "subject")
        if content_sid is not None:
            request["content_sid"] = checks.filled(content_sid, "content_sid")
            request["content_variables"] = dumps(variables_by_name(content_variables or {}))
        elif content_variables:
            raise InvalidArgumentError("content_variables need a content_sid")
        items = [_item(one) for one in checks.several(media, "media_content")]
        if items:
            check_limits(items, limits())
        return cls(request, tuple(items))

    @property
    def known_bytes(self) -> int:
        """Bytes of all media together, as far as they are known without reading.

        Raises:
            FileError: a file is not there.
        """
        return sum(known_size(options) or 0 for _, options in self.items)

    def with_media(self, sids: list[str]) -> Mapping[str, Any]:
        """Return the body of the POST once the media were uploaded."""
        return {**self.request, "media_sids": sids} if sids else self.request


def _item(value: Any) -> MediaItem:
    if not isinstance(value, tuple) or len(value) != 2:
        raise ArgumentTypeError(f"media_content must hold pairs of category and SendMediaOptions, not {checks.shown(value)}")
    options = checks.instance(SendMediaOptions, value[1], "an attachment in media_content")
    return checks.member(MediaCategory, value[0], "category"), checked(options)


def variables_by_name(variables: ContentVariables) -> dict[str, str]:
    """Return the values of template variables by name.

    Raises:
        InvalidArgumentError: a name or a value is not text.
    """
    if isinstance(variables, Mapping):
        pairs = list(variables.items())
    else:
        from twilio_conversations.values.content_templates import ContentTemplateVariable

        given: Any = variables
        found = list(given) if isinstance(given, Iterable) else [given]
        if not all(isinstance(one, ContentTemplateVariable) for one in found):
            raise ArgumentTypeError("content_variables must be a mapping, or ContentTemplateVariables")
        pairs = [(one.name, one.value) for one in found]
    return {checks.filled(name, "a variable's name"): checks.text(value, "a variable's value") for name, value in pairs}


def check_limits(items: list[MediaItem], limits: ConversationLimits) -> None:
    """Check the number and the sizes of attachments, as far as they are known without reading.

    Raises:
        InvalidArgumentError: it is more than the limits allow.
        FileError: a file is not there.
    """
    most = {
        MediaCategory.BODY: (len(limits.email_bodies_allowed_content_types), "e-mail bodies"),
        MediaCategory.HISTORY: (len(limits.email_histories_allowed_content_types), "e-mail histories"),
        MediaCategory.MEDIA: (limits.media_attachments_count_limit, "media attachments"),
    }
    for category, (limit, what) in most.items():
        count = sum(one is category for one, _ in items)
        if count > limit:
            raise InvalidArgumentError(f"too many {what} in the message ({count} > {limit})")
    check_sizes([known_size(options) or 0 for _, options in items], limits)


def check_sizes(sizes: list[int], limits: ConversationLimits) -> None:
    """Check the sizes, in bytes, of all media of a message.

    Raises:
        InvalidArgumentError: one of them, or all together, are larger than the limits allow.
    """
    one, together = limits.media_attachment_size_limit_in_mb, limits.media_attachments_total_size_limit_in_mb
    if any(size > one * _MEGABYTE for size in sizes):
        raise InvalidArgumentError(f"an attachment of {max(sizes)} bytes is larger than {one} MB")
    if sum(sizes) > together * _MEGABYTE:
        raise InvalidArgumentError(f"the media have {sum(sizes)} bytes together, more than {together} MB")
