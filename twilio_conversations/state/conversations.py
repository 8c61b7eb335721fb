"""Conversations of this client, by sid.

The sources are the user's map of conversations (Sync), its listing (REST), and commands that just succeeded. They only say what
is *wanted* of a conversation; `tracker` makes it so and announces it. Everything here runs on the io thread.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from twilio_conversations.enums import ConversationStatus
from twilio_conversations.errors import ClientClosedError, ConversationsError, NotFoundError, ProtocolError, RestError, SyncError
from twilio_conversations.events.names import HandlerError
from twilio_conversations.models.conversation import Conversation
from twilio_conversations.state.opening import all_items, may_pass
from twilio_conversations.state.parts import Parts
from twilio_conversations.state.phases import Following, Input, Phase
from twilio_conversations.state.tracked import SyncNames, TrackedConversation
from twilio_conversations.state.tracker import Tracker
from twilio_conversations.state.typing import duration
from twilio_conversations.sync.changes import (
    Change,
    EntityFailed,
    Item,
    ItemAdded,
    ItemRemoved,
    ItemUpdated,
    Resynced,
)
from twilio_conversations.sync.purpose import Purpose
from twilio_conversations.util import logs, urls
from twilio_conversations.util.flows import Flow, Future, failed, flow
from twilio_conversations.util.json import parse_text
from twilio_conversations.values.conversation import ConversationData
from twilio_conversations.wire.window import Lane

if TYPE_CHECKING:
    from twilio_conversations.runtime import Runtime
    from twilio_conversations.sync.client import Handle

_log = logs.logger(__name__)

_PAGE_SIZE: Final = 100
"""Conversations on a page of the listing: the size that Twilio names."""


class Conversations:
    """All conversations of this client, by sid."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._tracked: dict[str, TrackedConversation] = {}
        self._live: weakref.WeakValueDictionary[str, Parts] = weakref.WeakValueDictionary()
        self._map: Handle | None = None
        self._told: set[str] = set()
        self.listed: Future[None] = Future()
        """Done when every conversation of the listing has appeared."""
        self._tracker = Tracker(runtime, lambda sid: self._tracked.pop(sid, None), self.listed.done)

    def under_way(self) -> Iterator[str]:
        """Yield what is under way, in words."""
        moving = [one for one in self._tracked.values() if one.has_lost_events or not one.is_settled]
        if moving or not self.listed.done():
            yield f"{max(1, len(moving))} conversations that are being read"

    # -- the list -----------------------------------------------------------------------------------------------------

    @flow
    def open(self) -> Flow[None]:
        """Follow the user's map of conversations; from here on nothing is missed."""
        name = self._runtime.configuration.my_conversations_map
        self._map = yield self._runtime.sync.open_map(name, self._map_changed, purpose=Purpose.CONVERSATIONS)

    @flow
    def load(self) -> Flow[None]:
        """Read the listing (``GET {my_conversations}``), page after page; each page's conversations open meanwhile.

        A service that refuses the size of the pages is asked for pages of its own size.
        """
        appearing: list[Future[Any]] = []
        url = self._runtime.configuration.my_conversations_url
        token: str | None = None
        size: int | None = _PAGE_SIZE
        seen: set[str | None] = {token}  # a page that leads back would be read for ever
        while True:
            try:
                page = urls.with_query(url, [("PageSize", size), ("PageToken", token)])
                body = yield from self._runtime.get_json(page, lane=Lane.COMMAND)  # ahead of what the pages before have to open
            except RestError as error:
                if error.status != 400 or size is None:
                    raise
                size = None
                continue
            entries = body.get("conversations") if isinstance(body, dict) else None
            for entry in entries if isinstance(entries, list) else ():
                tracked = self._listed_entry(entry)
                if tracked is not None:
                    appearing.append(tracked.ready)
            meta = body.get("meta") if isinstance(body, dict) else None
            token = parse_text(meta.get("next_token")) if isinstance(meta, dict) else None
            if not token or token in seen:
                break
            seen.add(token)
        for future in appearing:
            try:
                yield future
            except ConversationsError as error:
                _log.info("a listed conversation did not appear: %s", error)
        self._told.clear()
        self.listed.settle(None)

    def _listed_entry(self, entry: Any) -> TrackedConversation | None:
        """Take a conversation from the listing, unless the map has something newer of it."""
        sid = entry.get("conversation_sid") if isinstance(entry, dict) else None
        if not isinstance(sid, str):
            _log.warning("leaving out an entry of the listing without sid")
            return None
        if sid in self._told:
            return self._tracked.get(sid)
        return self.learn(entry)

    def learn(self, entry: Mapping[str, Any]) -> TrackedConversation:
        """Take a REST entry (listing, look-up, create): the conversation is to be known, and followed if joined.

        Its further fields are used for a conversation that is new; one that is known follows Sync.
        """
        sid = entry.get("conversation_sid") or entry.get("sid")
        if not isinstance(sid, str):
            raise ProtocolError("a conversation without sid", body=entry)
        joined = entry.get("status") == ConversationStatus.JOINED.value and "conversation_sid" in entry
        tracked = self._tracked.get(sid)
        if tracked is None:
            tracked = self._appear(sid, SyncNames.from_rest(sid, entry.get("sync_objects")))
            data = {
                "lastConsumedMessageIndex": entry.get("last_read_message_index"),
                "notificationLevel": entry.get("notification_level"),
            }
            tracked.item = data
            self._tracker.react(tracked, Input.JOINED if joined else Input.SEEN)
        elif joined:
            self.follow(sid)
        return tracked

    def follow(self, sid: str) -> Future[Conversation]:
        """Follow a conversation that a command has joined; done when messages and participants are followed."""
        tracked = self._tracked.get(sid)
        if tracked is None:
            return failed(NotFoundError(f"conversation {sid} is gone"))
        self._tracker.react(tracked, Input.JOINED)
        return tracked.ready

    def known(self, sid: str) -> TrackedConversation | None:
        """Return the conversation with that sid, `None` if there is none."""
        return self._tracked.get(sid)

    def announced(self, following: Following) -> list[Conversation]:
        """Return the conversations that are announced as that much or more, in the order they became known."""
        return [one.conversation for one in self._tracked.values() if one.announced >= following]

    @flow
    def survey_participants(self, sid: str, take: Callable[[Iterable[Any]], None]) -> Flow[None]:
        """Have `take` called with the participants of a conversation once all that was read of them is announced."""
        try:
            yield self._participants_of(sid)
        except ConversationsError as error:
            _log.info("the participants of %s cannot be read: %s", sid, error)
        tracked = self._tracked.get(sid)
        if tracked is None:
            take([])
        else:
            tracked.live.participants.survey(take)

    def joined(self) -> list[Conversation]:
        """Return the conversations that the user participates in, in the order of their sids."""
        return [
            one.conversation
            for _, one in sorted(self._tracked.items())
            if one.announced is Following.EVERYTHING and one.conversation.status is ConversationStatus.JOINED
        ]

    def typing(self, sid: Any, identity: Any, seconds: Any) -> None:
        """Pass on a typing notice; one of a conversation that is not followed is ignored."""
        tracked = self._tracked.get(sid) if isinstance(sid, str) else None
        if tracked is None or tracked.announced is not Following.EVERYTHING or not isinstance(identity, str):
            return
        tracked.live.typing.received(identity, duration(seconds, 6.0))

    def _map_changed(self, _: Handle, change: Change) -> None:
        """Apply a change of the user's map."""
        if isinstance(change, ItemAdded | ItemUpdated | ItemRemoved) and not self.listed.done():
            self._told.add(str(change.key))
        if isinstance(change, ItemAdded | ItemUpdated):
            self._map_item(str(change.key), change.data)
        elif isinstance(change, ItemRemoved):
            tracked = self._tracked.get(str(change.key))
            if tracked is not None:
                self._tracker.react(tracked, Input.REMOVED)
        elif isinstance(change, Resynced):
            self._reload()
        elif isinstance(change, EntityFailed):
            _log.warning("the list of conversations cannot be followed: %s", change.error)
            self._runtime.dispatcher.report(HandlerError(change.error))

    @flow
    def _reload(self) -> Flow[None]:
        """Events of the map were lost: read it again, and remove what is not in it any more."""
        own = self._map
        assert own is not None
        try:
            items: list[Item] = yield self._runtime.insist(
                lambda: flow(all_items)(own), "reading the list of conversations again", may_pass
            )
        except ConversationsError as error:
            if not isinstance(error, ClientClosedError):
                self._runtime.dispatcher.report(HandlerError(error))
            return
        present = {str(item.key) for item in items}
        for item in items:
            self._map_item(str(item.key), item.data)
        for sid, tracked in list(self._tracked.items()):
            if tracked.wanted is Following.EVERYTHING and sid not in present:
                self._tracker.react(tracked, Input.REMOVED)

    def _map_item(self, sid: str, data: Any) -> None:
        """Apply an item of the user's map: the conversation, and the user's part in it."""
        document = data.get("channel") if isinstance(data, dict) else None
        if not isinstance(document, str):
            _log.warning("leaving out conversation %s: its map item names no document", sid)
            return
        tracked = self._tracked.get(sid)
        if tracked is None:
            tracked = self._appear(sid, SyncNames(document))
        tracked.item = data
        status = data.get("status")
        if status == ConversationStatus.JOINED.value:
            self._tracker.react(tracked, Input.JOINED)
        elif status == ConversationStatus.NOT_PARTICIPATING.value or tracked.phase is Phase.NEW:
            self._tracker.react(tracked, Input.SEEN)
        if tracked.announced is tracked.wanted:
            self._tracker.apply(tracked, lambda state: state.with_membership(data))

    def _appear(self, sid: str, names: SyncNames) -> TrackedConversation:
        """Make room for a conversation; the object that the program may still hold from earlier is used again."""
        live = self._live.get(sid)
        if live is None:
            message_list, roster = functools.partial(self._messages_of, sid), functools.partial(self._participants_of, sid)
            live = self._live[sid] = Parts(self._runtime, self, sid, message_list, roster)
        else:
            for model in live.models():
                model._live.come_back(model)
        tracked = TrackedConversation(live, names)
        self._tracked[sid] = tracked
        return tracked

    @flow
    def fetch(self, conversation: Conversation) -> Flow[tuple[ConversationData, int] | None]:
        """Return the state of a conversation by its document as the service has it now."""
        tracked = self._tracked.get(conversation.sid)
        document = tracked.document if tracked is not None else None
        if tracked is None or document is None:
            return None
        url = urls.join(self._runtime.options.endpoints.sync, "v3", "Documents", document.handle.sid)
        body = yield from self._runtime.get_json(url)
        replica = tracked.live.state.replica or ConversationData()
        return replica.with_document(body.get("data") if isinstance(body, dict) else None), 0

    def announce_update(self, conversation: Conversation, former: ConversationData | None, current: ConversationData) -> None:
        """Raise ``updated`` for what differs between two states, if anything."""
        self._tracker.announce_update(conversation, former, current)

    def confirmed(self, answer: Any) -> Mapping[str, Any]:
        """Return nothing that was not written."""
        del answer
        return {}

    # -- objects for the collections ----------------------------------------------------------------------------------

    @flow
    def _messages_of(self, sid: str) -> Flow[Handle]:
        """Return the message list of a conversation; where the user has not joined, it is opened for reading."""
        tracked = yield from self._ready(sid)
        if tracked.messages is None:
            yield self._tracker.opener.open_messages(tracked)
        if tracked.messages is None:
            raise SyncError(f"conversation {sid} has no messages to read", status=404)
        handle: Handle = tracked.messages.handle
        return handle

    @flow
    def _participants_of(self, sid: str) -> Flow[Handle]:
        """Return the map of participants, loaded; where the user has not joined, it is opened for reading."""
        tracked = yield from self._ready(sid)
        if tracked.participants is None:
            yield self._tracker.opener.open_participants(tracked)
        yield from self._tracker.opener.read_participants(tracked)
        if tracked.participants is None:
            raise SyncError(f"conversation {sid} has no roster to read", status=404)
        handle: Handle = tracked.participants.handle
        return handle

    def _ready(self, sid: str) -> Flow[TrackedConversation]:
        """Return a conversation when it was announced, with the names that its document gives."""
        tracked = self._tracked.get(sid)
        if tracked is None:
            raise NotFoundError(f"conversation {sid} is gone", status=404)
        yield tracked.ready
        tracked.names = tracked.named_by_document()
        return tracked
