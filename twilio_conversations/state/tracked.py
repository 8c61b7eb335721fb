"""What the directory keeps of one conversation: what is wanted of it, what it is, and the Sync objects that are open."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from twilio_conversations.models.conversation import Conversation
from twilio_conversations.state.parts import Parts
from twilio_conversations.util.futures import Future
from twilio_conversations.wire.backoff import Backoff

if TYPE_CHECKING:
    from twilio_conversations.sync.changes import Item
    from twilio_conversations.sync.client import Handle


class Following(enum.Enum):
    """How much of a conversation there is for this client."""

    GONE = 0
    """Nothing: not there yet, or not any more."""
    KNOWN = 1
    """Its document is followed."""
    JOINED = 2
    """The own identity participates: messages and roster are followed too."""


@attrs.frozen
class SyncNames:
    """Names of a conversation's Sync objects; list and roster may be known by the document only."""

    document: str
    messages: str | None = None
    roster: str | None = None

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
class TrackedConversation:
    """One conversation in the directory.

    Attributes:
        live: the inside of the conversation.
        wanted: what the sources say it should be; `generation` counts the changes of that.
        presence: what was announced.
        epoch: counts closings; changes of objects opened in an earlier one mean nothing any more.
        busy: its objects are being opened.
        opened_document: contents of the document as it was opened, until they are applied.
        written_before: number of the last own write before the document was read: it has that one's effect.
        opened_roster: items of the roster as it was opened, until they are loaded.
        opened_messages: the list was opened, and messages that are held from an earlier time have not been read again yet.
        followed_from: event id at which the message list of a participant was opened.
        missed: messages written between the own identity's joining and `followed_from`, until they are announced.
        document: contents of the document that were applied last.
        rereading: how many of its objects are being read again since events of them were lost.
        waiting: changes that came before the announcement, in order.
        ready: done with the conversation when `presence` is what is `wanted`.
    """

    live: Parts
    names: SyncNames
    item: Mapping[str, Any] = attrs.field(factory=dict)
    wanted: Following = Following.GONE
    presence: Following = Following.GONE
    generation: int = 0
    epoch: int = 0
    busy: bool = False
    opened_document: Any = None
    written_before: int = 0
    opened_roster: list[Item] | None = None
    opened_messages: bool = False
    followed_from: int | None = None
    missed: list[Item] = attrs.field(factory=list)
    document: Any = None
    rereading: int = 0
    backoff: Backoff | None = None
    waiting: list[Callable[[], None]] = attrs.field(factory=list)
    ready: Future[Conversation] = attrs.field(factory=Future)
    _roots: dict[str, tuple[str, Handle]] = attrs.field(factory=dict)

    @property
    def conversation(self) -> Conversation:
        """The model."""
        return self.live.conversation

    def want(self, presence: Following) -> None:
        """Change what is wanted."""
        if presence is self.wanted:
            return
        self.wanted = presence
        self.generation += 1
        if self.ready.done():
            self.ready = Future()

    def root(self, kind: str) -> Handle | None:
        """The open object of a kind (document, list, map)."""
        found = self._roots.get(kind)
        return None if found is None else found[1]

    def has_root(self, kind: str, name: str) -> bool:
        """Whether that very object is open."""
        found = self._roots.get(kind)
        return found is not None and found[0] == name

    def put_root(self, kind: str, name: str, entity: Handle) -> None:
        """Keep an object that was opened, in place of the one before."""
        former = self.root(kind)
        self._roots[kind] = (name, entity)
        if former is not None and former is not entity:
            former.close()

    def named_by_document(self) -> SyncNames | None:
        """The names that the document gives; it is right where it differs from what others said."""
        document = self.root("document")
        data = document.data if document is not None else None
        if document is None or not isinstance(data, dict):
            return None
        messages, roster = data.get("messages"), data.get("roster")
        return SyncNames(
            self.names.document,
            messages if isinstance(messages, str) and messages else self.names.messages,
            roster if isinstance(roster, str) and roster else self.names.roster,
        )

    def close_joined(self) -> None:
        """Close what only a participant follows."""
        self.opened_roster = None
        self.opened_messages = False
        self.followed_from = None
        self.missed = []
        for kind in ("list", "map"):
            found = self._roots.pop(kind, None)
            if found is not None:
                found[1].close()

    def close(self) -> None:
        """Close everything."""
        self.epoch += 1
        self.close_joined()
        document = self._roots.pop("document", None)
        if document is not None:
            document[1].close()
