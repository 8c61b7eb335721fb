"""Subscriptions: cursors over the event log. Replay and live delivery are one path.

A subscription is (connection, object, number of the last event sent). A commit says which objects moved; the feed sends the
events above each cursor, in order. What is there when the subscription is asked for goes out as replay (``twilio.sync.event``
with the poke's correlation id), then ``subscription_established``, then everything as live (``com.twilio.rtd.cds.<kind>``). A
replay that would be too long ends as ``interrupted``, and the client asks again from where it got to. A connection that does
not keep up lets its cursors stand still; they move on, from the log, when it has room again. All of this happens on the event
loop, so that pokes of one connection are handled in order and nothing falls between replay and live.

Numbers of events grow, but the log has holes where events were made needless by later ones. What lies above a cursor, up to a
head that the bus has told, is therefore what is in the log then; only while every number is there does memory know it too.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, ClassVar, Protocol

import attrs
from sqlalchemy import bindparam, select

from twilio_conversations.server.api.messages import Caller, Request, Response, is_text
from twilio_conversations.server.api.routing import Route
from twilio_conversations.server.errors import CATALOGUE, Refusal
from twilio_conversations.server.settings import World
from twilio_conversations.server.storage.database import Connection
from twilio_conversations.server.storage.tables import sync_events
from twilio_conversations.server.storage.writer import Commit, Event
from twilio_conversations.server.sync.objects import NOT_FOUND, Bounded, Catalog, Entity
from twilio_conversations.server.sync.projection import DOCUMENT, LIST, MAP
from twilio_conversations.wire.frame import json_bytes
from twilio_conversations.wire.packets import encode_notification

SYNC_EVENT = "twilio.sync.event"
LIVE = {kind: f"com.twilio.rtd.cds.{kind}" for kind in (DOCUMENT, LIST, MAP)}
MAX_RECENT = 10_000
"""Events kept encoded; older ones are read from the log."""
MAX_BATCH = 100
"""Most events in one frame."""
MAX_POKE = 1_000
"""Most requests in one poke, which clients are told in the answer to their first."""
MAX_BATCH_BYTES = 128 * 1024
"""Most bytes of events in one frame; a single larger event goes alone."""
COMPLETED, INTERRUPTED = "completed", "interrupted"
"""How a replay ends."""
BEFORE_ALL = -1
"""A cursor from which everything is replayed."""
SINGLE_UP_TO = 32
"""In answer to a poke of at most so many objects, each `subscription_established` has a frame of its own: recorders of frames
and simple clients look at the first event only. Larger pokes, as after start-up with hundreds of conversations, are answered
in batches."""

_ABOVE = (
    select(sync_events)
    .where(
        sync_events.c.entity_sid == bindparam("of"),
        sync_events.c.id > bindparam("cursor"),
        sync_events.c.id <= bindparam("head"),
    )
    .order_by(sync_events.c.id)
    .limit(MAX_BATCH)
)


class Subscriber(Protocol):
    """A connection, as the feed sees it."""

    identity: str

    def send(self, message_type: str, frame: bytes) -> None:
        """Queue a frame, unless this type was not asked for."""

    def has_room(self) -> bool:
        """Whether the connection keeps up."""


@attrs.define(eq=False)
class Subscription:
    """One connection's cursor in one object, and how many events it was sent as replay."""

    subscriber: Subscriber
    entity: Entity
    cursor: int
    correlation_id: Any
    replayed: int = 0
    established: bool = False


@attrs.define
class Recent:
    """An event, encoded at most once for all its live subscribers."""

    event: Event
    frame: bytes | None = None


