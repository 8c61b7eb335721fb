"""Sleep of the computer, as two clocks show it."""

from __future__ import annotations

import time

from twilio_conversations.transport.sleep_watch import SUSPECTED, SleepWatch

NOON = 1_700_000_000.0


class WallClock:
    """A wall clock that runs ahead of the monotonic one by what a test adds."""

    def __init__(self) -> None:
        self.ahead = NOON
        self.now = time.monotonic()

    def __call__(self) -> float:
        return self.now + self.ahead


def watch(clock: WallClock) -> SleepWatch:
    """Return a watch that has compared the clocks once."""
    made = SleepWatch(clock)
    made.slept(clock.now)
    return made


def test_clocks_that_run_alike_show_no_sleep() -> None:
    """However long it takes from one look to the next."""
    clock = WallClock()
    sleep = watch(clock)
    clock.now += 24 * 3600

    assert sleep.slept(clock.now) == 0.0


def test_a_jump_of_the_wall_clock_is_a_sleep_once() -> None:
    """The next look compares with the clocks as they are now."""
    clock = WallClock()
    sleep = watch(clock)
    clock.ahead += 600

    assert round(sleep.slept(clock.now)) == 600
    assert sleep.slept(clock.now) == 0.0


def test_a_clock_that_is_set_a_little_or_back_shows_no_sleep() -> None:
    """Time servers correct clocks by seconds, and people set them back."""
    clock = WallClock()
    sleep = watch(clock)
    for change in (SUSPECTED - 1, -3600.0):
        clock.ahead += change
        assert sleep.slept(clock.now) == 0.0
