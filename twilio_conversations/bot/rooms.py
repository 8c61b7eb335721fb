"""The conversations of a bot: its client's events, each passed to the room of its conversation."""

from __future__ import annotations

from twilio_conversations.bot.room import Desk, Room
from twilio_conversations.models.conversation import Conversation
from twilio_conversations.models.message import Message
from twilio_conversations.models.participant import Participant


class Rooms:
    """One room for each conversation that the bot is in; made and fed on the events thread."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._rooms: dict[str, Room] = {}
        client = desk.client
        self._subscriptions = [
            client.on("conversation_left", self._left),
            client.on("conversation_removed", self._left),
            client.on("message_added", self._added),
            client.on("participant_joined", self._joined),
            client.on("conversation_joined", self._entered, replay=True),
        ]

    def close(self) -> None:
        """Hand over nothing more; dialogues that wait are cut."""
        for subscription in self._subscriptions:
            subscription.cancel()
        for room in list(self._rooms.values()):
            room.close()

    def _room(self, conversation: Conversation) -> Room:
        room = self._rooms.get(conversation.sid)
        if room is None:
            room = self._rooms[conversation.sid] = Room(self._desk, conversation)
        return room

    def _entered(self, conversation: Conversation) -> None:
        self._room(conversation)

    def _left(self, conversation: Conversation) -> None:
        room = self._rooms.pop(conversation.sid, None)
        if room is not None:
            room.close()

    def _added(self, message: Message) -> None:
        if message.author != self._desk.client.identity:
            self._room(message.conversation).put(message)

    def _joined(self, participant: Participant) -> None:
        if self._desk.joined and participant.identity != self._desk.client.identity:
            self._room(participant.conversation).put(participant)
