"""From a notification to the listeners of the object it is about: one table of event types, and what each of them means.

Pure but for the listeners, which are called on the thread that brings the notification.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

from twilio_conversations.errors import ProtocolError, SyncError
from twilio_conversations.sync.changes import (
    Change,
    EntityFailed,
    EntityRemoved,
    Established,
    ItemAdded,
    ItemRemoved,
    ItemUpdated,
)
from twilio_conversations.sync.handle import FIRST_PATIENCE, LAST_PATIENCE, EarlyEvent, Handle, SyncObject
from twilio_conversations.sync.pokes import CATCHING_UP, Refusal, SubscriptionPhase
from twilio_conversations.sync.replica import CollectionReplica, DocumentReplica, ItemAction, event_id_of
from twilio_conversations.sync.subscriptions import Subscriptions
from twilio_conversations.util import logs
from twilio_conversations.util.json import whole_number
from twilio_conversations.wire import message_types

_log = logs.logger(__name__)

MOST_EARLY = 1000
"""Live events of an object that are kept for the end of a replay; more are applied as they come."""

_Take = Callable[["Router", SyncObject, dict[str, Any], Any, Any], None]


def _by_id(early: EarlyEvent) -> int:
    return event_id_of(early[0])


class Host(Protocol):
    """Owner of the objects."""

    def pump(self) -> None:
        """Send the poke that is due, and look again in time."""

    def evict(self, root: SyncObject) -> None:
        """Forget an object."""

    def read_again(self, root: SyncObject) -> None:
        """Read a document whose events were incomplete."""

    def hold(self, entity: Handle) -> None:
        """Drop the events of an object for now."""


class Router:
    """Takes notifications to objects, and their changes to listeners.

    Attributes:
        gaps: objects of which events are missing, and when the service is asked to replay them.
    """

    def __init__(
        self,
        host: Host,
        roots: Mapping[str, SyncObject],
        subscriptions: Subscriptions,
        now: Callable[[], float],
        congested: Callable[[], bool],
    ) -> None:
        """`roots` are the objects by sid; `congested` is called after each reported change."""
        self._host = host
        self._roots = roots
        self._subscriptions = subscriptions
        self._now = now
        self._congested = congested
        self.gaps: dict[SyncObject, float] = {}

    def notification(self, message_type: str, payload: Any) -> None:
        """Process a notification of one of Sync's message types; others are ignored, malformed ones logged."""
        if message_type not in message_types.SYNC:
            return
        if type(payload) is not dict or type(event_type := payload.get("event_type")) is not str:
            _log.warning("a %s notification without an event type", message_type)
            return
        route = self.ROUTES.get(event_type)
        if route is None:
            return
        take, sid_field, detail = route
        correlation = payload.get("correlation_id")
        if correlation is not None:
            self._subscriptions.heard(correlation, self._now())
        events = payload.get("events")
        for event in events if type(events) is list else (payload.get("event"),):
            try:
                if type(event) is not dict:
                    raise ProtocolError("an event is not an object")
                sid = event.get(sid_field)
                if type(sid) is not str:
                    raise ProtocolError(f"{sid_field!r} is not a sid")
                root = self._roots.get(sid)
                if root is not None:
                    take(self, root, event, correlation, detail)
            except ProtocolError as error:
                _log.warning("a malformed %s event: %s", event_type, error)
            except Exception:
                _log.exception("a %s event could not be applied", event_type)
        if sid_field == "object_sid":
            self._host.pump()

    def _deaf(self, root: SyncObject, correlation: Any) -> bool:
        """Return whether an event must be dropped: the object is held, or its replay has not begun."""
        if root.held_by or not root.subscription.awaits(correlation):
            return True
        root.muted = False
        return False

    def _item_event(self, root: SyncObject, event: dict[str, Any], correlation: Any, action: ItemAction) -> None:
        if not isinstance(root.replica, CollectionReplica):
            return
        subscription = root.subscription
        if subscription.phase in CATCHING_UP and not subscription.awaits(correlation):
            self._keep(root, event, action)
        elif not (root.muted and self._deaf(root, correlation)):
            self._apply(root, event, action, correlation is not None and subscription.awaits(correlation))

    def _apply(self, root: SyncObject, event: dict[str, Any], action: ItemAction, ordered: bool) -> None:
        replica = root.replica
        assert isinstance(replica, CollectionReplica)
        if ordered:
            self._begin_replay(root, event)
        change = replica.apply(action, event, ordered)
        if replica.gaps and root not in self.gaps:
            self._watch(root)
        if change is not None:
            self.emit(root, change)

    def _begin_replay(self, root: SyncObject, event: dict[str, Any]) -> None:
        """Report a replay that begins too late."""
        assert isinstance(root.replica, CollectionReplica)
        if (lost := root.replica.begin_replay(event_id_of(event), root.subscription.asked_from)) is not None:
            self.emit(root, lost)

    # Live events that come before replayed ones, also those of a subscription whose poke has failed after it was granted

    def _keep(self, root: SyncObject, event: dict[str, Any], action: ItemAction) -> None:
        """Keep a live event until the replay below it has ended, for some time and up to a number."""
        event_id_of(event)
        root.early.append((event, action))
        if len(root.early) > MOST_EARLY:
            self._take_early(root)
        elif len(root.early) == 1:
            self._watch(root, min(root.patience, FIRST_PATIENCE))

    def _take_early(self, root: SyncObject, replayed_to: int | None = None) -> None:
        """Apply what was kept, in order: that up to `replayed_to` as a part of the replay, all of it if that is `None`.

        Without a replay it is dropped if events below it were dropped, too.
        """
        early = [] if root.muted else sorted(root.early, key=_by_id)
        root.early = [] if replayed_to is None else [one for one in early if event_id_of(one[0]) > replayed_to]
        for event, action in early[: len(early) - len(root.early)]:
            try:
                self._apply(root, event, action, replayed_to is not None)
            except ProtocolError as error:
                _log.warning("a malformed event: %s", error)

    def _silent_event(self, root: SyncObject, event: dict[str, Any], correlation: Any, _: Any) -> None:
        """Process the id of a change that Conversations does not use."""
        if not (root.muted and self._deaf(root, correlation)) and isinstance(root.replica, CollectionReplica):
            ordered = correlation is not None and root.subscription.awaits(correlation)
            if ordered:
                self._begin_replay(root, event)
            root.replica.skip(event_id_of(event), ordered)

    def _watch(self, root: SyncObject, patience: float | None = None) -> None:
        due = self._now() + (root.patience if patience is None else patience)
        self.gaps[root] = min(due, self.gaps.get(root, due))
        self._host.pump()

    def _document_event(self, root: SyncObject, event: dict[str, Any], correlation: Any, _: Any) -> None:
        replica = root.replica
        if (root.muted and self._deaf(root, correlation)) or not isinstance(replica, DocumentReplica):
            return
        change = replica.apply(event)
        if change is not None:
            self.emit(root, change)

    def _removed_event(self, root: SyncObject, event: dict[str, Any], correlation: Any, _: Any) -> None:
        self._subscriptions.removed(root.subscription, self._now())
        self.remove(root)

    def _established_event(self, root: SyncObject, event: dict[str, Any], correlation: Any, _: Any) -> None:
        subscription = root.subscription
        now = self._now()
        status = event.get("replay_status")
        if status == "interrupted":
            self._subscriptions.interrupted(subscription, correlation, now)
        elif status == "completed" and self._subscriptions.established(subscription, correlation, now):
            root.muted = False
            last = whole_number(event.get("last_event_id"))
            if last is not None:
                self._take_early(root, last)
            self._complete(root, last, subscription.asked_from)
            self._take_early(root)
            self.emit(root, Established())

    def _complete(self, root: SyncObject, last: int | None, asked_from: int) -> None:
        """Process the end of a replay: read again if it was incomplete."""
        replica = root.replica
        if isinstance(replica, CollectionReplica):
            change = replica.completed(last, asked_from)
            if replica.gaps:
                self._watch(root)
            else:
                self.gaps.pop(root, None)
            if change is not None:
                self.emit(root, change)
        elif last is not None:
            if last < asked_from:
                replica.restart(last)
            if replica.behind(last):
                self._host.read_again(root)

    def _canceled_event(self, root: SyncObject, event: dict[str, Any], correlation: Any, _: Any) -> None:
        if self._subscriptions.canceled(root.subscription, correlation, self._now()):
            error = SyncError("the service ended the subscription", retryable=True)
            self.emit(root, EntityFailed(error, will_retry=True))

    def _failed_event(self, root: SyncObject, event: dict[str, Any], correlation: Any, _: Any) -> None:
        facts = event.get("error")
        status = facts.get("status") if isinstance(facts, dict) else None
        code = facts.get("code") if isinstance(facts, dict) else None
        refused = self._subscriptions.failed(root.subscription, correlation, status, self._now(), code)
        if refused is Refusal.GONE:
            self.remove(root)
        elif refused is not None and refused is not Refusal.NO_ROOM:  # that is reported for all objects together
            error = SyncError.from_answer("subscribe", status if type(status) is int else 0, facts)
            _log.warning("%s: %s", root.sid, error)
            self.emit(root, EntityFailed(error, will_retry=refused is Refusal.TROUBLE))

    def remove(self, root: SyncObject) -> None:
        """Report the removal of the object once, and release it."""
        self._host.evict(root)
        handles, root.handles = root.handles, ()
        for handle in handles:
            handle.ended()
        for handle in handles:
            self._tell(handle, EntityRemoved())

    def emit(self, root: SyncObject, change: Change) -> None:
        """Notify the listeners of an object."""
        for handle in root.handles:
            if handle.open:  # a listener before may have closed it
                self._tell(handle, change)

    def _tell(self, handle: Handle, change: Change) -> None:
        try:
            handle.listener(handle, change)
        except Exception:
            _log.exception("a listener of %r failed", handle)
        if self._congested():
            self._host.hold(handle)

    # Gaps

    def mend(self, now: float) -> None:
        """Have the gaps replayed that were open for long enough."""
        for root in [root for root, due in self.gaps.items() if due <= now]:
            del self.gaps[root]
            self._mend(root, now)

    def _mend(self, root: SyncObject, now: float) -> None:
        """Replay a gap that was open for long enough (during a replay, its end closes the gap)."""
        self._take_early(root)
        if not root.replica.gaps:
            root.patience = FIRST_PATIENCE
        elif root.subscription.phase is SubscriptionPhase.ESTABLISHED:
            _log.info("events of %s are missing; asking for a replay", root.sid)
            root.patience = min(LAST_PATIENCE, 2 * root.patience)
            self._subscriptions.renew(root.subscription, now)

    ROUTES: ClassVar[dict[str, tuple[_Take, str, Any]]] = {
        "list_item_added": (_item_event, "list_sid", ItemAdded),
        "list_item_updated": (_item_event, "list_sid", ItemUpdated),
        "list_item_removed": (_item_event, "list_sid", ItemRemoved),
        "list_context_updated": (_silent_event, "list_sid", None),
        "list_removed": (_removed_event, "list_sid", None),
        "map_item_added": (_item_event, "map_sid", ItemAdded),
        "map_item_updated": (_item_event, "map_sid", ItemUpdated),
        "map_item_removed": (_item_event, "map_sid", ItemRemoved),
        "map_removed": (_removed_event, "map_sid", None),
        "document_updated": (_document_event, "document_sid", None),
        "document_removed": (_removed_event, "document_sid", None),
        "subscription_established": (_established_event, "object_sid", None),
        "subscription_canceled": (_canceled_event, "object_sid", None),
        "subscription_failed": (_failed_event, "object_sid", None),
    }
    """Event type -> what takes it, the field that names the object, and what it is told besides."""
