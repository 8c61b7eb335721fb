"""Opens Sync objects, keeps one replica of each, and feeds events and connection changes to them.

Everything here runs on the io thread; nothing blocks and nothing is locked.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from twilio_conversations.errors import ClientClosedError, SyncError
from twilio_conversations.sync.changes import (
    EntityFailed,
    Item,
    Kind,
)
from twilio_conversations.sync.handle import FIRST_PATIENCE, Handle, Listener, SyncObject
from twilio_conversations.sync.pokes import Poke
from twilio_conversations.sync.purpose import PURPOSES, Purpose
from twilio_conversations.sync.replica import CollectionReplica, DocumentReplica
from twilio_conversations.sync.resources import Answer, Request, Resources, RootState, content, patience, refusal
from twilio_conversations.sync.router import Router
from twilio_conversations.sync.subscriptions import Subscriptions
from twilio_conversations.util import logs
from twilio_conversations.util.flows import Future, failed
from twilio_conversations.wire.backoff import spread

__all__ = ["Handle", "Listener", "SyncClient", "Timer", "Timers"]

_log = logs.logger(__name__)

_correlation_ids = itertools.count(time.time_ns() // 1_000_000)  # one per process: clocks collide and run backwards

_Key = tuple[Kind, str, bool, Purpose]
"""An open that is under way: kind, name, whether items are wanted, purpose."""

_TOO_MANY: Final = 429
"""Status of a poke that only came too early: it is repeated, and no object fails."""

_READ_AGAIN: Final = 0.25
"""Seconds until a map is read again whose events were ahead of what was read; a service may be behind for a while."""


class Timer(Protocol):
    """Scheduled call."""

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
        rng: Callable[[], float] = spread,
        request_timeout: float = 30.0,
        congested: Callable[[], bool] = lambda: False,
        report: Callable[[SyncError], object] = lambda error: None,
    ) -> None:
        """Make a client that is not connected.

        Args:
            request: sends one HTTP request; opens and pages are marked idempotent, pokes are not.
            timers: the io thread's timers.
            base_url: base of the Sync API, such as ``https://cds.us1.twilio.com``.
            now: the monotonic clock, seconds.
            rng: random numbers from 0 to 1, for jitter.
            request_timeout: time limit of each request, seconds.
            congested: called after each reported change; if it returns true, that object is on hold until `release_all`.
            report: called with an error that concerns no single object.
        """
        self.resources: Resources = Resources(request, base_url, request_timeout)
        self._timers = timers
        self._now = now
        self._subscriptions = Subscriptions(_correlation_ids, rng)
        self._roots: dict[str, SyncObject] = {}
        self._named: dict[tuple[Kind, str], SyncObject] = {}
        self._opening: dict[_Key, list[tuple[Listener, Future[Handle]]]] = {}
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self._closed = False
        self._report = report
        self._router = Router(self, self._roots, self._subscriptions, now, congested)
        self.notification: Callable[[str, Any], None] = self._router.notification
        """Take in a notification; see `Router.notification`. No layer between, as everything comes this way."""

    def under_way(self) -> Iterator[str]:
        """Yield what is under way, in words."""
        yield from self._subscriptions.under_way()
        if self._opening:
            yield f"{len(self._opening)} objects that are being opened"
        if self._router.gaps:
            yield f"{len(self._router.gaps)} objects of which events are missing"

    # Opening and closing

    def open_document(self, name: str, listener: Listener) -> Future[Handle]:
        """Open the document with a sid or unique name. See `open_list`."""
        return self._open("document", name, listener)

    def open_list(self, name: str, listener: Listener) -> Future[Handle]:
        """Open the list with a sid or unique name.

        `listener` gets every change after the state that was read, from before the future is done. Simultaneous opens share
        one request and one object; each gets a handle of its own. The future fails with `SyncError` (status 404: no such
        thing; 403: not visible), `ProtocolError`, `InvalidArgumentError` (the name), `TransportUnavailableError`,
        `RequestTimeoutError` or `ClientClosedError`.
        """
        return self._open("list", name, listener)

    def open_map(
        self, name: str, listener: Listener, *, include_items: bool = False, purpose: Purpose = PURPOSES["map"]
    ) -> Future[Handle]:
        """Open the map with a sid or unique name; with `include_items`, `Handle.take_items` has its items. See `open_list`.

        `purpose` ranks it among the objects where not all can be followed.
        """
        return self._open("map", name, listener, include_items, purpose)

    def _open(
        self, kind: Kind, name: str, listener: Listener, include_items: bool = False, purpose: Purpose | None = None
    ) -> Future[Handle]:
        if self._closed:
            return failed(ClientClosedError("the client is closed"))
        future: Future[Handle] = Future()
        root = self._named.get((kind, name))
        if root is not None and not include_items:
            self._hand_out(root, [(listener, future)])
            return future
        key = (kind, name, include_items, PURPOSES[kind] if purpose is None else purpose)
        if (waiting := self._opening.get(key)) is not None:
            waiting.append((listener, future))
            return future
        self._opening[key] = [(listener, future)]
        self._read_root(key)
        return future

    def _read_root(self, key: _Key) -> None:
        kind, name, include_items, _ = key
        self.resources.root(kind, name, include_items).add_done_callback(functools.partial(self._opened, key))

    def _opened(self, key: _Key, answer: Future[RootState]) -> None:
        waiting = self._opening.pop(key, [])
        if (error := answer.exception()) is not None:
            for _, future in waiting:
                future.fail(error)
        elif waiting and (root := self._adopt(*key, state := answer.result())) is not None:
            self._hand_out(root, waiting, state.items or ())
        elif waiting:
            self._opening[key] = waiting
            self._timers.call_later(_READ_AGAIN, functools.partial(self._read_root, key))

    def _adopt(self, kind: Kind, name: str, include_items: bool, purpose: Purpose, state: RootState) -> SyncObject | None:
        """Return the object for a root that was read: the existing one, if there is one.

        `None` if items are wanted of an object that was there, and events have overtaken those that were read.
        """
        root = self._roots.get(state.sid)
        if root is None:
            root = self._roots[state.sid] = SyncObject(kind, state, purpose)
            self._subscriptions.add(root.subscription, self._now())
            self.pump()
        elif include_items and isinstance(root.replica, CollectionReplica) and state.last_event_id < root.replica.head:
            return None
        for alias in (name, state.sid, state.unique_name):
            if alias is not None:
                root.aliases.add(alias)
                self._named[kind, alias] = root
        return root

    def _hand_out(self, root: SyncObject, waiting: list[tuple[Listener, Future[Handle]]], items: tuple[Item, ...] = ()) -> None:
        handles = [(Handle(self, root, listener, items), future) for listener, future in waiting]
        # All attached before any of them is notified: a first user that closes at once must not end it for the others.
        root.handles += tuple(handle for handle, _ in handles)
        for handle, future in handles:
            future.settle(handle)

    def detach(self, entity: Handle) -> None:
        """Detach a handle that was closed (`Handle.close`)."""
        root = entity.root
        root.handles = tuple(handle for handle in root.handles if handle is not entity)
        if entity in root.held_by:
            self.release(entity)
        if not root.handles:
            self.evict(root)
            self._subscriptions.drop(root.subscription, self._now())
            self.pump()

    def is_catching_up(self, root: SyncObject) -> bool:
        """Return whether the service has yet to replay what it has of an object."""
        return self._subscriptions.is_catching_up(root.subscription)

    def evict(self, root: SyncObject) -> None:
        """Forget an object; its names stay with another that has them by now."""
        for alias in root.aliases:
            if self._named.get((root.kind, alias)) is root:
                del self._named[root.kind, alias]
        self._router.gaps.pop(root, None)
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
            future.fail(ClientClosedError("the client was closed"))

    # The connection

    def connected(self) -> None:
        """Subscribe to everything again, from the cursors, since a new connection is ready."""
        if not self._closed:
            self._subscriptions.connected(self._now())
            self.pump()

    def disconnected(self) -> None:
        """Drop all subscriptions, since the connection is lost; cursors stay."""
        self._subscriptions.disconnected()
        self._router.gaps.clear()
        for root in self._roots.values():
            root.patience = FIRST_PATIENCE
            root.early.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def token_updated(self) -> None:
        """Try forbidden subscriptions again, and only those, since a new token is in use."""
        self._subscriptions.token_updated(self._now())
        self.pump()

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
                self.pump()

    def release_all(self) -> None:
        """Take the events of every object again."""
        for root in list(self._roots.values()):
            for entity in list(root.held_by):
                self.release(entity)

    # Pokes and time

    def pump(self) -> None:
        """Send the poke that is due and set the timer for what comes next."""
        now = self._now()
        self._subscriptions.on_time(now)
        if (shortage := self._subscriptions.take_shortage(now)) is not None:
            error = shortage.error()
            _log.error("%s", error)
            self._report(error)
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
        moments = list(self._router.gaps.values())
        if (deadline := self._subscriptions.next_deadline()) is not None:
            moments.append(deadline)
        return min(moments, default=None)

    def _on_timer(self) -> None:
        self._timer = None
        now = self._now()
        self._router.mend(now)
        self.pump()

    def _poked(self, poke: Poke, result: Future[Answer]) -> None:
        now = self._now()
        if (trouble := result.exception()) is not None:
            _log.info("subscribing failed and will be tried again: %s", trouble)
            self._subscriptions.rejected(poke, None, now)
        elif 200 <= (answer := result.result()).code < 300:
            self._subscriptions.accepted(poke, content(answer), now)
        else:
            error = refusal(answer, "subscribe")
            _log.warning("%s", error)
            concerned = self._subscriptions.rejected(poke, answer.code, now, code=error.code, retry_after=patience(answer))
            for subscription in concerned if answer.code != _TOO_MANY else ():
                if (root := self._roots.get(subscription.sid)) is not None and root.subscription is subscription:
                    self._router.emit(root, EntityFailed(error, will_retry=True))
        self.pump()

    # Documents

    def read_again(self, root: SyncObject) -> None:
        """Read a document again whose events were incomplete."""

        def refreshed(answer: Future[RootState]) -> None:
            if self._roots.get(root.sid) is not root or not isinstance(root.replica, DocumentReplica):
                return
            if (error := answer.exception()) is None:
                state = answer.result()
                change = root.replica.refreshed(state.data, state.last_event_id)
                if change is not None:
                    self._router.emit(root, change)
            elif isinstance(error, SyncError) and error.status == 404:
                self._subscriptions.removed(root.subscription, self._now())
                self._router.remove(root)
            else:
                _log.info("document %s could not be read again: %s", root.sid, error)
                self._subscriptions.retry(root.subscription, self._now())
                self.pump()

        self.resources.root("document", root.sid).add_done_callback(refreshed)
