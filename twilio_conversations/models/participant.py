"""A participant of a conversation."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from twilio_conversations.enums import ParticipantType, ParticipantUpdateReason
from twilio_conversations.errors import UnsupportedOperationError
from twilio_conversations.events.names import EventName, ParticipantEvent
from twilio_conversations.events.typed import ParticipantEvents
from twilio_conversations.models.base import DatedModel
from twilio_conversations.util import checks, urls
from twilio_conversations.values.bindings import ParticipantBindings
from twilio_conversations.values.participant import ParticipantData

if TYPE_CHECKING:
    from twilio_conversations.models.conversation import Conversation
    from twilio_conversations.models.user import User


@attrs.frozen
class ParticipantUpdatedEventArgs:
    """Payload of ``participant_updated`` and of a participant's ``updated``.

    `update_reasons` is empty if the previous state of the participant is not known.
    """

    participant: Participant
    update_reasons: tuple[ParticipantUpdateReason, ...]


@attrs.define(eq=False, repr=False)
class Participant(ParticipantEvents, DatedModel[ParticipantData]):  # type: ignore[misc] # `on` is narrower
    """A participant of a conversation. Created by the client only.

    Attributes:
        conversation: the conversation it belongs to.
        sid: ``MB...``.
        is_typing: whether the participant is typing, as reported by the service.
    """

    _events: ClassVar[type[EventName]] = ParticipantEvent
    conversation: Conversation
    sid: str
    is_typing: bool = attrs.field(default=False, init=False)

    @property
    def key(self) -> str:
        """Identifier of the object: its sid."""
        return self.sid

    @property
    def identity(self) -> str | None:
        """Identity of a chat participant; `None` for non-chat participants."""
        return self._live.state.visible.identity

    @property
    def type(self) -> ParticipantType | str:
        """Channel of the participant; a plain string for one that this package does not know."""
        return self._live.state.visible.type

    @property
    def role_sid(self) -> str:
        """``RL...``; empty when unknown."""
        return self._live.state.visible.role_sid

    @property
    def last_read_message_index(self) -> int | None:
        """Read horizon of the participant; `None` when it was never set."""
        return self._live.state.visible.last_read_message_index

    @property
    def last_read_timestamp(self) -> dt.datetime | None:
        """Time of the last change of the read horizon, UTC."""
        return self._live.state.visible.last_read_timestamp

    @property
    def bindings(self) -> ParticipantBindings:
        """Binding to a channel other than chat; empty for chat participants."""
        return self._live.state.visible.bindings

    def get_user(self, *, timeout: float | None = None) -> User:
        """Return the user of a chat participant; see `Client.get_user`.

        Raises:
            UnsupportedOperationError: it is a non-chat participant.
        """
        identity, map_name = self.identity, self._live.state.visible.user_info
        if self.type is not ParticipantType.CHAT or identity is None:
            raise UnsupportedOperationError(f"a participant of type {str(self.type)!r} has no user")
        runtime = self._live.runtime
        user: User = runtime.run(lambda: runtime.users.get(identity, map_name), runtime.deadline(timeout), "get_user()")
        return user

    def remove(self, *, timeout: float | None = None) -> None:
        """Remove it from the conversation (``DELETE .../Participants/{sid}``)."""
        self.conversation.remove_participant(self, timeout=timeout)

    def _names(self) -> dict[str, Any]:
        return {"sid": self.sid, "conversation_sid": self.conversation.sid}

    def _facts(self, data: dict[str, Any]) -> dict[str, Any]:
        del data["user_info"]  # the name of a Sync object
        return data

    @property
    def _url(self) -> str:
        return urls.join(self.conversation._live.url, "Participants", self.sid)

    def __repr__(self) -> str:
        return f"<Participant {checks.brief(self.sid)} {checks.shown(self.identity)}>"
