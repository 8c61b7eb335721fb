"""The client's connection as a table: in which phase, on what event, what is done and where it leads.

`TRANSITIONS` is the whole truth: `wire.session` looks every event up here and does what it finds, and the page in the docs is
rendered from it. An event that a phase has no row for changes nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

from twilio_conversations.enums import ConnectionState


class Phase(enum.StrEnum):
    """State of the connection."""

    IDLE = "idle"
    AUTHORISING = "authorising"
    CONNECTING = "connecting"
    INITIALISING = "initialising"
    CONNECTED = "connected"
    UPDATING = "updating"
    LEAVING = "leaving"
    WAITING = "waiting"
    DENIED = "denied"
    FAILED = "failed"
    CLOSED = "closed"


PUBLIC_STATES: Final[Mapping[Phase, ConnectionState]] = MappingProxyType(
    {
        Phase.IDLE: ConnectionState.UNKNOWN,
        Phase.AUTHORISING: ConnectionState.CONNECTING,
        Phase.CONNECTING: ConnectionState.CONNECTING,
        Phase.INITIALISING: ConnectionState.CONNECTING,
        Phase.CONNECTED: ConnectionState.CONNECTED,
        Phase.UPDATING: ConnectionState.CONNECTED,
        Phase.LEAVING: ConnectionState.RETRYING,
        Phase.WAITING: ConnectionState.RETRYING,
        Phase.DENIED: ConnectionState.DENIED,
        Phase.FAILED: ConnectionState.DISCONNECTED,
        Phase.CLOSED: ConnectionState.DISCONNECTED,
    }
)
"""Public connection state of each phase."""


class Input(enum.Enum):
    """Input of the table. The value is its wording in the docs."""

    CONNECT = "the client starts"
    CONNECT_TOKENLESS = "the client starts, the provider has not given a token yet"
    TOKEN = "a token comes"
    TOKEN_REFUSED = "the provider reports that there will be no token"
    SOCKET_OPEN = "the socket is open"
    SOCKET_DOWN = "the socket failed or was lost"
    GARBAGE = "several frames were not the protocol"
    TIMEOUT = "the time of this phase is over"
    TIMEOUT_TOKENLESS = "the time of this phase is over and the token has expired meanwhile"
    WAKE = "the computer woke up"
    ACCEPTED = "answer 2xx"
    DENIED = "answer or close: token refused (401, 403, 410, 308 with 51232), and nobody can give another"
    DENIED_RENEWABLE = "answer or close: token refused, and a provider can give another"
    DENIED_FALLBACK = "answer or close: token refused, and the one accepted before it is still good"
    DENIED_OUTDATED = "answer or close: token refused, and a newer one is at hand"
    ENDED_OUTDATED = "close: token refused, and it may be the former one: the newer one is not answered yet"
    REFUSED = "any other answer (429, 500...)"
    OFFLOADED = "close 308 or any other code"
    UNSUPPORTED = "close 406 or 417"
    DRAINED = "no answer is under way"
    CLOSE = "the program closes the client"


class Action(enum.Enum):
    """Action of the table. The value is its wording in the docs."""

    ASK_TOKEN = "ask the provider for a token"
    OPEN = "open a socket"
    SEND_INIT = "send `init` with the latest token"
    SEND_UPDATE = "send `update` with the latest token"
    FAREWELL = "send `close` if a socket is open"
    LINGER = "read answers for up to 2 s more, and nothing else; requests are queued"
    DROP = "close the socket if there is one; what was in flight fails at once, as sent"
    BACK_OFF = "start the back-off timer"
    HASTEN = "end the back-off as soon as the service's hint allows"
    ESTABLISH = "keep the continuation token; settle token updates; send the queue in order"
    ACCEPT_TOKEN = "settle token updates"
    ROLL_BACK = "fail the updates of this token and go back to the accepted one, unless that is the one"
    REPORT = "report a connection error"
    REPORT_TERMINAL = "report a terminal connection error"
    FAIL_ALL = "fail the queue and pending token updates"


@attrs.frozen
class Transition:
    """One row: where it leads and what is done on the way, in order."""

    phase: Phase
    actions: tuple[Action, ...] = ()


def _row(phase: Phase, *actions: Action) -> Transition:
    return Transition(phase, actions)


_A, _E, _P = Action, Input, Phase

_RETRY = _row(_P.WAITING, _A.DROP, _A.REPORT, _A.BACK_OFF)
_RETRY_POLITELY = _row(_P.WAITING, _A.FAREWELL, _A.DROP, _A.REPORT, _A.BACK_OFF)
_RETRY_QUIETLY = _row(_P.WAITING, _A.DROP, _A.BACK_OFF)
_LEAVE = _row(_P.LEAVING, _A.LINGER)
_DENY = _row(_P.DENIED, _A.FAREWELL, _A.DROP, _A.ROLL_BACK, _A.REPORT_TERMINAL, _A.FAIL_ALL)
_REAUTHORISE = _row(_P.AUTHORISING, _A.FAREWELL, _A.DROP, _A.ROLL_BACK, _A.REPORT, _A.ASK_TOKEN)
_FALL_BACK = _row(_P.CONNECTING, _A.FAREWELL, _A.DROP, _A.ROLL_BACK, _A.REPORT, _A.ASK_TOKEN, _A.OPEN)
_REPLACE = _row(_P.CONNECTING, _A.FAREWELL, _A.DROP, _A.ROLL_BACK, _A.OPEN)
_GIVE_UP = _row(_P.FAILED, _A.FAREWELL, _A.DROP, _A.REPORT_TERMINAL, _A.FAIL_ALL)
_END = _row(_P.CLOSED, _A.FAREWELL, _A.DROP, _A.FAIL_ALL)

_ORDERED_AWAY = {
    _E.DENIED: _DENY,
    _E.DENIED_RENEWABLE: _REAUTHORISE,
    _E.DENIED_FALLBACK: _FALL_BACK,
    _E.DENIED_OUTDATED: _REPLACE,
    _E.OFFLOADED: _LEAVE,
    _E.UNSUPPORTED: _GIVE_UP,
    _E.GARBAGE: _RETRY_POLITELY,
    _E.CLOSE: _END,
}
"""What an initialised socket can end with, whatever else is going on."""

_BY_PHASE: dict[Phase, dict[Input, Transition]] = {
    _P.IDLE: {
        _E.CONNECT: _row(_P.CONNECTING, _A.OPEN),
        _E.CONNECT_TOKENLESS: _row(_P.AUTHORISING, _A.ASK_TOKEN),
        _E.CLOSE: _END,
    },
    _P.AUTHORISING: {
        _E.TOKEN: _row(_P.CONNECTING, _A.OPEN),
        _E.TOKEN_REFUSED: _row(_P.DENIED, _A.ROLL_BACK, _A.REPORT_TERMINAL, _A.FAIL_ALL),
        _E.CLOSE: _END,
    },
    _P.CONNECTING: {
        _E.TOKEN: _row(_P.CONNECTING),
        _E.TOKEN_REFUSED: _row(_P.CONNECTING, _A.REPORT),
        _E.SOCKET_OPEN: _row(_P.INITIALISING, _A.SEND_INIT),
        _E.SOCKET_DOWN: _RETRY,
        _E.TIMEOUT: _RETRY,
        _E.CLOSE: _END,
    },
    _P.INITIALISING: {
        **_ORDERED_AWAY,
        _E.TOKEN: _row(_P.INITIALISING),
        _E.TOKEN_REFUSED: _row(_P.INITIALISING, _A.REPORT),
        _E.ACCEPTED: _row(_P.CONNECTED, _A.ESTABLISH),
        _E.REFUSED: _RETRY_POLITELY,
        _E.TIMEOUT: _RETRY,
        _E.SOCKET_DOWN: _RETRY,
    },
    _P.CONNECTED: {
        **_ORDERED_AWAY,
        _E.TOKEN: _row(_P.UPDATING, _A.SEND_UPDATE),
        _E.TOKEN_REFUSED: _row(_P.CONNECTED, _A.REPORT),
        _E.SOCKET_DOWN: _RETRY_QUIETLY,
    },
    _P.UPDATING: {
        **_ORDERED_AWAY,
        _E.TOKEN: _row(_P.UPDATING),
        _E.TOKEN_REFUSED: _row(_P.UPDATING, _A.REPORT),
        _E.ACCEPTED: _row(_P.CONNECTED, _A.ACCEPT_TOKEN),
        _E.ENDED_OUTDATED: _row(_P.CONNECTING, _A.FAREWELL, _A.DROP, _A.OPEN),
        _E.REFUSED: _RETRY_POLITELY,
        _E.TIMEOUT: _RETRY,
        _E.SOCKET_DOWN: _RETRY_QUIETLY,
    },
    _P.LEAVING: {
        _E.TOKEN: _row(_P.LEAVING),
        _E.TOKEN_REFUSED: _row(_P.LEAVING, _A.REPORT),
        _E.DRAINED: _RETRY_QUIETLY,
        _E.TIMEOUT: _RETRY_QUIETLY,
        _E.SOCKET_DOWN: _RETRY_QUIETLY,
        _E.CLOSE: _END,
    },
    _P.WAITING: {
        _E.TOKEN: _row(_P.WAITING, _A.HASTEN),
        _E.TOKEN_REFUSED: _row(_P.WAITING, _A.REPORT),
        _E.WAKE: _row(_P.WAITING, _A.HASTEN),
        _E.TIMEOUT: _row(_P.CONNECTING, _A.OPEN),
        _E.TIMEOUT_TOKENLESS: _row(_P.AUTHORISING, _A.ASK_TOKEN),
        _E.CLOSE: _END,
    },
    _P.DENIED: {
        _E.TOKEN: _row(_P.CONNECTING, _A.OPEN),
        _E.CLOSE: _END,
    },
    _P.FAILED: {_E.CLOSE: _END},
    _P.CLOSED: {},
}

TRANSITIONS: Final[Mapping[tuple[Phase, Input], Transition]] = MappingProxyType(
    {(phase, event): row for phase, rows in _BY_PHASE.items() for event, row in rows.items()}
)
"""(phase, event) -> where it leads and what is done."""


def render_markdown() -> str:
    """Return the table as Markdown, for the docs."""
    lines = [
        "| Phase (reported as) | Event | Leads to | What is done |",
        "| --- | --- | --- | --- |",
    ]
    for (phase, event), row in TRANSITIONS.items():
        actions = "; ".join(action.value for action in row.actions) or "nothing: the token is used next time"
        lines.append(f"| {phase} (`{PUBLIC_STATES[phase]}`) | {event.value} | {row.phase} | {actions} |")
    return "\n".join(lines) + "\n"
