"""`Subscriptions` by itself: what is asked when, under anything that can happen."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_conversations.sync.pace import LAST_RETRY, SPACING
from twilio_conversations.sync.places import Shortage
from twilio_conversations.sync.pokes import Poke, Subscription, SubscriptionPhase
from twilio_conversations.sync.subscriptions import Subscriptions


class Driver:
    """Subscriptions with a clock, and objects whose cursors the test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.subject = Subscriptions(itertools.count(1000), lambda: 1.0)
        self.cursors: dict[str, int] = {}
        self.pokes: list[tuple[float, Poke]] = []
        self.shortages: list[Shortage] = []

    def add(self, sid: str) -> Subscription:
        subscription = Subscription(sid, "list", lambda: self.cursors.get(sid, -1))
        self.subject.add(subscription, self.now)
        return subscription

    def advance(self, seconds: float) -> Poke | None:
        """Let time pass up to the next poke or the end."""
        end = self.now + seconds
        for _ in range(100_000):
            deadline = self.subject.next_deadline()
            if deadline is None or deadline > end:
                self.now = end
                return None
            self.now = max(self.now, deadline)
            self.subject.on_time(self.now)
            if (shortage := self.subject.take_shortage(self.now)) is not None:
                self.shortages.append(shortage)
            poke = self.subject.next_poke(self.now)
            if poke is not None:
                self.pokes.append((self.now, poke))
                return poke
        raise AssertionError("time does not pass: a deadline is never met")


def requested(poke: Poke | None) -> list[str]:
    """The sids in a poke."""
    assert poke is not None
    return [request["object_sid"] for request in poke.body["requests"]]


def test_nothing_without_a_connection() -> None:
    """Wishes wait for the connection, and need no time until then."""
    driver = Driver()
    driver.add("A")
    assert driver.subject.next_deadline() is None
    assert driver.advance(100) is None
    driver.subject.connected(driver.now)
    assert requested(driver.advance(1)) == ["A"]


def test_one_poke_at_a_time() -> None:
    """While a poke is unanswered no other leaves; then everything that has come together goes."""
    driver = Driver()
    driver.subject.connected(0)
    driver.add("A")
    first = driver.advance(1)
    assert first is not None
    driver.add("B")
    driver.add("C")
    assert driver.advance(100) is None
    driver.subject.accepted(first, {}, driver.now)
    assert requested(driver.advance(1)) == ["B", "C"]


def test_pokes_are_spaced() -> None:
    """Objects that trickle in share pokes; a full batch does not wait."""
    driver = Driver()
    driver.subject.connected(0)
    for n in range(2):
        driver.add(f"A{n}")
        poke = driver.advance(1)
        assert poke is not None
        driver.subject.accepted(poke, {"max_batch_size": 3}, driver.now)
    first, second = (at for at, _ in driver.pokes)
    assert second - first == pytest.approx(SPACING)
    for n in range(4):
        driver.add(f"B{n}")
    assert len(requested(driver.advance(1))) == 3
    assert driver.now == second


def test_a_batch_that_is_not_whole_any_more_waits() -> None:
    """A whole batch would follow at once; when one of it is closed before, the others wait for their turn."""
    driver = Driver()
    driver.subject.connected(0)
    driver.add("A")
    poke = driver.advance(1)
    assert poke is not None
    driver.subject.accepted(poke, {"max_batch_size": 3}, driver.now)
    batch = [driver.add(sid) for sid in "BCD"]
    driver.subject.drop(batch[0], driver.now)
    assert requested(driver.advance(1)) == ["C", "D"]
    first, second = (at for at, _ in driver.pokes)
    assert second - first == pytest.approx(SPACING)


def test_body_is_built_when_sent() -> None:
    """A poke names the cursor of the moment it is sent."""
    driver = Driver()
    driver.subject.connected(0)
    driver.add("A")
    driver.cursors["A"] = 7
    poke = driver.advance(1)
    assert poke is not None
    assert poke.body == {
        "event_protocol_version": 4,
        "action": "establish",
        "correlation_id": 1000,
        "retried_requests": 0,
        "ttl_in_s": -1,
        "requests": [{"object_sid": "A", "object_type": "list", "last_event_id": 7}],
    }


