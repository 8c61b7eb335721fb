"""Open and read the Sync objects of one conversation: its document, its messages and its participants.

Everything here runs on the io thread.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from twilio_conversations.errors import ClientClosedError, ConversationsError
from twilio_conversations.state.message_pages import messages_since
from twilio_conversations.state.phases import Following, Phase
from twilio_conversations.state.tracked import (
    Kind,
    OpenDocument,
    OpenMessages,
    OpenObject,
    OpenParticipants,
    TrackedConversation,
    in_place_of,
)
from twilio_conversations.sync.changes import Change, Item, Key, Resynced
from twilio_conversations.util.flows import Flow, flow, gather
from twilio_conversations.values.conversation import LastMessage

if TYPE_CHECKING:
    from twilio_conversations.runtime import Runtime
    from twilio_conversations.sync.client import Handle

Changed = Callable[[TrackedConversation, Kind, "Handle", Change], None]

GONE_STATUS = frozenset({403, 404})


def all_items(handle: Handle, start: Key | None = None) -> Flow[list[Item]]:
    """Return all items of a map behind `start`, page after page, until there are none or they lead back."""
    items: list[Item] = []
    seen: set[Key] = set()
    while True:
        page = yield from handle.page(start=start, size=100, bounds="inclusive" if start is None else "exclusive")
        items += page.items
        if not page.has_next or not page.items:
            return items
        start = page.items[-1].key
        if start in seen:
            return items
        seen.add(start)


def may_pass(error: ConversationsError) -> bool:
    """Return whether reading an object may succeed another time: it is neither gone, nor is the client."""
    return error.status not in GONE_STATUS and not isinstance(error, ClientClosedError)


class Opener:
    """Opens and reads the objects of conversations."""

    def __init__(self, runtime: Runtime, has_started: Callable[[], bool], changed: Changed) -> None:
        """`has_started` returns whether all conversations of the start were announced; `changed` receives every change."""
        self._runtime = runtime
        self._has_started = has_started
        self._changed = changed

    def open(self, tracked: TrackedConversation) -> Flow[None]:
        """Open what is wanted and not open: the document, and for a participant the messages and participants beside it."""
        if tracked.wanted is not Following.EVERYTHING:
            yield self.open_document(tracked)
            return
        yield gather([self.open_document(tracked), self.open_messages(tracked), self.open_participants(tracked)])
        named = tracked.named_by_document()
        if named != tracked.names:
            tracked.names = named
            yield gather([self.open_messages(tracked), self.open_participants(tracked)])
        self._load_first_participants(tracked)
        yield from self._catch_up_messages(tracked)
        yield from self._find_missed(tracked)

    @flow
    def open_document(self, tracked: TrackedConversation) -> Flow[None]:
        """Open the document, unless it is open."""
        name = tracked.names.document
        if _is_open(tracked.document, name):
            return
        written_before = tracked.live.state.overlays
        handle = yield self._runtime.sync.open_document(name, self._listener(tracked, Kind.DOCUMENT))
        if _is_wanted(tracked, handle):
            tracked.document = in_place_of(tracked.document, OpenDocument(name, handle, handle.data, written_before))

    @flow
    def open_messages(self, tracked: TrackedConversation) -> Flow[None]:
        """Open the list of messages, unless it is open or its name is not known."""
        name = tracked.names.messages
        if name is None or _is_open(tracked.messages, name):
            return
        handle = yield self._runtime.sync.open_list(name, self._listener(tracked, Kind.MESSAGES))
        if _is_wanted(tracked, handle):
            is_followed = tracked.wanted is Following.EVERYTHING and self._has_started()
            opened = OpenMessages(name, handle, handle.event_id if is_followed else None)
            tracked.messages = in_place_of(tracked.messages, opened)
            tracked.live.messages.opened(None)

    @flow
    def open_participants(self, tracked: TrackedConversation) -> Flow[None]:
        """Open the map of participants, unless it is open or its name is not known."""
        name = tracked.names.participants
        if name is None or _is_open(tracked.participants, name):
            return
        tracked.live.participants.reading()
        handle = yield self._runtime.sync.open_map(name, self._listener(tracked, Kind.PARTICIPANTS), include_items=True)
        if _is_wanted(tracked, handle):
            items = sorted(handle.take_items(), key=lambda item: str(item.key))
            tracked.participants = in_place_of(tracked.participants, OpenParticipants(name, handle, items, handle.event_id))

    def _listener(self, tracked: TrackedConversation, kind: Kind) -> Callable[[Handle, Change], None]:
        return functools.partial(self._changed, tracked, kind)

    def _load_first_participants(self, tracked: TrackedConversation) -> None:
        """Load the participants that came with the map."""
        opened = tracked.participants
        if opened is not None and opened.items is not None:
            items, opened.items = opened.items, None
            tracked.live.participants.load_first(items, opened.opened_at)

    def read_participants(self, tracked: TrackedConversation) -> Flow[None]:
        """Read all participants, page by page, once for each opening of the map."""
        opened = tracked.participants
        if opened is None:
            return
        if opened.reading is None or (opened.reading.done() and opened.reading.exception() is not None):
            self._load_first_participants(tracked)
            tracked.live.participants.reading()
            opened.reading = self._load_participants(tracked, opened.handle)
        yield opened.reading

    @flow
    def _load_participants(self, tracked: TrackedConversation, handle: Handle) -> Flow[None]:
        items = yield from all_items(handle)
        tracked.live.participants.load(items, handle.event_id)

    def _catch_up_messages(self, tracked: TrackedConversation) -> Flow[None]:
        """Read the messages again that the program holds from before it left: they have changed or gone meanwhile."""
        opened = tracked.messages
        if opened is not None and opened.is_behind:
            yield from tracked.live.messages.reread(opened.handle)
            tracked.live.messages.opened(_newest_message(tracked))
            opened.is_behind = False

    def _find_missed(self, tracked: TrackedConversation) -> Flow[None]:
        """Read what was written between the user's joining and the opening of the list."""
        opened, live = tracked.messages, tracked.live
        if opened is None or opened.followed_from is None or opened.followed_from < 0:
            return  # without any event yet nothing was written
        yield from self.read_participants(tracked)
        joined = live.participants.joined_at(self._runtime.configuration.identity)
        if joined is not None:
            opened.missed = yield from messages_since(opened.handle, joined)

    @flow
    def reread(self, tracked: TrackedConversation, kind: Kind, handle: Handle, loss: Resynced) -> Flow[bool]:
        """Read an object again whose events were lost, and announce what and who came meanwhile; a document is up to date.

        Return whether there was a change without an event. An object that is closed meanwhile has no further events.
        """
        if kind is Kind.MESSAGES:
            differs = yield from tracked.live.messages.resync(handle, loss)
            return differs
        if kind is Kind.PARTICIPANTS:
            participants = tracked.live.participants
            participants.reading()
            participants.resynced(loss)
            items = yield from all_items(handle)
            return handle.open and participants.load_anew(items, loss)
        return False


def _is_open(opened: OpenObject | None, name: str) -> bool:
    return opened is not None and opened.name == name


def _is_wanted(tracked: TrackedConversation, handle: Handle) -> bool:
    """Return whether the conversation is still there; an object of one that went while it was opened is closed."""
    if tracked.phase is Phase.GONE:
        handle.close()
        return False
    return True


def _newest_message(tracked: TrackedConversation) -> int | None:
    """Return the index of the newest message as the document had it when it was opened; `None` where it does not say."""
    if tracked.messages is not None and tracked.messages.handle.event_id < 0:
        return -1
    document = tracked.document
    data = None if document is None else document.contents or document.handle.data
    newest = LastMessage.parse(data.get("lastMessage")) if isinstance(data, dict) else None
    return None if newest is None else newest.index
