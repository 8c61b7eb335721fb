"""A service that limits requests and subscriptions of a connection, and a user with more conversations than both allow."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from tests.support.clients import Connect
from tests.support.event_log import EventLog
from tests.support.patience import LONG_PATIENCE
from tests.support.waiting import until
from twilio_conversations import SyncError
from twilio_conversations.server import LocalServer
from twilio_conversations.sync.places import NO_ROOM

MOST_REFUSALS = 300
SHOP = "+15550000"


@attrs.frozen
class Crowd:
    """Conversations of a user, each with somebody who writes by SMS, and what the service allows a connection."""

    conversations: int
    requests: int
    subscriptions: int

    def fill(self, server: LocalServer) -> None:
        """Make the conversations, and then the limits."""
        rooms = [
            {
                "unique_name": f"room {number}",
                "created_by": "alice",
                "participants": [
                    {"identity": "alice"},
                    {"messaging_binding": {"address": customer(number), "proxy_address": SHOP}},
                ],
            }
            for number in range(self.conversations)
        ]
        server.seed({"conversations": rooms})
        server.configure(requests_per_second=self.requests, subscriptions_limit=self.subscriptions)

    @property
    def missing(self) -> int:
        """Number of objects that cannot be followed: there are three of each conversation, and the user's two."""
        return 3 * self.conversations + 2 - self.subscriptions


def customer(number: int) -> str:
    """Address of the customer of a conversation."""
    return f"+1555{number:07}"


class Refusals:
    """Counts the service's refusals while it runs: it remembers a bounded number of frames."""

    def __init__(self, server: LocalServer) -> None:
        self._server = server
        self.requests = self.subscriptions = 0

    def count(self) -> None:
        """Count those since the last time."""
        frames = self._server.traffic("alice")
        self._server.forget_traffic()
        for frame in frames:
            if frame["direction"] == "out":
                self.requests += frame["header"].get("http_status", {}).get("code") == 429
                self.subscriptions += _refused(frame["payload"])

    def wait(self, condition: Callable[[], Any], what: str) -> None:
        """Wait for something, and count meanwhile."""
        end = time.monotonic() + LONG_PATIENCE
        while not condition():
            assert time.monotonic() < end, what
            threading.Event().wait(0.5)
            self.count()


def _refused(payload: Any) -> int:
    failed = isinstance(payload, dict) and payload.get("event_type") == "subscription_failed"
    return len(payload["events"]) if failed else 0


CROWDS = [
    pytest.param(Crowd(60, 100, 120), id="60"),
    pytest.param(Crowd(1000, 500, 2000), id="1000", marks=[pytest.mark.long, pytest.mark.slow]),
]


@pytest.mark.parametrize("crowd", CROWDS)
def test_every_message_is_heard(
    own: LocalServer, connect: Connect, crowd: Crowd, record_property: Callable[[str, object], None]
) -> None:
    """All conversations are listed, without an error but the one about what is not followed; each message raises its event."""
    crowd.fill(own)
    refusals = Refusals(own)
    began = time.monotonic()
    alice = connect("alice", ready=False, token=own.token("alice"), endpoint=own.url)
    log = EventLog(alice, "message_added", "error")
    alice.wait_until_ready(LONG_PATIENCE)
    listed = {conversation.unique_name for conversation in alice.iter_conversations(timeout=LONG_PATIENCE)}
    record_property("seconds", round(time.monotonic() - began, 1))
    assert listed == {f"room {number}" for number in range(crowd.conversations)}

    refusals.wait(lambda: "error" in log.names(), "no error about what is not followed")
    refusals.count()
    record_property("refusals", f"{refusals.requests} requests, {refusals.subscriptions} subscriptions")
    error = log.wait("error").error
    assert isinstance(error, SyncError)
    assert error.code == NO_ROOM
    assert f"follow {crowd.subscriptions} objects; {crowd.missing} more are not followed" in str(error)
    assert f"the participants of conversations ({crowd.conversations})" in str(error)
    assert 0 < refusals.requests + refusals.subscriptions < MOST_REFUSALS

    own.configure(requests_per_second=0)
    for number in range(crowd.conversations):
        own.receive(customer(number), SHOP, f"to room {number}")
    until(lambda: log.names().count("message_added") >= crowd.conversations, "not every message was heard", LONG_PATIENCE)
    bodies = {message.body for name, message in log.entries if name == "message_added"}
    assert bodies == {f"to room {number}" for number in range(crowd.conversations)}
    assert log.names().count("error") == 1
