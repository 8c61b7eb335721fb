"""The events of one client, in order, with the state of the objects that its handlers saw."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from twilio_conversations import Client, Conversation, Message, Participant

Marks = Callable[[str], tuple[int, int]]


@attrs.frozen
class ClientEvent:
    """One event: its conversation, the key of its item, and the item's values when the handler ran.

    Attributes:
        marks: of ``conversation_joined``, the newest event ids of the conversation's messages and participants.
        items: of ``conversation_resynced``, the values of all items of earlier events, by kind and key.
    """

    event: str
    room: str
    key: Any = None
    state: dict[str, Any] | None = None
    marks: tuple[int, int] | None = None
    items: dict[tuple[str, Any], dict[str, Any]] | None = None

    def __str__(self) -> str:
        return f"{self.event} {self.room[-4:]} {self.key if not isinstance(self.key, str) else self.key[-4:]}"


def of_conversation(one: Conversation) -> dict[str, Any]:
    """Return the values of a conversation that are compared."""
    return {
        "friendly_name": one.friendly_name,
        "unique_name": one.unique_name,
        "attributes": one.attributes,
        "created_by": one.created_by,
        "state": None if one.state is None else str(one.state.current),
        "last_message": None if one.last_message is None else one.last_message.index,
        "date_created": one.date_created,
        "date_updated": one.date_updated,
        "last_read_message_index": one.last_read_message_index,
        "notification_level": str(one.notification_level),
    }


def of_participant(one: Any) -> dict[str, Any]:
    """Return the values of a participant that are compared."""
    return {
        "identity": one.identity,
        "attributes": one.attributes,
        "role_sid": one.role_sid,
        "last_read_message_index": one.last_read_message_index,
        "last_read_timestamp": one.last_read_timestamp,
        "date_updated": one.date_updated,
    }


def of_message(one: Message) -> dict[str, Any]:
    """Return the values of a message that are compared."""
    return {
        "sid": one.sid,
        "author": one.author,
        "body": one.body,
        "attributes": one.attributes,
        "participant_sid": one.participant_sid,
        "last_updated_by": one.last_updated_by,
        "date_created": one.date_created,
        "date_updated": one.date_updated,
    }


class ClientEvents:
    """Record of every event of a client that has not connected yet. `marks` returns the newest event ids of a conversation."""

    def __init__(self, client: Client, marks: Marks) -> None:
        self.entries: list[ClientEvent] = []
        self.errors: list[BaseException] = []
        self.rooms: dict[str, Conversation] = {}
        self.messages: dict[str, list[Message]] = {}
        self._items: dict[str, dict[tuple[str, Any], Message | Participant]] = {}
        self._marks = marks
        listen: Callable[[str, Callable[[Any], None]], Any] = client.on  # type: ignore[assignment]  # names that a loop makes
        for event in ("added", "joined", "left", "removed", "resynced"):
            listen(f"conversation_{event}", self._recorder(f"conversation_{event}"))
        client.on("conversation_updated", lambda args: self._record("conversation_updated", args.conversation))
        for event in ("message_added", "message_removed", "participant_joined", "participant_left"):
            listen(event, self._recorder(event))
        for event in ("typing_started", "typing_ended"):
            listen(event, self._recorder(event))
        client.on("message_updated", lambda args: self._record("message_updated", args.message))
        client.on("participant_updated", lambda args: self._record("participant_updated", args.participant))
        client.on("error", lambda failure: self.errors.append(failure.error))

    def _recorder(self, event: str) -> Callable[[Any], None]:
        return lambda payload: self._record(event, payload)

    def _record(self, event: str, what: Any) -> None:
        if isinstance(what, Conversation):
            self.rooms[what.sid] = what
            marks = self._marks(what.sid) if event == "conversation_joined" else None
            items = self._values(what.sid) if event == "conversation_resynced" else None
            self.entries.append(ClientEvent(event, what.sid, None, of_conversation(what), marks, items))
        elif isinstance(what, Message):
            if event == "message_added":
                self.messages.setdefault(what.conversation.sid, []).append(what)
            self._items.setdefault(what.conversation.sid, {})["message", what.index] = what
            self.entries.append(ClientEvent(event, what.conversation.sid, what.index, of_message(what)))
        else:
            self._items.setdefault(what.conversation.sid, {})["participant", what.sid] = what
            self.entries.append(ClientEvent(event, what.conversation.sid, what.sid, of_participant(what)))

    def _values(self, room: str) -> dict[tuple[str, Any], dict[str, Any]]:
        items = self._items.get(room, {}).items()
        return {key: of_message(item) if isinstance(item, Message) else of_participant(item) for key, item in items}

    def of(self, room: str) -> list[ClientEvent]:
        """Return the events of one conversation."""
        return [entry for entry in self.entries if entry.room == room]

    def clear(self) -> None:
        """Discard everything recorded."""
        self.entries.clear()
        self.rooms.clear()
        self.messages.clear()
        self._items.clear()
