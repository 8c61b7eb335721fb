"""Refusals for paths of Twilio that the local service does not have."""

from __future__ import annotations

from collections.abc import Sequence

from twilio_conversations.server.errors import Refusal

_REST = "Twilio's public REST API is not part of the local service yet"
_BY_PREFIX = {
    ("v3", "wsconnect"): "This is the address of the websocket; a request must be its handshake",
    ("2010-04-01",): _REST,
    ("v1",): _REST,
    ("v2",): _REST,
}
_LIMITS = "see 'Current limits' in its documentation (docs/guides/local-service.md)"


def refusal(path: Sequence[str]) -> Refusal:
    """Return 20404 with a text that points to the documented limits of the service."""
    known = (text for prefix, text in _BY_PREFIX.items() if tuple(path[: len(prefix)]) == prefix)
    return Refusal(20404, f"{next(known, 'The local service has nothing at this path')}; {_LIMITS}")
