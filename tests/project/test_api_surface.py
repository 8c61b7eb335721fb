"""The official SDK's public API, row by row: what became of each, and that a test shows it.

`tests/api_surface.toml` has one entry per row (its head explains the keys). A row is checked against the package as it is; a
row with behaviour must be named by a test, as ``@pytest.mark.row("CV31")``.
"""

from __future__ import annotations

import ast
import enum
import inspect
import itertools
import re
import runpy
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import pytest

import twilio_conversations

TESTS = Path(__file__).parents[1]
DOCS = TESTS.parent / "docs"
DIRECTIVE = re.compile(r"^```\{official-api\} (.+)$", re.MULTILINE)
"""Place of tables on a page of the docs."""


def tables(text: str) -> dict[str, int]:
    """Read names of tables with their numbers of rows."""
    return {name: int(count) for name, count in (one.split() for one in text.split(","))}


TABLES = tables(
    "CL 34, CO 34, CC 5, EM 18, CV 41, CI 31, ME 36, UM 8, MB 10, PA 27, US 15, MD 7, PG 8, RP 6, AD 7, DD 10, PN 22, CT 81, "
    "CM 3, MR 11, CP 8, ER 53, EN 23, EV 41, LG 10, IN 26"
)
"""Rows of each table of the official API: 575. The two below are ours: what we add, and mistakes that we do not repeat."""
OURS = tables("BY 42, JD 11")
WITHOUT_JS_NAME = {"ER", "IN", "LG", *OURS}
"""Tables whose rows have no name that a program writes: texts of errors, internals, and what is ours."""
_NO_CODE = (lambda: None).__code__


def _tuple(given: list[str] | None) -> tuple[str, ...] | None:
    return tuple(given) if given is not None else None


@attrs.frozen(kw_only=True)
class Row:
    """One entry of the file; its head explains the keys."""

    id: str
    js: str | None = None
    not_ported: str | None = None
    name: str | None = None
    signature: str | None = None
    parameter: str | None = None
    value: str | None = None
    values: tuple[str, ...] | None = attrs.field(default=None, converter=_tuple)
    behaviour: bool = False

    @property
    def needs_a_test(self) -> bool:
        """Whether existence says too little."""
        return self.not_ported is None and (self.behaviour or self.signature is not None)


def read_rows() -> list[Row]:
    """Return the entries of the file, in its order."""
    tables = tomllib.loads((TESTS / "api_surface.toml").read_text(encoding="utf-8"))
    return [Row(id=key, **facts) for key, facts in tables.items()]


ROWS = read_rows()


@cache
def rows_of_tests() -> dict[str, list[str]]:
    """Return which test files name which rows, in ``pytest.mark.row(...)`` of any form."""
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        if "node_modules" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.row":
                for argument in node.args:
                    found.setdefault(ast.literal_eval(argument), []).append(path.name)
    return found


def resolve(name: str) -> Any:
    """Return what a dotted name below the package means; on a class, its attribute as it was written there.

    An attribute that exists on instances only, since `__init__` sets it, is `None`.
    """
    thing: Any = twilio_conversations
    for part in name.split("."):
        if not inspect.isclass(thing):
            thing = getattr(thing, part)
            continue
        made = getattr(thing.__init__, "__code__", _NO_CODE).co_names
        thing = inspect.getattr_static(thing, part, None) if part in made else inspect.getattr_static(thing, part)
    return thing


def shape(thing: Any) -> str:
    """Return a signature without the types of parameters: ``(a, b=None, *, c) -> Result``."""
    function = thing.__func__ if isinstance(thing, staticmethod | classmethod) else thing
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    if not inspect.isclass(function) and not isinstance(thing, staticmethod):
        parameters = parameters[1:]
    bare = inspect.Signature([one.replace(annotation=one.empty) for one in parameters])
    text = re.sub(r"<(\w+\.\w+): [^>]*>", r"\1", str(bare))
    result = signature.return_annotation
    return text if inspect.isclass(function) or result is signature.empty else f"{text} -> {result}"


