"""Replica and overlay: what is read, and what would be announced."""

from __future__ import annotations

import datetime as dt
import enum

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_conversations.models.layers import Confirmed, ReplicatedState
from twilio_conversations.values.fields import Reasons


@attrs.frozen
class Thing:
    """Some model's data."""

    name: str = ""
    size: int = 0


@attrs.frozen
class Dated(Thing):
    """Data that say when they were changed last."""

    date_updated: dt.datetime | None = None


def at(milliseconds: int) -> dt.datetime:
    """A moment of one second."""
    return dt.datetime(2026, 1, 1, microsecond=1000 * milliseconds, tzinfo=dt.UTC)


class Why(enum.Enum):
    """Reasons of changes."""

    NAME = "name"
    SIZE = "size"


REASONS = Reasons({"name": Why.NAME, "size": Why.SIZE})


def test_a_confirmed_write_is_read_before_its_event() -> None:
    """The overlay shows the write; the replica, from which events are made, does not know it."""
    state = ReplicatedState(Thing("old", 1), 0)
    write = state.begin({"name": "new"})

    assert state.confirm(write, {"size": 2})
    assert state.visible == Thing("new", 2)
    assert state.replica == Thing("old", 1)


def test_the_event_of_a_write_is_announced_once_and_ends_the_overlay() -> None:
    """The event's difference is that of two replicas, whether or not the answer was faster."""
    state = ReplicatedState(Thing("old", 1), 0)
    write = state.begin({"name": "new"})
    state.confirm(write, {})
    former = state.apply(Thing("new", 1), 1)

    assert REASONS.between(former, state.replica) == (Why.NAME,)
    assert state.overlay == {}
    assert state.visible == Thing("new", 1)


def test_an_answer_that_comes_after_its_event_puts_no_overlay() -> None:
    """Neither does one whose event was followed by somebody else's change."""
    state = ReplicatedState(Thing("old"), 0)
    write = state.begin({"name": "mine"})
    state.apply(Thing("mine"), 1)
    state.apply(Thing("theirs"), 2)

    assert not state.confirm(write, {})
    assert state.visible.name == "theirs"


def test_an_overlay_outlives_events_that_say_nothing_of_it() -> None:
    """Another field's change does not undo the write for its reader."""
    state = ReplicatedState(Thing("old", 1), 0)
    state.confirm(state.begin({"name": "new"}), {})
    state.apply(Thing("old", 2), 1)

    assert state.visible == Thing("new", 2)
    state.drop_overlay(state.overlays)
    assert state.visible == Thing("old", 2)


def test_each_write_ends_with_its_own_event() -> None:
    """No state ever carries both, since somebody else wrote between them; still neither hides what came after it."""
    state = ReplicatedState(Thing("old", 1), 0)
    state.confirm(state.begin({"name": "mine"}), {})
    state.confirm(state.begin({"size": 2}), {})
    assert state.visible == Thing("mine", 2)
    state.apply(Thing("mine", 1), 1)
    state.apply(Thing("theirs", 1), 2)
    assert state.visible == Thing("theirs", 2)
    state.apply(Thing("theirs", 2), 3)
    assert state.overlay == {}


def test_a_write_over_a_write_needs_the_later_event_only() -> None:
    """The earlier one's event may be missing from a compacted log."""
    state = ReplicatedState(Thing("old", 1), 0)
    state.confirm(state.begin({"name": "first"}), {})
    state.confirm(state.begin({"name": "second"}), {})
    state.apply(Thing("second", 1), 2)
    state.apply(Thing("theirs", 1), 3)

    assert state.visible == Thing("theirs", 1)


