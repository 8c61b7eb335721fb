"""Requests for subscriptions: a subscription, a poke with several of them, and the service's answer to it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

import attrs

from twilio_conversations.sync.changes import Kind
from twilio_conversations.sync.purpose import PURPOSES, Purpose

DEFAULT_BATCH, LARGEST_BATCH = 100, 10_000
"""Objects in one poke: when the service does not say how many, and whatever it says."""
DEFAULT_DELIVERY = 30.0
"""Silence that is waited for when the service does not say how long confirmations take."""


class SubscriptionPhase(enum.Enum):
    """Phase of a subscription."""

    IDLE = "idle"  # wanted; a poke will ask for it
    REQUESTED = "requested"  # in a poke that is not answered yet
    ACCEPTED = "accepted"  # poke answered, confirmation outstanding
    ESTABLISHED = "established"
    FAILED = "failed"  # refused until a new token or connection
    HELD = "held"  # its owner does not take events now
    ENDED = "ended"  # closed, or the object is gone


CATCHING_UP: Final = frozenset({SubscriptionPhase.IDLE, SubscriptionPhase.REQUESTED, SubscriptionPhase.ACCEPTED})


class Refusal(enum.Enum):
    """Meaning of a failed subscription."""

    GONE = "gone"
    FORBIDDEN = "forbidden"
    TROUBLE = "trouble"  # asked again after a while
    NO_ROOM = "no room"  # asked again when another object gives up its place


@attrs.define(eq=False)
class Subscription:
    """Subscription to one object; `cursor` is the event id from which to replay."""

    sid: str
    kind: Kind
    cursor: Callable[[], int]
    phase: SubscriptionPhase = SubscriptionPhase.IDLE
    poke: Poke | None = None
    asked_from: int = -1
    confirmed_by: int | None = None
    failures: int = 0
    silences: int = 0
    not_before: float = 0.0
    steady_since: float | None = None
    on_server: bool = False
    purpose: Purpose = attrs.field(default=attrs.Factory(lambda self: PURPOSES[self.kind], takes_self=True))

    def awaits(self, correlation_id: Any) -> bool:
        """Return whether a message with this correlation answers the poke that counts."""
        return self.poke is not None and self.poke.correlation_id == correlation_id

    def requested(self, poke: Poke) -> None:
        """Mark the subscription as requested by a poke, from its current cursor."""
        self.phase = SubscriptionPhase.REQUESTED
        self.poke = poke
        self.on_server = True
        self.asked_from = self.cursor()
        poke.waiting[self] = None


@attrs.define(eq=False)
class Poke:
    """One request to the service.

    Attributes:
        waiting: subscriptions that it has not confirmed yet.
        room: number of subscriptions of the connection if all of it is granted; without those that were refused since.
    """

    action: Literal["establish", "cancel"]
    correlation_id: int
    body: dict[str, Any]
    waiting: dict[Subscription, None]
    objects: dict[str, Kind]
    patience: float | None = None  # how long to wait for a sign of life; `None` until the request is accepted
    last_sign: float = 0.0
    room: int = 0

    @classmethod
    def establish(cls, correlation_id: int, batch: Iterable[Subscription], now: float, *, because_of_ttl: bool) -> Poke:
        """Ask for the objects of a batch, each from its cursor; their confirmations are waited for."""
        poke = cls("establish", correlation_id, {}, {}, {}, last_sign=now)
        requests, retried = [], 0
        for subscription in batch:
            subscription.requested(poke)
            retried += bool(subscription.silences)
            requests.append(_request(subscription.sid, subscription.kind) | {"last_event_id": subscription.asked_from})
        poke.body = _body(poke, requests, retried)
        if because_of_ttl:
            poke.body["reason"] = "ttl"
        return poke

    @classmethod
    def cancel(cls, correlation_id: int, objects: dict[str, Kind]) -> Poke:
        """End the subscriptions of objects; nothing is waited for."""
        poke = cls("cancel", correlation_id, {}, {}, objects)
        poke.body = _body(poke, [_request(sid, kind) for sid, kind in objects.items()], 0)
        return poke


@attrs.frozen
class PokeAnswer:
    """Answer of the service to a poke.

    Attributes:
        batch: most objects in one poke from now on.
        ttl: seconds after which subscriptions are to be renewed; `None` if they last.
        patience: seconds of silence to wait for confirmations.
    """

    batch: int
    ttl: float | None
    patience: float

    @classmethod
    def parse(cls, value: Any) -> PokeAnswer:
        """Read ``{max_batch_size?, ttl_in_s?, estimated_delivery_in_ms?}``."""
        facts = value if isinstance(value, dict) else {}
        limit = facts.get("max_batch_size")
        batch = min(limit, LARGEST_BATCH) if type(limit) is int and limit > 0 else DEFAULT_BATCH
        delivery = _positive(facts.get("estimated_delivery_in_ms"))
        patience = DEFAULT_DELIVERY if delivery is None else delivery / 1000
        return cls(batch, _positive(facts.get("ttl_in_s")), patience)


def _request(sid: str, kind: Kind) -> dict[str, Any]:
    return {"object_sid": sid, "object_type": kind}


def _body(poke: Poke, requests: list[dict[str, Any]], retried: int) -> dict[str, Any]:
    return {
        "event_protocol_version": 4,
        "action": poke.action,
        "correlation_id": poke.correlation_id,
        "retried_requests": retried,
        "ttl_in_s": -1,
        "requests": requests,
    }


def _positive(value: Any) -> float | None:
    """Return a number above zero, or `None`."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e9 else None