def test_answer_of_an_earlier_connection() -> None:
    """The answer to a poke of a lost connection is ignored, and so are confirmations of it."""
    driver = Driver()
    driver.subject.connected(0)
    subscription = driver.add("A")
    old = driver.advance(1)
    assert old is not None
    driver.subject.disconnected()
    driver.subject.connected(driver.now)
    driver.subject.accepted(old, {}, driver.now)
    assert not driver.subject.established(subscription, old.correlation_id, driver.now)
    assert driver.subject.rejected(old, 500, driver.now) == []
    assert requested(driver.advance(1)) == ["A"]


def test_answer_after_the_confirmation() -> None:
    """A refusal of a poke that has confirmed an object already leaves that object alone."""
    driver = Driver()
    driver.subject.connected(0)
    first, second = driver.add("A"), driver.add("B")
    poke = driver.advance(1)
    assert poke is not None
    assert driver.subject.established(first, poke.correlation_id, driver.now)
    assert driver.subject.rejected(poke, 503, driver.now) == [second]
    assert requested(driver.advance(1)) == ["B"]
    assert first.phase is SubscriptionPhase.ESTABLISHED


def test_what_has_ended_stays_ended() -> None:
    """Whatever is asked of it afterwards, nothing is sent for it."""
    driver = Driver()
    driver.subject.connected(0)
    subscription = driver.add("A")
    driver.subject.removed(subscription, driver.now)
    for act in (driver.subject.drop, driver.subject.release, driver.subject.retry, driver.subject.renew):
        act(subscription, driver.now)
    driver.subject.removed(subscription, driver.now)
    driver.subject.hold(subscription)
    assert subscription.phase is SubscriptionPhase.ENDED
    assert driver.advance(100) is None


def test_the_end_of_an_old_subscription_leaves_its_successor() -> None:
    """An object that was closed and opened again may have both for a moment."""
    driver = Driver()
    driver.subject.connected(0)
    first = driver.add("A")
    second = driver.add("A")
    driver.subject.drop(first, driver.now)
    assert requested(driver.advance(1)) == ["A"]
    assert second.phase is SubscriptionPhase.REQUESTED


def test_late_messages_change_nothing() -> None:
    """Those of a poke that does not count any more, and an end of what has not begun."""
    driver = Driver()
    driver.subject.connected(0)
    subscription = driver.add("A")
    poke = driver.advance(1)
    assert poke is not None
    assert not driver.subject.canceled(subscription, None, driver.now)
    driver.subject.interrupted(subscription, -1, driver.now)
    assert driver.subject.failed(subscription, -1, 404, driver.now) is None
    assert driver.advance(1) is None
    driver.subject.accepted(poke, {}, driver.now)
    assert driver.subject.established(subscription, poke.correlation_id, driver.now)
    assert not driver.subject.canceled(subscription, -1, driver.now)
    assert subscription.phase is SubscriptionPhase.ESTABLISHED


def test_time_passes_without_a_connection() -> None:
    """Nothing is due then."""
    driver = Driver()
    driver.add("A")
    driver.subject.on_time(1000.0)
    assert driver.subject.next_poke(1000.0) is None


def test_a_delay_that_was_overtaken_does_not_count() -> None:
    """An object that was asked for again before its delay was over is not asked for once more when it ends."""
    driver = Driver()
    driver.subject.connected(0)
    subscription = driver.add("A")
    poke = driver.advance(1)
    assert poke is not None
    driver.subject.accepted(poke, {}, driver.now)
    assert driver.subject.failed(subscription, poke.correlation_id, 500, driver.now) is not None
    driver.subject.token_updated(driver.now)
    again = driver.advance(1)
    assert requested(again) == ["A"]
    assert again is not None
    driver.subject.accepted(again, {}, driver.now)
    assert driver.subject.established(subscription, again.correlation_id, driver.now)
    assert driver.advance(100) is None


def test_sign_of_life_postpones_the_silence_check() -> None:
    """A replay that is still running is not asked for again."""
    driver = Driver()
    driver.subject.connected(0)
    driver.add("A")
    poke = driver.advance(1)
    assert poke is not None
    driver.subject.accepted(poke, {"estimated_delivery_in_ms": 1000}, driver.now)
    for _ in range(20):
        assert driver.advance(0.9) is None
        driver.subject.heard(poke.correlation_id, driver.now)
    again = driver.advance(2)
    assert again is not None
    assert again.body["retried_requests"] == 1