@pytest.mark.parametrize("how", ["event", "page", "before the answer"])
def test_a_later_state_hides_behind_no_earlier_write(how: str) -> None:
    """A state may come that has no event between: its date says that it is newer than the write, whatever it carries of it."""
    state = ReplicatedState(Dated("old"), 0)
    write = state.begin({"name": "mine"})
    theirs = Dated("theirs", date_updated=at(2))
    if how == "before the answer":
        state.show(theirs, 3)
    assert state.confirm(write, {"date_updated": at(1)}) == (how != "before the answer")
    if how == "event":
        state.apply(theirs, 3)
    else:
        state.show(theirs, 3)
    assert state.visible == theirs
    assert state.overlay == {}


def test_an_earlier_state_does_not_end_a_write() -> None:
    """Another change, made before, is told of later."""
    state = ReplicatedState(Dated("old"), 0)
    state.confirm(state.begin({"name": "mine"}), {"date_updated": at(2)})
    state.apply(Dated("old", 1, date_updated=at(1)), 1)
    assert state.visible == Dated("mine", 1, date_updated=at(2))
    state.apply(Dated("mine", 1, date_updated=at(2)), 2)
    assert state.overlay == {}


def test_a_write_that_is_told_late_gives_way_to_the_newer_page() -> None:
    """The page had overwritten it already, and is what there is to see as soon as the write's own event has come."""
    state = ReplicatedState(Thing("old"), 0)
    state.confirm(state.begin({"name": "mine"}), {})
    state.show(Thing("theirs"), 5)
    assert state.visible.name == "mine"
    state.apply(Thing("mine"), 1)
    assert (state.visible, state.overlay) == (Thing("theirs"), {})


def test_an_answer_may_have_whole_seconds() -> None:
    """What was told of in the same second may be from before the write; with its fields it is from after."""
    state = ReplicatedState(Dated("old"), 0)
    state.confirm(state.begin({"name": "mine"}), {"date_updated": at(0)})
    state.apply(Dated("earlier", date_updated=at(300)), 1)
    assert state.visible.name == "mine"
    mine = Dated("mine", date_updated=at(700))
    state.apply(mine, 2)
    assert (state.visible, state.overlay) == (mine, {})


def test_the_clock_of_the_service_went_back() -> None:
    """A write that bears an earlier date than what it changed is shown, until its own state comes; dates say nothing then."""
    state = ReplicatedState(Dated("old", date_updated=at(900)), 0)
    assert state.confirm(state.begin({"name": "mine"}), {"date_updated": at(100)})
    assert state.visible.name == "mine"
    state.apply(Dated("before", date_updated=at(950)), 1)  # from before the clock went back
    assert state.visible.name == "mine"
    mine = Dated("mine", date_updated=at(100))
    state.apply(mine, 2)
    assert (state.visible, state.overlay) == (mine, {})


def test_answers_that_are_read_in_another_order() -> None:
    """Of two writes the later one is shown, whichever answer was read first, and both end as soon as its state comes."""
    state = ReplicatedState(Dated("old", date_updated=at(0)), 0)
    first, second = state.begin({"name": "first"}), state.begin({"name": "second"})
    assert state.confirm(second, {"date_updated": at(2)})
    assert state.confirm(first, {"date_updated": at(1)}) is False
    assert state.visible.name == "second"
    final = Dated("second", date_updated=at(2))
    state.apply(final, 2)  # the state between was never told of by itself
    assert (state.visible, state.overlay) == (final, {})


def test_a_page_never_announces_and_never_goes_back() -> None:
    """A page's newer state is read; an older one is dropped; the replica follows events only."""
    state = ReplicatedState(Thing("five"), 5)
    state.show(Thing("seven"), 7)
    state.show(Thing("six"), 6)

    assert state.visible.name == "seven"
    assert state.replica == Thing("five")
    assert state.apply(Thing("six"), 6) == Thing("five")
    assert state.visible.name == "seven"
    state.expect_anything()
    state.show(Thing("anew"), 0)
    assert state.visible.name == "anew"


def test_an_object_from_a_page_knows_what_an_event_changed() -> None:
    """Its first event differs from what the page showed; an event that the page included already differs from nothing known."""
    newer = ReplicatedState(Thing("page"), 5, delivered=False)
    assert newer.apply(Thing("event"), 6) == Thing("page")
    older = ReplicatedState(Thing("page"), 5, delivered=False)
    assert older.apply(Thing("event"), 4) is None
    assert older.visible.name == "page"


