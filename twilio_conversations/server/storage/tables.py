"""The tables. Times are ISO-8601 text in UTC with milliseconds, which sorts by time; JSON is text.

SQLite's `WITHOUT ROWID` keeps a table in the order of its primary key instead of beside an index: one page less per insert.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text, UniqueConstraint

metadata = MetaData()

SID = String(34)
TIME = String(24)

roles = Table(
    "roles",
    metadata,
    Column("sid", SID, primary_key=True),
    Column("friendly_name", String(64), nullable=False, unique=True),
    Column("type", String(16), nullable=False),
    Column("permissions", Text, nullable=False),
    Column("date_created", TIME, nullable=False),
    Column("date_updated", TIME, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("sid", SID, primary_key=True),
    Column("identity", String(256), nullable=False, unique=True),
    Column("friendly_name", String(256)),
    Column("attributes", Text, nullable=False),
    Column("role_sid", SID, ForeignKey("roles.sid"), nullable=False),
    Column("date_created", TIME, nullable=False),
    Column("date_updated", TIME, nullable=False),
)

conversations = Table(
    "conversations",
    metadata,
    Column("sid", SID, primary_key=True),
    Column("unique_name", String(256), unique=True),
    Column("friendly_name", String(256)),
    Column("attributes", Text, nullable=False),
    Column("created_by", String(256), nullable=False),
    Column("state", String(16), nullable=False),
    Column("state_updated", TIME, nullable=False),
    Column("next_index", Integer, nullable=False),
    Column("last_index", Integer),
    Column("last_timestamp", TIME),
    Column("last_sid", SID),
    Column("last_author", String(256)),
    Column("messages_count", Integer, nullable=False),
    # Timers are ISO-8601 durations; the dates are those of their end.
    Column("timer_inactive", String(32)),
    Column("timer_closed", String(32)),
    Column("date_inactive", TIME),
    Column("date_closed", TIME),
    Column("bindings", Text),
    Column("date_created", TIME, nullable=False),
    Column("date_updated", TIME, nullable=False),
)
timers = tuple(
    Index(f"conversations_by_{column.name}", column, sqlite_where=column.is_not(None), postgresql_where=column.is_not(None))
    for column in (conversations.c.date_inactive, conversations.c.date_closed)
)
"""Indexes of the conversations that have a timer: the next one is read whenever a timer starts."""

participants = Table(
    "participants",
    metadata,
    Column("sid", SID, primary_key=True),
    Column("conversation_sid", SID, ForeignKey("conversations.sid"), nullable=False),
    Column("identity", String(256)),
    Column("type", String(16), nullable=False),
    Column("address", String(256)),
    Column("proxy_address", String(256)),
    Column("binding", Text),
    Column("attributes", Text, nullable=False),
    Column("role_sid", SID, ForeignKey("roles.sid"), nullable=False),
    Column("last_read_index", Integer),
    Column("last_read_timestamp", TIME),
    Column("notification_level", String(16), nullable=False),
    Column("date_created", TIME, nullable=False),
    Column("date_updated", TIME, nullable=False),
    UniqueConstraint("conversation_sid", "identity"),
    UniqueConstraint("address", "proxy_address"),
    Index("participants_of_identity", "identity", "conversation_sid"),
)

messages = Table(
    "messages",
    metadata,
    Column("sid", SID, primary_key=True),
    Column("conversation_sid", SID, ForeignKey("conversations.sid"), nullable=False),
    Column("index", Integer, nullable=False),
    Column("author", String(256), nullable=False),
    Column("participant_sid", SID),
    # Whether the author is an address, not an identity; null in rows older than this column.
    Column("outside", Boolean),
    Column("body", Text),
    Column("subject", String(256)),
    Column("attributes", Text, nullable=False),
    Column("content_sid", SID),
    # The entries of its media for the list of messages; they never change.
    Column("medias", Text),
    Column("channel_metadata", Text),
    Column("delivery", Text),
    Column("last_updated_by", String(256)),
    Column("date_created", TIME, nullable=False),
    Column("date_updated", TIME, nullable=False),
    UniqueConstraint("conversation_sid", "index"),
)

media = Table(
    "media",
    metadata,
    Column("sid", SID, primary_key=True),
    Column("author", String(256), nullable=False),
    # Null until it is sent.
    Column("message_sid", SID, index=True),
    Column("conversation_sid", SID, index=True),
    Column("category", String(16), nullable=False),
    Column("content_type", String(256), nullable=False),
    Column("filename", String(256)),
    Column("size", BigInteger, nullable=False),
    Column("multipart", Boolean, nullable=False),
    Column("date_created", TIME, nullable=False),
    Column("date_updated", TIME, nullable=False),
)

receipts = Table(
    "receipts",
    metadata,
    Column("sid", SID, primary_key=True),
    Column("message_sid", SID, ForeignKey("messages.sid"), nullable=False),
    Column("conversation_sid", SID, nullable=False),
    Column("participant_sid", SID, nullable=False),
    Column("channel_message_sid", SID, nullable=False),
    Column("type", String(16), nullable=False),
    Column("address", String(256), nullable=False),
    Column("proxy_address", String(256), nullable=False),
    Column("status", String(16), nullable=False),
    Column("error_code", Integer, nullable=False),
    Column("date_created", TIME, nullable=False),
    Column("date_updated", TIME, nullable=False),
    Index("receipts_of_message", "message_sid", "sid"),
    Index("receipts_of_conversation", "conversation_sid"),
)

recipients = Table(
    "recipients",
    metadata,
    Column("conversation_sid", SID, primary_key=True),
    # The message's index and a number, with leading zeros: text order is the order of messages.
    Column("key", String(20), primary_key=True),
    Column("message_sid", SID, ForeignKey("messages.sid"), nullable=False),
    Column("type", String(16), nullable=False),
    Column("level", String(8)),
    Column("name", String(256)),
    Column("address", String(256), nullable=False),
    Index("recipients_of_message", "message_sid", "key"),
)

registrations = Table(
    "registrations",
    metadata,
    Column("id", SID, primary_key=True),
    Column("identity", String(256), nullable=False),
    Column("channel_type", String(16), nullable=False),
    Column("address", Text, nullable=False),
    Column("platform", String(128), nullable=False),
    Column("version", String(128), nullable=False),
    Column("message_types", Text, nullable=False),
    Column("date_created", TIME, nullable=False),
    Column("date_updated", TIME, nullable=False),
    UniqueConstraint("identity", "channel_type", "address"),
)

content_templates = Table(
    "content_templates",
    metadata,
    Column("sid", SID, primary_key=True),
    Column("friendly_name", String(256), nullable=False),
    Column("variables", Text, nullable=False),
    Column("variants", Text, nullable=False),
    Column("date_created", TIME, nullable=False),
    Column("date_updated", TIME, nullable=False),
)

mutations = Table(
    "mutations",
    metadata,
    Column("service_sid", SID, primary_key=True),
    Column("identity", String(256), primary_key=True),
    Column("mutation_id", String(64), primary_key=True),
    Column("resource", Text),
    Column("date_created", TIME, nullable=False),  # no index: it is read once in thousands of commands
    sqlite_with_rowid=False,
)

sync_entities = Table(
    "sync_entities",
    metadata,
    Column("sid", SID, primary_key=True),
    Column("unique_name", String(320), nullable=False, unique=True),
    Column("kind", String(8), nullable=False),
    # Readers: everybody when both are null, else the owner, and the members of the conversation.
    Column("owner", String(256)),
    Column("conversation_sid", SID),
    Column("head", Integer, nullable=False),
    Column("data", Text),
    # The number up to which the log of its events is compacted.
    Column("compacted", Integer),
    Column("removed", Boolean, nullable=False),
    Column("date_created", TIME, nullable=False),
    Column("date_updated", TIME, nullable=False),
    Index("entities_of_conversation", "conversation_sid"),
)

sync_items = Table(
    "sync_items",
    metadata,
    Column("entity_sid", SID, ForeignKey("sync_entities.sid"), primary_key=True),
    # A list's index is written with leading zeros, so that text order is number order.
    Column("key", String(256), primary_key=True),
    Column("event_id", Integer, nullable=False),
    # The number of the event that added it.
    Column("added_id", Integer),
    Column("data", Text, nullable=False),
    Column("date_created", TIME, nullable=False),
    Column("date_updated", TIME, nullable=False),
    sqlite_with_rowid=False,
)

sync_events = Table(
    "sync_events",
    metadata,
    Column("entity_sid", SID, ForeignKey("sync_entities.sid"), primary_key=True),
    Column("id", Integer, primary_key=True),
    Column("type", String(32), nullable=False),
    Column("body", Text, nullable=False),
    # The earlier events that this one supersedes: the update before it, and, when an item is removed, its adding.
    Column("replaces", Integer),
    Column("withdraws", Integer),
)
