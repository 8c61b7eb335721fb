"""The io thread's deadlines."""

from __future__ import annotations

from twilio_conversations.transport.timers import Timers


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_timers_run_in_order_when_due() -> None:
    """Earliest first; of two with one moment the first made."""
    clock, ran = Clock(), list[str]()
    timers = Timers(clock)
    timers.call_later(2, lambda: ran.append("b"))
    timers.call_later(1, lambda: ran.append("a"))
    timers.call_later(2, lambda: ran.append("c"))
    timers.call_later(3, lambda: ran.append("d"))

    timers.run_due(102)

    assert ["a", "b", "c"] == ran
    assert timers.next_deadline() == 103


def test_a_cancelled_timer_does_not_run_and_is_no_deadline() -> None:
    """Also when it is cancelled by one that runs before it in the same turn."""
    clock, ran = Clock(), list[str]()
    timers = Timers(clock)
    second = timers.call_later(1.5, lambda: ran.append("second"))
    timers.call_later(1, second.cancel)

    timers.run_due(200)

    assert not ran
    assert timers.next_deadline() is None
    assert not second.active


def test_a_failing_timer_does_not_stop_the_others(caplog: object) -> None:
    """It is logged."""
    timers, ran = Timers(Clock()), list[str]()
    timers.call_later(0, lambda: 1 / 0)
    timers.call_later(0, lambda: ran.append("next"))

    timers.run_due(100)

    assert ["next"] == ran


def test_a_timer_set_by_a_timer_waits_for_the_next_turn() -> None:
    """So that a chain of them cannot hold the io thread."""
    timers, ran = Timers(Clock()), list[str]()
    timers.call_later(0, lambda: timers.call_later(0, lambda: ran.append("later")))

    timers.run_due(100)
    assert not ran
    timers.run_due(100)
    assert ["later"] == ran


def test_cancelled_timers_do_not_pile_up() -> None:
    """A timer that is set anew again and again, as by somebody who goes on typing, leaves nothing of a far moment behind."""
    timers = Timers(Clock())
    kept = [timers.call_later(3600, lambda: None) for _ in range(1000)]
    for _ in range(100_000):
        timers.call_later(3600, lambda: None).cancel()

    assert len(timers) <= 2 * len(kept) + 256
    assert all(timer.active for timer in kept)
    assert timers.next_deadline() is not None