class Feed:
    """Who is subscribed to what, and how far they are."""

    def __init__(self, reader: Connection, catalog: Catalog, world: World) -> None:
        self._reader = reader
        self._catalog = catalog
        self._world = world
        self._recent: Bounded[tuple[str, int], Recent] = Bounded(MAX_RECENT)
        self._by_entity: dict[str, dict[Subscriber, Subscription]] = {}
        self._by_subscriber: dict[Subscriber, dict[str, Subscription]] = {}
        self._behind: dict[Subscriber, dict[str, Subscription]] = {}

    # -- what clients ask for ----------------------------------------------------------------------------------------------

    def poke(self, caller: Caller, request: Request) -> Response:
        """Answer ``POST /v4/Subscriptions``, then carry it out: official clients stall when they hear of it in the other order.

        Raises `Refusal`, also for a caller without a connection.
        """
        if caller.connection is None:
            raise Refusal(20404)
        body = request.json()
        requests = body.get("requests")
        if body.get("action") not in ("establish", "cancel") or not isinstance(requests, list) or len(requests) > MAX_POKE:
            raise Refusal(20001, "Not a subscription request")
        if not all(isinstance(item, dict) and is_text(item.get("object_sid")) for item in requests):
            raise Refusal(20001, "A subscription request without object_sid")
        poke = Poke(caller.connection, body.get("correlation_id"), requests)
        carry_out = self._cancel if body["action"] == "cancel" else self._establish
        answer = {"estimated_delivery_in_ms": 10_000, "max_batch_size": MAX_POKE, "ttl_in_s": -1}
        return attrs.evolve(Response.json(202, answer), then=lambda: carry_out(poke))

    ROUTES: ClassVar[tuple[Route, ...]] = (Route("POST", "/v4/Subscriptions", poke),)

    def _cancel(self, poke: Poke) -> None:
        canceled = []
        for item in poke.requests:
            self._forget(poke.subscriber, item["object_sid"])
            canceled.append(json_bytes({"object_sid": item["object_sid"], "object_type": item.get("object_type")}))
        poke.answer("subscription_canceled", canceled)

    def _establish(self, poke: Poke) -> None:
        ended, failed = [], []
        for item in poke.requests:
            self._forget(poke.subscriber, item["object_sid"])
            entity = self._readable(poke.subscriber, item)
            if entity is None:
                failed.append(_failure(item))
                continue
            subscription = self._subscribe(poke, entity, item.get("last_event_id"))
            outcome = self._replay(subscription)
            if outcome is not None:
                ended.append(_replay_ended(subscription, outcome))
        poke.answer("subscription_failed", failed)
        poke.answer("subscription_established", ended)

    def _readable(self, subscriber: Subscriber, item: dict[str, Any]) -> Entity | None:
        entity = self._catalog.find(item["object_sid"])
        if entity is None or entity.kind != item.get("object_type"):
            return None
        return entity if self._catalog.may_read(subscriber.identity, entity) else None

    def _subscribe(self, poke: Poke, entity: Entity, last: Any) -> Subscription:
        """No cursor means: nothing to replay. One ahead of the head never came from here: sids and numbers are not reused."""
        head = self._catalog.head(entity)
        cursor = max(BEFORE_ALL, min(last, head)) if isinstance(last, int) and not isinstance(last, bool) else head
        subscription = Subscription(poke.subscriber, entity, cursor, poke.correlation_id)
        self._by_entity.setdefault(entity.sid, {})[poke.subscriber] = subscription
        self._by_subscriber.setdefault(poke.subscriber, {})[entity.sid] = subscription
        return subscription

    # -- what happens ------------------------------------------------------------------------------------------------------

    def on_commit(self, commit: Commit) -> None:
        """Send the events of a commit to those subscribed; then take leave of those who may not read on."""
        for event in commit.events:
            self._recent[event.entity_sid, event.id] = Recent(event)
        leaving = [subscription for pair in commit.revoked for subscription in self._withdraw(*pair)]
        for event in commit.events:
            for subscription in list(self._by_entity.get(event.entity_sid, {}).values()):
                self._advance(subscription)
        for subscription in leaving:
            entity = subscription.entity
            body = json_bytes({f"{entity.kind}_sid": entity.sid})
            _notify(subscription.subscriber, LIVE[entity.kind], f"{entity.kind}_removed", [body])

    def room(self, subscriber: Subscriber) -> None:
        """A connection keeps up again: move its cursors on."""
        for subscription in list(self._behind.pop(subscriber, {}).values()):
            self._advance(subscription)

    def drop(self, subscriber: Subscriber) -> None:
        """A connection ended, and its subscriptions with it."""
        for sid in list(self._by_subscriber.get(subscriber, {})):
            self._forget(subscriber, sid)
        self._by_subscriber.pop(subscriber, None)
        self._behind.pop(subscriber, None)

    def _withdraw(self, identity: str, conversation_sid: str) -> Iterator[Subscription]:
        for subscriber, subscriptions in self._by_subscriber.items():
            if subscriber.identity == identity:
                for subscription in list(subscriptions.values()):
                    if subscription.entity.conversation_sid == conversation_sid:
                        self._forget(subscriber, subscription.entity.sid)
                        yield subscription

    def _forget(self, subscriber: Subscriber, sid: str) -> None:
        self._by_subscriber.get(subscriber, {}).pop(sid, None)
        self._behind.get(subscriber, {}).pop(sid, None)
        subscriptions = self._by_entity.get(sid)
        if subscriptions is not None:
            subscriptions.pop(subscriber, None)
            if not subscriptions:
                del self._by_entity[sid]

    # -- moving cursors ----------------------------------------------------------------------------------------------------

    def _advance(self, subscription: Subscription) -> None:
        """Send what lies above the cursor: the rest of the replay first, if it was cut short, then live events."""
        if not subscription.established:
            outcome = self._replay(subscription)
            if outcome is None:
                return
            bodies = [_replay_ended(subscription, outcome)]
            _notify(subscription.subscriber, SYNC_EVENT, "subscription_established", bodies, subscription.correlation_id)
        head = self._catalog.head(subscription.entity)
        while subscription.established and subscription.cursor < head:
            if not self._ready(subscription):
                return
            events = self._above(subscription, head)
            for recent in events:
                self._send_live(subscription, recent)
            if not events:
                subscription.cursor = head

    def _replay(self, subscription: Subscription) -> str | None:
        """Send what the client missed. How that ended; `None` while the connection does not keep up.

        The head is that of now, also when a replay goes on after a pause: what led to an earlier one may be gone from the log.
        """
        head = self._catalog.head(subscription.entity)
        limit = self._world.settings.replay_limit
        while subscription.cursor < head:
            if limit and subscription.replayed >= limit:
                self._forget(subscription.subscriber, subscription.entity.sid)
                return INTERRUPTED
            if not self._ready(subscription):
                return None
            events = [recent.event for recent in self._above(subscription, head)]
            if limit:
                events = events[: limit - subscription.replayed]
            for type_, bodies in _batches(events):
                _notify(subscription.subscriber, SYNC_EVENT, type_, bodies, subscription.correlation_id)
            subscription.replayed += len(events)
            subscription.cursor = events[-1].id if events else head
        subscription.established = True
        return COMPLETED

    def _ready(self, subscription: Subscription) -> bool:
        if subscription.subscriber.has_room():
            return True
        self._behind.setdefault(subscription.subscriber, {})[subscription.entity.sid] = subscription
        return False

    def _above(self, subscription: Subscription, head: int) -> list[Recent]:
        """The next events up to `head`, as many as share a frame: from memory if it has every number, else from the log."""
        sid, cursor = subscription.entity.sid, subscription.cursor
        recent = [self._recent.get((sid, id_)) for id_ in range(cursor + 1, min(head, cursor + MAX_BATCH) + 1)]
        found = [item for item in recent if item is not None]
        if len(found) == len(recent):
            return found
        rows = self._reader.all(_ABOVE, of=sid, cursor=cursor, head=head)
        return [Recent(Event(row.entity_sid, row.id, row.type, row.body)) for row in rows]

    def _send_live(self, subscription: Subscription, recent: Recent) -> None:
        entity, event = subscription.entity, recent.event
        if event.id <= subscription.cursor:
            return
        if recent.frame is None:
            recent.frame = _frame(LIVE[entity.kind], event.type, [event.body.encode()])
        subscription.subscriber.send(LIVE[entity.kind], recent.frame)
        subscription.cursor = event.id
        if event.type == f"{entity.kind}_removed":
            self._forget(subscription.subscriber, entity.sid)