def test_silence_check_without_an_estimate() -> None:
    """A service that does not say how long it takes is asked again too, some time."""
    driver = Driver()
    driver.subject.connected(0)
    driver.add("A")
    for answer in (
        None,
        {"estimated_delivery_in_ms": 0},
        {"estimated_delivery_in_ms": "x", "max_batch_size": -4, "ttl_in_s": []},
        {"estimated_delivery_in_ms": 10**400, "max_batch_size": 10**400, "ttl_in_s": 10**400},
    ):
        poke = driver.advance(60)
        assert poke is not None
        driver.subject.accepted(poke, answer, driver.now)
    assert driver.advance(60) is not None


def test_cancels_are_retried_unless_reopened() -> None:
    """A cancel that failed is repeated for what is still unwanted only."""
    driver = Driver()
    driver.subject.connected(0)
    subscriptions = [driver.add(sid) for sid in "AB"]
    poke = driver.advance(1)
    assert poke is not None
    driver.subject.accepted(poke, {}, driver.now)
    for subscription in subscriptions:
        driver.subject.drop(subscription, driver.now)
    cancel = driver.advance(1)
    assert cancel is not None
    driver.add("A")
    driver.subject.rejected(cancel, 503, driver.now)
    again = driver.advance(1)
    assert again is not None
    assert (again.action, requested(again)) == ("establish", ["A"])
    driver.subject.accepted(again, {}, driver.now)
    last = driver.advance(1)
    assert last is not None
    assert (last.action, requested(last)) == ("cancel", ["B"])


def test_reopened_before_the_cancel_was_sent() -> None:
    """An object that took over an unsent cancel still cancels when it is closed before its own poke."""
    driver = Driver()
    driver.subject.connected(0)
    first = driver.add("A")
    poke = driver.advance(1)
    assert poke is not None
    driver.subject.accepted(poke, {}, driver.now)
    driver.subject.drop(first, driver.now)
    second = driver.add("A")
    driver.subject.drop(second, driver.now)
    cancel = driver.advance(1)
    assert cancel is not None
    assert (cancel.action, requested(cancel)) == ("cancel", ["A"])


def test_new_token_ends_the_waiting() -> None:
    """Pokes that are backing off go at once with a new token."""
    driver = Driver()
    driver.subject.connected(0)
    driver.add("A")
    for _ in range(8):
        poke = driver.advance(LAST_RETRY * 2)
        assert poke is not None
        driver.subject.rejected(poke, 401, driver.now)
    assert driver.advance(5) is None
    driver.subject.token_updated(driver.now)
    assert driver.advance(0.1) is not None


def test_trouble_is_forgotten_after_a_steady_time() -> None:
    """An object that was followed long enough starts its back-off anew; one that fails again at once does not."""
    driver = Driver()
    driver.subject.connected(0)
    subscription = driver.add("A")
    waits: list[float] = []
    for steady in (0, 0, 0, 100):
        poke = driver.advance(1000)
        assert poke is not None
        driver.subject.accepted(poke, {}, driver.now)
        assert driver.subject.established(subscription, poke.correlation_id, driver.now)
        driver.advance(steady)
        canceled_at = driver.now
        assert driver.subject.canceled(subscription, None, driver.now)
        again_at = driver.subject.next_deadline()
        assert again_at is not None
        waits.append(again_at - canceled_at)
    assert waits[0] < waits[1] < waits[2]
    assert waits[3] == pytest.approx(waits[0])


