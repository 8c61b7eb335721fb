"""One conversation's life for this client: its Sync objects are opened and closed here, and here it is announced.

`fulfil` brings a conversation to what is wanted of it; `go` ends it. Between them nothing is announced before its added or
joined, each step once, and changes of the objects wait until the step they belong to is over. Everything here runs on the io
thread.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from twilio_conversations.enums import ConversationStatus
from twilio_conversations.errors import (
    ClientClosedError,
    ConversationsError,
    InvalidArgumentError,
    NotFoundError,
    ProtocolError,
)
from twilio_conversations.events.names import ClientEvent, ConversationEvent, HandlerError
from twilio_conversations.models.conversation import Conversation, ConversationUpdatedEventArgs
from twilio_conversations.state.parts import Parts
from twilio_conversations.state.tracked import Following, TrackedConversation
from twilio_conversations.sync.changes import Change, DocumentUpdated, EntityFailed, EntityRemoved, Item, Key, Resynced
from twilio_conversations.util import logs
from twilio_conversations.util.futures import Flow, Future, fail, flow, gather, settle
from twilio_conversations.values.conversation import DOCUMENT_FIELDS, REASONS, ConversationData
from twilio_conversations.wire.backoff import Backoff

if TYPE_CHECKING:
    from twilio_conversations.runtime import Runtime
    from twilio_conversations.sync.client import Handle

_log = logs.logger(__name__)
_GONE_STATUS = frozenset({403, 404})
_ROSTER_PAGE = 50


@flow
def all_items(entity: Handle, start: Key | None = None) -> Flow[list[Item]]:
    """All items of a map behind `start`, page after page, until there are none or they lead back."""
    items: list[Item] = []
    seen: set[Key] = set()
    while True:
        page = yield entity.page(start=start, size=100, bounds="inclusive" if start is None else "exclusive")
        items += page.items
        if not page.has_next or not page.items:
            return items
        start = page.items[-1].key
        if start in seen:
            return items
        seen.add(start)


def may_pass(error: ConversationsError) -> bool:
    """Whether reading an object may succeed another time: it is neither gone, nor is the client."""
    return error.status not in _GONE_STATUS and not isinstance(error, ClientClosedError)


class Tracker:
    """What happens to each conversation, whoever wanted it."""

    def __init__(self, runtime: Runtime, forget: Callable[[str], object], started: Callable[[], bool]) -> None:
        """`forget` is called with the sid of a conversation that is gone; `started` returns whether all that was there at the
        start has been announced."""
        self._runtime = runtime
        self._forget = forget
        self._started = started

    @flow
    def fulfil(self, membership: TrackedConversation) -> Flow[None]:
        """Bring a conversation to what is wanted of it, and announce each step once.

        One of these runs per conversation at a time; whatever is wanted meanwhile is seen when the opening is over.
        """
        if membership.busy:
            return
        membership.busy = True
        try:
            while membership.wanted not in (Following.GONE, membership.presence):
                generation = membership.generation
                try:
                    yield self._open_roots(membership)
                    if membership.generation == generation:
                        self._announce(membership)
                except ConversationsError as error:
                    if membership.generation == generation:
                        yield self._opening_failed(membership, error)
        finally:
            membership.busy = False
        self._let_through(membership)

    def _let_through(self, membership: TrackedConversation) -> None:
        """Nothing is being opened any more: apply what waited for that."""
        if membership.wanted is Following.GONE:
            membership.close()
            return
        if membership.presence is Following.KNOWN:
            membership.close_joined()
        waiting, membership.waiting = membership.waiting, []
        for change in waiting:
            change()
        settle(membership.ready, membership.conversation)

    @flow
    def _open_roots(self, membership: TrackedConversation) -> Flow[None]:
        """Open what `wanted` needs and is not open: the document, and when joined the list and the roster beside it."""
        joined = membership.wanted is Following.JOINED
        names = membership.names
        pending = [self.open_root(membership, "document", names.document)]
        if joined:
            pending += [
                self.open_root(membership, "list", names.messages),
                self.open_root(membership, "map", names.roster),
            ]
        yield gather(pending)
        named = membership.named_by_document()
        if joined and named is not None and named != membership.names:
            membership.names = named
            yield gather([self.open_root(membership, "list", named.messages), self.open_root(membership, "map", named.roster)])
        if joined:
            yield self.load_roster(membership)
            yield self._catch_up_messages(membership)
            yield self._find_missed(membership)

    @flow
    def open_root(self, membership: TrackedConversation, kind: str, name: str | None) -> Flow[None]:
        """Open one object, unless that very one is open; its changes wait until the conversation was announced."""
        if name is None or membership.has_root(kind, name):
            return
        sync = self._runtime.sync
        listener = functools.partial(self._root_changed, membership, kind, membership.epoch)
        openers: dict[str, Callable[[], Future[Handle]]] = {
            "document": lambda: sync.open_document(name, listener),
            "list": lambda: sync.open_list(name, listener),
            "map": lambda: sync.open_map(name, listener, include_items=True),
        }
        written_before = membership.live.state.overlays
        if kind == "map":
            membership.live.participants.reading()
        epoch = membership.epoch
        entity = yield openers[kind]()
        if membership.epoch != epoch or membership.wanted is Following.GONE:
            entity.close()
            return
        membership.put_root(kind, name, entity)
        # What it holds now is the state before its first change; by the announcement it may hold later ones, which still wait.
        if kind == "document":
            membership.opened_document, membership.written_before = entity.data, written_before
        elif kind == "list":
            membership.opened_messages = True
            membership.followed_from = entity.event_id if membership.wanted is Following.JOINED and self._started() else None
        else:
            membership.opened_roster = sorted(entity.take_items(), key=lambda item: str(item.key))

    @flow
    def load_roster(self, membership: TrackedConversation) -> Flow[None]:
        """Take the roster from the answer that opened it; a long one goes on in pages."""
        entity, items = membership.root("map"), membership.opened_roster
        if entity is None or items is None:
            return
        if not items or len(items) >= _ROSTER_PAGE:
            items = items + (yield all_items(entity, items[-1].key if items else None))
        membership.opened_roster = None
        membership.live.participants.load(items)

    @flow
    def _catch_up_messages(self, membership: TrackedConversation) -> Flow[None]:
        """Whoever comes back may hold messages of before, which have changed or gone meanwhile."""
        entity = membership.root("list")
        if membership.opened_messages and entity is not None:
            yield membership.live.messages.reread(entity)
            membership.opened_messages = False

    @flow
    def _find_missed(self, membership: TrackedConversation) -> Flow[None]:
        """Whoever is added to a conversation is written to at once: read what came before the list was followed."""
        entity, live = membership.root("list"), membership.live
        if entity is None or membership.followed_from is None or membership.followed_from < 0:
            return  # without any event yet nothing was written
        joined = live.participants.joined_at(self._runtime.configuration.identity)
        if joined is not None:
            membership.missed = yield live.messages.since(entity, joined)

    @flow
    def _opening_failed(self, membership: TrackedConversation, error: ConversationsError) -> Flow[None]:
        """Not visible, or nothing that could be asked for: let go. Closed: no more of it. Anything else: report it, and try again
        after a while."""
        sid = membership.conversation.sid
        if isinstance(error, ClientClosedError):
            raise error
        if error.status in _GONE_STATUS or isinstance(error, InvalidArgumentError):
            _log.info("conversation %s cannot be opened: %s", sid, error)
            fail(membership.ready, error)
            self.go(membership)
            return
        if self._runtime.readiness.cause is None:  # else that is what was told
            _log.warning("conversation %s cannot be opened now: %s", sid, error)
            self._runtime.dispatcher.report(HandlerError(error))
        if membership.backoff is None:
            membership.backoff = Backoff(self._runtime.options.reconnect)
        yield self._runtime.pause(membership.backoff.next_delay())

    def _announce(self, membership: TrackedConversation) -> None:
        """The objects that `wanted` needs are open: say what that makes of the conversation."""
        conversation, former = membership.conversation, membership.presence
        membership.presence = membership.wanted
        joined = membership.wanted is Following.JOINED
        status = ConversationStatus.JOINED if joined else ConversationStatus.NOT_PARTICIPATING
        document, membership.opened_document = membership.opened_document, None
        if document is not None:
            self._apply_opened(membership, document)
        self._set(membership, lambda state: attrs.evolve(state.with_membership(membership.item), status=status))
        if former is Following.GONE:
            self._emit(conversation, ClientEvent.CONVERSATION_ADDED)
        if joined:
            self._emit(conversation, ClientEvent.CONVERSATION_JOINED)
            missed, membership.missed = membership.missed, []
            membership.live.messages.announce_missed(missed, membership.followed_from)
        elif former is Following.JOINED:
            membership.close_joined()
            membership.live.typing.clear()
            self._emit(conversation, ClientEvent.CONVERSATION_LEFT)

    def _apply_opened(self, membership: TrackedConversation, document: Any) -> None:
        """Apply the document as it was opened; one that cannot be read is reported, and the conversation announced without it."""
        try:
            self._set(membership, lambda state: state.with_document(document))
        except ProtocolError as error:
            _log.warning("%r: %s", membership.conversation, error)
            self._runtime.dispatcher.report(HandlerError(error))
            return
        membership.document = document
        with self._runtime.lock:
            membership.live.state.drop_overlay(membership.written_before, DOCUMENT_FIELDS)

    def go(self, membership: TrackedConversation) -> None:
        """The conversation is gone for this client: left, if it was joined, then removed, if it was ever announced."""
        conversation, former = membership.conversation, membership.presence
        self._forget(conversation.sid)
        membership.want(Following.GONE)
        membership.presence = Following.GONE
        membership.waiting.clear()
        membership.close()
        fail(membership.ready, NotFoundError(f"conversation {conversation.sid} is gone", status=404))
        if former is Following.GONE:
            return
        membership.live.typing.clear()
        self._set(membership, lambda state: attrs.evolve(state, status=ConversationStatus.NOT_PARTICIPATING))
        if former is Following.JOINED:
            self._emit(conversation, ClientEvent.CONVERSATION_LEFT)
        self._runtime.emit(
            conversation,
            (self._runtime.events, ClientEvent.CONVERSATION_REMOVED),
            (conversation, ConversationEvent.REMOVED),
        )
        for model in membership.live.models():
            model._live.leave(model)

    def _root_changed(self, membership: TrackedConversation, kind: str, epoch: int, entity: Handle, change: Change) -> None:
        """One of a conversation's objects changed; before the announcement the change waits."""
        if membership.epoch != epoch or membership.wanted is Following.GONE:
            return
        if membership.presence is Following.GONE or membership.busy:
            membership.waiting.append(functools.partial(self._root_changed, membership, kind, epoch, entity, change))
            return
        if isinstance(change, EntityFailed):
            _log.warning("%r cannot be followed: %s", membership.conversation, change.error)
            self._runtime.dispatcher.report(HandlerError(change.error))
        elif isinstance(change, EntityRemoved):
            if kind == "document":
                self.go(membership)
        elif isinstance(change, Resynced):
            self._resynced(membership, kind, entity)
        elif kind == "list":
            membership.live.messages.changed(change)
        elif kind == "map":
            membership.live.participants.changed(change)
        elif isinstance(change, DocumentUpdated):
            former, membership.document = membership.document, change.data
            self.apply(membership, lambda state: state.with_document(change.data, former))

    @flow
    def _resynced(self, membership: TrackedConversation, kind: str, entity: Handle) -> Flow[None]:
        """Changes were made that no event told: read again what we hold, then say so."""
        conversation, epoch = membership.conversation, membership.epoch

        def wanted(error: ConversationsError) -> bool:
            return membership.epoch == epoch and may_pass(error)

        membership.rereading += 1
        try:
            what = f"reading {conversation.sid} again"
            yield self._runtime.insist(lambda: self._reread(membership.live, kind, entity), what, wanted)
        except ConversationsError as error:
            _log.info("%r: changes were missed and cannot be read any more: %s", conversation, error)
            return
        finally:
            membership.rereading -= 1
        if membership.rereading or membership.epoch != epoch or membership.presence is Following.GONE:
            return
        self._runtime.emit(
            conversation,
            (conversation, ConversationEvent.RESYNCED),
            (self._runtime.events, ClientEvent.CONVERSATION_RESYNCED),
        )

    @flow
    def _reread(self, live: Parts, kind: str, entity: Handle) -> Flow[None]:
        if kind == "list":
            yield live.messages.reread(entity)
        elif kind == "map":
            live.participants.reading()
            live.participants.resynced()
            live.participants.load((yield all_items(entity)))

    # -- state --------------------------------------------------------------------------------------------------------

    def apply(self, membership: TrackedConversation, change: Callable[[ConversationData], ConversationData]) -> None:
        """Change a conversation's replica and announce the difference."""
        conversation = membership.conversation
        try:
            former, current = self._set(membership, change)
        except ProtocolError as error:
            _log.warning("%r: %s", conversation, error)
            return
        membership.live.horizon.told(former, current)
        self.announce_update(conversation, former, current)

    def announce_update(self, conversation: Conversation, former: ConversationData | None, current: ConversationData) -> None:
        """Raise ``updated`` for what differs between two states, if anything."""
        if found := REASONS.between(former, current):
            self._runtime.emit(
                ConversationUpdatedEventArgs(conversation, found),
                (conversation, ConversationEvent.UPDATED),
                (self._runtime.events, ClientEvent.CONVERSATION_UPDATED),
            )

    def _set(
        self, membership: TrackedConversation, change: Callable[[ConversationData], ConversationData]
    ) -> tuple[ConversationData | None, ConversationData]:
        state = membership.live.state
        with self._runtime.lock:
            current = change(state.replica or ConversationData())
            return state.apply(current, 0), current

    def _emit(self, conversation: Conversation, event: ClientEvent) -> None:
        self._runtime.emit(conversation, (self._runtime.events, event))
