"""Purposes of following an object, the most important first: where not everything can be followed, those come first."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from twilio_conversations.sync.changes import Kind


class Purpose(enum.IntEnum):
    """Purpose of an object; a smaller one is more important."""

    CONVERSATIONS = 0
    MESSAGES = 1
    DOCUMENT = 2
    PARTICIPANTS = 3
    USER = 4


PURPOSES: Final[Mapping[Kind, Purpose]] = MappingProxyType(
    {"list": Purpose.MESSAGES, "document": Purpose.DOCUMENT, "map": Purpose.PARTICIPANTS}
)
"""Kind of an object -> its purpose, unless whoever opens it says another."""

WORDS: Final[Mapping[Purpose, str]] = MappingProxyType(
    {
        Purpose.CONVERSATIONS: "the list of conversations",
        Purpose.MESSAGES: "the messages of conversations",
        Purpose.DOCUMENT: "the properties of conversations",
        Purpose.PARTICIPANTS: "the participants of conversations",
        Purpose.USER: "users",
    }
)
"""Objects of a purpose as an error calls them."""
