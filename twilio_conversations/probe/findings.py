"""A check and the finding of one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import attrs

from twilio_conversations.probe.outcomes import Meaning, Seen
from twilio_conversations.probe.stage import Stage
from twilio_conversations.util.futures import Deadline

Only = Literal["patient", "limits"]
"""Options that a check needs: they cost time, or are a burden for the service."""


@attrs.frozen(kw_only=True)
class Check:
    """One open question.

    Attributes:
        name: unique, for programs.
        question: in words.
        look: finds the answer within the deadline; raises `Unsettled` or any error of this package if it cannot.
        outcomes: meaning of each outcome.
        limit: time limit in seconds.
        waits: `Pace` field whose duration is added to the limit; such a check runs beside the others.
        only: option that the check needs.
    """

    name: str
    question: str
    look: Callable[[Stage, Deadline], Seen]
    outcomes: Mapping[str, Meaning]
    limit: float = 60.0
    waits: str | None = None
    only: Only | None = None


@attrs.frozen(kw_only=True)
class Finding:
    """Result of a check; `outcome` is `None` where it was not settled."""

    name: str
    question: str
    outcome: str | None
    seen: str
    meaning: str
    client_is_right: bool | None
    seconds: float

    @classmethod
    def of(cls, check: Check, seen: Seen, seconds: float) -> Finding:
        """Return the finding of a check that was settled."""
        meaning = check.outcomes[seen.outcome]
        right = meaning.right if seen.right is None else seen.right
        return cls(
            name=check.name,
            question=check.question,
            outcome=seen.outcome,
            seen=seen.text,
            meaning=meaning.text,
            client_is_right=right,
            seconds=seconds,
        )

    @classmethod
    def unsettled(cls, check: Check, why: str, seconds: float = 0.0) -> Finding:
        """Return the finding of a check that was not settled."""
        return cls(
            name=check.name,
            question=check.question,
            outcome=None,
            seen=f"not settled: {why}",
            meaning="",
            client_is_right=None,
            seconds=seconds,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fields."""
        return attrs.asdict(self) | {"seconds": round(self.seconds, 1)}
