"""Replica and overlay: what is read, and what would be announced."""

from __future__ import annotations

import enum

from hypothesis import given
from hypothesis import strategies as st

from tests.models.things import Dated, Thing, at
from twilio_conversations.models.layers import ReplicatedState
from twilio_conversations.values.fields import Reasons


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


def test_a_write_that_is_told_late_gives_way_to_the_newer_page() -> None:
    """The page had overwritten it already, and is what there is to see as soon as the write's own event has come."""
    state = ReplicatedState(Thing("old"), 0)
    state.confirm(state.begin({"name": "mine"}), {})
    state.show(Thing("theirs"), 5)
    assert state.visible.name == "mine"
    state.apply(Thing("mine"), 1)
    assert (state.visible, state.overlay) == (Thing("theirs"), {})


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
    assert not state.catch_up(Thing("four"), 4)
    assert (state.visible, state.replica) == (Thing("five"), Thing("five"))
    assert state.catch_up(Thing("five again"), 5)
    assert (state.visible, state.replica) == (Thing("five again"), Thing("five again"))
    assert state.catch_up(Thing("six"), 6)
    assert (state.visible, state.replica) == (Thing("six"), Thing("six"))
    state.expect_anything()
    assert state.catch_up(Thing("anew"), 0)
    assert (state.visible, state.replica) == (Thing("anew"), Thing("anew"))
    state.expect_anything()
    assert not state.catch_up(Thing("anew"), 0)


def test_catching_up_with_an_own_write() -> None:
    """Readers see it by the answer, handlers know it by its event: the page that comes in place of that differs once."""
    state = ReplicatedState(Thing("five"), 5)
    state.confirm(state.begin({"name": "mine"}), {})
    assert state.visible.name == "mine"
    assert state.catch_up(Thing("mine"), 6)
    assert not state.catch_up(Thing("mine"), 6)
    assert not state.overlay


def test_an_event_of_what_a_page_showed_changes_nothing_known() -> None:
    """The page had it already, or the service does not say which state it is."""
    assert ReplicatedState(Thing("page"), 5, delivered=False).apply(Thing("event"), 5) is None
    assert ReplicatedState(Thing("answer"), delivered=False).apply(Thing("event"), -1) is None
    anew = ReplicatedState(Thing("page"), 5, delivered=False)
    anew.expect_anything()
    assert anew.apply(Thing("event"), -1) is None
    assert ReplicatedState(Thing("answer"), delivered=False).apply(Thing("event"), 0) == Thing("answer")


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
