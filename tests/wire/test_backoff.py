"""Delays: doubled, capped, jittered, and never shorter than the service's hint."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from twilio_conversations.options import BackoffPolicy
from twilio_conversations.wire.backoff import LONGEST_HINT, Backoff, hint_floor
from twilio_conversations.wire.packets import BackoffHint

unit = st.floats(0, 1, exclude_max=True)
hints = st.builds(
    lambda low, extra: BackoffHint(low, None if extra is None else low + extra),
    st.integers(0, 10**6),
    st.none() | st.integers(0, 10**6),
)


def test_delays_double_up_to_the_maximum() -> None:
    """Without jitter the series is 1, 2, 4 ... 120, 120."""
    backoff = Backoff(BackoffPolicy(jitter=0), lambda: 0.5)

    assert [1, 2, 4, 8, 16, 32, 64, 120, 120] == [backoff.next_delay() for _ in range(9)]


def test_random_numbers_of_the_program_are_its_own() -> None:
    """A client neither takes from them, nor follows their seed, which may be that of all processes."""
    policy = BackoffPolicy(jitter=0.5)
    state = random.getstate()
    delays = set()
    for _ in range(3):
        random.seed(1)
        before = random.getstate()
        delays.add(Backoff(policy).next_delay())
        assert random.getstate() == before
    random.setstate(state)
    assert len(delays) == 3


def test_reset_starts_a_new_series() -> None:
    """After a reset the first delay is the minimum again."""
    backoff = Backoff(BackoffPolicy(jitter=0), lambda: 0.5)
    backoff.next_delay()
    backoff.next_delay()
    backoff.reset()

    assert backoff.attempts == 0
    assert backoff.next_delay() == 1


@given(unit, st.integers(0, 200))
def test_jitter_stays_within_its_bounds(chance: float, attempts: int) -> None:
    """A delay is within 20 % of its base and never above the maximum, however long the series."""
    backoff = Backoff(BackoffPolicy(), lambda: chance)
    for _ in range(attempts):
        backoff.next_delay()
    base = min(120.0, 2.0 ** min(attempts, 60))

    delay = backoff.next_delay()

    assert 0.8 * base - 1e-9 <= delay <= min(120.0, 1.2 * base) + 1e-9


@given(unit, st.lists(st.none() | hints, max_size=8))
def test_a_delay_is_never_shorter_than_its_hint(chance: float, given_hints: list[BackoffHint | None]) -> None:
    """Whatever came before, the delay after a hint is at least what the hint says."""
    backoff = Backoff(BackoffPolicy(), lambda: chance)

    for hint in given_hints:
        assert backoff.next_delay(hint) >= hint_floor(hint)


@given(unit, hints)
def test_the_first_delay_of_a_series_follows_the_hint_alone(chance: float, hint: BackoffHint) -> None:
    """A fresh series takes the hint's own range: up to its maximum, or a fifth more than its minimum."""
    high = hint.reconnect_min_ms * 1.2 if hint.reconnect_max_ms is None else hint.reconnect_max_ms

    delay = Backoff(BackoffPolicy(), lambda: chance).next_delay(hint)

    assert hint.reconnect_min_ms / 1000 <= delay <= high / 1000 + 1e-9


def test_hints_three_thousand_then_less_then_none() -> None:
    """A smaller hint, or none, does not shrink a series that has grown."""
    backoff = Backoff(BackoffPolicy(jitter=0), lambda: 0.0)

    assert backoff.next_delay(BackoffHint(3000)) == 3.0
    assert backoff.next_delay(BackoffHint(2500)) == 2.5
    assert backoff.next_delay() == 4.0
    assert backoff.next_delay(BackoffHint(500)) == 8.0


def test_an_absurd_hint_is_cut() -> None:
    """A number that no service can mean waits a day, not for ever, and does not overflow."""
    hint = BackoffHint(10**400)

    assert hint_floor(hint) == LONGEST_HINT
    assert Backoff(BackoffPolicy(), lambda: 0.9).next_delay(hint) <= 1.2 * LONGEST_HINT
