"""Time of the next attempt: growing delays, a new series after a good connection, and never before the service's hint."""

from __future__ import annotations

from twilio_conversations.options import BackoffPolicy
from twilio_conversations.wire.packets import BackoffHint
from twilio_conversations.wire.reconnecting import Reconnecting

POLICY = BackoffPolicy(minimum=1.0, maximum=8.0, jitter=0.0, stable_after=30.0)


def reconnecting() -> Reconnecting:
    """Return the delays of a connection that was never there."""
    return Reconnecting(POLICY, lambda: 0.5)


def test_delays_grow_while_nothing_lasts() -> None:
    """Also when the service accepts the connection each time, and ends it at once."""
    delays = reconnecting()
    series = []
    for now in (0.0, 10.0, 20.0, 30.0, 40.0):
        delays.established(now)
        series.append(delays.next_delay(now + POLICY.stable_after - 0.1, None))

    assert series == [1.0, 2.0, 4.0, 8.0, 8.0]


def test_a_connection_that_lasted_starts_a_new_series() -> None:
    """The next one does so only if it lasts as well."""
    delays = reconnecting()
    assert [delays.next_delay(0.0, None), delays.next_delay(1.0, None)] == [1.0, 2.0]
    delays.established(2.0)

    assert delays.next_delay(2.0 + POLICY.stable_after, None) == 1.0
    assert delays.next_delay(100.0, None) == 2.0


def test_to_hasten_starts_a_new_series_at_once() -> None:
    """Unless the service has asked for a delay, which holds."""
    delays = reconnecting()
    for _ in range(3):
        delays.next_delay(5.0, None)
    assert delays.hasten(6.0) == 6.0
    assert delays.next_delay(7.0, BackoffHint(20_000, 20_000)) == 20.0
    assert delays.hasten(8.0) == 27.0
    assert delays.hasten(30.0) == 30.0
