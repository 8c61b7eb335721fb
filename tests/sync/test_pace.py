"""When a poke leaves, and when an object is asked for again."""

from __future__ import annotations

import pytest

from twilio_conversations.sync.pace import DEBOUNCE, FIRST_RETRY, JITTER, LAST_RETRY, SPACING, STEADY, Pace, Retries
from twilio_conversations.sync.pokes import Subscription, SubscriptionPhase


def test_wishes_share_a_poke() -> None:
    """The first one sets the time; when it has come it is taken once."""
    pace = Pace()
    assert not pace.take_due(1.0, is_full=False)
    for moment in (1.0, 1.01):
        pace.schedule(moment, is_full=False)
    assert pace.next_at == 1.0 + DEBOUNCE
    assert not pace.take_due(1.0, is_full=False)
    assert pace.take_due(1.0 + DEBOUNCE, is_full=False)
    assert not pace.take_due(1.0 + DEBOUNCE, is_full=False)


def test_pokes_keep_a_distance() -> None:
    """A whole batch need not; one that is not whole any more when its time has come waits for the distance."""
    pace = Pace()
    pace.sent(1.0)
    pace.schedule(1.0, is_full=False)
    assert pace.next_at == 1.0 + SPACING
    pace.schedule(1.01, is_full=True)
    assert pace.next_at == 1.01
    assert not pace.take_due(1.01, is_full=False)
    assert pace.next_at == 1.0 + SPACING
    pace.schedule(1.02, is_full=True)
    assert pace.take_due(1.02, is_full=True)


def test_nothing_leaves_in_a_pause() -> None:
    """Not even a whole batch."""
    pace = Pace()
    pace.pause(5.0)
    pace.schedule(1.0, is_full=True)
    assert pace.next_at == 5.0
    pace.pause(1.0)
    pace.next_at = None
    pace.schedule(1.0, is_full=True)
    assert pace.next_at == 1.0


def subscription(sid: str) -> Subscription:
    """Return the subscription to a list."""
    return Subscription(sid, "list", lambda: 0)


def test_delays_grow_with_every_failure() -> None:
    """Up to the last one; an object that was followed for long begins anew."""
    retries, one = Retries(lambda: 0.5), subscription("ES1")
    jitter = 1 + JITTER / 2
    for failures in range(30):
        retries.add(one, 0.0)
        assert one.not_before == pytest.approx(min(LAST_RETRY, FIRST_RETRY * 2**failures) * jitter)
    for steady, delay in ((STEADY, LAST_RETRY), (STEADY + 1, FIRST_RETRY)):
        one.steady_since = 0.0
        retries.add(one, steady)
        assert one.not_before - steady == pytest.approx(delay * jitter)
        assert one.steady_since is None


def test_only_those_are_taken_that_still_wait() -> None:
    """In the order of their times, each once, and not one that is asked for already or has failed again."""
    retries = Retries(lambda: 0.0)
    one, two, asked, again = (subscription(f"ES{number}") for number in range(4))
    two.failures = 1
    for each in (two, one, asked, again):
        retries.add(each, 0.0)
    retries.add(again, 0.0)
    asked.phase = SubscriptionPhase.REQUESTED
    assert retries.next_deadline() == FIRST_RETRY
    assert list(retries.take(FIRST_RETRY / 2)) == []
    assert list(retries.take(FIRST_RETRY)) == [one]
    assert list(retries.take(FIRST_RETRY * 2)) == [two, again]
    assert retries.next_deadline() is None
    retries.add(one, 1.0)
    retries.clear()
    assert list(retries.take(1000.0)) == []
