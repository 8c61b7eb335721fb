"""Typing in one conversation: what we tell, and what we are told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from twilio_conversations.event_names import ClientEvent, ConversationEvent, ParticipantEvent

if TYPE_CHECKING:
    from twilio_conversations.conversation import Conversation
    from twilio_conversations.participant import Participant
    from twilio_conversations.services import Services

DEFAULT_SECONDS = 5.0
"""How long one notice lasts when the service does not say."""


class TypingIndicator:
    """Sends at most one notice per window, and ends what others started after their time."""

    def __init__(self, conversation: Conversation, services: Services) -> None:
        self._conversation = conversation
        self._services = services
        self._window_ends = 0.0
        self._timers: dict[str, Any] = {}

    def send(self, timeout: float | None) -> None:
        """Tell that we type (``POST {typing}``); inside the window of the last notice nothing is sent."""
        if time.monotonic() < self._window_ends:
            return
        answer = self._services.rest.post_form(
            self._services.configuration.typing_url, {"ChannelSid": self._conversation.sid}, timeout=timeout
        )
        told = answer.get("typing_timeout") if isinstance(answer, dict) else None
        seconds = float(told) if isinstance(told, int | float) and not isinstance(told, bool) else DEFAULT_SECONDS
        self._window_ends = time.monotonic() + (self._services.options.typing_timeout or seconds)

    # -- on the io thread ---------------------------------------------------------------------------------------------

    def received(self, identity: str, seconds: float) -> None:
        """Somebody types; announced when it starts, not when it goes on."""
        participant = self._conversation._roster.with_identity(identity)
        if participant is None:
            return
        override = self._services.options.typing_timeout
        self._stop_timer(identity)
        timers = self._services.connection.timers
        duration = seconds if override is None else override + 1.0
        self._timers[identity] = timers.call_later(duration, lambda: self.ended(identity))
        if not participant.is_typing:
            participant.is_typing = True
            self._emit(
                participant,
                ParticipantEvent.TYPING_STARTED,
                ConversationEvent.TYPING_STARTED,
                ClientEvent.TYPING_STARTED,
            )

    def ended(self, identity: str) -> None:
        """Somebody does not type any more: time is up, a message came, or the participant is gone."""
        if not self._stop_timer(identity):
            return
        participant = self._conversation._roster.with_identity(identity)
        if participant is not None and participant.is_typing:
            participant.is_typing = False
            self._emit(participant, ParticipantEvent.TYPING_ENDED, ConversationEvent.TYPING_ENDED, ClientEvent.TYPING_ENDED)

    def clear(self) -> None:
        """The conversation is left: nobody types here any more."""
        for identity in list(self._timers):
            self.ended(identity)

    def _stop_timer(self, identity: str) -> bool:
        timer = self._timers.pop(identity, None)
        if timer is not None:
            timer.cancel()
        return timer is not None

    def _emit(
        self, participant: Participant, own: ParticipantEvent, conversations: ConversationEvent, clients: ClientEvent
    ) -> None:
        self._services.emit(
            participant, (participant, own), (self._conversation, conversations), (self._services.events, clients)
        )
