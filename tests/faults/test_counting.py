"""Counts of lost, missed and doubled messages and their table; integrity of a database; the log watch; orders from a seed."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.faults.counting import Counts, Send, count_faults
from tests.faults.database import integrity
from tests.faults.laboratory import Figures
from tests.faults.logs import LogWatch
from tests.faults.report import table_of
from tests.faults.service_faults import CONFIGURE, CONTRARY_KINDS, KILL, SERVICES, WITHOUT, draw
from tests.support.contrary import AT_START, CONTRARY, defaults
from twilio_conversations.server.storage.database import DATABASE_FILE

KEPT = {"CH1": [(0, "a 0"), (1, "b 0"), (2, "a 1")]}
SENDS = {"a": [Send("CH1", "a 0"), Send("CH1", "a 1")], "b": [Send("CH1", "b 0")]}


def faults_in(counts: Counts) -> dict[str, int]:
    """Return the counts of faults that are not zero."""
    every = attrs.asdict(counts, filter=lambda field, _: field.name not in ("messages", "details"))
    return {name: count for name, count in every.items() if count}


def test_a_clean_run_is_clean() -> None:
    """Everything kept once and seen once, in order."""
    counts = count_faults(KEPT, SENDS, {"a": KEPT, "b": KEPT})
    assert (counts.messages, counts.clean, faults_in(counts), counts.details) == (3, True, {}, [])


@pytest.mark.parametrize(
    ("kept", "sends", "seen", "complaint"),
    [
        (KEPT, {"a": [Send("CH1", "a 2")]}, KEPT, {"lost": 1}),
        (KEPT, SENDS, {}, {"missed": 3}),
        (KEPT, SENDS, {"CH1": KEPT["CH1"][:2]}, {"missed": 1}),
        ({"CH1": [(0, "a 0"), (2, "a 1")]}, {}, {"CH1": [(0, "a 0"), (2, "a 1")]}, {"lost": 1}),
        ({"CH1": [(0, "a 0"), (1, "a 0")]}, {}, {"CH1": [(0, "a 0"), (1, "a 0")]}, {"doubled": 1}),
        (KEPT, SENDS, {"CH1": [*KEPT["CH1"], (2, "a 1")]}, {"doubled": 1}),
        (KEPT, SENDS, {"CH1": [(0, "a 0"), (2, "a 1"), (1, "b 0")]}, {"out_of_order": 1}),
        (KEPT, {"a": SENDS["a"][::-1]}, KEPT, {"out_of_order": 1}),
        (KEPT, SENDS, {"CH1": [(0, "a 0"), (1, "other"), (2, "a 1")]}, {"invented": 1}),
        (KEPT, SENDS, {**KEPT, "CH2": [(0, "ghost")]}, {"invented": 1}),
        (KEPT, {"a": [Send("CH1", "a 7", "TimeoutError")]}, KEPT, {"raised": 1}),
        (KEPT, {"a": [Send("CH1", "a 0", "TimeoutError")]}, KEPT, {"raised": 1, "unknown": 1}),
    ],
)
def test_each_fault_is_counted_as_what_it_is(
    kept: dict[str, Any], sends: dict[str, Any], seen: dict[str, Any], complaint: dict[str, int]
) -> None:
    """One deviation gives one count, in its own column, and words that say where."""
    counts = count_faults(kept, sends, {"a": seen})
    assert faults_in(counts) == complaint
    assert not counts.clean
    assert counts.details


def test_a_damaged_database_is_found(tmp_path: Path) -> None:
    """A sound file is ok, also with changes that are only in its log; one with bytes overwritten is not."""
    file = tmp_path / DATABASE_FILE
    database = sqlite3.connect(file)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE things (name TEXT PRIMARY KEY)")
    database.executemany("INSERT INTO things VALUES (?)", [(f"{number:0500d}",) for number in range(200)])
    database.commit()
    assert integrity(tmp_path) == "ok"
    database.close()
    with file.open("r+b") as raw:
        raw.seek(4096 * 5)
        raw.write(b"\xff" * 4096)
    assert integrity(tmp_path) != "ok"


def test_the_log_watch_collects_errors_and_tracebacks_only() -> None:
    """A warning without a traceback is not collected."""
    log = logging.getLogger("twilio_conversations.anything")
    with LogWatch() as watch:
        log.warning("in words")
        log.error("an error")
        log.warning("with its cause", exc_info=ValueError("the cause"))
    log.error("afterwards")
    assert [complaint.splitlines()[0] for complaint in watch.complaints] == ["an error", "with its cause"]
    assert "the cause" in watch.complaints[1]


def test_the_same_seed_orders_the_same_faults() -> None:
    """By number; all kinds come up, kills and expired tokens only where they are wanted."""
    people = ["alice", "bob"]
    everything = [draw(5, number, people, tokens=True, kills=True) for number in range(300)]
    assert everything == [draw(5, number, people, tokens=True, kills=True) for number in range(300)]
    assert len({order.kind for _, order in everything}) == 9
    assert sum(order.kind == KILL for _, order in everything) == 30
    gentle = {draw(5, number, people, tokens=False, kills=False)[1].kind for number in range(300)}
    assert gentle == {order.kind for _, order in everything} - {KILL, "expire_tokens"}


def test_contrary_settings_are_drawn_from_the_seed() -> None:
    """All of them come up, at the start and in orders; a service with its default settings has other orders, and no settings."""
    drawn = SERVICES["drawn"]
    orders = [draw(5, number, ["alice"], tokens=True, kills=False, service=drawn)[1] for number in range(2000)]
    usual = drawn.settings(5, 0) | defaults(CONTRARY)
    changed = {name for order in orders if order.kind == CONFIGURE for name in usual if order.fields[name] != usual[name]}
    at_start = {name for number in range(100) for name in usual if drawn.settings(number, 0)[name] != usual[name]}
    assert {order.kind for order in orders} >= set(CONTRARY_KINDS)
    assert changed == CONTRARY.keys() - WITHOUT - AT_START
    assert at_start == CONTRARY.keys() - WITHOUT
    assert orders == [draw(5, number, ["alice"], tokens=True, kills=False, service=drawn)[1] for number in range(2000)]

    default = SERVICES["default"]
    assert default.settings(5, 0) == defaults(CONTRARY)
    assert not {draw(5, number, ["alice"], tokens=True, kills=False, service=default)[1].kind for number in range(300)} & {
        *CONTRARY_KINDS
    }


def test_a_service_that_ignores_mutation_ids_never_honours_them() -> None:
    """Whatever else is drawn."""
    service = SERVICES["ids-ignored"]
    every = [draw(5, number, ["alice"], tokens=True, kills=True, service=service)[1] for number in range(1000)]
    settings = [service.settings(5, 0), *(order.fields for order in every if order.kind == CONFIGURE)]
    assert {one["honour_mutation_ids"] for one in settings} == {False}
    assert len({str(one) for one in settings}) > 10


def test_the_table_has_a_column_for_each_client_and_service() -> None:
    """With what was lost, doubled, and failed though kept."""
    counts = Counts(messages=1234, doubled=2, raised=4, unknown=3)
    runs = [Figures(client, "ids-ignored", 1, 60.0, counts, 5, {}, 6, 1.5, [], 0) for client in ("ours", "official")]
    table = table_of(runs)
    titles, ours, official = ([column.header, *column.cells] for column in table.columns)
    assert (ours[0], official[0]) == tuple(f"{one}, service that ignores mutation ids" for one in ("ours", "official"))
    found = dict(zip(titles, ours, strict=True))
    assert [found[name] for name in ("messages", "lost", "doubled", "raised", "of them kept")] == ["1,234", "0", "2", "4", "3"]
