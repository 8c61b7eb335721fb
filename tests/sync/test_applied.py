"""`AppliedIds` against the plainest thing that could be right: a set."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from twilio_conversations.sync.event_ids import MAX_GAPS, AppliedIds

Steps = st.lists(st.tuples(st.sampled_from(["take", "take", "take", "close"]), st.integers(-2, 30)))


@given(start=st.integers(-1, 5), steps=Steps)
def test_like_a_set(start: int, steps: list[tuple[str, int]]) -> None:
    """Whatever is taken and closed, each id counts once, and the cursor is the last id with nothing missing below."""
    applied = AppliedIds(start)
    taken = set(range(-2, start + 1))
    for what, event_id in steps:
        if what == "take":
            assert applied.take(event_id) == (event_id not in taken)
            taken.add(event_id)
        else:
            applied.close_up_to(event_id)
            taken.update(range(-2, event_id + 1))
        assert applied.head == max(taken)
        assert applied.cursor == next(n for n in range(-2, 40) if n + 1 not in taken)
        assert all(first <= last for first, last in applied.gaps)


def test_gaps_are_bounded() -> None:
    """Ids that are never contiguous cost bounded memory, and the first gap still holds the cursor back."""
    applied = AppliedIds(-1)
    for event_id in range(5, 100_000, 3):
        assert applied.take(event_id)
    assert len(applied.gaps) <= MAX_GAPS
    assert applied.cursor == -1


def test_an_id_between_two_gaps_was_taken() -> None:
    """Only ids inside of a gap are new."""
    ids = AppliedIds(0)
    assert [ids.take(id_) for id_ in (3, 6, 3, 2, 5, 1, 0)] == [True, True, False, True, True, True, False]
    assert ids.gaps == [(4, 4)]
