"""The order of writes and states by their dates: which is shown, and which ends an overlay."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.models.things import Dated, Thing, at
from twilio_conversations.models.layers import Confirmed, ReplicatedState


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
