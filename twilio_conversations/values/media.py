"""Fields of an attachment on the wire, under our names: an entry of a message, or the response to an upload."""

from __future__ import annotations

from typing import Any

import attrs

from twilio_conversations.enums import MediaCategory, known
from twilio_conversations.util.json import parse_index, text_or_empty, text_or_none


@attrs.frozen
class MediaData:
    """Fields of one attachment, from a message or the media service."""

    sid: str
    category: MediaCategory | str = MediaCategory.MEDIA
    filename: str | None = None
    content_type: str = ""
    size: int = 0

    @classmethod
    def parse(cls, value: Any) -> MediaData | None:
        """Read Sync's entry (``contentType``) or the REST one (``content_type``); `None` without a sid."""
        if not isinstance(value, dict) or not isinstance(sid := value.get("sid"), str):
            return None
        return cls(
            sid,
            known(MediaCategory, value.get("category"), MediaCategory.MEDIA),
            text_or_none(value.get("filename")),
            text_or_empty(value.get("contentType") or value.get("content_type")),
            parse_index(value.get("size")) or 0,
        )


def parse_medias(value: Any) -> tuple[MediaData, ...]:
    """Read a message's list of media; what has no sid is left out, and anything but a list is none at all."""
    if not value or not isinstance(value, list):
        return ()
    return tuple(data for data in map(MediaData.parse, value) if data is not None)
