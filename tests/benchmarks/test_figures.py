"""Rows, aims and growth: figures are given, not measured."""

from __future__ import annotations

import pytest

from benchmarks.figures import Aim, Growth, Row, Table

LABELS = {"ours": "ours", "bare": "bare loop"}
SIZES = {"1x": "10", "10x": "100", "100x": "1,000"}


def row(*aims: Aim | Growth, **figures: list[float]) -> Row:
    """Return a row with the figures of some columns."""
    return Row("what", "ms", aims, figures)


def test_a_cell_has_the_median_with_the_least_and_the_largest() -> None:
    """The spread is left out where all rounds look the same."""
    assert row(ours=[3.0, 1.0, 2.5]).cell("ours") == "2.5 (1 to 3)"
    assert row(ours=[1000.2, 1000.4]).cell("ours") == "1,000"
    assert row(ours=[1.0]).cell("bare") == ""


@pytest.mark.parametrize(
    ("aim", "verdict"),
    [
        (Aim("at most", 2, "bare"), "at most 2 x bare loop: 2 (met)"),
        (Aim("at most", 1.9, "bare"), "at most 1.9 x bare loop: 2 (MISSED)"),
        (Aim("at least", 2, "bare"), "at least 2 x bare loop: 2 (met)"),
        (Aim("at least", 2.1, "bare"), "at least 2.1 x bare loop: 2 (MISSED)"),
        (Aim("at most", 4), "at most 4: 4 (met)"),
    ],
)
def test_an_aim_is_judged_by_medians(aim: Aim, verdict: str) -> None:
    """A ratio to another client, or a limit; what is equal is met."""
    assert row(aim, ours=[4.0, 1.0, 9.0], bare=[2.0]).verdicts(LABELS) == [verdict]


def test_an_aim_without_a_figure_is_open() -> None:
    """A client that did not take part decides nothing."""
    assert row(Aim("at most", 2, "bare"), ours=[4.0]).verdicts(LABELS) == ["at most 2 x bare loop: not measured (open)"]


def test_what_is_more_than_another_is_reckoned_round_by_round() -> None:
    """The difference of each round counts, not that of the medians; the other one has no column any more."""
    less = row(ours=[5.0, 9.0, 4.0], bare=[1.0, 8.0, 2.0]).less("own part", "bare")
    assert less.rounds == {"ours": [4.0, 1.0, 2.0]}
    assert less.cell("ours") == "2 (1 to 4)"


@pytest.mark.parametrize(
    ("figures", "most", "verdict"),
    [
        ((1, 1, 1), "constant", "constant: x 1 for 10 times as much (met)"),
        ((1, 1, 2), "constant", "constant: x 2 for 10 times as much (met)"),
        ((1, 10, 100), "constant", "linear: x 10 for 10 times as much (MISSED)"),
        ((1, 10, 100), "linear", "linear: x 10 for 10 times as much (met)"),
        ((9, 10, 150), "linear", "linear: x 15 for 10 times as much (met)"),
        ((9, 10, 1000), "linear", "more than linear: x 100 for 10 times as much (MISSED)"),
    ],
)
def test_growth_is_decided_from_the_largest_sizes(figures: tuple[float, ...], most: str, verdict: str) -> None:
    """What a fixed part hides at the small sizes shows at the large ones."""
    growth = Growth(most, (10, 100, 1000))  # type: ignore[arg-type]
    given = {column: [float(figure)] for column, figure in zip(SIZES, figures, strict=True)}
    assert Row("what", "us", [growth], given).verdicts(SIZES) == [verdict]


def test_growth_needs_two_sizes() -> None:
    """A run that ended early decides nothing."""
    assert Row("what", "us", [Growth("linear", (10, 100))], {"1x": [1.0]}).verdicts(SIZES) == ["not measured (open)"]


def test_a_table_reads_what_it_wrote() -> None:
    """JSON keeps rows, rounds, aims and what is missing."""
    one = row(Aim("at most", 2, "bare"), Growth("linear", (1, 2)), ours=[1.0, 2.0])
    one.failures["bare"] = "ended"
    table = Table("name", "title", LABELS, "aim", [one])
    read = Table.from_dict(table.to_dict())
    assert read.rows[0].verdicts(LABELS) == one.verdicts(LABELS)
    assert read.to_dict() == table.to_dict()