def test_an_abandoned_write_leaves_nothing() -> None:
    """A write that failed is not shown and not waited for."""
    state = ReplicatedState(Thing("old"), 0)
    state.abandon(state.begin({"name": "new"}))
    state.abandon(state.begin({"name": "new"}))

    assert state.visible.name == "old"


def test_each_write_has_a_number() -> None:
    """They count up, and say whether a write up to one of them is still shown."""
    state = ReplicatedState(Thing("old", 1), 0)
    assert (state.overlays, state.has_overlay(0)) == (0, False)
    assert state.confirm(state.begin({"name": "new"}), {})
    assert (state.overlays, state.has_overlay(0), state.has_overlay(1)) == (1, False, True)
    assert state.confirm(state.begin({"size": 2}), {})
    assert (state.overlays, state.has_overlay(1), state.has_overlay(2)) == (2, True, True)
    state.apply(Thing("new", 1), 1)
    assert (state.overlays, state.has_overlay(1), state.has_overlay(2)) == (2, False, True)


def test_dropping_ends_writes_up_to_a_number() -> None:
    """Later ones are shown as before."""
    state = ReplicatedState(Thing("old", 1), 0)
    state.confirm(state.begin({"name": "new"}), {})
    state.confirm(state.begin({"size": 2}), {})
    state.drop_overlay(0)
    assert state.visible == Thing("new", 2)
    state.drop_overlay(1)
    assert state.visible == Thing("old", 2)
    state.drop_overlay(2)
    assert (state.visible, state.overlay) == (Thing("old", 1), {})


def test_dropping_ends_writes_of_some_fields() -> None:
    """Of those that wrote something else too, nothing is known."""
    state = ReplicatedState(Thing("old", 1), 0)
    state.confirm(state.begin({"name": "new"}), {})
    state.drop_overlay(1, {"size"})
    assert state.visible == Thing("new", 1)
    state.drop_overlay(1, {"name", "more"})
    assert state.visible == Thing("old", 1)
    state.confirm(state.begin({"name": "new", "size": 2}), {})
    state.drop_overlay(2, {"name"})
    assert state.visible == Thing("new", 2)
    state.drop_overlay(1, {"name", "size"})
    assert state.visible == Thing("new", 2)
    state.drop_overlay(2, {"name", "size"})
    assert state.visible == Thing("old", 1)


def test_of_one_version_the_latest_counts() -> None:
    """A conversation's states have no ids: all are of version 0."""
    state = ReplicatedState(Thing("first"), 0)
    state.show(Thing("second"), 0)
    assert (state.visible, state.replica) == (Thing("second"), Thing("first"))
    assert state.apply(Thing("third"), 0) == Thing("first")
    assert (state.visible, state.replica) == (Thing("third"), Thing("third"))


def test_catching_up_takes_what_is_not_older() -> None:
    """What a page says in place of lost events is the replica from then on; an event that came meanwhile is newer."""
    state = ReplicatedState(Thing("five"), 5)
    state.catch_up(Thing("four"), 4)
    assert (state.visible, state.replica) == (Thing("five"), Thing("five"))
    state.catch_up(Thing("five again"), 5)
    assert (state.visible, state.replica) == (Thing("five again"), Thing("five again"))
    state.catch_up(Thing("six"), 6)
    assert (state.visible, state.replica) == (Thing("six"), Thing("six"))
    state.expect_anything()
    state.catch_up(Thing("anew"), 0)
    assert (state.visible, state.replica) == (Thing("anew"), Thing("anew"))


