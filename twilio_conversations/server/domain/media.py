"""Media: uploaded by one user, then sent once, with one message of that user."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from typing import Any

import attrs
from sqlalchemy import bindparam, delete, select

from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.settings import Settings
from twilio_conversations.server.storage.database import timestamp
from twilio_conversations.server.storage.rows import Media
from twilio_conversations.server.storage.statements import Query, Values
from twilio_conversations.server.storage.tables import media
from twilio_conversations.server.storage.writer import Transaction

MEDIA, BODY, HISTORY = "media", "body", "history"
CATEGORIES = (MEDIA, BODY, HISTORY)
MEGABYTE = 1024 * 1024
ABANDONED_AFTER = dt.timedelta(hours=24)
"""Time after which an unsent upload may be deleted; the next upload, by any user, deletes it."""

MAX_CONTENT_TYPE = 256
MAX_FILENAME = 256

BY_SID = Query(Media, select(media).where(media.c.sid == bindparam("sid")))
KNOWN = Values(str, select(media.c.sid))
_TOKEN = r"[A-Za-z0-9!#$&^_.+-]+"
_CONTENT_TYPE = re.compile(rf'{_TOKEN}/{_TOKEN}(?:\s*;\s*{_TOKEN}=(?:{_TOKEN}|"[^"\\\x00-\x1f\x7f-\uffff]*"))*')
_SID = re.compile(r"ME[0-9a-f]{32}")
_DROP_OF_MESSAGE = Values(str, delete(media).where(media.c.message_sid == bindparam("of")).returning(media.c.sid))
_DROP_OF_CONVERSATION = Values(str, delete(media).where(media.c.conversation_sid == bindparam("of")).returning(media.c.sid))
_DROP_ABANDONED = Values(
    str,
    delete(media).where(media.c.message_sid.is_(None), media.c.date_created < bindparam("before")).returning(media.c.sid),
)


def category(value: str | None) -> str:
    """Return a category, ``media`` when none is given. Raises 20422."""
    if value is None:
        return MEDIA
    if value not in CATEGORIES:
        raise Refusal(20422, f"Category must be one of {', '.join(CATEGORIES)}")
    return value


def create(
    tx: Transaction, sid: str, author: str, *, category: str, content_type: str, filename: str | None, size: int, multipart: bool
) -> Media:
    """Create the row of a media file that is written.

    Raises:
        Refusal: 50511 the content type is no valid header value; 20422 the name is too long.
    """
    if len(content_type) > MAX_CONTENT_TYPE or not _CONTENT_TYPE.fullmatch(content_type):
        raise Refusal(50511)
    if filename is not None and len(filename) > MAX_FILENAME:
        raise Refusal(20422, "The filename is too long")
    row = Media(
        sid=sid,
        author=author,
        message_sid=None,
        conversation_sid=None,
        category=category,
        content_type=content_type,
        filename=filename,
        size=size,
        multipart=multipart,
        date_created=tx.now,
        date_updated=tx.now,
    )
    tx.insert(row)
    return row


@attrs.frozen
class Attachment:
    """An attachment that no client uploaded, such as of an incoming message; its file is written."""

    sid: str
    size: int
    content_type: str
    filename: str | None = None
    category: str = MEDIA


def attach_new(tx: Transaction, author: str, item: Attachment, *, message_sid: str, conversation_sid: str) -> dict[str, Any]:
    """Create the row of an attachment of a new message; return its entry for the list of messages.

    Raises as `create` does, and 20422.
    """
    row = create(
        tx,
        item.sid,
        author,
        category=category(item.category),
        content_type=item.content_type,
        filename=item.filename,
        size=item.size,
        multipart=False,
    )
    return _attached(tx, row, message_sid, conversation_sid)


def attach(tx: Transaction, author: str, sids: Any, *, message_sid: str, conversation_sid: str) -> list[dict[str, Any]]:
    """Attach uploaded media to a new message; return their entries for the list of messages, in the order of `sids`.

    Raises:
        Refusal: 50506 an empty sid; 50510 not a list of media sids, or one of them twice; 50507 no such upload of this
            author; 50508 sent before; 20422, 50511, 50512 against the limits of the service.
    """
    rows = [_find(tx, author, sid) for sid in _checked(sids)]
    _check_limits(rows, tx.settings)
    return [_attached(tx, row, message_sid, conversation_sid) for row in rows]


def _attached(tx: Transaction, row: Media, message_sid: str, conversation_sid: str) -> dict[str, Any]:
    """Attach media to a message; return its entry for the list of messages."""
    return entry(tx.update(row, row._replace(message_sid=message_sid, conversation_sid=conversation_sid, date_updated=tx.now)))


def _checked(sids: Any) -> list[str]:
    if not isinstance(sids, list):
        raise Refusal(50510)
    if None in sids or "" in sids:
        raise Refusal(50506)
    if not all(isinstance(sid, str) and _SID.fullmatch(sid) for sid in sids):
        raise Refusal(50510)
    if len(set(sids)) < len(sids):
        raise Refusal(50510, "A media SID is given twice")
    return sids


def _find(tx: Transaction, author: str, sid: str) -> Media:
    row = tx.first(BY_SID, sid=sid)
    if row is None or row.author != author:
        raise Refusal(50507)
    if row.message_sid is not None:
        raise Refusal(50508)
    return row


def _check_limits(rows: Iterable[Media], settings: Settings) -> None:
    by_category: dict[str, list[Media]] = {name: [] for name in CATEGORIES}
    for row in rows:
        by_category[row.category].append(row)
    if len(by_category[MEDIA]) > settings.media_attachments_count_limit:
        raise Refusal(20422, "Too many media")
    if sum(row.size for row in by_category[MEDIA]) > settings.media_attachments_total_size_limit_in_mb * MEGABYTE:
        raise Refusal(50512)
    _check_email(by_category[BODY], settings.email_bodies_allowed_mime_types)
    _check_email(by_category[HISTORY], settings.email_histories_allowed_mime_types)


def _check_email(rows: list[Media], allowed: tuple[str, ...]) -> None:
    """Raise unless e-mail bodies or histories have allowed types, and one of each."""
    types = [row.content_type.partition(";")[0].strip().lower() for row in rows]
    if not set(types) <= set(allowed):
        raise Refusal(50511)
    if len(set(types)) < len(types):
        raise Refusal(20422, "More than one e-mail body or history of the same content type")


def entry(row: Media) -> dict[str, Any]:
    """Return an entry of the list of messages."""
    return {
        "sid": row.sid,
        "category": row.category,
        "filename": row.filename,
        "contentType": row.content_type,
        "size": row.size,
    }


def drop_of_message(tx: Transaction, message_sid: str) -> None:
    """Delete the media of a message."""
    tx.media_dropped.extend(tx.values(_DROP_OF_MESSAGE, of=message_sid))


def drop_of_conversation(tx: Transaction, conversation_sid: str) -> None:
    """Delete the media of a conversation."""
    tx.media_dropped.extend(tx.values(_DROP_OF_CONVERSATION, of=conversation_sid))


def drop_abandoned(tx: Transaction) -> None:
    """Delete old uploads that were never sent."""
    before = timestamp(dt.datetime.fromisoformat(tx.now) - ABANDONED_AFTER)
    tx.media_dropped.extend(tx.values(_DROP_ABANDONED, before=before))
