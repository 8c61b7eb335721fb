"""Rows of the tables, one class for each. Their fields are the columns, in the tables' order.

They are named tuples: a frozen attrs class takes about eight times as long to create, and a command reads ten rows. Times are
ISO-8601 text and JSON is text, as in the tables. SQLite returns booleans as 0 and 1.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sqlalchemy import Table

from twilio_conversations.server.storage import tables


class Role(NamedTuple):
    """A role of users or of participants; `permissions` is a JSON list."""

    sid: str
    friendly_name: str
    type: str
    permissions: str
    date_created: str
    date_updated: str


class User(NamedTuple):
    """A user."""

    sid: str
    identity: str
    friendly_name: str | None
    attributes: str
    role_sid: str
    date_created: str
    date_updated: str


class Conversation(NamedTuple):
    """A conversation, with its last message and its timers."""

    sid: str
    unique_name: str | None
    friendly_name: str | None
    attributes: str
    created_by: str
    state: str
    state_updated: str
    next_index: int
    last_index: int | None
    last_timestamp: str | None
    last_sid: str | None
    last_author: str | None
    messages_count: int
    timer_inactive: str | None
    timer_closed: str | None
    date_inactive: str | None
    date_closed: str | None
    bindings: str | None
    date_created: str
    date_updated: str


class Participant(NamedTuple):
    """A participant: of chat with an `identity`, else with an `address` and a `binding`."""

    sid: str
    conversation_sid: str
    identity: str | None
    type: str
    address: str | None
    proxy_address: str | None
    binding: str | None
    attributes: str
    role_sid: str
    last_read_index: int | None
    last_read_timestamp: str | None
    notification_level: str
    date_created: str
    date_updated: str


class Message(NamedTuple):
    """A message."""

    sid: str
    conversation_sid: str
    index: int  # type: ignore[assignment]  # a tuple has a method of this name
    author: str
    participant_sid: str | None
    outside: bool | None
    body: str | None
    subject: str | None
    attributes: str
    content_sid: str | None
    medias: str | None
    channel_metadata: str | None
    delivery: str | None
    last_updated_by: str | None
    date_created: str
    date_updated: str


class Media(NamedTuple):
    """An attachment; without a message until it is sent."""

    sid: str
    author: str
    message_sid: str | None
    conversation_sid: str | None
    category: str
    content_type: str
    filename: str | None
    size: int
    multipart: bool
    date_created: str
    date_updated: str


class Receipt(NamedTuple):
    """Delivery of a message to one non-chat participant."""

    sid: str
    message_sid: str
    conversation_sid: str
    participant_sid: str
    channel_message_sid: str
    type: str
    address: str
    proxy_address: str
    status: str
    error_code: int
    date_created: str
    date_updated: str


class Recipient(NamedTuple):
    """A non-chat participant that a message names as its sender or recipient."""

    conversation_sid: str
    key: str
    message_sid: str
    type: str
    level: str | None
    name: str | None
    address: str


class Registration(NamedTuple):
    """A push registration."""

    id: str
    identity: str
    channel_type: str
    address: str
    platform: str
    version: str
    message_types: str
    date_created: str
    date_updated: str


class ContentTemplate(NamedTuple):
    """A content template; `variables` and `variants` are JSON objects."""

    sid: str
    friendly_name: str
    variables: str
    variants: str
    date_created: str
    date_updated: str


class Mutation(NamedTuple):
    """The id of an executed command, and the path of the resource that it created or changed."""

    service_sid: str
    identity: str
    mutation_id: str
    resource: str | None
    date_created: str


class SyncEntity(NamedTuple):
    """A Sync object; `head` is the number of its newest event."""

    sid: str
    unique_name: str
    kind: str
    owner: str | None
    conversation_sid: str | None
    head: int
    data: str | None
    compacted: int | None
    removed: bool
    date_created: str
    date_updated: str


class SyncItem(NamedTuple):
    """An item of a list or map."""

    entity_sid: str
    key: str
    event_id: int
    added_id: int | None
    data: str
    date_created: str
    date_updated: str


class Event(NamedTuple):
    """One event of the log: change number `id` of one Sync object. `body` is its JSON.

    `replaces` and `withdraws` are the numbers of earlier events that it supersedes.
    """

    entity_sid: str
    id: int
    type: str
    body: str
    replaces: int | None = None
    withdraws: int | None = None


TABLES: Final[dict[type[tuple[Any, ...]], Table]] = {
    Role: tables.roles,
    User: tables.users,
    Conversation: tables.conversations,
    Participant: tables.participants,
    Message: tables.messages,
    Media: tables.media,
    Receipt: tables.receipts,
    Recipient: tables.recipients,
    Registration: tables.registrations,
    ContentTemplate: tables.content_templates,
    Mutation: tables.mutations,
    SyncEntity: tables.sync_entities,
    SyncItem: tables.sync_items,
    Event: tables.sync_events,
}
"""The table of each class."""
