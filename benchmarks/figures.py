"""Figures of a run: rows with the figures of all rounds, aims, and tables."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import attrs


@attrs.frozen
class Aim:
    """What we want of a row: our median compared with another client's (times `factor`), or with a plain `limit`."""

    sense: Literal["at least", "at most"]
    factor: float
    other: str | None = None

    def judge(self, medians: Mapping[str, float], labels: Mapping[str, str]) -> tuple[str, bool | None]:
        """The aim in words with what was reached; met, missed, or None where the other client has no figure."""
        ours = medians.get("ours")
        if self.other is None:
            words, value = f"{self.sense} {self.factor:g}", ours
        else:
            other = medians.get(self.other)
            words = f"{self.sense} {self.factor:g} x {labels[self.other]}"
            value = ours / other if ours is not None and other else None
        if value is None:
            return f"{words}: not measured", None
        met = value >= self.factor if self.sense == "at least" else value <= self.factor
        return f"{words}: {value:.3g}", met


MOST = {"constant": 0.35, "linear": 1.2}
"""Largest exponents of what is called constant and linear: a figure grows with size ** exponent."""


@attrs.frozen
class Growth:
    """What we want of a row whose columns are sizes: that its figure grows no faster than `most`."""

    most: Literal["constant", "linear"]
    sizes: Sequence[int]

    def judge(self, medians: Mapping[str, float], labels: Mapping[str, str]) -> tuple[str, bool | None]:
        """What the figure does from the last size but one to the last, whose fixed part is smallest; whether that is wanted."""
        known = [(size, medians[label]) for size, label in zip(self.sizes, labels, strict=False) if label in medians]
        if len(known) < 2:
            return "not measured", None
        (small, before), (large, after) = known[-2:]
        exponent = math.log(max(after, 1e-9) / max(before, 1e-9)) / math.log(large / small)
        kind = next((kind for kind, most in MOST.items() if exponent <= most), "more than linear")
        words = f"{kind}: x {after / max(before, 1e-9):.3g} for {large / small:g} times as much"
        return words, exponent <= MOST[self.most]


@attrs.define
class Row:
    """One thing that is measured: for each column the figures of all rounds, or what a client needs to take part."""

    name: str
    unit: str
    aims: Sequence[Aim | Growth] = ()
    rounds: dict[str, list[float]] = attrs.field(factory=dict)
    failures: dict[str, str] = attrs.field(factory=dict)
    needs: dict[str, str] = attrs.field(factory=dict)

    def add(self, column: str, value: float) -> None:
        """One round's figure."""
        self.rounds.setdefault(column, []).append(value)

    @property
    def medians(self) -> dict[str, float]:
        """The median of each column's rounds."""
        return {column: statistics.median(values) for column, values in self.rounds.items()}

    def cell(self, column: str) -> str:
        """One column's median with the least and the largest as text, or why there is none."""
        if column in self.needs:
            return f"needs `{self.needs[column]}`"
        if column in self.failures:
            return "failed"
        if column not in self.rounds:
            return ""
        values = [shown(value) for value in (min(self.rounds[column]), max(self.rounds[column]))]
        spread = "" if values[0] == values[1] else f" ({values[0]} to {values[1]})"
        return shown(self.medians[column]) + spread

    def verdicts(self, labels: Mapping[str, str]) -> list[str]:
        """Every aim with what was reached."""
        marks = {True: "met", False: "MISSED", None: "open"}
        return [f"{words} ({marks[met]})" for words, met in (aim.judge(self.medians, labels) for aim in self.aims)]

    def less(self, name: str, other: str, *aims: Aim) -> Row:
        """The row of what each column has more than `other`, round by round."""
        row = Row(name, self.unit, aims, failures=dict(self.failures), needs=dict(self.needs))
        row.rounds = {
            column: [value - floor for value, floor in zip(values, self.rounds.get(other, ()), strict=False)]
            for column, values in self.rounds.items()
            if column != other and other in self.rounds
        }
        return row

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        aims = [{"kind": type(aim).__name__, **attrs.asdict(aim)} for aim in self.aims]
        facts = {"name": self.name, "unit": self.unit, "aims": aims, "medians": self.medians, "rounds": self.rounds}
        return facts | {"failures": self.failures, "needs": self.needs}

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Row:
        """The row that `to_dict` wrote."""
        kinds: Mapping[str, type[Aim | Growth]] = {"Aim": Aim, "Growth": Growth}
        aims = [kinds[aim["kind"]](**{name: aim[name] for name in aim if name != "kind"}) for aim in facts["aims"]]
        return cls(facts["name"], facts["unit"], aims, facts["rounds"], facts["failures"], facts["needs"])


@attrs.frozen
class Table:
    """Rows with the same columns: `columns` are their labels by key, `last` heads the column of verdicts."""

    name: str
    title: str
    columns: Mapping[str, str]
    last: str = ""
    rows: list[Row] = attrs.field(factory=list)

    @property
    def used(self) -> dict[str, str]:
        """The columns in which some row has something to show."""
        return {key: label for key, label in self.columns.items() if any(row.cell(key) for row in self.rows)}

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        facts = {"name": self.name, "title": self.title, "columns": dict(self.columns), "last": self.last}
        return facts | {"rows": [row.to_dict() for row in self.rows]}

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Table:
        """The table that `to_dict` wrote."""
        rows = [Row.from_dict(row) for row in facts["rows"]]
        return cls(facts["name"], facts["title"], facts["columns"], facts["last"], rows)


def shown(value: float) -> str:
    """A figure with as many digits as mean something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
