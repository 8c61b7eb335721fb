"""Paginated lists."""

from __future__ import annotations

import base64
import json
from typing import Any

import attrs

from twilio_conversations.server.calls import Request
from twilio_conversations.server.domain import content, delivery
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.storage.database import Connection
from twilio_conversations.server.storage.rows import ContentTemplate, Receipt, Recipient

DEFAULT_SIZE, MAX_SIZE = 50, 100


@attrs.frozen
class Pages:
    """Receipts and recipients of messages, and content templates."""

    reader: Connection
    account_sid: str

    def templates(self, request: Request) -> dict[str, Any]:
        """Return all templates of the account."""
        return self._page("templates", content.PAGE, "sid", request, self._template)

    def receipts(self, message_sid: str, request: Request) -> dict[str, Any]:
        """Return the delivery receipts of a message, one for each non-chat participant."""
        return self._page("delivery_receipts", delivery.RECEIPTS, "sid", request, _receipt, of=message_sid)

    def recipients(self, conversation_sid: str, request: Request) -> dict[str, Any]:
        """Return the non-chat senders and recipients of a conversation's messages, or of one message (``MessageSid``)."""
        message_sid = request.query.get("MessageSid")
        if message_sid is not None:
            rows = self.reader.all(delivery.RECIPIENTS_OF_MESSAGE, of=message_sid)
            return page("message_recipients", [_recipient(row) for row in rows if row.conversation_sid == conversation_sid])
        return self._page("message_recipients", delivery.RECIPIENTS, "key", request, _recipient, of=conversation_sid)

    def _page(self, key: str, statement: Any, by: str, request: Request, body: Any, **values: Any) -> dict[str, Any]:
        """Return one page, in the order of a column; a page token is the value of that column after which the page begins."""
        after = read_token(request.query.get("PageToken"))
        size = _size(request.query.get("PageSize"))
        rows = self.reader.all(statement, after=after, limit=size + 1, **values)
        more, rows = len(rows) > size, rows[:size]
        following = token(getattr(rows[-1], by)) if more else None
        return page(key, [body(row) for row in rows], following, token("") if after and rows else None)

    def _template(self, row: ContentTemplate) -> dict[str, Any]:
        return {
            "sid": row.sid,
            "account_sid": self.account_sid,
            "friendly_name": row.friendly_name,
            "variables": row.variables,
            "variants": json.loads(row.variants),
            "date_created": row.date_created,
            "date_updated": row.date_updated,
        }


def page(key: str, items: list[Any], following: str | None = None, previous: str | None = None) -> dict[str, Any]:
    """Return one page of a list."""
    return {key: items, "meta": {"next_token": following, "previous_token": previous}}


def token(after: str) -> str:
    """Return the token of the page that begins after this value."""
    return base64.urlsafe_b64encode(after.encode()).decode() or "-"


def read_token(given: str | None) -> str:
    """Return the value after which the page begins; empty text for the first page. Raises `Refusal` 20001."""
    if given is None or given == "-":
        return ""
    try:
        return base64.b64decode(given, altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise Refusal(20001, "Invalid PageToken") from error


def size_within(limit: int, text: str | None) -> int:
    """Return the size that was asked for, by default the limit. Raises `Refusal` 20001, also for a larger one."""
    size = limit if text is None else _number(text)
    if size > limit:
        raise Refusal(20001, f"Invalid PageSize: at most {limit}")
    return size


def _size(text: str | None) -> int:
    return DEFAULT_SIZE if text is None else min(_number(text), MAX_SIZE)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text[:9]) == 0:
        raise Refusal(20001, "Invalid PageSize")
    return int(text[:9])


def _receipt(row: Receipt) -> dict[str, Any]:
    names = ("sid", "message_sid", "conversation_sid", "channel_message_sid", "participant_sid", "status", "error_code")
    return {name: getattr(row, name) for name in (*names, "date_created", "date_updated")}


def _recipient(row: Recipient) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("message_sid", "type", "level", "name", "address")}
