"""Meaning of a refusal by the service: the input of the connection's table for an answer or a close."""

from __future__ import annotations

from typing import Final

from twilio_conversations.wire.credentials import Credentials
from twilio_conversations.wire.packets import Status
from twilio_conversations.wire.transitions import Input, Phase

TOKEN_EXPIRED: Final = 20104
WRONG_INSTANCE: Final = 51232

TOKEN_REFUSALS: Final = frozenset({Input.DENIED, Input.DENIED_RENEWABLE, Input.DENIED_FALLBACK})
"""Inputs by which the service refuses the token that is in question, and not one that was replaced meanwhile."""


def input_of_answer(status: Status, credentials: Credentials) -> Input:
    """Return the input for an init or update that was answered with a status other than 2xx."""
    return _input_of_denial(credentials) if status.code in (401, 403) else Input.REFUSED


def input_of_close(status: Status, credentials: Credentials, phase: Phase) -> Input:
    """Return the input for a close by the service in a phase of the connection."""
    if status.code in (406, 417):
        return Input.UNSUPPORTED
    if not (status.code in (401, 410) or (status.code == 308 and status.error_code == WRONG_INSTANCE)):
        return Input.OFFLOADED
    return Input.ENDED_OUTDATED if phase is Phase.UPDATING else _input_of_denial(credentials)


def is_expiry(status: Status) -> bool:
    """Return whether a token was refused because it has expired."""
    return status.code == 410 or status.error_code == TOKEN_EXPIRED


def _input_of_denial(credentials: Credentials) -> Input:
    if credentials.newer_at_hand:
        return Input.DENIED_OUTDATED
    if credentials.has_fallback:
        return Input.DENIED_FALLBACK
    return Input.DENIED_RENEWABLE if credentials.refreshable else Input.DENIED
