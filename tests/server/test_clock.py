"""The service's time: it goes on, whatever the machine's clock does and however often the service starts."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from tests.server.peer import Peer
from twilio_conversations.server import LocalServer
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.settings import Clock

START = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def test_the_machine_s_clock_goes_back() -> None:
    """The time stands for a moment and then goes on from where it was; what was moved on command counts by itself."""
    real = START
    clock = Clock(lambda: real)
    clock.advance(3600)
    assert clock.now() == START + HOUR
    real = START - 10 * HOUR
    assert clock.now() == START + HOUR
    real += HOUR
    assert clock.now() == START + 2 * HOUR
    clock.advance(dt.timedelta(days=3649).total_seconds())
    with pytest.raises(Refusal):
        clock.advance(dt.timedelta(days=2).total_seconds())
    clock.reset()
    assert clock.now() == real


def test_the_time_goes_on_from_what_was_kept() -> None:
    """Never before it; a real time that is later counts."""
    clock = Clock(lambda: START)
    clock.go_on_from(START + HOUR)
    assert clock.now() == START + HOUR
    clock = Clock(lambda: START)
    clock.go_on_from(START - HOUR)
    assert clock.now() == START


@pytest.mark.parametrize("kept", ["message", "conversation", "registration"])
def test_a_restart_after_the_clock_was_moved(tmp_path: Path, kept: str) -> None:
    """No date that is given after a restart lies before one that was given earlier, whatever it was given to."""
    server = LocalServer(tmp_path)
    with server, Peer.connected(server, "alice") as alice:
        message = f"{alice.room()}/Messages/{{}}"
        message = message.format(alice.say(message.partition("/Messages")[0], "early")["sid"])
        moved = server.advance_clock(86_400)
        if kept == "message":
            assert alice.post(message, {"body": "late"}).status == 200
        elif kept == "conversation":
            alice.room()
        else:
            device = {"endpoint_platform": "x", "channel_type": "fcm", "version": "2", "message_types": []}
            assert alice.post("/v1/registrations", {**device, "data": {"registration_id": "d"}}).status == 201
    with server, Peer.connected(server, "alice") as alice:
        assert server.now() >= moved
        changed = alice.post(message, {"body": "later"}).body
        assert dt.datetime.fromisoformat(changed["date_updated"]) >= moved
