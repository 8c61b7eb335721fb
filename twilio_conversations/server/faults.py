"""The faults in force, and the requests and connections that meet them."""

from __future__ import annotations

import hashlib
from typing import Any

import attrs

from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.fault_orders import Fault, Kind, Moment
from twilio_conversations.server.http.admission import ConnectionRefusal
from twilio_conversations.server.http.connections import Connected, Connections
from twilio_conversations.server.sync.objects import BoundedDict

MAX_TOKENS = 20_000


class Faults:
    """The faults in force, on the event loop."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._waiting: list[Fault] = []
        self._holding: set[str | None] = set()
        self._tokens: BoundedDict[str, str] = BoundedDict(MAX_TOKENS)
        self._expired: BoundedDict[str, None] = BoundedDict(MAX_TOKENS)

    def order(self, fault: Fault) -> None:
        """Execute a fault now, or keep it for the next connections or requests."""
        if fault.row.moment is not Moment.NOW:
            self._waiting.append(fault)
            return
        if fault.kind is Kind.EXPIRE_TOKENS:
            self._expire(fault.identity)
        elif fault.kind is Kind.HOLD_EVENTS:
            self._holding.add(fault.identity)
        elif fault.kind is Kind.RELEASE_EVENTS:
            self._holding = set() if fault.identity is None else self._holding - {fault.identity}
        for session in self._connections.sessions(fault.identity):
            self._strike(session, fault)

    def _strike(self, session: Connected, fault: Fault) -> None:
        match fault.kind:
            case Kind.DROP:
                session.cut()
            case Kind.OFFLOAD:
                session.offload(fault.reconnect_min_ms)
            case Kind.EXPIRE_TOKENS:
                session.expire()
            case Kind.TOKEN_ABOUT_TO_EXPIRE:
                session.warn_of_expiry()
            case _:
                session.hold(self.holds(session.identity))

    def to_json(self) -> list[dict[str, Any]]:
        """Return the pending faults, and the identities whose events are held."""
        held = [Fault(Kind.HOLD_EVENTS, identity, None) for identity in self._holding]
        return [attrs.asdict(fault) for fault in self._waiting + held]

    def clear(self) -> None:
        """Remove all faults and send held events. Tokens that were expired stay expired."""
        self._waiting.clear()
        self.order(Fault(Kind.RELEASE_EVENTS))

    # -- for the service ---------------------------------------------------------------------------------------------------

    def met_by(self, identity: str | None, method: str, path: str, *, over_http: bool = False) -> Fault | None:
        """Return the fault that applies to this request, if any, and count it down."""
        for fault in self._waiting:
            possible = fault.row.moment is Moment.REQUEST and (fault.row.over_http or not over_http)
            if possible and fault.meets(identity, method, path):
                self._count_down(fault)
                return fault
        return None

    def admit(self, identity: str, token: str) -> None:
        """Admit a verified token of a new or a live connection.

        Raises:
            Refusal: 20104, if it was expired by a fault; a `ConnectionRefusal`.
        """
        digest = _digest(token)
        if digest in self._expired:
            raise Refusal(20104)
        for fault in self._waiting:
            if fault.kind is Kind.REFUSE_CONNECTIONS and fault.identity in (None, identity):
                self._count_down(fault)
                raise ConnectionRefusal(fault.reconnect_min_ms, *fault.refused_as())
        self._tokens[digest] = identity

    def is_expired(self, token: str) -> bool:
        """Return whether the token was expired by a fault."""
        return bool(self._expired) and _digest(token) in self._expired

    def holds(self, identity: str) -> bool:
        """Return whether the identity's events are held."""
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
