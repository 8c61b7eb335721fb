"""Configuration of the client from the service, read at the start (``GET /Client/v2/Configuration``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from twilio_conversations.errors import ProtocolError
from twilio_conversations.util import checks
from twilio_conversations.util.json import whole_number
from twilio_conversations.values.links import ServiceLinks


@attrs.frozen
class ConversationLimits:
    """Limits of one message; the same for every conversation of a service. Sizes are in megabytes."""

    media_attachments_count_limit: int = 10
    media_attachment_size_limit_in_mb: int = 150
    media_attachments_total_size_limit_in_mb: int = 150
    email_histories_allowed_content_types: tuple[str, ...] = ("text/plain", "text/html")
    email_bodies_allowed_content_types: tuple[str, ...] = ("text/plain", "text/html")


@attrs.frozen
class Configuration:
    """Identity, addresses and limits of this client on this service."""

    identity: str
    my_conversations_map: str
    my_user_info_map: str
    links: ServiceLinks
    reachability_enabled: bool
    user_infos_to_subscribe: int
    limits: ConversationLimits

    @classmethod
    def parse(cls, body: Any) -> Configuration:
        """Read the answer. A missing link is no error here, but where it is used.

        Raises:
            ProtocolError: something that the client cannot start without is missing.
        """
        document = _object(body, "the configuration")
        objects = _object(document.get("sync_objects"), "sync_objects")
        options = document.get("options")
        options = options if isinstance(options, dict) else {}
        my_user_info = _text(objects, "my_user_info")
        count = whole_number(options.get("user_infos_to_subscribe")) or 0
        return cls(
            identity=_text(document, "identity"),
            my_conversations_map=_text(objects, "my_conversations"),
            my_user_info_map=my_user_info,
            links=ServiceLinks.parse(document.get("links"), my_user_info),
            reachability_enabled=options.get("reachability_enabled") is True,
            user_infos_to_subscribe=count if count > 0 else 100,
            limits=_limits(options),
        )

    @property
    def my_conversations_url(self) -> str:
        """Return the address of the current user's conversations; each of these raises `ProtocolError` if there is none."""
        return self.links["my_conversations"]

    @property
    def conversations_url(self) -> str:
        """Return the address of all conversations."""
        return self.links["conversations"]

    @property
    def users_url(self) -> str:
        """Return the address of the users."""
        return self.links["users"]

    @property
    def typing_url(self) -> str:
        """Return the address for typing."""
        return self.links["typing"]

    @property
    def receipts_url(self) -> str:
        """Return the address of a message's receipts, with two ``%s`` for the sids of its conversation and of itself."""
        return self.links["messages_receipts"]

    @property
    def media_url(self) -> str:
        """Return the address of media, which may be without a host."""
        return self.links["media_service"]

    @property
    def media_set_url(self) -> str:
        """Return the address of several media at once, which may be without a host."""
        return self.links["media_set_service"]


_LIMIT_NAMES = {
    "media_attachments_count_limit": "media_attachments_count_limit",
    "media_attachment_size_limit_in_mb": "media_attachment_size_limit_in_mb",
    "media_attachments_total_size_limit_in_mb": "media_attachments_total_size_limit_in_mb",
    "email_histories_allowed_mime_types": "email_histories_allowed_content_types",
    "email_bodies_allowed_mime_types": "email_bodies_allowed_content_types",
}


def _limits(options: Mapping[str, Any]) -> ConversationLimits:
    """Return the limits that are there and have the right type; the others keep their defaults."""
    known: dict[str, Any] = {}
    for wire_name, name in _LIMIT_NAMES.items():
        value = options.get(wire_name)
        if name.endswith("content_types"):
            if isinstance(value, list) and all(isinstance(item, str) for item in value):
                known[name] = tuple(value)
        elif whole_number(value) is not None:
            known[name] = value
    return ConversationLimits(**known)


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ProtocolError(f"{what} is missing from the service's configuration")
    return value


def _text(owner: Mapping[str, Any], name: str) -> str:
    value = owner.get(name)
    if not isinstance(value, str) or not checks.is_unicode(value) or not value:
        raise ProtocolError(f"{name} is missing from the service's configuration")
    return value
