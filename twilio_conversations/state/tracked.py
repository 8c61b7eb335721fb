"""State of one conversation: its phase, its Sync objects that are open, and what they held that is not applied yet."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from twilio_conversations.enums import ConversationStatus
from twilio_conversations.models.conversation import Conversation
from twilio_conversations.state.parts import Parts
from twilio_conversations.state.phases import STANDINGS, Following, Phase
from twilio_conversations.util.flows import Future
from twilio_conversations.wire.backoff import Backoff

if TYPE_CHECKING:
    from twilio_conversations.sync.changes import Item
    from twilio_conversations.sync.client import Handle


class Kind(enum.Enum):
    """Kind of a conversation's Sync object."""

    DOCUMENT = "document"
    MESSAGES = "list"
    PARTICIPANTS = "map"


@attrs.frozen
class SyncNames:
    """Names of a conversation's Sync objects; those of messages and participants may be known from the document only."""

    document: str
    messages: str | None = None
    participants: str | None = None

    @classmethod
    def from_rest(cls, sid: str, value: Any) -> SyncNames:
        """Read the ``sync_objects`` of a REST entry; what is missing has its conventional name."""
        known = value if isinstance(value, dict) else {}
        return cls(
            known.get("conversation") or f"{sid}.channel",
            known.get("messages") or f"{sid}.messages",
            known.get("participants") or f"{sid}.roster",
        )


@attrs.define(eq=False)
class OpenObject:
    """A Sync object that is open."""

    name: str
    handle: Handle


@attrs.define(eq=False)
class OpenDocument(OpenObject):
    """The document.

    Attributes:
        contents: what it held when it was opened, until that is applied.
        written_before: number of the last own write before it was read: the contents have the effect of that one.
    """

    contents: Any
    written_before: int


@attrs.define(eq=False)
class OpenMessages(OpenObject):
    """The list of messages.

    Attributes:
        followed_from: event id at which the list was opened; `None` where earlier messages are history.
        is_behind: messages that the program holds from an earlier time have not been read again yet.
        missed: messages written between the user's joining and `followed_from`, until they are announced.
    """

    followed_from: int | None
    is_behind: bool = True
    missed: list[Item] = attrs.field(factory=list)


@attrs.define(eq=False)
class OpenParticipants(OpenObject):
    """The map of participants.

    Attributes:
        items: what came with it, until that is loaded; these need not be all.
        opened_at: event id of that.
        reading: the reading of all pages, once it has begun.
    """

    items: list[Item] | None
    opened_at: int
    reading: Future[None] | None = None


_O = TypeVar("_O", bound=OpenObject)


@attrs.define(eq=False)
class TrackedConversation:
    """One conversation of the client.

    Attributes:
        live: the inside of the conversation.
        item: its item of the user's map.
        phase: row of `phases.TRANSITIONS`.
        is_opening: whether its objects are being opened; their changes wait until it was announced.
        attempt: identity of what is wanted now; an opening that began under another one is outdated.
        ready: done when the attempt has led to what is wanted.
        applied: contents of the document that were applied last.
        rereading: its objects that are being read again, as events of them were lost; one for each reading.
        has_lost_events: ``conversation_resynced`` is to be raised once all of its objects are read again and up to date.
        waiting: changes that came while it was being opened, or an object was being read again, in order.
    """

    live: Parts
    names: SyncNames
    item: Mapping[str, Any] = attrs.field(factory=dict)
    phase: Phase = Phase.NEW
    is_opening: bool = STANDINGS[Phase.NEW].is_opening
    attempt: object = attrs.field(factory=object)
    ready: Future[Conversation] = attrs.field(factory=Future)
    document: OpenDocument | None = None
    messages: OpenMessages | None = None
    participants: OpenParticipants | None = None
    applied: Any = None
    rereading: list[Kind] = attrs.field(factory=list)
    has_lost_events: bool = False
    waiting: list[Callable[[], None]] = attrs.field(factory=list)
    backoff: Backoff | None = None

    @property
    def conversation(self) -> Conversation:
        """The model."""
        return self.live.conversation

    @property
    def announced(self) -> Following:
        """The extent that was announced last."""
        return STANDINGS[self.phase].announced

    @property
    def wanted(self) -> Following:
        """The extent that is wanted."""
        return STANDINGS[self.phase].wanted

    @property
    def is_settled(self) -> bool:
        """Whether nothing of it is under way."""
        return not (self.is_opening or self.rereading or self.waiting)

    @property
    def is_catching_up(self) -> bool:
        """Whether one of its objects is read again, or the service has yet to replay events of it."""
        objects = (self.document, self.messages, self.participants)
        return bool(self.rereading) or any(opened is not None and opened.handle.is_catching_up for opened in objects)

    @property
    def is_left_by_command(self) -> bool:
        """Whether an own command left or deleted it and Sync has not reported that yet: only REST knows whether it exists."""
        return self.live.state.overlay.get("status") is ConversationStatus.NOT_PARTICIPATING

    def enter(self, phase: Phase) -> None:
        """Enter a phase; with another one, what is under way is outdated."""
        if phase is not self.phase:
            self.phase = phase
            self.is_opening = STANDINGS[phase].is_opening
            self.attempt = object()

    def await_anew(self) -> None:
        """Have callers wait for what is wanted now."""
        if self.ready.done():
            self.ready = Future()

    def named_by_document(self) -> SyncNames:
        """Return the names that the document gives, as it is right where it differs from others; the known ones otherwise."""
        data = None if self.document is None else self.document.handle.data
        if not isinstance(data, dict):
            return self.names
        messages, participants = data.get("messages"), data.get("roster")
        return SyncNames(
            self.names.document,
            messages if isinstance(messages, str) and messages else self.names.messages,
            participants if isinstance(participants, str) and participants else self.names.participants,
        )

    def close_joined(self) -> None:
        """Close what only a participant follows."""
        messages, self.messages = self.messages, None
        participants, self.participants = self.participants, None
        for closing in (messages, participants):
            if closing is not None:
                closing.handle.close()

    def close(self) -> None:
        """Close everything."""
        self.close_joined()
        document, self.document = self.document, None
        if document is not None:
            document.handle.close()


def in_place_of(former: _O | None, opened: _O) -> _O:
    """Return an object that was opened, and close the one before."""
    if former is not None and former.handle is not opened.handle:
        former.handle.close()
    return opened