def test_an_event_of_what_a_page_showed_changes_nothing_known() -> None:
    """The page had it already, or the service does not say which state it is."""
    assert ReplicatedState(Thing("page"), 5, delivered=False).apply(Thing("event"), 5) is None
    assert ReplicatedState(Thing("answer"), delivered=False).apply(Thing("event"), -1) is None
    anew = ReplicatedState(Thing("page"), 5, delivered=False)
    anew.expect_anything()
    assert anew.apply(Thing("event"), -1) is None
    assert ReplicatedState(Thing("answer"), delivered=False).apply(Thing("event"), 0) == Thing("answer")


def test_an_earlier_state_with_the_same_value_does_not_end_a_write() -> None:
    """It was so before, by somebody else's write."""
    state = ReplicatedState(Dated("old", date_updated=at(0)), 0)
    state.confirm(state.begin({"name": "mine"}), {"date_updated": at(2)})
    state.apply(Dated("mine", date_updated=at(1)), 1)
    assert state.overlay == {"name": "mine", "date_updated": at(2)}


def test_a_state_of_the_same_moment_ends_a_write_if_it_carries_it() -> None:
    """Two changes may have one date."""
    state = ReplicatedState(Dated("old", date_updated=at(0)), 0)
    state.confirm(state.begin({"name": "mine"}), {"date_updated": at(2)})
    state.apply(Dated("theirs", date_updated=at(2)), 1)
    assert state.visible.name == "mine"
    state.apply(Dated("mine", date_updated=at(2)), 2)
    assert state.overlay == {}


@pytest.mark.parametrize(("milliseconds", "ends"), [(0, False), (999, False), (1000, True), (1001, True)])
def test_a_state_of_the_next_second_is_later_than_whole_seconds(milliseconds: int, ends: bool) -> None:
    """Whatever the answer left out of the second."""
    state = ReplicatedState(Dated("old"), 0)
    state.confirm(state.begin({"name": "mine"}), {"date_updated": at(0)})
    state.apply(Dated("theirs", date_updated=at(0) + dt.timedelta(milliseconds=milliseconds)), 1)
    assert (state.visible.name == "theirs") == ends


def test_of_two_writes_of_the_same_moment_the_one_answered_last_is_shown() -> None:
    """Nothing says which came first."""
    state = ReplicatedState(Dated("old"), 0)
    first, second = state.begin({"name": "first"}), state.begin({"name": "second"})
    assert state.confirm(second, {"date_updated": at(1)}) is True
    assert state.confirm(first, {"date_updated": at(1)}) is True
    assert state.visible.name == "first"


def test_a_write_that_covers_more_is_shown_beneath_a_later_one() -> None:
    """Of each field the later write is shown, whichever answer was read first."""
    state = ReplicatedState(Dated("old", 1), 0)
    first, second = state.begin({"name": "first", "size": 2}), state.begin({"name": "second"})
    assert state.confirm(second, {"date_updated": at(2)}) is True
    assert state.confirm(first, {"date_updated": at(1)}) is True
    assert state.visible == Dated("second", 2, date_updated=at(2))
    assert state.confirm(state.begin({"size": 3}), {"date_updated": at(3)}) is True
    assert state.visible == Dated("second", 3, date_updated=at(3))
    assert [state.has_overlay(number) for number in range(4)] == [False, True, True, True]


def test_what_has_no_date_says_nothing_of_order() -> None:
    """Neither a state without dates, nor a write without."""
    dated = Confirmed({"name": "new", "date_updated": at(1)}, True)
    undated = Confirmed({"name": "new"}, True)
    assert dated.order(Thing("old")) == dated.order(Dated("old")) == undated.order(Dated("old", date_updated=at(2))) == 0
    assert (dated.order(Dated(date_updated=at(0))) < 0, dated.order(Dated(date_updated=at(2))) > 0) == (True, True)
    assert Confirmed({"date_updated": at(1)}, False).order(Dated(date_updated=at(2))) == 0
    assert not dated.is_over(undated)
    assert not undated.is_over(dated)
    assert Confirmed({"date_updated": at(2)}, True).is_over(dated)
    assert not Confirmed({"date_updated": at(2)}, False).is_over(dated)
    assert not Confirmed({"date_updated": at(2)}, True).is_over(Confirmed({"date_updated": at(1)}, False))


