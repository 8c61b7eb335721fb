"""What the local service has seen of an identity's connections."""

from __future__ import annotations

from twilio_conversations.server import LocalServer


def connections(service: LocalServer, identity: str) -> dict[int, bool]:
    """Return the connections of an identity by number, and whether each was closed with the closing handshake."""
    found: dict[int, bool] = {}
    for frame in service.traffic(identity):
        closed = frame["direction"] == "in" and frame["header"]["method"] == "close"
        found[frame["connection"]] = closed or found.get(frame["connection"], False)
    return found
