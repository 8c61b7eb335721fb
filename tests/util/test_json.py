"""Attributes, times and indexes: strict where the program gives them, lenient where the service does."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pytest

from twilio_conversations.errors import InvalidArgumentError
from twilio_conversations.util.json import Attributes, dumps, parse_index, parse_time


@pytest.mark.parametrize("value", [math.nan, math.inf, {1: "a"}, {"a": {2: 3}}, object(), {"a": {1, 2}}, "\ud800"])
def test_attributes_must_be_strict_json(value: Any) -> None:
    """What JSON cannot say, or would say differently, is refused before anything is sent."""
    with pytest.raises(InvalidArgumentError):
        dumps(value)


def test_attributes_that_refer_to_themselves_are_refused() -> None:
    """A cycle is an error, not a hang."""
    loop: dict[str, Any] = {}
    loop["self"] = loop
    with pytest.raises(InvalidArgumentError):
        dumps(loop)


@pytest.mark.parametrize(
    ("raw", "value"), [(None, {}), ("", {}), ("{}", {}), ('{"a":1}', {"a": 1}), ("[1", {}), ({"a": 1}, {"a": 1}), ("5", 5)]
)
def test_attributes_from_the_service_are_read_leniently(raw: Any, value: Any) -> None:
    """JSON text, data and nonsense all read as something."""
    assert Attributes(raw).value() == value


def test_attributes_are_equal_by_meaning() -> None:
    """Spelling does not matter, kinds of values do."""
    assert Attributes('{"a":1,"b":2}') == Attributes('{"b": 2, "a": 1}') == Attributes({"a": 1, "b": 2})
    assert Attributes('{"a":1}') != Attributes('{"a":true}')


def test_attributes_are_handed_out_as_copies() -> None:
    """Changing what was handed out changes nothing here."""
    attributes = Attributes({"list": [1]})
    attributes.value()["list"].append(2)

    assert attributes.value() == {"list": [1]}


@pytest.mark.parametrize("value", ["", "yesterday", "2024-13-01T00:00:00Z", True, 10**30, [], None, math.nan])
def test_a_malformed_time_is_none(value: Any) -> None:
    """Nonsense in the service's data never raises."""
    assert parse_time(value) is None


def test_times_are_aware() -> None:
    """ISO text and epoch milliseconds are UTC."""
    moment = dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC)

    assert parse_time("2024-01-02T03:04:05.000Z") == moment
    assert parse_time("2024-01-02T05:04:05+02:00") == moment
    assert parse_time("2024-01-02T03:04:05") == moment
    assert parse_time(moment.timestamp() * 1000) == moment


@pytest.mark.parametrize(("value", "index"), [(0, 0), ("7", 7), (-1, -1), ("x", None), (True, None), ("²", None), (1.5, None)])
def test_an_index_is_a_number_or_its_text(value: Any, index: int | None) -> None:
    """Anything else is no index."""
    assert parse_index(value) == index