@attrs.frozen
class Poke:
    """A checked subscription request."""

    subscriber: Subscriber
    correlation_id: Any
    requests: list[dict[str, Any]]

    def answer(self, event_type: str, bodies: list[bytes]) -> None:
        """Send one outcome for each object."""
        size = 1 if len(self.requests) <= SINGLE_UP_TO else MAX_BATCH
        for start in range(0, len(bodies), size):
            _notify(self.subscriber, SYNC_EVENT, event_type, bodies[start : start + size], self.correlation_id)


def _batches(events: Iterable[Event]) -> Iterator[tuple[str, list[bytes]]]:
    """Neighbouring events of one type, which may share a frame, in portions of a bearable size."""
    for type_, group in groupby(events, key=lambda event: event.type):
        bodies: list[bytes] = []
        size = 0
        for event in group:
            body = event.body.encode()
            if bodies and size + len(body) > MAX_BATCH_BYTES:
                yield type_, bodies
                bodies, size = [], 0
            bodies.append(body)
            size += len(body)
        yield type_, bodies


def _replay_ended(subscription: Subscription, outcome: str) -> bytes:
    entity = subscription.entity
    return (
        f'{{"object_sid":"{entity.sid}","object_type":"{entity.kind}","replay_status":"{outcome}",'
        f'"last_event_id":{subscription.cursor}}}'
    ).encode()


def _failure(item: dict[str, Any]) -> bytes:
    """Gone and not allowed look alike, and 404 is the only status by which clients let go of an object."""
    code = NOT_FOUND.get(str(item.get("object_type")), 54100)
    error = {"status": 404, "code": code, "message": CATALOGUE[code][1]}
    return json_bytes({"object_sid": item["object_sid"], "object_type": item.get("object_type"), "error": error})


def _notify(subscriber: Subscriber, message_type: str, event_type: str, bodies: list[bytes], correlation_id: Any = None) -> None:
    subscriber.send(message_type, _frame(message_type, event_type, bodies, correlation_id))


def _frame(message_type: str, event_type: str, bodies: list[bytes], correlation_id: Any = None) -> bytes:
    head = f'{{"event_type":"{event_type}","event_protocol_version":4,'.encode()
    if correlation_id is not None:
        head += b'"correlation_id":' + json_bytes(correlation_id) + b","
    payload = head + b'"events":[' + b",".join(bodies) + b"]}"
    return encode_notification(f"TM{uuid.uuid4().hex}", message_type, payload)
