"""What one client was told, in order, with the state that its handlers saw."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from twilio_conversations import Client, Conversation, Message

Marks = Callable[[str], tuple[int, int]]


@attrs.frozen
class Entry:
    """One event: of which conversation, of which item of it, and what the item looked like to the handler."""

    event: str
    room: str
    key: Any = None
    state: dict[str, Any] | None = None
    marks: tuple[int, int] | None = None

    def __str__(self) -> str:
        return f"{self.event} {self.room[-4:]} {self.key if not isinstance(self.key, str) else self.key[-4:]}"


def of_conversation(one: Conversation) -> dict[str, Any]:
    """What a conversation shows."""
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
    """What a participant shows."""
    return {
        "identity": one.identity,
        "attributes": one.attributes,
        "role_sid": one.role_sid,
        "last_read_message_index": one.last_read_message_index,
        "last_read_timestamp": one.last_read_timestamp,
        "date_updated": one.date_updated,
    }


def of_message(one: Message) -> dict[str, Any]:
    """What a message shows."""
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


class Chronicle:
    """Notes every event of a client that has not connected yet. `marks` gives a conversation's heads at that moment."""

    def __init__(self, client: Client, marks: Marks) -> None:
        self.entries: list[Entry] = []
        self.errors: list[BaseException] = []
        self.rooms: dict[str, Conversation] = {}
        self.messages: dict[str, list[Message]] = {}
        self._marks = marks
        listen: Callable[[str, Callable[[Any], None]], Any] = client.on  # type: ignore[assignment]  # names that a loop makes
        for event in ("added", "joined", "left", "removed", "resynced"):
            listen(f"conversation_{event}", self._noter(f"conversation_{event}"))
        client.on("conversation_updated", lambda args: self._note("conversation_updated", args.conversation))
        for event in ("message_added", "message_removed", "participant_joined", "participant_left"):
            listen(event, self._noter(event))
        for event in ("typing_started", "typing_ended"):
            listen(event, self._noter(event))
        client.on("message_updated", lambda args: self._note("message_updated", args.message))
        client.on("participant_updated", lambda args: self._note("participant_updated", args.participant))
        client.on("error", lambda failure: self.errors.append(failure.error))

    def _noter(self, event: str) -> Callable[[Any], None]:
        return lambda payload: self._note(event, payload)

    def _note(self, event: str, what: Any) -> None:
        if isinstance(what, Conversation):
            self.rooms[what.sid] = what
            marks = self._marks(what.sid) if event == "conversation_joined" else None
            self.entries.append(Entry(event, what.sid, None, of_conversation(what), marks))
        elif isinstance(what, Message):
            if event == "message_added":
                self.messages.setdefault(what.conversation.sid, []).append(what)
            self.entries.append(Entry(event, what.conversation.sid, what.index, of_message(what)))
        else:
            self.entries.append(Entry(event, what.conversation.sid, what.sid, of_participant(what)))

    def of(self, room: str) -> list[Entry]:
        """What was told of one conversation."""
        return [entry for entry in self.entries if entry.room == room]

    def forget(self) -> None:
        """Begin anew."""
        self.entries.clear()
        self.rooms.clear()
        self.messages.clear()