def test_a_write_that_has_ended_takes_note_of_nothing() -> None:
    """Nothing is kept of it, however often it is ended."""
    state = ReplicatedState(Thing("old"), 0)
    failed, answered, open_ = (state.begin({"name": "new"}) for _ in range(3))
    state.abandon(failed)
    state.abandon(failed)
    state.confirm(answered, {})
    state.apply(Thing("new"), 1)
    assert (failed.seen, answered.seen, open_.seen) == (False, False, True)


def test_a_write_that_was_seen_stays_seen() -> None:
    """An answer that comes after its event puts nothing over what came after."""
    state = ReplicatedState(Thing("old"), 0)
    write = state.begin({"name": "mine"})
    state.apply(Thing("other"), 1)
    assert write.seen is False
    state.apply(Thing("mine"), 2)
    state.apply(Thing("theirs"), 3)
    assert write.seen is True
    assert state.confirm(write, {}) is False
    assert state.overlays == 0


def test_reasons_stand_in_the_order_of_their_table() -> None:
    """One for each field that differs; none where there was no state before."""
    assert REASONS.between(Thing("a", 1), Thing("b", 2)) == (Why.NAME, Why.SIZE)
    assert REASONS.between(Thing("a", 1), Thing("a", 2)) == (Why.SIZE,)
    assert REASONS.between(Thing("a", 1), Thing("a", 1)) == ()
    same = Thing("a", 1)
    assert REASONS.between(same, same) == ()
    assert REASONS.between(None, same) == ()


@given(st.permutations(range(6)), st.permutations(range(6)), st.integers(0, 6), st.sets(st.integers(0, 4)))
def test_many_writers_settle_when_the_last_state_comes(
    began: list[int], answered: list[int], told: int, skipped: set[int]
) -> None:
    """However requests, answers and events lie, and whatever superseded states are left out: the last state is what is shown."""
    state = ReplicatedState(Dated("old", date_updated=at(0)), 0)
    writes = {number: state.begin({"name": str(number)}) for number in began}
    states = [Dated(str(number), date_updated=at(number + 1)) for number in range(6)]

    def tell(numbers: range) -> None:
        for number in numbers:
            if number not in skipped:
                state.apply(states[number], number + 1)

    tell(range(told))
    newest = -1 if told == 0 else max(number for number in (-1, *range(told)) if number not in skipped)
    for number in answered:
        state.confirm(writes[number], {"date_updated": at(number + 1)})
        newest = max(newest, number)
        assert state.visible.name == str(newest)
    tell(range(told, 6))
    assert (state.visible, state.overlay) == (states[5], {})


@given(
    st.lists(
        st.tuples(st.sampled_from(["event", "begin", "answer", "page", "expire"]), st.sampled_from("abc"), st.integers(0, 9)),
        max_size=30,
    )
)
def test_in_any_order_reasons_add_up_to_what_the_service_said(steps: list[tuple[str, str, int]]) -> None:
    """Whatever writes and pages come between, the announced differences lead from the first replica to the last."""
    state = ReplicatedState(Thing("a", 0), 0)
    pictured = {"name": "a"}
    version = 0
    writes = []
    for what, name, number in steps:
        if what == "event":
            version += 1
            former = state.apply(Thing(name), version)
            if Why.NAME in REASONS.between(former, state.replica):
                pictured["name"] = name
        elif what == "begin":
            writes.append(state.begin({"name": name}))
        elif what == "answer" and writes:
            state.confirm(writes.pop(number % len(writes)), {})
        elif what == "page":
            state.show(Thing(name), number)
        elif what == "expire":
            state.drop_overlay(state.overlays)
    assert state.replica is not None
    assert pictured["name"] == state.replica.name
    if state.overlay:
        assert state.visible.name == state.overlay["name"]
