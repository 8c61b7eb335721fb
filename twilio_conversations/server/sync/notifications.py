"""Frames of Sync events: live notifications, and the answers to subscription requests."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from twilio_conversations.server.calls import Subscriber
from twilio_conversations.server.errors import CATALOGUE
from twilio_conversations.server.storage.rows import Event
from twilio_conversations.util.values import value
from twilio_conversations.wire.frame import json_bytes
from twilio_conversations.wire.message_types import REPLAY
from twilio_conversations.wire.packets import encode_notification

MAX_BATCH = 100
"""Most events in one frame."""
MAX_BATCH_BYTES = 128 * 1024
"""Most bytes of events in one frame; a single larger event goes alone."""
SINGLE_UP_TO = 32
"""Largest poke whose `subscription_established` events have a frame each: recorders of frames and simple clients look at the
first event only. Larger pokes, as after start-up with hundreds of conversations, are answered in batches."""


@value
class Poke:
    """A checked subscription request."""

    subscriber: Subscriber
    correlation_id: Any
    requests: list[dict[str, Any]]

    def answer(self, event_type: str, bodies: list[bytes]) -> None:
        """Send an outcome for each object."""
        size = 1 if len(self.requests) <= SINGLE_UP_TO else MAX_BATCH
        for start in range(0, len(bodies), size):
            notify(self.subscriber, REPLAY, event_type, bodies[start : start + size], self.correlation_id)


def batches(events: Iterable[Event]) -> Iterator[tuple[str, list[bytes]]]:
    """Yield consecutive events of one type, which may share a frame, in portions of at most `MAX_BATCH_BYTES`."""
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


def failure(item: dict[str, Any], code: int) -> bytes:
    """Return a failed subscription. Removed and forbidden look alike: clients release an object only at 404."""
    status, message = CATALOGUE[code]
    error = {"status": status, "code": code, "message": message}
    return json_bytes({"object_sid": item["object_sid"], "object_type": item.get("object_type"), "error": error})


def notify(subscriber: Subscriber, message_type: str, event_type: str, bodies: list[bytes], correlation_id: Any = None) -> None:
    """Send a frame of events to a connection."""
    subscriber.send(message_type, frame_of(message_type, event_type, bodies, correlation_id))


def frame_of(message_type: str, event_type: str, bodies: list[bytes], correlation_id: Any = None) -> bytes:
    """Return a notification with encoded events."""
    head = f'{{"event_type":"{event_type}","event_protocol_version":4,'.encode()
    if correlation_id is not None:
        head += b'"correlation_id":' + json_bytes(correlation_id) + b","
    payload = head + b'"events":[' + b",".join(bodies) + b"]}"
    return encode_notification(f"TM{uuid.uuid4().hex}", message_type, payload)
