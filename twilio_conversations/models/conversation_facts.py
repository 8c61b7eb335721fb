"""The attributes of a conversation; none of them blocks."""

from __future__ import annotations

from typing import Any

import attrs

from twilio_conversations.enums import ConversationStatus, NotificationLevel
from twilio_conversations.models.base import DatedModel
from twilio_conversations.models.conversation_parts import LiveConversation
from twilio_conversations.util import checks
from twilio_conversations.values.bindings import ConversationBindings
from twilio_conversations.values.configuration import ConversationLimits
from twilio_conversations.values.conversation import ConversationData, ConversationState, LastMessage


@attrs.define(eq=False, repr=False)
class ConversationFacts(DatedModel[ConversationData]):
    """The attributes of a `Conversation`: the latest state known."""

    _live: LiveConversation
    sid: str

    @property
    def key(self) -> str:
        """Identifier of the object: its sid. Live objects are equal to themselves only."""
        return self.sid

    @property
    def friendly_name(self) -> str | None:
        """Display name."""
        return self._live.state.visible.friendly_name

    @property
    def unique_name(self) -> str | None:
        """Name that is unique in the service."""
        return self._live.state.visible.unique_name

    @property
    def created_by(self) -> str:
        """Identity of the creator; empty when unknown."""
        return self._live.state.visible.created_by

    @property
    def last_message(self) -> LastMessage | None:
        """Index and time of the newest message; `None` while there is none."""
        return self._live.state.visible.last_message

    @property
    def state(self) -> ConversationState | None:
        """State of the conversation: active, inactive or closed; `None` until known."""
        return self._live.state.visible.state

    @property
    def status(self) -> ConversationStatus:
        """Membership of the current user: whether it is a participant."""
        return self._live.state.visible.status

    @property
    def last_read_message_index(self) -> int | None:
        """Read horizon of the current user; `None` when it was never set."""
        return self._live.state.visible.last_read_message_index

    @property
    def notification_level(self) -> NotificationLevel | str:
        """Whether this conversation sends push notifications to the current user."""
        return self._live.state.visible.notification_level

    @property
    def bindings(self) -> ConversationBindings:
        """Bindings of the conversation to channels other than chat."""
        return self._live.state.visible.bindings

    @property
    def limits(self) -> ConversationLimits:
        """Limits of one message, from the service's configuration."""
        return self._live.runtime.configuration.limits

    def _names(self) -> dict[str, Any]:
        return {"sid": self.sid}

    @property
    def _url(self) -> str:
        return self._live.url

    def __repr__(self) -> str:
        name = self.friendly_name or self.unique_name or ""
        return f"<Conversation {checks.brief(self.sid)} {checks.shown(name)} {self.status.value}>"
