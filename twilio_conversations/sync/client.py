"""Opens Sync objects, keeps one replica of each, and feeds events and connection changes to them.

Everything here runs on the io thread; nothing blocks and nothing is locked.
"""

from __future__ import annotations

import functools
import itertools
import random
import time
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from twilio_conversations.errors import ClientClosedError, ProtocolError, SyncError
from twilio_conversations.sync.changes import (
    Change,
    EntityFailed,
    EntityRemoved,
    ItemAdded,
    ItemRemoved,
    ItemUpdated,
    Kind,
)
from twilio_conversations.sync.handle import FIRST_PATIENCE, LAST_PATIENCE, Handle, Listener, SyncObject
from twilio_conversations.sync.replica import CollectionReplica, DocumentReplica, ItemAction, event_id_of
from twilio_conversations.sync.resources import Answer, Request, Resources, RootState, content, refusal, retry_after
from twilio_conversations.sync.subscriptions import Poke, Refusal, SubscriptionPhase, Subscriptions
from twilio_conversations.util import logs
from twilio_conversations.util.futures import Future, fail, failed, settle
from twilio_conversations.util.json import whole_number

__all__ = ["MESSAGE_TYPES", "Handle", "Listener", "SyncClient", "Timer", "Timers"]

_log = logs.logger(__name__)

MESSAGE_TYPES = (
    "twilio.sync.event",
    "com.twilio.rtd.cds.document",
    "com.twilio.rtd.cds.list",
    "com.twilio.rtd.cds.map",
)
"""Notification types that `SyncClient.notification` reads; register them when the connection starts."""

