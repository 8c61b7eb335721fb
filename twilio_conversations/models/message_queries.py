"""Data of a message that Sync does not deliver, requested by REST: receipts, recipients, metadata of its channel."""

from __future__ import annotations

import collections

from twilio_conversations.errors import RestError
from twilio_conversations.models.pages import RestPaginator, RestPart
from twilio_conversations.runtime import Runtime
from twilio_conversations.util import urls
from twilio_conversations.values.channel_metadata import ChannelMetadata
from twilio_conversations.values.receipts import DetailedDeliveryReceipt
from twilio_conversations.values.recipients import RecipientDescriptor, parse_recipient

_NO_METADATA = 50530
_NEVER = object()


def receipts(runtime: Runtime, conversation_sid: str, message_sid: str, timeout: float | None) -> list[DetailedDeliveryReceipt]:
    """Return all receipts of a message, page after page, within one time limit."""
    template = runtime.configuration.receipts_url
    url = template.replace("%s", urls.segment(conversation_sid), 1).replace("%s", urls.segment(message_sid), 1)
    deadline = runtime.deadline(timeout)

    def read(token: str | None, _: float | None) -> RestPart[DetailedDeliveryReceipt]:
        body = runtime.rest.get(urls.with_query(url, [("PageToken", token)]), timeout=deadline.remaining())
        return RestPart.parse(body, "delivery_receipts", DetailedDeliveryReceipt.parse)

    return list(RestPaginator(read, None, timeout).iter_all())


def channel_metadata(runtime: Runtime, message_url: str, message_sid: str, timeout: float | None) -> ChannelMetadata | None:
    """Return the channel metadata of a message, `None` when there is none; both are cached."""
    kept = runtime.channel_metadata.get(message_sid, _NEVER)
    if isinstance(kept, ChannelMetadata) or kept is None:
        return kept
    try:
        found = ChannelMetadata.parse(runtime.rest.get(urls.join(message_url, "ChannelMetadata"), timeout=timeout))
    except RestError as error:
        if error.status != 404 or error.code != _NO_METADATA:
            raise
        found = None
    runtime.channel_metadata.put(message_sid, found)
    return found


def recipients(runtime: Runtime, conversation_url: str, message_sid: str, timeout: float | None) -> list[RecipientDescriptor]:
    """Return the sender and the recipients of a message; an answer is cached unless it is empty."""
    kept = runtime.recipients.get(message_sid, ())
    if kept:
        return list(kept)
    url = urls.with_query(urls.join(conversation_url, "MessageRecipients"), [("MessageSid", message_sid)])
    found = _recipients(runtime, url, timeout).items
    if found:
        runtime.recipients.put(message_sid, tuple(found))
    return list(found)


def all_recipients(
    runtime: Runtime, conversation_url: str, page_size: int | None, timeout: float | None
) -> RestPaginator[RecipientDescriptor]:
    """Return the recipients of all messages of a conversation; messages that are complete on a page are cached."""
    url = urls.join(conversation_url, "MessageRecipients")

    def read(token: str | None, limit: float | None) -> RestPart[RecipientDescriptor]:
        part = _recipients(runtime, urls.with_query(url, [("PageSize", page_size), ("PageToken", token)]), limit)
        for message_sid, found in _complete(part).items():
            runtime.recipients.put(message_sid, tuple(found))
        return part

    return RestPaginator(read, None, timeout)


def _complete(part: RestPart[RecipientDescriptor]) -> dict[str, list[RecipientDescriptor]]:
    """Return the recipients on a page by message, without messages that may continue on other pages."""
    by_message: dict[str, list[RecipientDescriptor]] = collections.defaultdict(list)
    for recipient in part.items:
        by_message[recipient.message_sid].append(recipient)
    if part.items and part.previous_token is not None:
        by_message.pop(part.items[0].message_sid, None)
    if part.items and part.next_token is not None:
        by_message.pop(part.items[-1].message_sid, None)
    return by_message


def _recipients(runtime: Runtime, url: str, timeout: float | None) -> RestPart[RecipientDescriptor]:
    return RestPart.parse(runtime.rest.get(url, timeout=timeout), "message_recipients", parse_recipient)