ACTIONS = (
    "add", "drop", "hold", "release", "renew", "retry", "accept", "accept", "accept", "reject", "cut", "confirm", "confirm",
    "confirm", "interrupt", "cancel", "fail", "forbid", "token", "time", "time", "time", "time", "time",
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 7), st.floats(0, 20)), min_size=10, max_size=80))
def test_anything_can_happen(steps: list[tuple[str, int, float]]) -> None:
    """One poke at a time, spaced unless full, without duplicates; and in the end what is wanted is established."""
    driver = Driver()
    subject = driver.subject
    subject.connected(0)
    wanted: dict[str, Subscription] = {}
    in_flight: Poke | None = None
    before_connection = 0

    def check(poke: Poke | None) -> Poke | None:
        if poke is None:
            return in_flight
        assert in_flight is None
        sids = requested(poke)
        assert len(set(sids)) == len(sids) > 0
        live = {sid for sid, each in wanted.items() if each.phase is not SubscriptionPhase.HELD}
        assert (set(sids) <= live) if poke.action == "establish" else not (set(sids) & set(wanted))
        earlier = driver.pokes[before_connection:-1]
        spaced = not earlier or driver.now - earlier[-1][0] >= SPACING - 1e-6
        # Only a batch that could not have been larger may follow sooner.
        assert spaced or (poke.action == "establish" and len(sids) == subject._limit)
        assert len(sids) <= subject._limit
        return poke

    for action, number, amount in steps:
        sid = f"S{number}"
        subscription = wanted.get(sid)
        correlation = in_flight.correlation_id if in_flight is not None else None
        if subscription is not None and subscription.poke is not None:
            correlation = subscription.poke.correlation_id
        if action == "add" and subscription is None:
            wanted[sid] = driver.add(sid)
        elif action == "time":
            in_flight = check(driver.advance(amount))
        elif action == "token":
            subject.token_updated(driver.now)
        elif action == "cut":
            subject.disconnected()
            subject.connected(driver.now)
            in_flight, before_connection = None, len(driver.pokes)
        elif action == "accept" and in_flight is not None:
            most = (100, 3, 2, 1)[number % 4]
            subject.accepted(in_flight, {"max_batch_size": most, "estimated_delivery_in_ms": 1000, "ttl_in_s": 15}, driver.now)
            in_flight = None
        elif action == "reject" and in_flight is not None:
            subject.rejected(in_flight, [None, 400, 429, 503][number % 4], driver.now)
            in_flight = None
        elif subscription is not None:
            _happen(subject, subscription, action, correlation, driver)
            if subscription.phase is SubscriptionPhase.ENDED:
                del wanted[sid]

    for subscription in wanted.values():
        subject.release(subscription, driver.now)
    subject.token_updated(driver.now)
    _heal(driver, in_flight, wanted)
    assert all(each.phase is SubscriptionPhase.ESTABLISHED for each in wanted.values())


def _happen(subject: Subscriptions, subscription: Subscription, action: str, correlation: Any, driver: Driver) -> None:
    now = driver.now
    if action == "drop":
        subject.drop(subscription, now)
    elif action == "hold":
        subject.hold(subscription)
    elif action == "release":
        subject.release(subscription, now)
    elif action == "renew":
        subject.renew(subscription, now)
    elif action == "retry":
        subject.retry(subscription, now)
    elif action == "confirm":
        subject.established(subscription, correlation, now)
    elif action == "interrupt":
        subject.interrupted(subscription, correlation, now)
    elif action == "cancel":
        subject.canceled(subscription, None, now)
    elif action == "fail":
        subject.failed(subscription, correlation, 503, now)
    elif action == "forbid":
        subject.failed(subscription, correlation, 403, now)


def _heal(driver: Driver, in_flight: Poke | None, wanted: dict[str, Subscription]) -> None:
    """A service that works from now on."""
    for _ in range(200):
        poke = in_flight or driver.advance(2 * LAST_RETRY)
        in_flight = None
        if poke is None:
            return
        driver.subject.accepted(poke, {"estimated_delivery_in_ms": 1000}, driver.now)
        for subscription in wanted.values():
            driver.subject.established(subscription, poke.correlation_id, driver.now)
        if all(each.phase is SubscriptionPhase.ESTABLISHED for each in wanted.values()):
            return


@given(st.sampled_from(["reject 503", "reject 400", "silent", "fail", "interrupt", "cancel"]))
def test_bounded_rate(behaviour: str) -> None:
    """However a service misbehaves, one object costs it few pokes in ten minutes."""
    driver = Driver()
    driver.subject.connected(0)
    subscription = driver.add("A")
    while driver.now < 600:
        poke = driver.advance(600 - driver.now)
        if poke is None:
            break
        if behaviour.startswith("reject"):
            driver.subject.rejected(poke, int(behaviour.split()[1]), driver.now)
            continue
        driver.subject.accepted(poke, {"estimated_delivery_in_ms": 10}, driver.now)
        if behaviour == "fail":
            driver.subject.failed(subscription, poke.correlation_id, 500, driver.now)
        elif behaviour == "interrupt":
            driver.subject.interrupted(subscription, poke.correlation_id, driver.now)
        elif behaviour == "cancel":
            driver.subject.established(subscription, poke.correlation_id, driver.now)
            driver.subject.canceled(subscription, None, driver.now)
    assert 8 <= len(driver.pokes) <= 20
