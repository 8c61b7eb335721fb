"""Subscriptions: cursors over the event log. Replay and live delivery are one path.

A subscription is (connection, object, number of the last event sent). A commit names the objects that changed; the events above
each cursor are sent, in order. Those that are there when the subscription is requested go out as replay (``twilio.sync.event``
with the poke's correlation id), then ``subscription_established``, then everything as live (``com.twilio.rtd.cds.<kind>``). A
replay that would be too long ends as ``interrupted``, and the client requests the rest. The cursors of a connection that does
not keep up stay where they are; they advance, from the log, when it has room again. All of this happens on the event loop, so
that pokes of one connection are handled in order and nothing is lost between replay and live.

Numbers of events grow, but the log has gaps where events were superseded by later ones. The events above a cursor, up to a
delivered head, are therefore those in the log; memory answers for it only while it holds every number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
from sqlalchemy import bindparam, select

from twilio_conversations.server.calls import Subscriber
from twilio_conversations.server.settings import LIVE_FIRST, LiveSettings
from twilio_conversations.server.storage.database import Connection
from twilio_conversations.server.storage.rows import Event
from twilio_conversations.server.storage.statements import Query
from twilio_conversations.server.storage.tables import sync_events
from twilio_conversations.server.storage.writer import Commit
from twilio_conversations.server.sync.notifications import MAX_BATCH, Poke, batches, failure, frame_of, notify
from twilio_conversations.server.sync.objects import NOT_FOUND, BoundedDict, Entity, SyncObjects
from twilio_conversations.wire.frame import json_bytes
from twilio_conversations.wire.message_types import LIVE, REPLAY

MAX_RECENT = 10_000
"""Events kept encoded; older ones are read from the log."""
COMPLETED, INTERRUPTED = "completed", "interrupted"
"""Outcomes of a replay."""
BEFORE_ALL = -1
"""The cursor before all events."""

_ABOVE = Query(
    Event,
    select(sync_events)
    .where(
        sync_events.c.entity_sid == bindparam("of"),
        sync_events.c.id > bindparam("cursor"),
        sync_events.c.id <= bindparam("head"),
    )
    .order_by(sync_events.c.id)
    .limit(MAX_BATCH),
)


@attrs.define(eq=False)
class Subscription:
    """One connection's cursor in one object, the number of replayed events, and the one sent ahead of them."""

    subscriber: Subscriber
    entity: Entity
    cursor: int
    correlation_id: Any
    replayed: int = 0
    ahead: int | None = None
    established: bool = False


@attrs.define
class Recent:
    """An event, encoded at most once for all its live subscribers."""

    event: Event
    frame: bytes | None = None


