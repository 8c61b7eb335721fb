"""Messages and participants of one conversation that handlers know, where pages are read beside events or in their place."""

from __future__ import annotations

import math
from collections import deque
from typing import Any, Final

from twilio_conversations.sync.changes import Item, ItemAdded, ItemChange, ItemRemoved, ItemUpdated, Resynced
from twilio_conversations.util.json import parse_index

_REMOVED: Final = math.inf

MOST_LATEST: Final = 1000
"""Announced messages that are remembered, in case events below them turn out to be lost."""


def ahead_of(early: dict[Any, float], loss: Resynced) -> dict[Any, float]:
    """Return what of `early` (items that were announced from a page, each up to an event) is ahead of the events after a loss."""
    return {} if loss.is_restart else {key: until for key, until in early.items() if until > loss.event_id}


class AnnouncedMessages:
    """Messages up to `newest` were announced, or were there before the list was followed. It belongs to the io thread."""

    def __init__(self) -> None:
        self.newest: int | None = None
        """Highest index that is known to handlers; -1 for an empty list, `None` where nobody knows."""
        self._history = -1
        self._latest: deque[tuple[int, int]] = deque(maxlen=MOST_LATEST)  # event id and index of the latest that were announced
        self._early: dict[int, float] = {}  # announced from a page: up to which event; those events may still come
        self._latest_early = -1

    def begin(self, newest: int | None) -> None:
        """Begin with an open list: messages up to `newest` are history."""
        self.newest = newest
        self._history = -1 if newest is None else newest
        self._latest.clear()
        self.begin_again()

    def begin_again(self) -> None:
        """Begin again: nothing was announced ahead of the events that come now."""
        self._early.clear()
        self._latest_early = -1

    def lost(self, loss: Resynced) -> None:
        """Note that events were lost; those behind them come, and may be of messages that a page has announced before."""
        self._early = ahead_of(self._early, loss)

    def take(self, index: int, change: ItemChange) -> bool:
        """Note a change of a message from an event; return whether it was announced before, from a page that was ahead of the
        events.

        A message that came and went before the page was read is not announced at all.
        """
        if self._early and self._is_early(index, change):
            return True
        if isinstance(change, ItemAdded):
            self._latest.append((change.event_id, index))
            if self.newest is None or index > self.newest:
                self.newest = index
        return False

    def before(self, loss: Resynced) -> tuple[int | None, frozenset[int]]:
        """Return the index above which messages may be missing, and the latest that were announced, some of them above it all
        the same: live events may have come before lost ones."""
        known = [index for event_id, index in self._latest if event_id <= loss.known_to]
        is_forgotten = not known and len(self._latest) == MOST_LATEST
        if self.newest is None or loss.is_restart or is_forgotten:
            return self.newest, frozenset()
        return min(self.newest, max(known, default=self._history)), frozenset(index for _, index in self._latest)

    def _is_early(self, index: int, change: ItemChange) -> bool:
        early = self._early
        if isinstance(change, ItemAdded) and index not in early and index < self._latest_early:
            early[index] = _REMOVED
        until = early.get(index, -1)
        if isinstance(change, ItemRemoved):
            early.pop(index, None)
            return until == _REMOVED
        if change.event_id > until:  # not before: a replay may have one change as an update and as an addition
            early.pop(index, None)
        return change.event_id <= until

    def note_page(self, item: Item, followed_from: int) -> None:
        """Note that an item of a page was announced; its events behind `followed_from`, up to the page's, may still come."""
        index = parse_index(item.key)
        if index is not None and item.event_id > followed_from:
            self._early[index] = item.event_id
            self._latest_early = max(self._latest_early, index)

    def note_removed(self, index: int) -> None:
        """Note that the removal of a message was announced, as a page has it no more; its event may still come."""
        self._early[index] = _REMOVED


class AnnouncedParticipants:
    """Progress of the events of participants, and those that were announced before theirs. It belongs to the io thread."""

    def __init__(self) -> None:
        self._applied_to = -1  # changes up to this id are applied, or were made before the map was followed; none was lost
        self._early: dict[str, float] = {}  # announced from a page: up to which event; those may still come

    def begin(self, opened_at: int) -> None:
        """Begin with a map that was opened at an event id."""
        self._applied_to = opened_at

    def lost(self, loss: Resynced) -> None:
        """Note that events were lost, until `made_up_for`; those behind them come."""
        self._early = ahead_of(self._early, loss)
        self._applied_to = min(self._applied_to, loss.known_to)

    def made_up_for(self, loss: Resynced) -> None:
        """Note that what a loss has left out is announced."""
        self._applied_to = loss.event_id

    def includes(self, item: Item, cursor: int) -> bool:
        """Return whether an item of a page is as it was before the events that are still to be applied or were lost.

        `cursor`: id of the change from which the service would replay.
        """
        return item.event_id <= min(self._applied_to, cursor)

    def take(self, sid: str, change: ItemChange) -> bool:
        """Note a change from an event; return whether joining or leaving was announced before, from a page that was ahead of the
        events."""
        self._applied_to = max(self._applied_to, change.event_id)
        until = self._early.get(sid, -1)
        if isinstance(change, ItemUpdated):
            return until == _REMOVED
        self._early.pop(sid, None)
        return until == _REMOVED if isinstance(change, ItemRemoved) else _REMOVED > until >= change.event_id

    def note_page(self, item: Item) -> None:
        """Note that a participant of a page was announced; the events up to the page's may still come."""
        self._early[str(item.key)] = item.event_id

    def note_removed(self, sid: str) -> None:
        """Note that leaving was announced, as a page has the participant no more; its event may still come."""
        self._early[sid] = _REMOVED
