"""Kinds of commands, and the treatment of one that was sent and whose result is unknown.

An attempt leaves a command *in doubt* when it was written and then cut, or answered by 502 to 504: it may have been carried out.
Whether the service recognises a repeated mutation id is not documented, so each kind has another way to be carried out once.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol

import attrs

from twilio_conversations.util.flows import Future
from twilio_conversations.wire.packets import Reply

LOOK_AFTER: Final = 2.0
"""Seconds between an attempt that left a command in doubt and the look for its effect: the service may still be at work."""

DOUBTFUL: Final = frozenset({502, 503, 504})
"""Statuses of an answer after which a command may have been carried out."""


class CommandKind(enum.Enum):
    """Kind of a command."""

    MESSAGE = enum.auto()
    ADD = enum.auto()
    JOIN = enum.auto()
    CREATE = enum.auto()
    CREATE_NAMED = enum.auto()
    UPDATE = enum.auto()
    REMOVE = enum.auto()
    LEAVE = enum.auto()
    DELETE = enum.auto()


@attrs.frozen
class Treatment:
    """Treatment of a command in doubt. It is repeated, under the same mutation id.

    Attributes:
        looked_for: before each repetition its effect is looked for.
        done_by: refusals (HTTP statuses and Twilio's codes) of a repetition that show that an earlier attempt was carried out.
    """

    looked_for: bool = False
    done_by: frozenset[int] = frozenset()


_GONE = Treatment(done_by=frozenset({404}))
_IS_PARTICIPANT = Treatment(done_by=frozenset({50433, 50416}))  # an identity, or a pair of addresses

TREATMENTS: Final[Mapping[CommandKind, Treatment]] = MappingProxyType(
    {
        CommandKind.MESSAGE: Treatment(looked_for=True, done_by=frozenset({50508})),  # its media were sent with another message
        CommandKind.ADD: _IS_PARTICIPANT,
        CommandKind.JOIN: _IS_PARTICIPANT,
        CommandKind.CREATE: Treatment(),  # a second empty conversation harms least
        CommandKind.CREATE_NAMED: Treatment(done_by=frozenset({50353})),
        CommandKind.UPDATE: Treatment(),
        CommandKind.REMOVE: _GONE,
        CommandKind.LEAVE: _GONE,
        CommandKind.DELETE: _GONE,
    }
)
"""Treatment of each kind in doubt."""


class Look(Protocol):
    """A command's own knowledge of its doubt; both methods are called on the io thread."""

    in_doubt: bool
    """Whether an earlier call has left the command in doubt."""

    def doubt(self) -> None:
        """Note that an attempt has left the command in doubt."""

    def look(self) -> Future[Reply | None]:
        """Look for the effect of the command; the future's result stands for the answer, `None` if there is no effect."""
