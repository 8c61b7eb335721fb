"""Objects to subscribe to, or to unsubscribe from, now.

The wanted state is kept here; *pokes* request it from the service until both agree: one poke at a time, built when it is sent,
so that no stale wish can overtake a newer one. Subscriptions belong to one connection; after every connect all are asked for
again. Where the service lets only so many be followed, `places` decides which.

Pure: the time comes in with every call, `next_deadline` is the time of the next `on_time`, and `next_poke` returns the poke
to send. Subscriptions are compared by identity, never by sid: a closed handle must not end its successor's subscription.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from twilio_conversations.sync.changes import Kind
from twilio_conversations.sync.pace import Pace, Retries
from twilio_conversations.sync.places import NO_ROOM, Places, Ranked, Shortage
from twilio_conversations.sync.pokes import CATCHING_UP, DEFAULT_BATCH, Poke, PokeAnswer, Refusal, Subscription, SubscriptionPhase


class Subscriptions:
    """All subscriptions of one client."""

    def __init__(self, correlation_ids: Iterator[int], rng: Callable[[], float]) -> None:
        self._correlation_ids = correlation_ids
        self._retries = Retries(rng)
        self._all: dict[Subscription, None] = {}
        self._live: dict[str, Subscription] = {}
        self._connected = False
        self._limit = DEFAULT_BATCH
        self._places = Places()
        self._reset()

    def _reset(self) -> None:
        """Forget everything that belonged to one connection."""
        self._ready = Ranked()
        self._retries.clear()
        self._pace = Pace()
        self._cancels: dict[str, Kind] = {}
        self._in_flight: Poke | None = None
        self._awaited: dict[int, Poke] = {}
        self._rejections = 0
        self._renew_at: float | None = None
        self._because_of_ttl = False

    def under_way(self) -> Iterator[str]:
        """Yield what is under way, in words."""
        moves = CATCHING_UP | {SubscriptionPhase.HELD}
        moving = sum(one.phase in moves for one in self._places.followed)
        if moving or self._cancels or self._in_flight is not None:
            yield f"{max(1, moving + len(self._cancels))} subscriptions"

    def is_catching_up(self, subscription: Subscription) -> bool:
        """Return whether a replay is still to come; none does of an object that has no place."""
        return subscription.phase in CATCHING_UP and subscription in self._places.followed

    # What is wanted

    def add(self, subscription: Subscription, now: float) -> None:
        """Follow an object."""
        # Instead of a cancel that was not sent yet: the new request replaces the subscription that the service still has.
        subscription.on_server = self._cancels.pop(subscription.sid, None) is not None
        self._all[subscription] = None
        self._live[subscription.sid] = subscription
        self._places.add(subscription)
        self._arrange(now)

    def drop(self, subscription: Subscription, now: float) -> None:
        """Stop following an object."""
        if subscription not in self._all:
            return
        self._cancel(subscription, now)
        self._end(subscription, now)

    def removed(self, subscription: Subscription, now: float) -> None:
        """Remove an object that does not exist any more, so that there is nothing to cancel."""
        if subscription in self._all:
            self._end(subscription, now)

    def hold(self, subscription: Subscription) -> None:
        """Ask for nothing until `release`; confirmations that are under way no longer count."""
        if subscription in self._all:
            self._withdraw(subscription, SubscriptionPhase.HELD)

    def release(self, subscription: Subscription, now: float) -> None:
        """Ask again, from the cursor."""
        if subscription.phase is SubscriptionPhase.HELD:
            self._want(subscription, now)

    def retry(self, subscription: Subscription, now: float) -> None:
        """Ask again for an established object, after a delay: what its confirmation called for has failed."""
        if subscription.phase is SubscriptionPhase.ESTABLISHED:
            self._want_later(subscription, now)

    def renew(self, subscription: Subscription, now: float) -> None:
        """Ask again for an established object, so that the service replays what did not arrive."""
        if subscription.phase is SubscriptionPhase.ESTABLISHED:
            self._want(subscription, now)

    def _want(self, subscription: Subscription, now: float) -> None:
        subscription.phase = SubscriptionPhase.IDLE
        if subscription in self._places.followed:
            self._ready.add(subscription)
            self._schedule(now)

    def _want_later(self, subscription: Subscription, now: float) -> None:
        """Ask again after a delay that grows with every failure."""
        self._withdraw(subscription, SubscriptionPhase.IDLE)
        self._retries.add(subscription, now)

    def _withdraw(self, subscription: Subscription, phase: SubscriptionPhase) -> None:
        self._settle(subscription)
        self._ready.discard(subscription)
        subscription.phase = phase

    def _settle(self, subscription: Subscription) -> None:
        """Its poke has nothing more to say to it."""
        poke, subscription.poke = subscription.poke, None
        if poke is not None:
            poke.waiting.pop(subscription, None)
            if not poke.waiting and poke is not self._in_flight:
                self._awaited.pop(poke.correlation_id, None)

    def _cancel(self, subscription: Subscription, now: float) -> None:
        """End a subscription at the service, if it has it."""
        if subscription.on_server and self._connected:
            self._cancels[subscription.sid] = subscription.kind
            self._schedule(now)
        subscription.on_server = False

    def _end(self, subscription: Subscription, now: float) -> None:
        self._withdraw(subscription, SubscriptionPhase.ENDED)
        del self._all[subscription]
        if self._live.get(subscription.sid) is subscription:
            del self._live[subscription.sid]
        self._places.remove(subscription)
        self._arrange(now)

    @property
    def _may_arrange(self) -> bool:
        """Whether places can be given away: where they are few, the answers that are awaited show first who has one."""
        is_tried = self._places.limit is None and self._ready
        return not self._places.is_settled and (self._places.has_room or not (self._awaited or is_tried))

    def _arrange(self, now: float) -> None:
        """Follow what gets a place, and no longer what loses it."""
        if not self._may_arrange:
            return
        moves = self._places.settle(now)
        for subscription in moves.displaced:
            is_held = subscription.phase is SubscriptionPhase.HELD
            self._withdraw(subscription, SubscriptionPhase.HELD if is_held else SubscriptionPhase.IDLE)
            self._cancel(subscription, now)
        for subscription in moves.admitted:
            if self._cancels.pop(subscription.sid, None) is not None:
                subscription.on_server = True
            if subscription.phase is not SubscriptionPhase.HELD:
                self._want(subscription, now)

    # The connection

    def connected(self, now: float) -> None:
        """Request all subscriptions on a new connection."""
        self.disconnected()
        self._connected = True
        for subscription in self._all:
            if subscription.phase is not SubscriptionPhase.HELD:
                self._want(subscription, now)

    def disconnected(self) -> None:
        """Subscriptions end with the connection; cursors stay."""
        self._connected = False
        self._reset()
        for subscription in self._all:
            subscription.poke = None
            subscription.on_server = False
            subscription.failures = subscription.silences = 0
            subscription.steady_since = None
            if subscription.phase is not SubscriptionPhase.HELD:
                subscription.phase = SubscriptionPhase.IDLE

    def token_updated(self, now: float) -> None:
        """Request forbidden subscriptions again, since they may be allowed now."""
        self._pace.pause(now)
        for subscription in self._all:
            if subscription.phase in (SubscriptionPhase.FAILED, SubscriptionPhase.IDLE):
                self._want(subscription, now)

    # Time

    def next_deadline(self) -> float | None:
        """Return the time at which `on_time` is needed, if nothing happens before."""
        if not self._connected:
            return None
        if self._may_arrange:
            return 0.0
        moments = [poke.last_sign + poke.patience for poke in self._awaited.values() if poke.patience is not None]
        poke_at = self._pace.next_at if self._in_flight is None else None
        others = (self._retries.next_deadline(), self._renew_at, self._places.next_deadline(), poke_at)
        return min(moments + [moment for moment in others if moment is not None], default=None)

    def on_time(self, now: float) -> None:
        """Let time pass."""
        if not self._connected:
            return
        for subscription in self._retries.take(now):
            self._want(subscription, now)
        self._check_silence(now)
        self._places.on_time(now)
        self._arrange(now)
        if self._renew_at is not None and self._renew_at <= now:
            self._renew_at = None
            self._because_of_ttl = True
            for subscription in self._all:
                self.renew(subscription, now)

    def take_shortage(self, now: float) -> Shortage | None:
        """Return what is not followed for want of room, once it is time to report that, and only once."""
        return self._places.take_shortage(now) if self._connected else None

    def _check_silence(self, now: float) -> None:
        for poke in list(self._awaited.values()):
            if poke.patience is None or poke.last_sign + poke.patience > now:
                continue
            for subscription in list(poke.waiting):
                subscription.silences += 1
                self._want_later(subscription, now)

    @property
    def _is_full(self) -> bool:
        """Whether a whole batch is waiting."""
        return len(self._ready) >= self._limit

    def _schedule(self, now: float) -> None:
        """Have a poke sent."""
        if self._connected:
            self._pace.schedule(now, is_full=self._is_full)

    # Pokes

    def next_poke(self, now: float) -> Poke | None:
        """Return the poke to send now, if it is time for one."""
        if not self._connected or self._in_flight is not None or not self._pace.take_due(now, is_full=self._is_full):
            return None
        if self._cancels and (not self._ready or self._places.limit is not None):  # where room is short, it is made first
            poke = self._cancelling()
        elif self._ready:
            poke = self._establishing(now)
        else:
            return None
        self._pace.sent(now)
        self._in_flight = self._awaited[poke.correlation_id] = poke
        return poke

    def _establishing(self, now: float) -> Poke:
        batch = list(itertools.islice(self._ready, self._limit))
        for subscription in batch:
            self._ready.discard(subscription)
            self._settle(subscription)
        because_of_ttl, self._because_of_ttl = self._because_of_ttl, False
        poke = Poke.establish(next(self._correlation_ids), batch, now, because_of_ttl=because_of_ttl)
        poke.room = sum(subscription.on_server for subscription in self._all) + len(self._cancels)
        return poke

    def _cancelling(self) -> Poke:
        objects = dict(itertools.islice(self._cancels.items(), self._limit))
        for sid in objects:
            del self._cancels[sid]
        return Poke.cancel(next(self._correlation_ids), objects)

    def accepted(self, poke: Poke, answer: Any, now: float) -> None:
        """Process the acceptance of the poke; confirmations come (or came) as messages."""
        if not self._answered(poke):
            return
        self._rejections = 0
        facts = PokeAnswer.parse(answer)
        self._limit = facts.batch
        if facts.ttl is not None and self._renew_at is None:
            self._renew_at = now + max(1.0, facts.ttl)
        for subscription in poke.waiting:
            subscription.phase = SubscriptionPhase.ACCEPTED
        if poke.waiting:
            poke.patience = facts.patience
            poke.last_sign = now
            self._awaited[poke.correlation_id] = poke
        self._go_on(now)

    def rejected(
        self, poke: Poke, status: int | None, now: float, *, code: int | None = None, retry_after: float = 0.0
    ) -> list[Subscription]:
        """Process the failure of a poke, with an HTTP status or (`None`) on its way; its requests are repeated later.

        Returns the subscriptions that are concerned, for reporting.
        """
        if not self._answered(poke):
            return []
        if code == NO_ROOM:
            self._rejected_for_room(poke, now)
            return []
        self._pace.pause(now + max(retry_after, self._retries.delay(self._rejections)))
        self._rejections += 1
        concerned = list(poke.waiting)
        refused = status is not None and 400 <= status < 500 and status != 429
        for subscription in concerned:
            if refused:
                self._want_later(subscription, now)
            else:
                self._withdraw(subscription, SubscriptionPhase.IDLE)
                self._want(subscription, now)
        if refused:
            # One object that the service chokes on must not keep the others waiting: smaller batches part them.
            self._limit = max(1, len(concerned) // 2)
        for sid, kind in poke.objects.items():
            if (live := self._live.get(sid)) is None or live in self._places.waiting:
                self._cancels[sid] = kind
        self._go_on(now)
        return concerned

    def _rejected_for_room(self, poke: Poke, now: float) -> None:
        """Ask for fewer objects at a time, until it is known which one does not fit."""
        concerned = list(poke.waiting)
        self._limit = max(1, len(concerned) // 2)
        if len(concerned) == 1:
            self._refused_for_room(concerned[0])
        else:
            for subscription in concerned:
                self._withdraw(subscription, SubscriptionPhase.IDLE)
                subscription.on_server = False
                self._want(subscription, now)
        self._go_on(now)

    def _refused_for_room(self, subscription: Subscription) -> None:
        poke = subscription.poke
        assert poke is not None
        poke.room -= 1
        self._withdraw(subscription, SubscriptionPhase.IDLE)
        subscription.on_server = False
        self._places.refused(subscription, poke.room)

    def _answered(self, poke: Poke) -> bool:
        """Return whether this is the poke in flight, and not one of an earlier connection."""
        if poke is not self._in_flight:
            return False
        self._in_flight = None
        self._awaited.pop(poke.correlation_id, None)
        return True

    def _go_on(self, now: float) -> None:
        # Always looked at again: a confirmation may have come before the answer, and more may be waiting.
        self._pace.next_at = None
        if self._ready or self._cancels:
            self._schedule(now)

    # Messages of the service

    def heard(self, correlation_id: Any, now: float) -> None:
        """Note a message that belongs to a poke, as the service is working on it."""
        if type(correlation_id) is int and (poke := self._awaited.get(correlation_id)) is not None:
            poke.last_sign = now

    def established(self, subscription: Subscription, correlation_id: Any, now: float) -> bool:
        """Process the end of the replay; return `False` if the message is late."""
        if not subscription.awaits(correlation_id):
            return False
        self._settle(subscription)
        subscription.confirmed_by = correlation_id
        subscription.phase = SubscriptionPhase.ESTABLISHED
        subscription.silences = 0
        subscription.steady_since = now
        self._places.confirmed(subscription)
        return True

    def interrupted(self, subscription: Subscription, correlation_id: Any, now: float) -> None:
        """Continue an interrupted replay from its last event, at once if there was progress."""
        if not subscription.awaits(correlation_id):
            return
        if subscription.cursor() > subscription.asked_from:
            subscription.failures = 0
            self._withdraw(subscription, SubscriptionPhase.IDLE)
            self._want(subscription, now)
        else:
            self._want_later(subscription, now)

    def canceled(self, subscription: Subscription, correlation_id: Any, now: float) -> bool:
        """Request a subscription again that the service ended; return `False` if that answers an older cancel of ours."""
        if subscription.phase not in (SubscriptionPhase.ESTABLISHED, SubscriptionPhase.ACCEPTED):
            return False
        if correlation_id not in (None, subscription.confirmed_by):
            return False
        subscription.on_server = False
        self._want_later(subscription, now)
        return True

    def failed(
        self, subscription: Subscription, correlation_id: Any, status: Any, now: float, code: Any = None
    ) -> Refusal | None:
        """Return the meaning of a rejected subscription; `None` if the message is late."""
        if not subscription.awaits(correlation_id):
            return None
        if code == NO_ROOM:
            self._refused_for_room(subscription)
            return Refusal.NO_ROOM
        subscription.on_server = False
        if status == 404:
            self.removed(subscription, now)
            return Refusal.GONE
        if status in (401, 403):
            self._withdraw(subscription, SubscriptionPhase.FAILED)
            return Refusal.FORBIDDEN
        self._want_later(subscription, now)
        return Refusal.TROUBLE