def check(row: Row) -> None:
    """Compare one row with the package."""
    assert row.name is not None
    thing = resolve(row.name)
    if row.signature is not None:
        assert shape(thing) == row.signature
    if row.parameter is not None:
        assert row.parameter in inspect.signature(thing).parameters
    if row.value is not None:
        assert getattr(thing, "official_name", thing) == row.value  # a constant of an event has the official name beside its own
    if row.values is not None:
        assert issubclass(thing, enum.Enum)
        assert tuple(sorted(member.value for member in thing)) == tuple(sorted(row.values))


def named(rows: list[Row]) -> list[object]:
    """Return rows as test parameters named by their ids."""
    return [pytest.param(row, id=row.id) for row in rows]


def test_every_row_of_the_official_api_is_there() -> None:
    """One entry for each row of each table, in order, each either decided against, with the reason, or named."""
    counts = (TABLES | OURS).items()
    expected = [f"{table}{number:02}" for table, count in counts for number in range(1, count + 1)]
    assert [row.id for row in ROWS] == expected
    assert sum(TABLES.values()) == 575
    for row in ROWS:
        assert (row.not_ported is None) != (row.name is None), row.id
        assert (row.js is None) == (row.id[:2] in WITHOUT_JS_NAME), row.id
        assert row.not_ported is None or row == Row(id=row.id, js=row.js, not_ported=row.not_ported), (
            f"{row.id}: not ported, yet more is said"
        )


@pytest.mark.parametrize("row", named([row for row in ROWS if row.name is not None]))
def test_a_row_is_as_decided(row: Row) -> None:
    """The name exists, and its signature, parameter, value or members are those of the file."""
    check(row)


@pytest.mark.parametrize("row", named([row for row in ROWS if row.needs_a_test]))
def test_a_row_with_behaviour_has_a_test(row: Row) -> None:
    """Somewhere a test is marked with it."""
    assert row.id in rows_of_tests(), f"no test is marked with {row.id}"


def test_tests_name_only_rows_that_are_ported() -> None:
    """A marker with a slip of the pen, or for something that does not exist, is an error."""
    ported = {row.id for row in ROWS if row.not_ported is None}
    assert set(rows_of_tests()) - ported == set()


def shown_tables() -> list[str]:
    """Return the names of the tables that "Coming from JavaScript" shows."""
    page = (DOCS / "coming-from-javascript.md").read_text(encoding="utf-8")
    return [name for names in DIRECTIVE.findall(page) for name in names.split()]


def test_coming_from_javascript_shows_every_table_with_official_names() -> None:
    """Each table whose rows have names is on the page, once."""
    assert sorted(shown_tables()) == sorted(set(TABLES) - WITHOUT_JS_NAME)


def test_coming_from_javascript_shows_every_official_name() -> None:
    """Each name is in what the docs make of its table, beside its counterpart or the reason why there is none."""
    pytest.importorskip("sphinx", reason="needs the extra `docs`")
    made = runpy.run_path(str(DOCS / "_ext" / "official_api.py"))
    lines = made["render_markdown"](shown_tables()).splitlines()
    cells = {(js, here) for js, here in (re.split(r"(?<!\\) \| ", line.strip("| "), maxsplit=1) for line in lines)}
    for row in ROWS:
        if row.js is not None:
            name, other = (text.replace("|", "\\|") for text in (row.js, row.not_ported or row.name or ""))
            assert [here for js, here in cells if js == f"`{name}`" and other in here], row.id


def test_the_checks_can_fail() -> None:
    """A wrong signature, a wrong value, a missing member and a missing name are each found."""
    good: dict[str, Any] = {"name": "Client.shutdown", "signature": "() -> None"}
    check(Row(id="X", **good))
    wrong: list[dict[str, Any]] = [
        good | {"signature": "(now) -> None"},
        {"name": "Client", "parameter": "colour"},
        {"name": "ClientEvent.INITIALIZED", "value": "ready"},
        {"name": "State", "values": ["initialized"]},
        {"name": "Client.fly"},
    ]
    for facts, kind in zip(wrong, itertools.chain([AssertionError] * 4, [AttributeError]), strict=True):
        with pytest.raises(kind):
            check(Row(id="X", **facts))