_correlation_ids = itertools.count(time.time_ns() // 1_000_000)  # one per process: clocks collide and run backwards


_Take = Callable[["SyncClient", SyncObject, dict[str, Any], Any, Any], None]


class Timer(Protocol):
    """Something scheduled."""

    def cancel(self) -> None:
        """Do not call it."""
        ...


class Timers(Protocol):
    """The io thread's timers."""

    def call_later(self, delay: float, function: Callable[[], object], /) -> Timer:
        """Call `function` after `delay` seconds."""
        ...


class SyncClient:
    """The Sync objects of one client."""

    def __init__(
        self,
        request: Request,
        timers: Timers,
        base_url: str,
        *,
        now: Callable[[], float] = time.monotonic,
        rng: Callable[[], float] = random.random,
        request_timeout: float = 30.0,
        congested: Callable[[], bool] = lambda: False,
    ) -> None:
        """Make a client that is not connected.

        Args:
            request: sends one HTTP request; opens and pages are marked idempotent, pokes are not.
            timers: the io thread's timers.
            base_url: base of the Sync API, such as ``https://cds.us1.twilio.com``.
            now: the monotonic clock, seconds.
            rng: random numbers from 0 to 1, for jitter.
            request_timeout: time limit of each request, seconds.
            congested: asked after each change that was told; if so, that object is put on hold until `release_all`.
        """
        self.resources: Resources = Resources(request, base_url, request_timeout)
        self._timers = timers
        self._now = now
        self._congested = congested
        self._subscriptions = Subscriptions(_correlation_ids, rng)
        self._roots: dict[str, SyncObject] = {}
        self._named: dict[tuple[Kind, str], SyncObject] = {}
        self._opening: dict[tuple[Kind, str, bool], list[tuple[Listener, Future[Handle]]]] = {}
        self._gaps: dict[SyncObject, float] = {}
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self._closed = False

    # Opening and closing

    def open_document(self, name: str, listener: Listener) -> Future[Handle]:
        """Open the document with a sid or unique name. See `open_list`."""
        return self._open("document", name, listener, False)

    def open_list(self, name: str, listener: Listener) -> Future[Handle]:
        """Open the list with a sid or unique name.

        `listener` gets every change after the state that was read, from before the future is done. Simultaneous opens share
        one request and one object; each gets a handle of its own. The future fails with `SyncError` (status 404: no such
        thing; 403: not visible), `ProtocolError`, `InvalidArgumentError` (the name), `TransportUnavailableError`,
        `RequestTimeoutError` or `ClientClosedError`.
        """
        return self._open("list", name, listener, False)

    def open_map(self, name: str, listener: Listener, *, include_items: bool = False) -> Future[Handle]:
        """Open the map with a sid or unique name; with `include_items`, `Handle.items` is kept current. See `open_list`."""
        return self._open("map", name, listener, include_items)

    def _open(self, kind: Kind, name: str, listener: Listener, include_items: bool) -> Future[Handle]:
        if self._closed:
            return failed(ClientClosedError("the client is closed"))
        future: Future[Handle] = Future()
        root = self._named.get((kind, name))
        if root is not None and (not include_items or _has_items(root)):
            self._hand_out(root, [(listener, future)])
            return future
        key = (kind, name, include_items)
        if (waiting := self._opening.get(key)) is not None:
            waiting.append((listener, future))
            return future
        self._opening[key] = [(listener, future)]
        self._read_root(key)
        return future

    def _read_root(self, key: tuple[Kind, str, bool]) -> None:
        self.resources.root(*key).add_done_callback(functools.partial(self._opened, key))

    def _opened(self, key: tuple[Kind, str, bool], answer: Future[RootState]) -> None:
        waiting = self._opening.pop(key, [])
        if (error := answer.exception()) is not None:
            for _, future in waiting:
                fail(future, error)
        elif waiting and (root := self._adopt(*key, answer.result())) is not None:
            self._hand_out(root, waiting)
        elif waiting:
            self._opening[key] = waiting
            self._read_root(key)

    def _adopt(self, kind: Kind, name: str, include_items: bool, state: RootState) -> SyncObject | None:
        """The object for a root that was read: the one that is there already, if there is one.

        `None` if items are wanted of an object that was there without, and events have overtaken those that were read.
        """
        root = self._roots.get(state.sid)
        if root is None:
            root = self._roots[state.sid] = SyncObject(kind, state)
            self._subscriptions.add(root.subscription, self._now())
            self._pump()
        elif include_items and isinstance(root.replica, CollectionReplica) and root.replica.items is None:
            if state.last_event_id < root.replica.head:
                return None
            root.replica.items = {item.key: item for item in state.items or ()}
        for alias in (name, state.sid, state.unique_name):
            if alias is not None:
                root.aliases.add(alias)
                self._named[kind, alias] = root
        return root

    def _hand_out(self, root: SyncObject, waiting: list[tuple[Listener, Future[Handle]]]) -> None:
        handles = [(Handle(self, root, listener), future) for listener, future in waiting]
        # All attached before anybody hears of it: a first user that closes at once must not end it for the others.
        root.handles += tuple(handle for handle, _ in handles)
        for handle, future in handles:
            if not settle(future, handle):
                handle.close()

    def detach(self, entity: Handle) -> None:
        """A handle was closed (`Handle.close`)."""
        root = entity.root
        root.handles = tuple(handle for handle in root.handles if handle is not entity)
        if entity in root.held_by:
            self.release(entity)
        if not root.handles:
            self._evict(root)
            self._subscriptions.drop(root.subscription, self._now())
            self._pump()

    def _evict(self, root: SyncObject) -> None:
        """Forget an object, and only that one: another may have its sid by now."""
        for alias in root.aliases:
            if self._named.get((root.kind, alias)) is root:
                del self._named[root.kind, alias]
        self._gaps.pop(root, None)
        if self._roots.get(root.sid) is root:
            del self._roots[root.sid]

    def close(self) -> None:
        """Stop everything: waiting opens fail, no poke and no change comes any more."""
        if self._closed:
            return
        self._closed = True
        self.disconnected()
        for root in self._roots.values():
            for handle in root.handles:
                handle.ended()
            root.handles = ()
        self._roots.clear()
        self._named.clear()
        waiting = [future for futures in self._opening.values() for _, future in futures]
        self._opening.clear()
        for future in waiting:
            fail(future, ClientClosedError("the client was closed"))

    # The connection

    def connected(self) -> None:
        """A new connection is ready: everything is subscribed again, from the cursors."""
        if not self._closed:
            self._subscriptions.connected(self._now())
            self._pump()

    def disconnected(self) -> None:
        """The connection is lost, and the subscriptions with it; cursors stay."""
        self._subscriptions.disconnected()
        self._gaps.clear()
        for root in self._roots.values():
            root.patience = FIRST_PATIENCE
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def token_updated(self) -> None:
        """A new token is in use: what was forbidden is tried again; nothing else is."""
        self._subscriptions.token_updated(self._now())
        self._pump()

    def hold(self, entity: Handle) -> None:
        """Drop the events of an object for now: its cursor stands still, so that `release` gets them replayed."""
        root = entity.root
        if entity.open:
            root.held_by.add(entity)
            root.muted = True
            self._subscriptions.hold(root.subscription)

    def release(self, entity: Handle) -> None:
        """Take events again, beginning with those that were dropped.

        Events stay dropped until the replay begins, so that they come in order.
        """
        root = entity.root
        if entity in root.held_by:
            root.held_by.remove(entity)
            if not root.held_by:
                self._subscriptions.release(root.subscription, self._now())
                self._pump()

    def release_all(self) -> None:
        """Take the events of every object again."""
        for root in list(self._roots.values()):
            for entity in list(root.held_by):
                self.release(entity)

    # Pokes and time

    def _pump(self) -> None:
        """Send the poke that is due and set the timer for what comes next."""
        now = self._now()
        self._subscriptions.on_time(now)
        poke = self._subscriptions.next_poke(now)
        if poke is not None:
            _log.debug("%s %d objects", poke.action, len(poke.waiting) or len(poke.objects))
            self.resources.poke(poke.body).add_done_callback(functools.partial(self._poked, poke))
        deadline = self._next_deadline()
        if self._timer is not None:
            if deadline is not None and self._timer_at <= deadline:
                return  # it comes early and looks again: cheaper than a new timer for every open
            self._timer.cancel()
            self._timer = None
        if deadline is not None and not self._closed:
            self._timer_at = deadline
            self._timer = self._timers.call_later(max(0.0, deadline - now), self._on_timer)

    def _next_deadline(self) -> float | None:
        moments = list(self._gaps.values())
        if (deadline := self._subscriptions.next_deadline()) is not None:
            moments.append(deadline)
        return min(moments, default=None)

    def _on_timer(self) -> None:
        self._timer = None
        now = self._now()
        for root in [root for root, due in self._gaps.items() if due <= now]:
            del self._gaps[root]
            self._mend(root, now)
        self._pump()

    def _mend(self, root: SyncObject, now: float) -> None:
        """A gap was open for long enough: have it replayed (during a replay, its end closes the gap)."""
        if not root.replica.gaps:
            root.patience = FIRST_PATIENCE
        elif root.subscription.phase is SubscriptionPhase.ESTABLISHED:
            _log.info("events of %s are missing; asking for a replay", root.sid)
            root.patience = min(LAST_PATIENCE, 2 * root.patience)
            self._subscriptions.renew(root.subscription, now)

    def _poked(self, poke: Poke, result: Future[Answer]) -> None:
        now = self._now()
        if (trouble := result.exception()) is not None:
            _log.info("subscribing failed and will be tried again: %s", trouble)
            self._subscriptions.rejected(poke, None, now)
        elif 200 <= (answer := result.result()).status < 300:
            self._subscriptions.accepted(poke, content(answer), now)
        else:
            error = refusal(answer, "subscribe")
            _log.warning("%s", error)
            for subscription in self._subscriptions.rejected(poke, answer.status, now, retry_after=retry_after(answer)):
                if (root := self._roots.get(subscription.sid)) is not None and root.subscription is subscription:
                    self._emit(root, EntityFailed(error, will_retry=True))
        self._pump()

    # Notifications

    def notification(self, message_type: str, payload: Any) -> None:
        """Take in a notification of one of the `MESSAGE_TYPES`; others are ignored, malformed ones logged."""
        if message_type not in MESSAGE_TYPES or self._closed:
            return
        if type(payload) is not dict or type(event_type := payload.get("event_type")) is not str:
            _log.warning("a %s notification without an event type", message_type)
            return
        route = self._ROUTES.get(event_type)
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
            self._pump()

    def _deaf(self, root: SyncObject, correlation: Any) -> bool:
        """Whether an event must be dropped: the object is held, or its replay has not begun."""
        if root.held_by or not root.subscription.awaits(correlation):
            return True
        root.muted = False
        return False

    def _item_event(self, root: SyncObject, event: dict[str, Any], correlation: Any, action: ItemAction) -> None:
        replica = root.replica
        if (root.muted and self._deaf(root, correlation)) or not isinstance(replica, CollectionReplica):
            return
        ordered = correlation is not None and root.subscription.awaits(correlation)
        change = replica.apply(action, event, ordered)
        if replica.gaps and root not in self._gaps:
            self._watch(root)
        if change is not None:
            self._emit(root, change)

    def _silent_event(self, root: SyncObject, event: dict[str, Any], correlation: Any, _: Any) -> None:
        """A change that Conversations does not use still counts."""
        if not (root.muted and self._deaf(root, correlation)) and isinstance(root.replica, CollectionReplica):
            ordered = correlation is not None and root.subscription.awaits(correlation)
            root.replica.skip(event_id_of(event), ordered)

    def _watch(self, root: SyncObject) -> None:
        self._gaps[root] = self._now() + root.patience
        self._pump()

    def _document_event(self, root: SyncObject, event: dict[str, Any], correlation: Any, _: Any) -> None:
        replica = root.replica
        if (root.muted and self._deaf(root, correlation)) or not isinstance(replica, DocumentReplica):
            return
        change = replica.apply(event)
        if change is not None:
            self._emit(root, change)

    def _removed_event(self, root: SyncObject, event: dict[str, Any], correlation: Any, _: Any) -> None:
        self._subscriptions.removed(root.subscription)
        self._remove(root)

    def _established_event(self, root: SyncObject, event: dict[str, Any], correlation: Any, _: Any) -> None:
        subscription = root.subscription
        now = self._now()
        status = event.get("replay_status")
        if status == "interrupted":
            self._subscriptions.interrupted(subscription, correlation, now)
        elif status == "completed" and self._subscriptions.established(subscription, correlation, now):
            root.muted = False
            self._complete(root, event.get("last_event_id"), subscription.asked_from)

    def _complete(self, root: SyncObject, last_event_id: Any, asked_from: int) -> None:
        """A replay has ended: see whether it told everything."""
        last = whole_number(last_event_id)
        replica = root.replica
        if isinstance(replica, CollectionReplica):
            change = replica.completed(last, asked_from)
            if replica.gaps:
                self._watch(root)
            else:
                self._gaps.pop(root, None)
            if change is not None:
                self._emit(root, change)
        elif last is not None:
            if last < asked_from:
                replica.restart(last)
            if replica.behind(last):
                self._refresh(root)

    def _refresh(self, root: SyncObject) -> None:
        """Read a document again whose events did not tell everything."""

        def refreshed(answer: Future[RootState]) -> None:
            if self._roots.get(root.sid) is not root or not isinstance(root.replica, DocumentReplica):
                return
            if (error := answer.exception()) is None:
                state = answer.result()
                change = root.replica.refreshed(state.data, state.last_event_id)
                if change is not None:
                    self._emit(root, change)
            elif isinstance(error, SyncError) and error.status == 404:
                self._subscriptions.removed(root.subscription)
                self._remove(root)
            else:
                _log.info("document %s could not be read again: %s", root.sid, error)
                self._subscriptions.retry(root.subscription, self._now())
                self._pump()

        self.resources.root("document", root.sid).add_done_callback(refreshed)

    def _canceled_event(self, root: SyncObject, event: dict[str, Any], correlation: Any, _: Any) -> None:
        if self._subscriptions.canceled(root.subscription, correlation, self._now()):
            error = SyncError("the service ended the subscription", retryable=True)
            self._emit(root, EntityFailed(error, will_retry=True))

    def _failed_event(self, root: SyncObject, event: dict[str, Any], correlation: Any, _: Any) -> None:
        facts = event.get("error")
        status = facts.get("status") if isinstance(facts, dict) else None
        refused = self._subscriptions.failed(root.subscription, correlation, status, self._now())
        if refused is Refusal.GONE:
            self._remove(root)
        elif refused is not None:
            error = SyncError.from_answer("subscribe", status if type(status) is int else 0, facts)
            _log.warning("%s: %s", root.sid, error)
            self._emit(root, EntityFailed(error, will_retry=refused is Refusal.TROUBLE))

    def _remove(self, root: SyncObject) -> None:
        """The object is gone: tell it once, and forget it."""
        self._evict(root)
        handles, root.handles = root.handles, ()
        for handle in handles:
            handle.ended()
        for handle in handles:
            self._tell(handle, EntityRemoved())

    def _emit(self, root: SyncObject, change: Change) -> None:
        for handle in root.handles:
            if handle.open:  # a listener before may have closed it
                self._tell(handle, change)

    def _tell(self, handle: Handle, change: Change) -> None:
        try:
            handle.listener(handle, change)
        except Exception:
            _log.exception("a listener of %r failed", handle)
        if self._congested():
            self.hold(handle)

    _ROUTES: ClassVar[dict[str, tuple[_Take, str, Any]]] = {
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


def _has_items(root: SyncObject) -> bool:
    return isinstance(root.replica, CollectionReplica) and root.replica.items is not None
