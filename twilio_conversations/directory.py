"""Which conversations there are for this client: appearing, joining, leaving and going, in one state machine each.

The sources are the own map of conversations (Sync), its listing (REST), and commands that just succeeded. They only say what
is *wanted* of a conversation; `_settle` is the one place that opens and closes its Sync objects and announces what became
of it. Everything here runs on the io thread.
"""

from __future__ import annotations

import functools
import logging
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from twilio_conversations import urls
from twilio_conversations.conversation import (
    REASONS,
    Conversation,
    ConversationData,
    ConversationUpdatedEventArgs,
)
from twilio_conversations.enums import ConversationStatus
from twilio_conversations.errors import ConversationsError, NotFoundError, ProtocolError, SyncError
from twilio_conversations.event_names import ClientEvent, ConversationEvent, HandlerError
from twilio_conversations.futures import Flow, Future, fail, failed, flow, gather, settle
from twilio_conversations.layered import Layered, reasons
from twilio_conversations.membership import Membership, Presence, SyncNames
from twilio_conversations.messages import Messages
from twilio_conversations.read_horizon import ReadHorizon
from twilio_conversations.roster import Roster
from twilio_conversations.sync.changes import (
    Change,
    DocumentUpdated,
    EntityFailed,
    EntityRemoved,
    Item,
    ItemAdded,
    ItemRemoved,
    ItemUpdated,
    Key,
    Resynced,
)
from twilio_conversations.typing_indicator import TypingIndicator
from twilio_conversations.wire.backoff import Backoff

if TYPE_CHECKING:
    from twilio_conversations.services import Services
    from twilio_conversations.sync.client import Entity

_log = logging.getLogger(__name__)
_GONE_STATUS = frozenset({403, 404})
_ROSTER_PAGE = 50


