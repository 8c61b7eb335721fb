"""The table of a conversation's phases: whole, and the same as what it says of each phase."""

from __future__ import annotations

import pytest

from twilio_conversations.state.phases import STANDINGS, TRANSITIONS, Action, Following, Input, Phase, render_markdown

RAISED = {
    (Following.NOTHING, Following.DOCUMENT): [Action.ADDED],
    (Following.NOTHING, Following.EVERYTHING): [Action.ADDED, Action.JOINED],
    (Following.DOCUMENT, Following.EVERYTHING): [Action.JOINED],
    (Following.EVERYTHING, Following.DOCUMENT): [Action.LEFT],
    (Following.EVERYTHING, Following.NOTHING): [Action.LEFT, Action.REMOVED],
    (Following.DOCUMENT, Following.NOTHING): [Action.REMOVED],
}
"""The events of a step, in order."""
EVENTS = {Action.ADDED, Action.JOINED, Action.LEFT, Action.REMOVED}


def test_every_phase_has_a_meaning_and_a_way_out() -> None:
    """But for the last one, and each can be reached."""
    assert set(STANDINGS) == set(Phase)
    for phase in Phase:
        assert ((phase, Input.REMOVED) in TRANSITIONS) is (phase is not Phase.GONE)
    assert {row.phase for row in TRANSITIONS.values()} == set(Phase) - {Phase.NEW}


def test_rows_raise_the_events_of_their_step() -> None:
    """What handlers were told before and are told after it determine them."""
    for (phase, _), row in TRANSITIONS.items():
        step = STANDINGS[phase].announced, STANDINGS[row.phase].announced
        assert [action for action in row.actions if action in EVENTS] == RAISED.get(step, []), (phase, row)


@pytest.mark.parametrize(("event", "wanted"), [(Input.SEEN, Following.DOCUMENT), (Input.JOINED, Following.EVERYTHING)])
def test_sources_change_what_is_wanted(event: Input, wanted: Following) -> None:
    """In every phase that wants something else, unless the conversation is gone."""
    for phase in set(Phase) - {Phase.GONE}:
        row = TRANSITIONS.get((phase, event))
        assert (row is None) is (STANDINGS[phase].wanted is wanted), phase
        assert row is None or STANDINGS[row.phase].wanted is wanted


def test_one_opening_at_a_time() -> None:
    """An opening begins where none is under way, or where one has just ended; every opening ends in a phase without."""
    for (phase, event), row in TRANSITIONS.items():
        begins = Action.OPEN in row.actions
        ended = event in (Input.OPENED, Input.OUTDATED)
        assert begins is (STANDINGS[row.phase].is_opening and (ended or not STANDINGS[phase].is_opening)), (phase, event)
        assert ended <= STANDINGS[phase].is_opening
        released = STANDINGS[phase].is_opening and not STANDINGS[row.phase].is_opening and row.phase is not Phase.GONE
        assert not released or row.actions[-1] is Action.RELEASE


def test_the_page_for_the_docs_shows_every_row() -> None:
    """Rendered from the same data."""
    text = render_markdown()
    assert len(TRANSITIONS) == text.count("\n") - 2
    for row in TRANSITIONS.values():
        assert all(action.value in text for action in row.actions)
    assert "nothing: the attempt under way ends first" in text
