"""One conversation with its messages, participants, read horizon and typing, put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twilio_conversations.models.base import Model
from twilio_conversations.models.conversation import Conversation
from twilio_conversations.models.conversation_parts import Conversations, LiveConversation
from twilio_conversations.models.layers import ReplicatedState
from twilio_conversations.state.messages import Messages
from twilio_conversations.state.participants import Participants
from twilio_conversations.state.read_horizon import ReadHorizon
from twilio_conversations.state.typing import TypingIndicator
from twilio_conversations.util.flows import Future
from twilio_conversations.values.conversation import ConversationData

if TYPE_CHECKING:
    from twilio_conversations.runtime import Runtime
    from twilio_conversations.sync.client import Handle


class Parts(LiveConversation):
    """The inside of one conversation, as `state/` knows it. The model and its parts live and go together."""

    __slots__ = ()

    messages: Messages
    participants: Participants
    horizon: ReadHorizon
    typing: TypingIndicator

    def __init__(
        self,
        runtime: Runtime,
        conversations: Conversations,
        sid: str,
        message_list: Callable[[], Future[Handle]],
        roster: Callable[[], Future[Handle]],
    ) -> None:
        """`message_list` and `roster` give the Sync objects, opening them if need be; they run on the io thread."""
        super().__init__(runtime.dispatcher, runtime, ReplicatedState(ConversationData()), conversations, sid)
        self.conversation: Conversation = Conversation(self, sid)
        self.typing = TypingIndicator(self, lambda identity: self.participants.with_identity(identity))
        self.messages = Messages(self, message_list, self.typing.ended)
        self.participants = Participants(self, roster, self.typing.ended)
        self.horizon = ReadHorizon(self)

    def models(self) -> list[Model[Any]]:
        """Return the conversation and what lives in it."""
        return [self.conversation, *self.participants.held(), *self.messages.held()]
