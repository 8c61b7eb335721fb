"""Open connections by identity, and notifications to users rather than subscribers."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Protocol

from twilio_conversations.wire.packets import Notification


class Connected(Protocol):
    """A connection, as `Connections` sees it."""

    identity: str

    def send(self, message_type: str, frame: bytes) -> None:
        """Queue a frame, unless the connection did not register for its type."""

    def has_room(self) -> bool:
        """Return whether the connection keeps up."""

    def cut(self) -> None:
        """End the connection; nothing more is sent."""

    def offload(self, reconnect_min_ms: int) -> None:
        """Request the client to reconnect elsewhere (308)."""

    def expire(self) -> None:
        """Close it because its token has expired."""

    def warn_of_expiry(self) -> None:
        """Report that its token is about to expire."""

    def hold(self, held: bool) -> None:
        """Hold its notifications back, or send those that were held."""


class Connections:
    """Connections by identity; a user may have several."""

    def __init__(self) -> None:
        self._connected: dict[str, set[Connected]] = {}

    def enter(self, session: Connected) -> bool:
        """Add a connection; return whether its owner was offline before."""
        sessions = self._connected.setdefault(session.identity, set())
        sessions.add(session)
        return len(sessions) == 1

    def leave(self, session: Connected) -> bool:
        """Remove a connection, which may have been removed already; return whether its owner is offline now."""
        sessions = self._connected.get(session.identity)
        if sessions is None or session not in sessions:
            return False
        sessions.discard(session)
        if sessions:
            return False
        del self._connected[session.identity]
        return True

    def is_online(self, identity: str) -> bool:
        """Return whether the identity has a connection."""
        return identity in self._connected

    def sessions(self, identity: str | None = None) -> list[Connected]:
        """Return the connections of one identity, or all."""
        if identity is not None:
            return list(self._connected.get(identity, ()))
        return [session for sessions in self._connected.values() for session in sessions]

    @property
    def count(self) -> int:
        """Number of connections."""
        return sum(len(sessions) for sessions in self._connected.values())

    def notify(self, identities: Iterable[str], message_type: str, payload: object) -> None:
        """Send a notification to all connections of several identities that keep up; for the others it would be too late."""
        frame = Notification(f"TM{uuid.uuid4().hex}", message_type, payload).encode()
        for identity in identities:
            for session in list(self._connected.get(identity, ())):
                if session.has_room():
                    session.send(message_type, frame)
