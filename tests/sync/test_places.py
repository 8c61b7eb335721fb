"""`Subscriptions` with a service that lets a connection follow only so many objects."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sync.test_subscriptions import Driver
from twilio_conversations.sync.changes import Kind
from twilio_conversations.sync.places import DOCUMENTED, FIRST_TRIED, NO_ROOM, PROBE_AFTER, SETTLED
from twilio_conversations.sync.pokes import Poke, Subscription, SubscriptionPhase
from twilio_conversations.sync.purpose import Purpose

KINDS: dict[Purpose, Kind] = {
    Purpose.CONVERSATIONS: "map",
    Purpose.MESSAGES: "list",
    Purpose.DOCUMENT: "document",
    Purpose.PARTICIPANTS: "map",
    Purpose.USER: "map",
}
LONG = PROBE_AFTER * 0.9
Refuses = Literal["each", "poke"]
ACTIONS = ("add", "add", "add", "drop", "cut", "hold", "release", "time", "less", "more")


class Limited(Driver):
    """A service with a limit, which refuses each object that does not fit, or a whole poke as soon as one does not."""

    def __init__(self, limit: int, refuses: Refuses = "each") -> None:
        super().__init__()
        self.limit = limit
        self.refuses = refuses
        self.there: dict[str, Subscription] = {}
        self.wanted: dict[str, Subscription] = {}
        self.refusals = 0
        self.subject.connected(self.now)

    def want(self, purpose: Purpose, sid: str) -> Subscription:
        subscription = Subscription(sid, KINDS[purpose], lambda: 0, purpose=purpose)
        self.wanted[sid] = subscription
        self.subject.add(subscription, self.now)
        return subscription

    def conversations(self, first: int, last: int) -> None:
        """Follow conversations as a start does: three objects each, one conversation after the other."""
        for number in range(first, last):
            self.want(Purpose.DOCUMENT, f"D{number}")
            self.want(Purpose.MESSAGES, f"L{number}")
            self.want(Purpose.PARTICIPANTS, f"P{number}")

    def leave(self, sid: str) -> None:
        self.subject.drop(self.wanted.pop(sid), self.now)

    def reconnect(self) -> None:
        self.there.clear()
        self.subject.disconnected()
        self.subject.connected(self.now)

    def run(self, seconds: float) -> None:
        """Let time pass; the service answers at once."""
        end = self.now + seconds
        while (poke := self.advance(end - self.now)) is not None:
            self._serve(poke)

    def _serve(self, poke: Poke) -> None:
        sids = [request["object_sid"] for request in poke.body["requests"]]
        if poke.action == "cancel":
            for sid in sids:
                self.there.pop(sid, None)
            self.subject.accepted(poke, {}, self.now)
            return
        batch = {subscription.sid: subscription for subscription in poke.waiting}
        if self.refuses == "poke" and len(self.there.keys() | batch.keys()) > self.limit:
            self.refusals += 1
            assert self.subject.rejected(poke, 429, self.now, code=NO_ROOM) == []
            return
        self.subject.accepted(poke, {}, self.now)
        self.answer(poke)

    def answer(self, poke: Poke) -> None:
        """Confirm what there is room for, and refuse the rest."""
        for sid, subscription in {subscription.sid: subscription for subscription in poke.waiting}.items():
            self.there.pop(sid, None)
            if len(self.there) < self.limit:
                self.there[sid] = subscription
                self.subject.established(subscription, poke.correlation_id, self.now)
            else:
                self.refusals += 1
                assert self.subject.failed(subscription, poke.correlation_id, 429, self.now, NO_ROOM) is not None

    def followed(self) -> list[Purpose]:
        """Purposes of what is followed, the most important first; the service and the client agree on them."""
        established = {sid for sid, one in self.wanted.items() if one.phase is SubscriptionPhase.ESTABLISHED}
        assert established == self.there.keys()
        return sorted(one.purpose for one in self.there.values())

    def best(self) -> list[Purpose]:
        """Purposes of what should be followed."""
        return sorted(one.purpose for one in self.wanted.values())[: self.limit]


@pytest.mark.parametrize("refuses", ["each", "poke"])
def test_message_lists_come_first(refuses: Refuses) -> None:
    """A thousand conversations with room for two thousand objects: all messages and all documents, and few refusals."""
    driven = Limited(2000, refuses)
    driven.want(Purpose.CONVERSATIONS, "own")
    for first in range(0, 1000, 50):
        driven.conversations(first, first + 50)
        driven.run(0.2)
    driven.run(10)
    counts = {purpose: driven.followed().count(purpose) for purpose in Purpose}
    assert counts == {
        Purpose.CONVERSATIONS: 1,
        Purpose.MESSAGES: 1000,
        Purpose.DOCUMENT: 999,
        Purpose.PARTICIPANTS: 0,
        Purpose.USER: 0,
    }
    assert driven.refusals <= 100
    (shortage,) = driven.shortages
    error = shortage.error()
    assert (error.status, error.code, error.retryable) == (429, NO_ROOM, False)
    assert "follow 2000 objects; 1001 more are not followed" in str(error)
    assert "the properties of conversations (1), the participants of conversations (1000)" in str(error)


@pytest.mark.parametrize(("limit", "objects", "most"), [(DOCUMENTED, 3000, FIRST_TRIED), (2300, 3000, 200), (5000, 5000, 0)])
def test_few_are_tried_beyond_the_documented_number(limit: int, objects: int, most: int) -> None:
    """Also when all come at once, and answers are slower than pokes; twice as many after each answer that has room."""
    driven = Limited(limit)
    for number in range(objects):
        driven.want(Purpose.DOCUMENT, f"D{number}")
    pokes: list[Poke] = []
    while driven.refusals + len(driven.there) < min(objects, limit + 1):
        while (poke := driven.advance(1.0)) is not None:
            pokes.append(poke)
            driven.subject.accepted(poke, {}, driven.now)
        assert pokes, "nothing is asked for any more"
        for poke in pokes:
            driven.answer(poke)
        pokes.clear()
    driven.run(5)
    assert len(driven.there) == min(objects, limit)
    assert driven.refusals <= most


def test_what_does_not_fit_is_not_asked_for() -> None:
    """No poke leaves until there is room; then those that fit are asked for, in one."""
    driven = Limited(30)
    driven.conversations(0, 20)
    driven.run(5)
    count, refusals = len(driven.pokes), driven.refusals
    driven.run(LONG - 5)
    assert (len(driven.pokes), driven.refusals) == (count, refusals)
    for number in range(4):
        driven.leave(f"L{number}")
    driven.run(1)
    assert driven.followed() == driven.best()
    assert (len(driven.pokes), driven.refusals) == (count + 2, refusals)
    assert len(driven.shortages) == 1


def test_after_a_reconnect() -> None:
    """What is known of the limit counts for the next connection: nothing is refused."""
    driven = Limited(30)
    driven.conversations(0, 20)
    driven.run(5)
    refusals = driven.refusals
    driven.reconnect()
    driven.run(5)
    assert driven.followed() == driven.best()
    assert driven.refusals == refusals
    assert len(driven.shortages) == 1


def test_a_limit_that_grows_is_noticed() -> None:
    """One object is tried after a long while; when it fits, all are."""
    driven = Limited(30)
    driven.conversations(0, 20)
    driven.run(5)
    refusals = driven.refusals
    driven.run(PROBE_AFTER)
    assert driven.refusals == refusals + 1
    driven.limit = 1000
    driven.run(PROBE_AFTER)
    assert len(driven.followed()) == 60
    driven.limit = 30
    driven.reconnect()
    driven.run(5)
    assert driven.followed() == driven.best()
    assert len(driven.shortages) == 2, "a shortage that was over is reported anew"


def test_no_room_at_all() -> None:
    """A limit of nothing is reported like any other."""
    driven = Limited(0)
    driven.want(Purpose.MESSAGES, "L")
    driven.run(LONG)
    assert driven.followed() == []
    assert driven.refusals == 1
    driven.want(Purpose.CONVERSATIONS, "own")
    driven.run(1)
    assert driven.refusals == 1
    assert [dict(shortage.missing) for shortage in driven.shortages] == [{Purpose.MESSAGES: 1}]


def test_a_held_object_gives_way() -> None:
    """Also one that takes no events; released, it waits for its turn."""
    driven = Limited(1)
    user = driven.want(Purpose.USER, "U")
    driven.run(1)
    driven.want(Purpose.PARTICIPANTS, "P")
    driven.run(1)
    assert driven.followed() == [Purpose.PARTICIPANTS]
    driven.leave("P")
    driven.run(1)
    driven.subject.hold(user)
    driven.want(Purpose.MESSAGES, "L")
    driven.run(1)
    assert list(driven.there) == ["L"]
    assert user.phase is SubscriptionPhase.HELD
    driven.leave("L")
    driven.run(1)
    assert list(driven.there) == []
    driven.subject.release(user, driven.now)
    driven.run(1)
    assert driven.followed() == [Purpose.USER]


def test_a_cancel_that_was_not_needed() -> None:
    """An object that had to give way and gets its place back before that was sent stays at the service."""
    driven = Limited(1)
    driven.want(Purpose.USER, "U")
    driven.want(Purpose.USER, "V")
    driven.run(1)
    driven.leave("V")
    driven.want(Purpose.MESSAGES, "L")
    driven.leave("L")
    driven.run(1)
    assert driven.followed() == [Purpose.USER]
    assert all(poke.action == "establish" for _, poke in driven.pokes)


def test_a_cancel_is_repeated_for_what_gave_way() -> None:
    """The service has it until it has taken that."""
    driven = Limited(1)
    driven.want(Purpose.USER, "U")
    driven.want(Purpose.USER, "V")
    driven.run(1)
    driven.want(Purpose.MESSAGES, "L")
    poke = driven.advance(1)
    assert poke is not None
    assert poke.action == "cancel"
    driven.subject.rejected(poke, 503, driven.now)
    driven.run(1)
    assert driven.followed() == [Purpose.MESSAGES]
    assert driven.refusals == 1


def test_late_refusals() -> None:
    """A refusal of a poke that does not count any more says nothing about the limit."""
    driven = Limited(10)
    subscription = driven.want(Purpose.USER, "U")
    driven.run(1)
    assert driven.subject.failed(subscription, -1, 429, driven.now, NO_ROOM) is None
    assert driven.followed() == [Purpose.USER]


def test_the_report_waits_for_the_end_of_the_start() -> None:
    """It has the numbers of when nothing more came."""
    driven = Limited(3)
    for number in range(10):
        driven.conversations(number, number + 1)
        driven.run(SETTLED / 2)
    assert driven.shortages == []
    driven.run(SETTLED)
    (shortage,) = driven.shortages
    assert (shortage.followed, sum(shortage.missing.values())) == (3, 27)


@given(
    st.sampled_from(["each", "poke"]),
    st.integers(0, 12),
    st.lists(
        st.tuples(
            st.sampled_from(["add", "add", "add", "drop", "cut", "hold", "release", "time", "less", "more"]), st.integers(0, 19)
        ),
        max_size=60,
    ),
)
def test_the_most_important_are_followed(refuses: Refuses, limit: int, steps: list[tuple[str, int]]) -> None:
    """Whatever comes and goes: in the end the service has the most important objects, as many as it allows."""
    driven = Limited(limit, refuses)
    for action, number in steps:
        sid = f"S{number}"
        if action == "add" and sid not in driven.wanted:
            driven.want(Purpose(number % len(Purpose)), sid)
        elif action == "drop" and sid in driven.wanted:
            driven.leave(sid)
        elif action == "cut":
            driven.reconnect()
        elif action == "hold" and sid in driven.wanted:
            driven.subject.hold(driven.wanted[sid])
        elif action == "release" and sid in driven.wanted:
            driven.subject.release(driven.wanted[sid], driven.now)
        elif action == "time":
            driven.run(number / 20)
        elif action in ("less", "more"):
            driven.run(1)
            driven.limit = max(0, driven.limit + (1 if action == "more" else -1))
            driven.reconnect()
    for subscription in driven.wanted.values():
        driven.subject.release(subscription, driven.now)
    driven.run(3 * PROBE_AFTER)
    assert driven.followed() == driven.best()
