"""The service's configuration, read with defaults; without the essential it is refused."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from twilio_conversations.errors import ProtocolError
from twilio_conversations.values.configuration import Configuration, ConversationLimits

CONFIGURATION: dict[str, Any] = {
    "identity": "alice",
    "options": {"user_infos_to_subscribe": 7, "email_bodies_allowed_mime_types": ["text/plain"]},
    "sync_objects": {"my_conversations": "US1.conversations", "my_user_info": "US1.info"},
    "links": {
        name: f"http://h/{name}"
        for name in ("my_conversations", "conversations", "users", "typing", "messages_receipts", "media_service")
    },
}


def test_the_configuration_is_read_with_defaults() -> None:
    """What the service leaves out has a default, where there can be one."""
    configuration = Configuration.parse(CONFIGURATION)

    assert (configuration.identity, configuration.user_infos_to_subscribe) == ("alice", 7)
    assert configuration.media_set_url == "http://h/media_serviceSet"
    assert configuration.limits.media_attachments_count_limit == 10
    assert configuration.limits.email_bodies_allowed_content_types == ("text/plain",)


@pytest.mark.parametrize("missing", [("identity",), ("sync_objects", "my_conversations"), ("sync_objects",)])
def test_a_configuration_without_the_essential_is_a_protocol_error(missing: tuple[str, ...]) -> None:
    """The error names what is missing."""
    body = {key: dict(value) if isinstance(value, dict) else value for key, value in CONFIGURATION.items()}
    owner = body
    for name in missing[:-1]:
        owner = owner[name]
    del owner[missing[-1]]

    with pytest.raises(ProtocolError, match=missing[-1]):
        Configuration.parse(body)


def test_limits_of_another_type_keep_their_defaults() -> None:
    """A whole number is taken, anything else is not."""
    options = {
        "media_attachments_count_limit": 3,
        "media_attachment_size_limit_in_mb": "50",
        "media_attachments_total_size_limit_in_mb": True,
        "email_histories_allowed_mime_types": "text/plain",
    }
    limits = Configuration.parse(CONFIGURATION | {"options": options}).limits
    assert limits == attrs.evolve(ConversationLimits(), media_attachments_count_limit=3)


def test_addresses_have_names() -> None:
    """Each is the link that it is named after."""
    configuration = Configuration.parse(CONFIGURATION)
    links = configuration.links

    assert (configuration.my_conversations_url, configuration.conversations_url) == (
        links["my_conversations"],
        links["conversations"],
    )
    assert (configuration.users_url, configuration.typing_url) == (links["users"], links["typing"])
    assert (configuration.receipts_url, configuration.media_url) == (links["messages_receipts"], links["media_service"])