class Directory:
    """All conversations of this client, by sid."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._members: dict[str, Membership] = {}
        self._live: weakref.WeakValueDictionary[str, Conversation] = weakref.WeakValueDictionary()
        self._map: Entity | None = None
        self._told: set[str] = set()
        self._on_hold: list[Entity] = []
        self.listed: Future[None] = Future()
        """Done when every conversation of the listing has appeared."""

    # -- the list -----------------------------------------------------------------------------------------------------

    @flow
    def open(self) -> Flow[None]:
        """Follow the own map of conversations; from here on nothing is missed."""
        name = self._services.configuration.my_conversations_map
        self._map = yield self._services.sync.open_map(name, self._map_changed)

    @flow
    def load(self) -> Flow[None]:
        """Read the listing (``GET {my_conversations}``), page after page; each page's conversations open meanwhile."""
        appearing: list[Future[Any]] = []
        url = self._services.configuration.my_conversations_url
        token: str | None = None
        while True:
            pairs = [("PageSize", "100"), ("PageToken", token)]
            body = yield self._services.get_json(urls.with_query(url, pairs))
            entries = body.get("conversations") if isinstance(body, dict) else None
            for entry in entries if isinstance(entries, list) else ():
                membership = self._listed_entry(entry)
                if membership is not None:
                    appearing.append(membership.ready)
            meta = body.get("meta") if isinstance(body, dict) else None
            token = meta.get("next_token") if isinstance(meta, dict) else None
            if not token:
                break
        for future in appearing:
            try:
                yield future
            except ConversationsError as error:
                _log.info("a listed conversation did not appear: %s", error)
        self._told.clear()
        settle(self.listed, None)

    def _listed_entry(self, entry: Any) -> Membership | None:
        """Learn of a conversation from the listing, unless the map has said something newer of it."""
        sid = entry.get("conversation_sid") if isinstance(entry, dict) else None
        if not isinstance(sid, str):
            _log.warning("leaving out an entry of the listing without sid")
            return None
        if sid in self._told:
            return self._members.get(sid)
        return self.learn(entry)

    def learn(self, entry: Mapping[str, Any]) -> Membership:
        """Take a REST entry (listing, look-up, create): the conversation is to be known, and followed if joined.

        What an entry says is used for a conversation that is new; one that is known follows Sync.
        """
        sid = entry.get("conversation_sid") or entry.get("sid")
        if not isinstance(sid, str):
            raise ProtocolError("a conversation without sid", body=entry)
        joined = entry.get("status") == ConversationStatus.JOINED.value and "conversation_sid" in entry
        membership = self._members.get(sid)
        if membership is None:
            membership = self._appear(sid, SyncNames.from_rest(sid, entry.get("sync_objects")))
            data = {
                "lastConsumedMessageIndex": entry.get("last_read_message_index"),
                "notificationLevel": entry.get("notification_level"),
            }
            membership.item = data
            membership.want(Presence.JOINED if joined else Presence.KNOWN)
            self._settle(membership)
        return membership

    def follow(self, sid: str) -> Future[Conversation]:
        """The own identity has joined, by the answer of a command: done when messages and roster are followed."""
        membership = self._members.get(sid)
        if membership is None:
            return failed(NotFoundError(f"conversation {sid} is gone"))
        if membership.wanted is Presence.KNOWN:
            membership.want(Presence.JOINED)
            self._settle(membership)
        return membership.ready

    def known(self, sid: str) -> Membership | None:
        """What is known of `sid`."""
        return self._members.get(sid)

    def joined(self) -> list[Conversation]:
        """The conversations that the own identity participates in, in the order of their sids."""
        return [
            member.conversation
            for _, member in sorted(self._members.items())
            if member.presence is Presence.JOINED and member.conversation.status is ConversationStatus.JOINED
        ]

    def typing(self, sid: Any, identity: Any, seconds: Any) -> None:
        """Somebody types somewhere; for conversations that are not followed it means nothing."""
        membership = self._members.get(sid) if isinstance(sid, str) else None
        if membership is None or membership.presence is not Presence.JOINED or not isinstance(identity, str):
            return
        valid = isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 < seconds < 3600
        membership.conversation._typing.received(identity, float(seconds) if valid else 6.0)

    def _map_changed(self, _: Entity, change: Change) -> None:
        """The own map of conversations changed."""
        if isinstance(change, ItemAdded | ItemUpdated):
            self._told.add(str(change.key))
            self._map_item(str(change.key), change.data)
        elif isinstance(change, ItemRemoved):
            self._told.add(str(change.key))
            membership = self._members.get(str(change.key))
            if membership is not None:
                self._go(membership)
        elif isinstance(change, Resynced):
            self._reload()
        elif isinstance(change, EntityFailed):
            _log.warning("the list of conversations cannot be followed: %s", change.error)
            self._services.dispatcher.report(HandlerError(change.error))

    @flow
    def _reload(self) -> Flow[None]:
        """Events of the map were lost: read it again, and let go what is not in it any more."""
        assert self._map is not None
        items: list[Item] = yield self._pages(self._map)
        present = {str(item.key) for item in items}
        for item in items:
            self._map_item(str(item.key), item.data)
        for sid, membership in list(self._members.items()):
            if membership.wanted is Presence.JOINED and sid not in present:
                self._go(membership)

    def _map_item(self, sid: str, data: Any) -> None:
        """The map says that the own identity has this conversation, and how."""
        document = data.get("channel") if isinstance(data, dict) else None
        if not isinstance(document, str):
            _log.warning("leaving out conversation %s: its map item names no document", sid)
            return
        membership = self._members.get(sid)
        if membership is None:
            membership = self._appear(sid, SyncNames(document))
        membership.item = data
        status = data.get("status")
        if status == ConversationStatus.JOINED.value:
            membership.want(Presence.JOINED)
        elif status == ConversationStatus.NOT_PARTICIPATING.value or membership.wanted is Presence.GONE:
            membership.want(Presence.KNOWN)
        self._settle(membership)
        if membership.presence is membership.wanted:
            self._apply(membership, lambda state: state.with_membership(data))

    # -- one conversation ---------------------------------------------------------------------------------------------

    def _appear(self, sid: str, names: SyncNames) -> Membership:
        """Make room for a conversation; the object that the program may still hold from earlier is used again."""
        conversation = self._live.get(sid)
        if conversation is None:
            services = self._services
            conversation = Conversation(services.dispatcher, services, Layered(ConversationData()), sid, self)
            conversation._messages = Messages(conversation, services, functools.partial(self._messages_of, sid))
            conversation._roster = Roster(conversation, services, functools.partial(self._roster_of, sid))
            conversation._horizon = ReadHorizon(conversation, services)
            conversation._typing = TypingIndicator(conversation, services)
            self._live[sid] = conversation
        membership = Membership(conversation, names)
        self._members[sid] = membership
        return membership

    @flow
    def _settle(self, membership: Membership) -> Flow[None]:
        """Bring a conversation to what is wanted of it, and announce each step once.

        One of these runs per conversation at a time; whatever is wanted meanwhile is seen when the opening is over.
        """
        if membership.settling:
            return
        membership.settling = True
        try:
            while membership.wanted not in (Presence.GONE, membership.presence):
                generation = membership.generation
                try:
                    yield self._open_roots(membership)
                except ConversationsError as error:
                    if membership.generation == generation:
                        yield self._opening_failed(membership, error)
                    continue
                if membership.generation == generation:
                    self._announce(membership)
        finally:
            membership.settling = False
            self._settled(membership)

    def _settled(self, membership: Membership) -> None:
        """Nothing is being opened any more: let through what waited for that."""
        if membership.wanted is Presence.GONE:
            membership.close()
            return
        if membership.presence is Presence.KNOWN:
            membership.close_joined()
        waiting, membership.waiting = membership.waiting, []
        for change in waiting:
            change()
        settle(membership.ready, membership.conversation)

    @flow
    def _open_roots(self, membership: Membership) -> Flow[None]:
        """Open what `wanted` needs and is not open: the document, and when joined the list and the roster beside it."""
        joined = membership.wanted is Presence.JOINED
        names = membership.names
        pending = [self._open_root(membership, "document", names.document)]
        if joined:
            pending += [
                self._open_root(membership, "list", names.messages),
                self._open_root(membership, "map", names.roster),
            ]
        yield gather(pending)
        named = membership.named_by_document()
        if joined and named is not None and named != membership.names:
            membership.names = named
            yield gather([self._open_root(membership, "list", named.messages), self._open_root(membership, "map", named.roster)])
        if joined:
            yield self._load_roster(membership)

    @flow
    def _open_root(self, membership: Membership, kind: str, name: str | None) -> Flow[None]:
        """Open one object, unless that very one is open; its changes wait until the conversation was announced."""
        if name is None or membership.has_root(kind, name):
            return
        sync = self._services.sync
        listener = functools.partial(self._root_changed, membership, kind, membership.epoch)
        openers: dict[str, Callable[[], Future[Entity]]] = {
            "document": lambda: sync.open_document(name, listener),
            "list": lambda: sync.open_list(name, listener),
            "map": lambda: sync.open_map(name, listener, include_items=True),
        }
        epoch = membership.epoch
        entity = yield openers[kind]()
        if membership.epoch != epoch or membership.wanted is Presence.GONE:
            entity.close()
            return
        membership.put_root(kind, name, entity)
        if kind == "document":
            membership.fresh_document = True

    @flow
    def _load_roster(self, membership: Membership) -> Flow[None]:
        """Take the roster from the answer that opened it; a long one goes on in pages."""
        entity = membership.root("map")
        if entity is None or membership.roster_loaded:
            return
        items: list[Item] = sorted(entity.items.values(), key=lambda item: str(item.key))
        if not items or len(items) >= _ROSTER_PAGE:
            items += yield self._pages(entity, items[-1].key if items else None)
        membership.roster_loaded = True
        membership.conversation._roster.load(items)

    @flow
    def _pages(self, entity: Entity, start: Key | None = None) -> Flow[list[Item]]:
        """All items of a map behind `start`."""
        items: list[Item] = []
        while True:
            page = yield entity.page(start=start, size=100, bounds="inclusive" if start is None else "exclusive")
            items += page.items
            if not page.has_next or not page.items:
                return items
            start = page.items[-1].key

    @flow
    def _opening_failed(self, membership: Membership, error: ConversationsError) -> Flow[None]:
        """Not visible: let go. Anything else: report it, and try again after a while."""
        sid = membership.conversation.sid
        if error.status in _GONE_STATUS:
            _log.info("conversation %s cannot be opened: %s", sid, error)
            fail(membership.ready, error)
            self._go(membership)
            return
        _log.warning("conversation %s cannot be opened now: %s", sid, error)
        self._services.dispatcher.report(HandlerError(error))
        if membership.backoff is None:
            membership.backoff = Backoff(self._services.options.reconnect)
        pause: Future[None] = Future()
        timers = self._services.connection.timers
        timers.call_later(membership.backoff.next_delay(), lambda: settle(pause, None))
        yield pause

    def _announce(self, membership: Membership) -> None:
        """The objects that `wanted` needs are open: say what that makes of the conversation."""
        conversation, former = membership.conversation, membership.presence
        membership.presence = membership.wanted
        joined = membership.wanted is Presence.JOINED
        status = ConversationStatus.JOINED if joined else ConversationStatus.NOT_PARTICIPATING
        document = membership.root("document")
        if membership.fresh_document and document is not None:
            membership.fresh_document = False
            membership.document = document.data
            self._set(conversation, lambda state: state.with_document(document.data))
        self._set(conversation, lambda state: attrs.evolve(state.with_membership(membership.item), status=status))
        if former is Presence.GONE:
            self._emit(conversation, ClientEvent.CONVERSATION_ADDED)
        if joined:
            self._emit(conversation, ClientEvent.CONVERSATION_JOINED)
        elif former is Presence.JOINED:
            membership.close_joined()
            conversation._typing.clear()
            self._emit(conversation, ClientEvent.CONVERSATION_LEFT)

    def _go(self, membership: Membership) -> None:
        """The conversation is gone for this client: left, if it was joined, then removed, if it was ever announced."""
        conversation, former = membership.conversation, membership.presence
        self._members.pop(conversation.sid, None)
        membership.want(Presence.GONE)
        membership.presence = Presence.GONE
        membership.waiting.clear()
        membership.close()
        fail(membership.ready, NotFoundError(f"conversation {conversation.sid} is gone", status=404))
        if former is Presence.GONE:
            return
        conversation._typing.clear()
        self._set(conversation, lambda state: attrs.evolve(state, status=ConversationStatus.NOT_PARTICIPATING))
        if former is Presence.JOINED:
            self._emit(conversation, ClientEvent.CONVERSATION_LEFT)
        self._services.emit(
            conversation,
            (self._services.events, ClientEvent.CONVERSATION_REMOVED),
            (conversation, ConversationEvent.REMOVED),
        )

    def _root_changed(self, membership: Membership, kind: str, epoch: int, entity: Entity, change: Change) -> None:
        """One of a conversation's objects changed; before the announcement the change waits."""
        if membership.epoch != epoch or membership.wanted is Presence.GONE:
            return
        if membership.presence is Presence.GONE or membership.settling:
            membership.waiting.append(functools.partial(self._root_changed, membership, kind, epoch, entity, change))
            return
        if isinstance(change, EntityFailed):
            _log.warning("%r cannot be followed: %s", membership.conversation, change.error)
            self._services.dispatcher.report(HandlerError(change.error))
        elif isinstance(change, EntityRemoved):
            if kind == "document":
                self._go(membership)
        elif isinstance(change, Resynced):
            self._resynced(membership, kind, entity)
        elif kind == "list":
            membership.conversation._messages.changed(change)
        elif kind == "map":
            membership.conversation._roster.changed(change)
        elif isinstance(change, DocumentUpdated):
            former, membership.document = membership.document, change.data
            self._apply(membership, lambda state: state.with_document(change.data, former))
        if self._services.dispatcher.full:
            self._hold(entity)

    def _hold(self, entity: Entity) -> None:
        """Handlers are too far behind: leave the object's further events with the service until there is room."""
        if entity not in self._on_hold:
            self._on_hold.append(entity)
            self._services.sync.hold(entity)

    def release(self) -> None:
        """There is room again: have the service replay what was left with it."""
        held, self._on_hold = self._on_hold, []
        for entity in held:
            self._services.sync.release(entity)

    @flow
    def _resynced(self, membership: Membership, kind: str, entity: Entity) -> Flow[None]:
        """Changes were made that no event told: read again what we hold, then say so."""
        conversation = membership.conversation
        if kind == "list":
            conversation._messages.resynced()
        elif kind == "map":
            conversation._roster.resynced()
            conversation._roster.load((yield self._pages(entity)))
        self._services.emit(
            conversation,
            (conversation, ConversationEvent.RESYNCED),
            (self._services.events, ClientEvent.CONVERSATION_RESYNCED),
        )

    # -- state --------------------------------------------------------------------------------------------------------

    def _apply(self, membership: Membership, change: Callable[[ConversationData], ConversationData]) -> None:
        """Change a conversation's replica and announce the difference."""
        conversation = membership.conversation
        try:
            former = self._set(conversation, change)
        except ProtocolError as error:
            _log.warning("%r: %s", conversation, error)
            return
        found = reasons(former, conversation._state.replica, REASONS)
        if found:
            self._services.emit(
                ConversationUpdatedEventArgs(conversation, found),
                (conversation, ConversationEvent.UPDATED),
                (self._services.events, ClientEvent.CONVERSATION_UPDATED),
            )

    def _set(self, conversation: Conversation, change: Callable[[ConversationData], ConversationData]) -> ConversationData | None:
        state = conversation._state
        with self._services.lock:
            return state.apply(change(state.replica or ConversationData()), 0)

    def _emit(self, conversation: Conversation, event: ClientEvent) -> None:
        self._services.emit(conversation, (self._services.events, event))

    @flow
    def fetch(self, sid: str) -> Flow[tuple[ConversationData, int] | None]:
        """The state of a conversation by its document as the service has it now."""
        membership = self._members.get(sid)
        document = membership.root("document") if membership is not None else None
        if membership is None or document is None:
            return None
        body = yield self._services.get_json(urls.join(self._services.options.endpoints.sync, "v3", "Documents", document.sid))
        replica = membership.conversation._state.replica or ConversationData()
        return replica.with_document(body.get("data") if isinstance(body, dict) else None), 0

    # -- objects for the collections ----------------------------------------------------------------------------------

    @flow
    def _messages_of(self, sid: str) -> Flow[Entity]:
        """The message list of a conversation; of one that is not joined it is opened for reading."""
        membership = self._members.get(sid)
        if membership is None:
            raise NotFoundError(f"conversation {sid} is gone", status=404)
        yield membership.ready
        entity = membership.root("list")
        if entity is None:
            yield self._open_root(membership, "list", (membership.named_by_document() or membership.names).messages)
            entity = membership.root("list")
        if entity is None:
            raise SyncError(f"conversation {sid} has no messages to read", status=404)
        return entity

    @flow
    def _roster_of(self, sid: str) -> Flow[Entity]:
        """The roster of a conversation, loaded; of one that is not joined it is opened for reading."""
        membership = self._members.get(sid)
        if membership is None:
            raise NotFoundError(f"conversation {sid} is gone", status=404)
        yield membership.ready
        if membership.root("map") is None:
            yield self._open_root(membership, "map", (membership.named_by_document() or membership.names).roster)
            yield self._load_roster(membership)
        entity = membership.root("map")
        if entity is None:
            raise SyncError(f"conversation {sid} has no roster to read", status=404)
        return entity

    def close(self) -> None:
        """The client is closing."""
        fail(self.listed, NotFoundError("the client was closed"))
