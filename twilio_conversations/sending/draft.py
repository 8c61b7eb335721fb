"""A message that is complete but not sent."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import attrs

from twilio_conversations.enums import MediaCategory
from twilio_conversations.errors import ArgumentTypeError, InvalidArgumentError
from twilio_conversations.sending.attachment import Content, SendEmailOptions, SendMediaOptions, checked, known_size, opened
from twilio_conversations.sending.uploads import UploadHandle, upload
from twilio_conversations.util import checks
from twilio_conversations.util.futures import Deadline
from twilio_conversations.util.json import dumps
from twilio_conversations.values.configuration import ConversationLimits
from twilio_conversations.values.content_templates import ContentTemplateVariable
from twilio_conversations.values.media import MediaData
from twilio_conversations.values.progress import OnProgress, UploadProgress

if TYPE_CHECKING:
    from twilio_conversations.models.message import Message
    from twilio_conversations.runtime import Services
    from twilio_conversations.transport.media_http import Transfer

Post = Callable[[Mapping[str, Any], tuple[MediaData, ...], str | None, float | None], "Message"]
"""POST a message: the request, what was uploaded for it, its mutation id, and the time limit in seconds."""

ContentVariables = Mapping[str, str] | Iterable[ContentTemplateVariable]
"""Values by name, or variables; of two with the same name the later wins."""

MediaItem = tuple[MediaCategory, SendMediaOptions]
_MEGABYTE = 1024 * 1024


@attrs.define(eq=False, repr=False)
class UnsentMessage:
    """A message that `MessageBuilder.build` made; its fields may still be changed before it is sent.

    When sending failed and is tried again with the same fields, what was uploaded is not uploaded again, and a message that
    did arrive is not sent twice. After a success each further sending makes another message.

    Attributes:
        text: the body; `None` for none.
        attributes: custom data.
        media_content: category and content of each medium, in the order in which they are uploaded.
        email_options: what only an e-mail has.
        content_sid: content template (``HX...``) that the message is made from.
        content_variables: values of the template's variables by name, or `ContentTemplateVariable` objects.
    """

    _services: Services = attrs.field(repr=False)
    _post: Post = attrs.field(repr=False)
    text: str | None = None
    attributes: Any = attrs.field(factory=dict)
    media_content: list[MediaItem] = attrs.field(factory=list)
    email_options: SendEmailOptions = attrs.field(factory=SendEmailOptions)
    content_sid: str | None = None
    content_variables: ContentVariables | None = None
    _uploaded: list[tuple[MediaItem, MediaData]] = attrs.field(factory=list, init=False, repr=False)
    _attempt: tuple[dict[str, Any], str] | None = attrs.field(default=None, init=False, repr=False)

    def __repr__(self) -> str:
        media: Any = self.media_content
        return f"<UnsentMessage {checks.shown(self.text)} {len(media) if isinstance(media, list) else checks.shown(media)} media>"

    def send(self, *, on_progress: OnProgress | None = None, timeout: float | None = None) -> Message:
        """Upload the media, one after another, then POST the message (``POST .../Messages``), and return it.

        Args:
            on_progress: told after each piece of media, on this thread.
            timeout: seconds for everything together; `None` is the client's default, which large media may well exceed.

        Raises:
            InvalidArgumentError: the message is more than the conversation's limits allow; nothing was uploaded.
            MediaError: a medium was refused; the message was not sent.
            ForbiddenError: the own identity is no participant, or its role may not send.
            RequestTimeoutError: not done in time.
        """
        return self._send(None, on_progress, timeout)

    def send_in_background(self, *, on_progress: OnProgress | None = None, timeout: float | None = None) -> UploadHandle:
        """As `send`, on a thread of its own; what can be wrong with the message is raised here and now.

        `on_progress` is told on that thread. Without `timeout` it may take as long as bytes are flowing.
        """
        if on_progress is not None:
            checks.function(on_progress, "on_progress")
        request, items = self._request(), self._items()
        handle = UploadHandle(self._services, Deadline(timeout), UploadProgress(0, _known_total(items), 0, len(items)))
        return handle._start(lambda transfer, note: self._deliver(request, items, None, transfer, note), on_progress)

    def _send(self, mutation_id: str | None, on_progress: OnProgress | None, timeout: float | None) -> Message:
        if on_progress is not None:
            checks.function(on_progress, "on_progress")
        request, items = self._request(), self._items()
        if not items:
            return self._post_once(request, (), mutation_id, timeout)
        with self._services.media.transfer(self._services.deadline(timeout), "send()") as transfer:
            return self._deliver(request, items, mutation_id, transfer, on_progress)

    def _request(self) -> dict[str, Any]:
        """The body of the POST, as far as it is known before the uploads."""
        email = checks.instance(SendEmailOptions, self.email_options, "email_options")
        request: dict[str, Any] = {"attributes": dumps(self.attributes)}
        if self.text is not None:
            request["body"] = checks.text(self.text, "text")
        if email.subject is not None:
            request["subject"] = checks.text(email.subject, "subject")
        if self.content_sid is not None:
            request["content_sid"] = checks.filled(self.content_sid, "content_sid")
            request["content_variables"] = dumps(variables_by_name(self.content_variables or {}))
        elif self.content_variables:
            raise InvalidArgumentError("content_variables are worth nothing without content_sid")
        return request

    def _items(self) -> list[MediaItem]:
        """The media as they are now, checked, and copied so that later changes do not matter."""
        content: Any = self.media_content
        items = [_item(one) for one in checks.several(content, "media_content")]
        check_limits(items, self._services.configuration.limits if items else ConversationLimits())
        return items

    def _deliver(
        self,
        request: dict[str, Any],
        items: list[MediaItem],
        mutation_id: str | None,
        transfer: Transfer,
        on_progress: OnProgress | None,
    ) -> Message:
        done, self._uploaded = _still_there(self._uploaded, items), []
        try:
            with _all_opened(items) as contents:
                check_sizes([content.size for content in contents], self._services.configuration.limits)
                progress = _Progress([content.size for content in contents], on_progress)
                for index in range(len(done), len(items)):
                    category, options = items[index]
                    sent = functools.partial(progress.tell, index)
                    done.append((items[index], upload(self._services, category, options, contents[index], transfer, sent)))
                    if not contents[index].size:
                        sent(0)  # there was no piece to report
            transfer.check()
            medias = tuple(data for _, data in done)
            if medias:
                request = {**request, "media_sids": [data.sid for data in medias]}
            message = self._post_once(request, medias, mutation_id, transfer.deadline.remaining())
        except BaseException:
            self._uploaded = done
            raise
        return message

    def _post_once(
        self, request: dict[str, Any], medias: tuple[MediaData, ...], mutation_id: str | None, timeout: float | None
    ) -> Message:
        """POST; after a failure the same request goes under the same mutation id again, since it may have arrived."""
        former, self._attempt = self._attempt, None
        if mutation_id is None:
            mutation_id = former[1] if former is not None and former[0] == request else str(uuid.uuid4())
        try:
            return self._post(request, medias, mutation_id, timeout)
        except BaseException:
            self._attempt = (request, mutation_id)
            raise


def _item(value: Any) -> MediaItem:
    if not isinstance(value, tuple) or len(value) != 2:
        raise ArgumentTypeError(f"media_content must hold pairs of category and SendMediaOptions, not {checks.shown(value)}")
    options = checks.instance(SendMediaOptions, value[1], "an attachment in media_content")
    return checks.member(MediaCategory, value[0], "category"), checked(options)


class _Progress:
    """Adds up what is told of single media."""

    def __init__(self, sizes: list[int], told: OnProgress | None) -> None:
        self._sizes = sizes
        self._told = told

    def tell(self, index: int, sent: int) -> None:
        """So many bytes of that medium are gone."""
        total = sum(self._sizes)
        if self._told is not None and total:
            self._told(UploadProgress(sum(self._sizes[:index]) + sent, total, index, len(self._sizes)))


@contextmanager
def _all_opened(items: list[MediaItem]) -> Iterator[list[Content]]:
    with ExitStack() as stack:
        yield [stack.enter_context(opened(options)) for _, options in items]


def _still_there(uploaded: list[tuple[MediaItem, MediaData]], items: list[MediaItem]) -> list[tuple[MediaItem, MediaData]]:
    """Of what an earlier sending uploaded, what is still wanted: up to the first difference."""
    kept = []
    for one, item in zip(uploaded, items, strict=False):
        if one[0] != item:
            break
        kept.append(one)
    return kept


def _known_total(items: list[MediaItem]) -> int:
    return sum(known_size(options) or 0 for _, options in items)


def variables_by_name(variables: ContentVariables) -> dict[str, str]:
    """The values of template variables by name.

    Raises:
        InvalidArgumentError: a name or a value is not text.
    """
    if isinstance(variables, Mapping):
        pairs = list(variables.items())
    else:
        given: Any = variables
        found = list(given) if isinstance(given, Iterable) else [given]
        if not all(isinstance(one, ContentTemplateVariable) for one in found):
            raise ArgumentTypeError("content_variables must be a mapping, or ContentTemplateVariables")
        pairs = [(one.name, one.value) for one in found]
    return {checks.filled(name, "a variable's name"): checks.text(value, "a variable's value") for name, value in pairs}


def check_limits(items: list[MediaItem], limits: ConversationLimits) -> None:
    """Check what can be told without reading: how many there are, and sizes.

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
        raise InvalidArgumentError(f"a medium of {max(sizes)} bytes is larger than {one} MB")
    if sum(sizes) > together * _MEGABYTE:
        raise InvalidArgumentError(f"the media have {sum(sizes)} bytes together, more than {together} MB")
