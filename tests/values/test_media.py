"""Attachments as the wire has them."""

from __future__ import annotations

from typing import Any

import pytest

from twilio_conversations.enums import MediaCategory
from twilio_conversations.values.media import MediaData, parse_medias


@pytest.mark.parametrize("content_type", ["contentType", "content_type"])
def test_an_attachment(content_type: str) -> None:
    """Of a message, and of the media service."""
    value = {"sid": "ME1", "category": "body", "filename": "a.txt", content_type: "text/plain", "size": 5}
    assert MediaData.parse(value) == MediaData("ME1", MediaCategory.BODY, "a.txt", "text/plain", 5)
    assert parse_medias([value, {"sid": "ME2"}]) == (MediaData.parse(value), MediaData("ME2"))


@pytest.mark.parametrize("value", [None, 7, "ME1", [], {}, {"sid": None}, {"sid": 7}])
def test_what_is_no_attachment(value: Any) -> None:
    """Left out of a list; other than a list there is none at all."""
    assert MediaData.parse(value) is None
    assert parse_medias(value) == parse_medias([value]) == ()
