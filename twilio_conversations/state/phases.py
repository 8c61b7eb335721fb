"""One conversation of this client as a table: in which phase, on what input, what is done and where it leads.

`TRANSITIONS` is the whole truth: `state.tracker` looks every input up here and does what it finds, and the page in the docs is
rendered from it. An input that a phase has no row for changes nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs


class Following(enum.IntEnum):
    """Extent to which a conversation is followed."""

    NOTHING = 0
    """It is not there yet, or not any more."""
    DOCUMENT = 1
    """Its document is followed."""
    EVERYTHING = 2
    """The current user participates: messages and participants are followed too."""


class Phase(enum.StrEnum):
    """Phase of a conversation."""

    NEW = "new"
    APPEARING = "appearing"
    ENTERING = "entering"
    KNOWN = "known"
    JOINING = "joining"
    STAYING = "staying"
    JOINED = "joined"
    GONE = "gone"


@attrs.frozen
class Standing:
    """Meaning of a phase: what was announced, what is wanted, and whether an attempt to get there is under way."""

    announced: Following
    wanted: Following
    is_opening: bool = False


_F = Following

STANDINGS: Final[Mapping[Phase, Standing]] = MappingProxyType(
    {
        Phase.NEW: Standing(_F.NOTHING, _F.NOTHING),
        Phase.APPEARING: Standing(_F.NOTHING, _F.DOCUMENT, is_opening=True),
        Phase.ENTERING: Standing(_F.NOTHING, _F.EVERYTHING, is_opening=True),
        Phase.KNOWN: Standing(_F.DOCUMENT, _F.DOCUMENT),
        Phase.JOINING: Standing(_F.DOCUMENT, _F.EVERYTHING, is_opening=True),
        Phase.STAYING: Standing(_F.DOCUMENT, _F.DOCUMENT, is_opening=True),
        Phase.JOINED: Standing(_F.EVERYTHING, _F.EVERYTHING),
        Phase.GONE: Standing(_F.NOTHING, _F.NOTHING),
    }
)


class Input(enum.Enum):
    """Input of the table. The value is its wording in the docs."""

    SEEN = "it is listed, looked up or in the user's map, without the user in it"
    JOINED = "the user's map, the listing or the answer to a command has the user in it"
    OPENED = "everything that the phase needs is open and read"
    OUTDATED = "the attempt is over, and another one was wanted meanwhile"
    REMOVED = "it left the user's map, its document was removed, or opening it was refused for good (403, 404)"


class Action(enum.Enum):
    """Action of the table. The value is its wording in the docs."""

    OPEN = "open and read what the phase needs; again after a back-off while that fails for a time"
    AWAIT = "have callers wait for this attempt"
    SHOW = "show the document and the user's own part in it"
    ADDED = "raise `conversation_added`"
    JOINED = "raise `conversation_joined`, then `message_added` for each message written since the user joined"
    LEFT = "raise `conversation_left`"
    REMOVED = "raise `conversation_removed`"
    CLOSE_JOINED = "close messages and participants"
    CLOSE = "close everything, drop the changes that waited; callers that wait fail"
    RELEASE = "apply the changes that waited; callers that wait return"


@attrs.frozen
class Transition:
    """One row: where it leads and what is done there, in order."""

    phase: Phase
    actions: tuple[Action, ...] = ()


def _row(phase: Phase, *actions: Action) -> Transition:
    return Transition(phase, actions)


_A, _I, _P = Action, Input, Phase

_BY_PHASE: dict[Phase, dict[Input, Transition]] = {
    _P.NEW: {
        _I.SEEN: _row(_P.APPEARING, _A.OPEN),
        _I.JOINED: _row(_P.ENTERING, _A.OPEN),
        _I.REMOVED: _row(_P.GONE, _A.CLOSE),
    },
    _P.APPEARING: {
        _I.JOINED: _row(_P.ENTERING),
        _I.OPENED: _row(_P.KNOWN, _A.SHOW, _A.ADDED, _A.CLOSE_JOINED, _A.RELEASE),
        _I.OUTDATED: _row(_P.APPEARING, _A.OPEN),
        _I.REMOVED: _row(_P.GONE, _A.CLOSE),
    },
    _P.ENTERING: {
        _I.SEEN: _row(_P.APPEARING),
        _I.OPENED: _row(_P.JOINED, _A.SHOW, _A.ADDED, _A.JOINED, _A.RELEASE),
        _I.OUTDATED: _row(_P.ENTERING, _A.OPEN),
        _I.REMOVED: _row(_P.GONE, _A.CLOSE),
    },
    _P.KNOWN: {
        _I.JOINED: _row(_P.JOINING, _A.AWAIT, _A.OPEN),
        _I.REMOVED: _row(_P.GONE, _A.CLOSE, _A.REMOVED),
    },
    _P.JOINING: {
        _I.SEEN: _row(_P.STAYING),
        _I.OPENED: _row(_P.JOINED, _A.SHOW, _A.JOINED, _A.RELEASE),
        _I.OUTDATED: _row(_P.JOINING, _A.OPEN),
        _I.REMOVED: _row(_P.GONE, _A.CLOSE, _A.REMOVED),
    },
    _P.STAYING: {
        _I.JOINED: _row(_P.JOINING),
        _I.OUTDATED: _row(_P.KNOWN, _A.CLOSE_JOINED, _A.RELEASE),
        _I.REMOVED: _row(_P.GONE, _A.CLOSE, _A.REMOVED),
    },
    _P.JOINED: {
        _I.SEEN: _row(_P.KNOWN, _A.AWAIT, _A.SHOW, _A.CLOSE_JOINED, _A.LEFT, _A.RELEASE),
        _I.REMOVED: _row(_P.GONE, _A.CLOSE, _A.LEFT, _A.REMOVED),
    },
    _P.GONE: {},
}

TRANSITIONS: Final[Mapping[tuple[Phase, Input], Transition]] = MappingProxyType(
    {(phase, event): row for phase, rows in _BY_PHASE.items() for event, row in rows.items()}
)
"""(phase, input) -> where it leads and what is done."""


def render_markdown() -> str:
    """Return the table as Markdown, for the docs."""
    lines = ["| Phase | Input | Leads to | What is done |", "| --- | --- | --- | --- |"]
    for (phase, event), row in TRANSITIONS.items():
        actions = "; ".join(action.value for action in row.actions) or "nothing: the attempt under way ends first"
        lines.append(f"| {phase} | {event.value} | {row.phase} | {actions} |")
    return "\n".join(lines) + "\n"
