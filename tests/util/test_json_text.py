"""Reading JSON of the service: everything that is JSON gives a value, whose depth and numbers have bounds."""

from __future__ import annotations

import copy
import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_conversations.util.json import Attributes, parse_index, parse_time, whole_number
from twilio_conversations.util.json_text import LEVELS, loads

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values, st.sampled_from([None, 2]))
def test_what_is_ordinary_is_read_as_it_is(value: Any, indent: int | None) -> None:
    """However it is spelled."""
    assert loads(json.dumps(value, indent=indent)) == value


@given(st.text() | st.text('[]{}",:\\ 0-1e.tn', max_size=300))
def test_there_is_one_kind_of_error(text: str) -> None:
    """What Python's reader refuses is refused, and nothing else."""
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError):
            loads(text)
    else:
        assert repr(loads(text)) == repr(expected)


@pytest.mark.parametrize("levels", [LEVELS - 1, LEVELS, LEVELS + 1, 500, 990, 2_000, 5_000])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a":', "}"), ('[{"]}":"[{",\n"a":', "}]"), ('{"\\"":[1,', "]}")])
def test_depth_ends_where_everybody_can_follow(begin: str, end: str, levels: int) -> None:
    """What lies deeper is null; brackets in strings do not count; what is beside it stays."""
    text = f'{{"deep":{begin * levels}1{end * levels},"beside":[true]}}'
    value = loads(text)
    assert value["beside"] == [True]
    copy.deepcopy(value)
    assert json.loads(json.dumps(value)) == value
    assert depth_of(value) == min(LEVELS, 1 + levels * len(OPENING.findall(re.sub(r'"[^"]*"', "", begin.replace('\\"', "")))))


OPENING = re.compile(r"[\[{]")


def depth_of(value: Any) -> int:
    """Return how many containers lie within one another."""
    depth, level = 0, [value]
    while level := [member for member in level if isinstance(member, dict | list)]:
        depth += 1
        level = [member for container in level for member in _members(container)]
    return depth


def _members(container: Any) -> Any:
    return container.values() if isinstance(container, dict) else container


@pytest.mark.parametrize(
    "text",
    [
        "[" * 5_000,
        '{"a":' * 5_000,
        "[" * 300 + '"' * 301,
        '["\\"' * 300,
        "]" * 300 + "[" * 300,
        "[" * 300 + "]" * 299,
        "[" * 200_000 + "]" * 200_000,
    ],
    ids=lambda text: text[:5],
)
def test_what_has_no_end_is_no_json(text: str) -> None:
    """And is found out in one pass."""
    with pytest.raises(ValueError):
        loads(text)


def test_numbers_of_thousands_of_digits_are_infinite() -> None:
    """As in JavaScript; what stands beside them stays."""
    digits = "9" * 5_000
    assert loads(f'[{digits},-{digits},1,"{digits}",1e999]') == [math.inf, -math.inf, 1, digits, math.inf]


@given(st.integers() | st.floats() | st.text() | st.booleans() | st.none() | st.just(10**400) | st.just(-(10**4000)))
def test_numbers_of_the_service_are_of_64_bits(value: Any) -> None:
    """Everything that is reckoned with later fits; nothing raises."""
    for number in (whole_number(value), parse_index(value)):
        assert number is None or -(2**63) <= number < 2**63
    parse_time(value)


def test_attributes_that_nobody_can_compare_are_compared() -> None:
    """Depth that Python still reads, and cannot walk through, ends no thread."""
    for levels in (300, 900, 20_000):
        text = "[" * levels + "]" * levels
        one, other = Attributes(text), Attributes(loads(f"{text} "))
        assert one == other
        assert one == Attributes(text.replace("]", " ]"))
        json.dumps(one.value())
