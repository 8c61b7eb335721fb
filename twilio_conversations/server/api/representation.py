"""The JSON bodies of the client API, built from rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from twilio_conversations.server.addresses import Addresses
from twilio_conversations.server.domain import users
from twilio_conversations.server.domain.conversations import Member, document, message_list, roster
from twilio_conversations.server.settings import Settings
from twilio_conversations.server.storage.rows import Conversation, Message, Participant, User
from twilio_conversations.util.values import value


class MyConversation(NamedTuple):
    """A conversation of a user, with the user's participant and the number of unread messages."""

    conversation_sid: str
    friendly_name: str | None
    unique_name: str | None
    attributes: str
    created_by: str
    date_created: str
    date_updated: str
    participant_sid: str
    last_read_index: int | None
    notification_level: str
    unread: int


@value
class Links:
    """Representation of rows, with paths of resources and URLs with the address by which the caller reaches the service."""

    addresses: Addresses
    account_sid: str
    service_sid: str

    def path(self, *segments: str) -> str:
        """Return a path below that of the service."""
        tail = "".join(f"/{quote(segment, safe='')}" for segment in segments)
        return f"/Client/v2/Services/{self.service_sid}{tail}"

    def url(self, *segments: str) -> str:
        """Return the URL of such a path."""
        return self.addresses.api + self.path(*segments)

    def _common(self, row: User | Conversation | Participant | Message) -> dict[str, Any]:
        return {
            "sid": row.sid,
            "account_sid": self.account_sid,
            "chat_service_sid": self.service_sid,
            "date_created": row.date_created,
            "date_updated": row.date_updated,
        }

    def conversation(self, row: Conversation, *, member: Member | None, participants: int) -> dict[str, Any]:
        """Return a conversation; `member` is the caller's participant row, if any."""
        return {
            **self._common(row),
            "friendly_name": row.friendly_name,
            "unique_name": row.unique_name,
            "attributes": row.attributes,
            "created_by": row.created_by,
            "state": row.state,
            "timers": {"date_inactive": row.date_inactive, "date_closed": row.date_closed},
            "bindings": json.loads(row.bindings or "{}"),
            "status": "notParticipating" if member is None else "joined",
            "last_read_message_index": None if member is None else member.last_read_index,
            "notification_level": "default" if member is None else member.notification_level,
            "messages_count": row.messages_count,
            "participants_count": participants,
            "url": self.url("Conversations", row.sid),
            "links": {name: self.url("Conversations", row.sid, name.capitalize()) for name in ("messages", "participants")},
            "sync_objects": _sync_objects(row.sid),
        }

    def my_conversation(self, row: MyConversation, identity: str) -> dict[str, Any]:
        """Return a conversation among those of `identity`."""
        return {
            "account_sid": self.account_sid,
            "chat_service_sid": self.service_sid,
            "conversation_sid": row.conversation_sid,
            "participant_sid": row.participant_sid,
            "status": "joined",
            "friendly_name": row.friendly_name,
            "unique_name": row.unique_name,
            "attributes": row.attributes,
            "created_by": row.created_by,
            "date_created": row.date_created,
            "date_updated": row.date_updated,
            "last_read_message_index": row.last_read_index,
            "notification_level": row.notification_level,
            "unread_messages_count": None if row.last_read_index is None else row.unread,
            "url": self.url("Users", identity, "Conversations", row.conversation_sid),
            "links": {
                "conversation": self.url("Conversations", row.conversation_sid),
                "participant": self.url("Conversations", row.conversation_sid, "Participants", row.participant_sid),
            },
            "sync_objects": _sync_objects(row.conversation_sid),
        }

    def participant(self, row: Participant) -> dict[str, Any]:
        """Return a participant."""
        binding = {"type": row.type, **json.loads(row.binding)} if row.binding else None
        return {
            **self._common(row),
            "conversation_sid": row.conversation_sid,
            "role_sid": row.role_sid,
            "identity": row.identity,
            "attributes": row.attributes,
            "messaging_binding": binding,
            "last_read_message_index": row.last_read_index,
            "last_read_timestamp": row.last_read_timestamp,
            "url": self.url("Conversations", row.conversation_sid, "Participants", row.sid),
            "links": {"conversation": self.url("Conversations", row.conversation_sid)},
        }

    def message(self, row: Message) -> dict[str, Any]:
        """Return a message."""
        conversation = self.url("Conversations", row.conversation_sid)
        message = f"{conversation}/Messages/{row.sid}"
        return {
            **self._common(row),
            "conversation_sid": row.conversation_sid,
            "index": row.index,
            "author": row.author,
            "participant_sid": row.participant_sid,
            "body": row.body,
            "subject": row.subject,
            "attributes": row.attributes,
            "content_sid": row.content_sid,
            "media": _rest_media(row.medias),
            "delivery": row.delivery and json.loads(row.delivery),
            "url": message,
            "links": {
                "conversation": conversation,
                "messages_receipts": f"{message}/Receipts",
                "channel_metadata": f"{message}/ChannelMetadata",
            },
        }

    def user(self, row: User, reachability: Mapping[str, bool]) -> dict[str, Any]:
        """Return a user; `reachability` is its published reachability, if enabled."""
        return {
            **self._common(row),
            "identity": row.identity,
            "friendly_name": row.friendly_name,
            "attributes": row.attributes,
            "role_sid": row.role_sid,
            "is_online": reachability.get("online"),
            "is_notifiable": reachability.get("notifiable"),
            "url": self.url("Users", row.identity),
            "sync_objects": {"user_info_map": users.info_map(row.sid)},
        }

    def configuration(self, user: User, settings: Settings) -> dict[str, Any]:
        """Return the configuration that a client reads at start."""
        return {
            "identity": user.identity,
            "url": f"{self.addresses.api}/Client/v2/Configuration",
            "options": {
                "consumption_report_interval": "PT1S",
                "http_cache_interval": "PT1S",
                "typing_indicator_timeout": settings.typing_timeout * 1000,
                "user_infos_to_subscribe": settings.user_infos_to_subscribe,
                "reachability_enabled": settings.reachability_enabled,
                "my_conversations_page_size": 100,
                "media_attachments_count_limit": settings.media_attachments_count_limit,
                "media_attachment_size_limit_in_mb": settings.media_attachment_size_limit_in_mb,
                "media_attachments_total_size_limit_in_mb": settings.media_attachments_total_size_limit_in_mb,
                "email_histories_allowed_mime_types": list(settings.email_histories_allowed_mime_types),
                "email_bodies_allowed_mime_types": list(settings.email_bodies_allowed_mime_types),
            },
            "sync_objects": {
                "my_conversations": users.conversations_map(user.identity),
                "my_user_info": users.info_map(user.sid),
            },
            "links": {name: url for name, url in self._start_links(user).items() if name not in settings.links_left_out},
        }

    def _start_links(self, user: User) -> dict[str, str]:
        media = f"{self.addresses.media}/v1/Services/{self.service_sid}/Media"
        return {
            "my_conversations": self.url("Users", user.sid, "Conversations"),
            "conversations": self.url("Conversations"),
            "users": self.url("Users"),
            "current_user": self.url("Users", user.sid),
            "typing": f"{self.addresses.api}/v1/Instances/{self.service_sid}/Typing",
            "media_service": media,
            "media_set_service": f"{media}Set",
            "messages_receipts": f"{self.url('Conversations')}/%s/Messages/%s/Receipts",
        }


def _rest_media(medias: str | None) -> list[dict[str, Any]] | None:
    """Return the media of a message in the format of the REST API."""
    if medias is None:
        return None
    names = {"contentType": "content_type"}
    return [{names.get(name, name): value for name, value in entry.items()} for entry in json.loads(medias)]


def _sync_objects(sid: str) -> dict[str, str]:
    return {"conversation": document(sid), "messages": message_list(sid), "participants": roster(sid)}
