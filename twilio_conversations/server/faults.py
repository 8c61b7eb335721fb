"""What can be made to go wrong, on command.

=======================  =============================================================================================
kind                     what happens
=======================  =============================================================================================
``drop``                 connections end without a word, now
``offload``              connections are told to go elsewhere (close 308, with `reconnect_min_ms`), now
``token_about_to_expire``  connections are told that their token is about to expire, now
``expire_tokens``        tokens that were used so far are expired; their connections are closed with 410, now
``refuse_connections``   the next `count` connections are refused with 429 and `reconnect_min_ms`
``refuse``               the next `count` requests are refused with `status` (503), `code`, and `retry_after` if given
``delay``                the next `count` requests are carried out after `seconds`
``lose_answers``         the next `count` requests are carried out, and the connection dropped instead of an answer
``hold_events``          events (all notifications) wait for ``release_events``; answers do not
``release_events``       what was held goes out, in order
=======================  =============================================================================================

Each may be restricted to one `identity`; those that wait for requests also to a `method` and to a regular expression that the
`path` must contain. A `count` of `None` is for ever. ``refuse`` and ``delay`` meet requests over plain HTTP too (without an
`identity`): media are up- and downloaded that way.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import attrs

from twilio_conversations.server.calls import Response
from twilio_conversations.server.errors import CATALOGUE, Refusal
from twilio_conversations.server.http.admission import TooManyConnectionsError
from twilio_conversations.server.http.connections import Connected, Gateway
from twilio_conversations.server.sync.objects import Bounded

REFUSE, DELAY, LOSE, REFUSE_CONNECTIONS = "refuse", "delay", "lose_answers", "refuse_connections"
HOLD = "hold_events"
WAITING = (REFUSE, DELAY, LOSE, REFUSE_CONNECTIONS)
AT_ONCE = ("drop", "offload", "token_about_to_expire", "expire_tokens", HOLD, "release_events")
MAX_TOKENS = 20_000
_CODES = {400: 20001, 403: 20403, 404: 20404, 409: 20409, 429: 20429, 500: 20500, 503: 20503}


@attrs.define
class Fault:
    """One fault, as it was ordered; `count` says how often it is still to happen."""

    kind: str
    identity: str | None = None
    count: int | None = 1
    method: str | None = None
    path: str = ""
    status: int = 503
    code: int | None = None
    retry_after: float | None = None
    seconds: float = 0.0
    reconnect_min_ms: int = 1000

    @classmethod
    def parse(cls, body: dict[str, Any]) -> Fault:
        """Read an order. Raises `Refusal` 20001."""
        try:
            fault = cls(**body)
            fault._check()
        except (TypeError, ValueError, re.error) as error:
            raise Refusal(20001, f"Not a fault: {error}") from error
        return fault

    def _check(self) -> None:
        if self.kind not in WAITING + AT_ONCE:
            raise ValueError(f"the kind is one of {', '.join(WAITING + AT_ONCE)}")
        if self.identity is not None and not isinstance(self.identity, str):
            raise ValueError("identity is text")
        if self.count is not None and (type(self.count) is not int or self.count < 1):
            raise ValueError("count is a positive number or null")
        if type(self.status) is not int or not 400 <= self.status < 600:
            raise ValueError("status is a number from 400 to 599")
        if self.code is not None and type(self.code) is not int:
            raise ValueError("code is a number")
        for name in ("seconds", "retry_after", "reconnect_min_ms"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not 0 <= value <= 86_400_000):
                raise ValueError(f"{name} must not be negative")
        re.compile(self.path)

    def meets(self, identity: str | None, method: str, path: str) -> bool:
        """Return whether this request is meant."""
        if self.identity not in (None, identity) or self.method not in (None, method):
            return False
        return re.search(self.path, path) is not None

    def refusal(self) -> Response:
        """Return what a refused request is answered."""
        code = self.code if self.code is not None else _CODES.get(self.status, 20500 if self.status >= 500 else 20001)
        message = CATALOGUE[code][1] if code in CATALOGUE else "Refused on command"
        headers = {} if self.retry_after is None else {"retry-after": f"{self.retry_after:g}"}
        more = f"https://www.twilio.com/docs/errors/{code}"
        body = {"status": self.status, "code": code, "message": message, "more_info": more}
        return attrs.evolve(Response.json(self.status, body), headers=headers)


class Faults:
    """The faults that are in force. Lives on the event loop."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._waiting: list[Fault] = []
        self._holding: set[str | None] = set()
        self._tokens: Bounded[str, str] = Bounded(MAX_TOKENS)
        self._expired: Bounded[str, None] = Bounded(MAX_TOKENS)

    def order(self, fault: Fault) -> None:
        """Let it happen: now, or when what it waits for comes."""
        if fault.kind in WAITING:
            self._waiting.append(fault)
            return
        if fault.kind == "expire_tokens":
            self._expire(fault.identity)
        elif fault.kind == HOLD:
            self._holding.add(fault.identity)
        elif fault.kind == "release_events":
            self._holding = set() if fault.identity is None else self._holding - {fault.identity}
        for session in self._gateway.sessions(fault.identity):
            self._strike(session, fault)

    def _strike(self, session: Connected, fault: Fault) -> None:
        match fault.kind:
            case "drop":
                session.cut()
            case "offload":
                session.offload(fault.reconnect_min_ms)
            case "expire_tokens":
                session.expire()
            case "token_about_to_expire":
                session.warn_of_expiry()
            case _:
                session.hold(self.holds(session.identity))

    def to_json(self) -> list[dict[str, Any]]:
        """Return what is still waiting to happen, and whose events are held."""
        held = [Fault(HOLD, identity, None) for identity in self._holding]
        return [attrs.asdict(fault) for fault in self._waiting + held]

    def clear(self) -> None:
        """Let nothing go wrong any more; held events go out. Tokens that were expired stay so."""
        self._waiting.clear()
        self.order(Fault("release_events"))

    # -- for the service ---------------------------------------------------------------------------------------------------

    def met_by(self, identity: str | None, method: str, path: str, *, over_http: bool = False) -> Fault | None:
        """Return the fault that this request meets, if any; counted down."""
        for fault in self._waiting:
            possible = fault.kind in ((REFUSE, DELAY) if over_http else (REFUSE, DELAY, LOSE))
            if possible and fault.meets(identity, method, path):
                self._count_down(fault)
                return fault
        return None

    def admit(self, identity: str, token: str) -> None:
        """A verified token comes with a new connection, or for a live one.

        Raises:
            Refusal: 20104, if it was expired on command; a `TooManyConnectionsError`.
        """
        digest = _digest(token)
        if digest in self._expired:
            raise Refusal(20104)
        for fault in self._waiting:
            if fault.kind == REFUSE_CONNECTIONS and fault.identity in (None, identity):
                self._count_down(fault)
                raise TooManyConnectionsError(fault.reconnect_min_ms)
        self._tokens[digest] = identity

    def is_expired(self, token: str) -> bool:
        """Return whether the token was expired on command."""
        return bool(self._expired) and _digest(token) in self._expired

    def holds(self, identity: str) -> bool:
        """Return whether this person's events are held."""
        return not self._holding.isdisjoint((None, identity))

    def _count_down(self, fault: Fault) -> None:
        if fault.count is not None:
            fault.count -= 1
            if fault.count == 0:
                self._waiting.remove(fault)

    def _expire(self, identity: str | None) -> None:
        for digest, owner in list(self._tokens.items()):
            if identity in (None, owner):
                del self._tokens[digest]
                self._expired[digest] = None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
