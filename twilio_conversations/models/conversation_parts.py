"""The inside of a conversation: its messages, participants, read horizon and typing, as the models see them.

The Protocols cut the circle between the models and `state/`, which makes the parts and knows the models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from twilio_conversations.models.live import Keeper, Live
from twilio_conversations.util import urls
from twilio_conversations.util.flows import Future
from twilio_conversations.util.futures import Deadline
from twilio_conversations.values.conversation import ConversationData

if TYPE_CHECKING:
    from twilio_conversations.enums import Direction
    from twilio_conversations.models.conversation import Conversation
    from twilio_conversations.models.message import Message
    from twilio_conversations.models.pages import Paginator
    from twilio_conversations.models.participant import Participant
    from twilio_conversations.sending.attachment import Attachment
    from twilio_conversations.sending.builder import MessageBuilder
    from twilio_conversations.sending.draft import ContentVariables
    from twilio_conversations.values.progress import OnProgress


class MessagePages(Protocol):
    """Reading of a conversation's messages; `timeout` is in seconds."""

    def get_page(self, size: int, anchor: int | None, direction: Direction, timeout: float | None) -> Paginator[Message]:
        """Return one page from `anchor` on, inclusive."""

    def walk(self, *, newest_first: bool, after: int | None, limit: int | None) -> Iterator[Message]:
        """Return the messages one after another."""

    def newest_index(self, timeout: float | None) -> int | None:
        """Return the index of the newest message, `None` when there is none."""


class Messages(Protocol):
    """The messages of one conversation; `timeout` is in seconds."""

    def send(
        self,
        body: str | None,
        media: Attachment | Iterable[Attachment],
        *,
        attributes: Any,
        subject: str | None,
        content_sid: str | None,
        content_variables: ContentVariables | None,
        mutation_id: str | None,
        on_progress: OnProgress | None,
        timeout: float | None,
    ) -> Message:
        """Send a message and return it; the arguments are those of `Conversation.send_message`."""

    def prepare(self) -> MessageBuilder:
        """Return a builder of a message."""

    @property
    def pages(self) -> MessagePages:
        """The same, page by page."""


class Participants(Protocol):
    """The participants of one conversation; `timeout` is in seconds."""

    def get_all(self, timeout: float | None) -> list[Participant]:
        """Return all participants."""

    def get_by_sid(self, sid: str, timeout: float | None) -> Participant:
        """Return the participant with that sid."""

    def get_by_identity(self, identity: str, timeout: float | None) -> Participant:
        """Return the latest participant with that identity."""

    def add(self, request: Mapping[str, Any], timeout: float | None) -> Participant:
        """POST a participant and return it."""

    def remove(self, key: str, timeout: float | None) -> None:
        """DELETE a participant, named by sid or identity."""

    def url_of(self, key: str, deadline: Deadline) -> str:
        """Return the resource of a participant, named by sid or identity."""


class ReadHorizon(Protocol):
    """Read horizon of the current user in one conversation; each method returns the unread count."""

    def unread_count(self, timeout: float | None) -> int | None:
        """Ask the service for the count."""

    def advance(self, index: int, timeout: float | None) -> int | None:
        """Move the horizon to `index`, never back."""

    def update(self, index: int | None, timeout: float | None) -> int | None:
        """Move the horizon to `index`, also back."""

    def all_read(self, timeout: float | None) -> int | None:
        """Move the horizon to the newest message."""


class Typing(Protocol):
    """Typing notices of the current user in one conversation."""

    def send(self, timeout: float | None) -> None:
        """Send one notice."""

    def lasting(self) -> AbstractContextManager[None]:
        """Send notices until the block is over."""


class Conversations(Keeper, Protocol):
    """All conversations of the client; both methods are for the io thread."""

    def follow(self, sid: str) -> Future[Conversation]:
        """Follow a conversation that was just joined; done when messages and participants are followed."""

    def survey_participants(self, sid: str, take: Callable[[Iterable[Any]], None]) -> Future[None]:
        """Have `take` called with the participants that are announced."""


@attrs.define(eq=False, repr=False)
class LiveConversation(Live[ConversationData, Conversations]):
    """The inside of one conversation, made in `state/`.

    Attributes:
        sid: ``CH...``.
        conversation: the model.
    """

    sid: str
    conversation: Conversation = attrs.field(init=False)
    messages: Messages = attrs.field(init=False)
    participants: Participants = attrs.field(init=False)
    horizon: ReadHorizon = attrs.field(init=False)
    typing: Typing = attrs.field(init=False)

    @property
    def url(self) -> str:
        """REST resource of the conversation."""
        return urls.join(self.runtime.configuration.conversations_url, self.sid)

    @property
    def my_url(self) -> str:
        """REST resource of the current user's membership in the conversation."""
        return urls.join(self.runtime.configuration.my_conversations_url, self.sid)
