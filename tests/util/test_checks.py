"""Checks of arguments: what passes, what is refused, and that a refusal shows the value whatever it is."""

from __future__ import annotations

import math
import uuid
from typing import Any

import pytest

from tests.support.odd_values import Rude, deep
from twilio_conversations.enums import Direction
from twilio_conversations.errors import ArgumentTypeError, InvalidArgumentError
from twilio_conversations.util import checks
from twilio_conversations.util.futures import Deadline, SharedFuture, wait


def kind(value: Any) -> str:
    """Return what names a value in pytest's reports, which cannot show all of them."""
    return type(value).__name__


ODD = [None, 1, 10**5000, b"x", math.nan, Rude(), deep(), ["x"], object()]


@pytest.mark.parametrize("value", [1, "x" * 10_000, b"x" * 10_000, "\ud800", *ODD], ids=kind)
def test_any_value_can_be_shown(value: Any) -> None:
    """Briefly, without an error of its own."""
    assert 0 < len(checks.shown(value)) <= 80


@pytest.mark.parametrize(
    "check",
    [
        checks.text,
        checks.filled,
        lambda value, name: checks.member(Direction, value, name),
        lambda value, name: checks.instance(dict, value, name),
        lambda value, name: checks.key(value or 0, name),
    ],
)
@pytest.mark.parametrize("value", ODD, ids=kind)
def test_a_value_of_another_type_is_refused(check: Any, value: Any) -> None:
    """By a `TypeError` that names the parameter."""
    with pytest.raises(ArgumentTypeError, match="colour"):
        check(value, "colour")


@pytest.mark.parametrize("value", [-1, 2**53, 10**5000, True, 1.0, math.inf, "1", None], ids=kind)
def test_what_is_no_count_is_refused(value: Any) -> None:
    """Whole numbers that every reader of JSON takes for themselves."""
    for check in (checks.index, checks.positive):
        with pytest.raises(InvalidArgumentError, match="anchor"):
            check(value, "anchor")
    assert checks.index(2**53 - 1, "anchor") == 2**53 - 1


def test_text_is_what_utf_8_can_carry() -> None:
    """A lone surrogate would be found by whoever encodes it, perhaps a thread of ours."""
    assert checks.text("zoë ☃ 😀 \0", "body") == "zoë ☃ 😀 \0"
    with pytest.raises(InvalidArgumentError, match="body is not valid Unicode"):
        checks.text("a\ud800", "body")


def test_keys_are_uuids_or_short_text() -> None:
    """A UUID becomes its text; what a header cannot carry is refused."""
    key = uuid.uuid4()
    assert (checks.key(key, "k"), checks.key("order-4711", "k"), checks.key(None, "k")) == (str(key), "order-4711", None)
    for wrong in ("", " ", "a\nb", "é", "x" * 65, " x", "\0"):
        with pytest.raises(InvalidArgumentError, match="k must be 1 to 64"):
            checks.key(wrong, "k")


@pytest.mark.parametrize("wrong", ["5", b"5", [], True, math.nan, object()])
def test_a_time_limit_is_a_number(wrong: Any) -> None:
    """Anything else is refused before a call has begun."""
    with pytest.raises(InvalidArgumentError, match="timeout"):
        Deadline(wrong)


@pytest.mark.parametrize("seconds", [None, 1e300, math.inf, 10**400, 1e10, 1e9], ids=kind)
def test_a_time_limit_may_be_far_away(seconds: Any) -> None:
    """What is longer than the system's clocks can wait is no limit."""
    deadline = Deadline(seconds)
    done: SharedFuture[str] = SharedFuture()
    done.settle("x")
    assert wait(done, deadline, "x") == "x"
    assert not deadline.passed
    assert seconds == 1e9 or deadline.remaining() is None


@pytest.mark.parametrize("seconds", [0, -1, -math.inf, -1e300, -(10**400)], ids=kind)
def test_a_time_limit_may_be_over(seconds: Any) -> None:
    """What was reckoned from a moment that has passed is no mistake."""
    assert (Deadline(seconds).remaining(), Deadline(seconds).passed) == (0.0, True)
