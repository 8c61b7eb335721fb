"""Bindings of conversations and participants to channels other than chat: addresses, names, levels.

Every value is what the service said, read leniently: what is not there, or not of its type, is `None`, and `raw` keeps all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from twilio_conversations.enums import ParticipantEmailLevel, known
from twilio_conversations.util.json import copied, parse_text, text_or_empty


@attrs.frozen
class _Bindings:
    """Raw data of bindings, by channel."""

    _raw: Mapping[str, Any] = attrs.field(factory=dict, kw_only=True, repr=False)

    @property
    def raw(self) -> dict[str, Any]:
        """All data from the service, by channel; a copy."""
        return copied(dict(self._raw))  # type: ignore[no-any-return]

    def __getitem__(self, channel: str) -> Any:
        """Return the raw data of one channel, such as ``"sms"``; a copy."""
        return copied(self._raw[channel])

    def __contains__(self, channel: object) -> bool:
        return channel in self._raw


@attrs.frozen
class ConversationEmailBinding:
    """E-mail binding of a conversation.

    Attributes:
        projected_address: address of the conversation for e-mail participants.
        name: display name of that address.
    """

    projected_address: str
    name: str | None = None

    @classmethod
    def parse(cls, value: Any) -> ConversationEmailBinding | None:
        """Read ``{projected_address, name?}``; return `None` for anything else."""
        if not isinstance(value, dict):
            return None
        return cls(text_or_empty(value.get("projected_address")), parse_text(value.get("name")))


@attrs.frozen
class ConversationSmsBinding:
    """SMS binding of a conversation; `address` is its number."""

    address: str | None = None

    @classmethod
    def parse(cls, value: Any) -> ConversationSmsBinding | None:
        """Read ``{address?}``; return `None` for anything else."""
        return cls(parse_text(value.get("address"))) if isinstance(value, dict) else None


@attrs.frozen
class ConversationBindings(_Bindings):
    """Bindings of a conversation to other channels than chat; `bindings["whatsapp"]` returns the raw data of any channel."""

    email: ConversationEmailBinding | None = None
    sms: ConversationSmsBinding | None = None

    @classmethod
    def parse(cls, value: Any) -> ConversationBindings:
        """Read the document's ``bindings``; anything but an object results in empty bindings."""
        if not isinstance(value, dict):
            return cls()
        return cls(
            ConversationEmailBinding.parse(value.get("email")),
            ConversationSmsBinding.parse(value.get("sms")),
            raw=value,
        )


@attrs.frozen
class ParticipantEmailBinding:
    """An e-mail participant.

    Attributes:
        name: display name.
        address: its address; not used to add a participant, where the address is a separate argument.
        level: its address line.
    """

    name: str = ""
    address: str = ""
    level: ParticipantEmailLevel | str = ParticipantEmailLevel.TO

    @classmethod
    def parse(cls, value: Any) -> ParticipantEmailBinding | None:
        """Read ``{name, address, level}``; return `None` for anything but an object."""
        if not isinstance(value, dict):
            return None
        return cls(
            text_or_empty(value.get("name")),
            text_or_empty(value.get("address")),
            known(ParticipantEmailLevel, value.get("level"), ParticipantEmailLevel.TO),
        )


@attrs.frozen
class ParticipantBindings(_Bindings):
    """Bindings of a participant to other channels than chat; `bindings["sms"]` returns the raw data of any channel."""

    email: ParticipantEmailBinding | None = None

    @classmethod
    def parse(cls, value: Any) -> ParticipantBindings:
        """Read a participant's ``bindings``; anything but an object results in empty bindings."""
        if not isinstance(value, dict):
            return cls()
        return cls(ParticipantEmailBinding.parse(value.get("email")), raw=value)


@attrs.frozen
class ParticipantBindingOptions:
    """Options of a non-chat participant to add: for e-mail, its name and level."""

    email: ParticipantEmailBinding | None = None