class Subscriptions:
    """All subscriptions, by object and by connection."""

    def __init__(self, reader: Connection, objects: SyncObjects, settings: LiveSettings, catch_up: Callable[[], None]) -> None:
        """`catch_up` passes on what is committed and has not come to `on_commit` yet."""
        self._reader = reader
        self._catch_up = catch_up
        self._objects = objects
        self._settings = settings
        self._recent: BoundedDict[tuple[str, int], Recent] = BoundedDict(MAX_RECENT)
        self._by_entity: dict[str, dict[Subscriber, Subscription]] = {}
        self._by_subscriber: dict[Subscriber, dict[str, Subscription]] = {}
        self._behind: dict[Subscriber, dict[str, Subscription]] = {}
        self._of_identity: dict[str, set[Subscriber]] = {}
        self._of_conversation: dict[str | None, dict[str, None]] = {}
        """Objects of each conversation that have subscribers, in the order of their first subscriptions."""

    # -- requests of clients -----------------------------------------------------------------------------------------------

    def cancel(self, poke: Poke) -> None:
        """End subscriptions, and confirm that."""
        canceled = []
        for item in poke.requests:
            self._forget(poke.subscriber, item["object_sid"])
            canceled.append(json_bytes({"object_sid": item["object_sid"], "object_type": item.get("object_type")}))
        poke.answer("subscription_canceled", canceled)

    def establish(self, poke: Poke) -> None:
        """Replay missed events, and confirm each subscription or report its failure, after the events that led to it."""
        ended, failed = [], []
        for item in poke.requests:
            self._forget(poke.subscriber, item["object_sid"])
            entity = self._readable(poke.subscriber, item)
            if entity is None or self._is_full(poke.subscriber):
                failed.append(failure(item, NOT_FOUND.get(str(item.get("object_type")), 54100) if entity is None else 54419))
                continue
            subscription = self._subscribe(poke, entity, item.get("last_event_id"))
            if self._settings.current.replay_order == LIVE_FIRST:
                self._send_ahead(subscription)
            outcome = self._replay(subscription)
            if outcome is not None:
                ended.append(_replay_ended(subscription, outcome))
        poke.answer("subscription_established", ended)
        if failed:
            self._catch_up()
        poke.answer("subscription_failed", failed)

    def _readable(self, subscriber: Subscriber, item: dict[str, Any]) -> Entity | None:
        entity = self._objects.find(item["object_sid"])
        if entity is None or entity.kind != item.get("object_type"):
            return None
        return entity if self._objects.may_read(subscriber.identity, entity) else None

    def _is_full(self, subscriber: Subscriber) -> bool:
        limit = self._settings.current.subscriptions_limit
        return 0 < limit <= len(self._by_subscriber.get(subscriber, ()))

    def _subscribe(self, poke: Poke, entity: Entity, last: Any) -> Subscription:
        """Subscribe to events after number `last`; without one, to new events only.

        A number ahead of the head is not from this service: sids and numbers are not reused.
        """
        head = self._objects.head(entity)
        cursor = max(BEFORE_ALL, min(last, head)) if isinstance(last, int) and not isinstance(last, bool) else head
        reach = self._settings.current.journal_limit
        if reach is not None:
            cursor = max(cursor, head - reach)
        subscription = Subscription(poke.subscriber, entity, cursor, poke.correlation_id)
        self._by_entity.setdefault(entity.sid, {})[poke.subscriber] = subscription
        self._by_subscriber.setdefault(poke.subscriber, {})[entity.sid] = subscription
        self._of_identity.setdefault(poke.subscriber.identity, set()).add(poke.subscriber)
        self._of_conversation.setdefault(entity.conversation_sid, {})[entity.sid] = None
        return subscription

    # -- commits and connections -------------------------------------------------------------------------------------------

    def on_commit(self, commit: Commit) -> None:
        """Send the events of a commit to its subscribers; then end the subscriptions of users who lost access."""
        for event in commit.events:
            self._recent[event.entity_sid, event.id] = Recent(event)
        leaving = [subscription for pair in commit.revoked for subscription in self._withdraw(*pair)]
        for event in commit.events:
            for subscription in list(self._by_entity.get(event.entity_sid, {}).values()):
                self._advance(subscription)
        for subscription in leaving:
            entity = subscription.entity
            body = json_bytes({f"{entity.kind}_sid": entity.sid})
            notify(subscription.subscriber, LIVE[entity.kind], f"{entity.kind}_removed", [body])

    def resume(self, subscriber: Subscriber) -> None:
        """Advance the cursors of a connection that keeps up again."""
        for subscription in list(self._behind.pop(subscriber, {}).values()):
            self._advance(subscription)

    def remove_subscriber(self, subscriber: Subscriber) -> None:
        """End the subscriptions of a closed connection."""
        for sid in list(self._by_subscriber.get(subscriber, {})):
            self._forget(subscriber, sid)
        self._by_subscriber.pop(subscriber, None)
        self._behind.pop(subscriber, None)
        if (others := self._of_identity.get(subscriber.identity)) is not None:
            others.discard(subscriber)
            if not others:
                del self._of_identity[subscriber.identity]

    def _withdraw(self, identity: str, conversation_sid: str) -> Iterator[Subscription]:
        """End a user's subscriptions of a conversation, which are found without a look at all others."""
        for subscriber in self._of_identity.get(identity, ()):
            subscriptions = self._by_subscriber[subscriber]
            for sid in list(self._of_conversation.get(conversation_sid, ())):
                if (subscription := subscriptions.get(sid)) is not None:
                    self._forget(subscriber, sid)
                    yield subscription

    def _forget(self, subscriber: Subscriber, sid: str) -> None:
        subscription = self._by_subscriber.get(subscriber, {}).pop(sid, None)
        if subscription is None:
            return
        self._behind.get(subscriber, {}).pop(sid, None)
        of_entity = self._by_entity[sid]
        del of_entity[subscriber]
        if not of_entity:
            del self._by_entity[sid]
            of_conversation = self._of_conversation[subscription.entity.conversation_sid]
            del of_conversation[sid]
            if not of_conversation:
                del self._of_conversation[subscription.entity.conversation_sid]

    # -- moving cursors ----------------------------------------------------------------------------------------------------

    def _advance(self, subscription: Subscription) -> None:
        """Send the events above the cursor: first the rest of an unfinished replay, then live events."""
        if not subscription.established:
            outcome = self._replay(subscription)
            if outcome is None:
                return
            bodies = [_replay_ended(subscription, outcome)]
            notify(subscription.subscriber, REPLAY, "subscription_established", bodies, subscription.correlation_id)
        head = self._objects.head(subscription.entity)
        while subscription.established and subscription.cursor < head:
            if not self._ready(subscription):
                return
            events = self._above(subscription, head)
            for recent in events:
                self._send_live(subscription, recent)
            if not events:
                subscription.cursor = head

    def _replay(self, subscription: Subscription) -> str | None:
        """Send missed events and return the outcome; `None` while the connection does not keep up.

        The head is that of now, also when a replay goes on after a pause: what led to an earlier one may be gone from the log.
        """
        head = self._objects.head(subscription.entity)
        limit = self._settings.current.replay_limit
        while subscription.cursor < head:
            if limit and subscription.replayed >= limit:
                self._forget(subscription.subscriber, subscription.entity.sid)
                return INTERRUPTED
            if not self._ready(subscription):
                return None
            events = [recent.event for recent in self._above(subscription, head)]
            if limit:
                events = events[: limit - subscription.replayed]
            for type_, bodies in batches(event for event in events if event.id != subscription.ahead):
                notify(subscription.subscriber, REPLAY, type_, bodies, subscription.correlation_id)
            subscription.replayed += len(events)
            subscription.cursor = events[-1].id if events else head
        subscription.established = True
        return COMPLETED

    def _send_ahead(self, subscription: Subscription) -> None:
        """Send the newest event that was missed as a live one, which it would be had it happened a moment later."""
        head = self._objects.head(subscription.entity)
        if subscription.cursor < head:
            for recent in self._between(subscription.entity.sid, head - 1, head):
                self._send_frame(subscription, recent)
                subscription.ahead = head

    def _ready(self, subscription: Subscription) -> bool:
        if subscription.subscriber.has_room():
            return True
        self._behind.setdefault(subscription.subscriber, {})[subscription.entity.sid] = subscription
        return False

    def _above(self, subscription: Subscription, head: int) -> list[Recent]:
        """Return the next events up to `head`, at most a frame's."""
        return self._between(subscription.entity.sid, subscription.cursor, head)

    def _between(self, sid: str, cursor: int, head: int) -> list[Recent]:
        """Return events from memory if it has every number, else from the log."""
        recent = [self._recent.get((sid, id_)) for id_ in range(cursor + 1, min(head, cursor + MAX_BATCH) + 1)]
        found = [item for item in recent if item is not None]
        if len(found) == len(recent):
            return found
        return [Recent(event) for event in self._reader.all(_ABOVE, of=sid, cursor=cursor, head=head)]

    def _send_live(self, subscription: Subscription, recent: Recent) -> None:
        entity, event = subscription.entity, recent.event
        if event.id <= subscription.cursor:
            return
        self._send_frame(subscription, recent)
        subscription.cursor = event.id
        if event.type == f"{entity.kind}_removed":
            self._forget(subscription.subscriber, entity.sid)

    def _send_frame(self, subscription: Subscription, recent: Recent) -> None:
        message_type = LIVE[subscription.entity.kind]
        if recent.frame is None:
            recent.frame = frame_of(message_type, recent.event.type, [recent.event.body.encode()])
        subscription.subscriber.send(message_type, recent.frame)


def _replay_ended(subscription: Subscription, outcome: str) -> bytes:
    entity = subscription.entity
    return (
        f'{{"object_sid":"{entity.sid}","object_type":"{entity.kind}","replay_status":"{outcome}",'
        f'"last_event_id":{subscription.cursor}}}'
    ).encode()
