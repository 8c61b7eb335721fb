"""Errors that a view of the tests may raise."""

from __future__ import annotations

from twilio_conversations import (
    ClientClosedError,
    ConflictError,
    ConnectionErrorInfo,
    ForbiddenError,
    InitializationError,
    RequestTimeoutError,
    RequestTooLargeError,
    RestError,
    RestNotFoundError,
    ThrottledError,
    TokenError,
    TransportUnavailableError,
)

ERRORS: dict[str, Exception] = {
    "missing": RestNotFoundError("no conversation CH1", status=404),
    "forbidden": ForbiddenError("not allowed in CH1", status=403),
    "conflict": ConflictError("CH1 exists", status=409),
    "large": RequestTooLargeError("too large for CH1", size=9, limit=1),
    "late": RequestTimeoutError("CH1 took too long"),
    "throttled": ThrottledError("slow down, CH1", status=429),
    "away": TransportUnavailableError("no connection for CH1"),
    "rejected": InitializationError(ConnectionErrorInfo(terminal=True, message="token of CH1")),
    "service": RestError("CH1 failed", status=500),
    "token": TokenError("the token of CH1"),
    "closed": ClientClosedError("the client of CH1 was closed"),
    "other": ZeroDivisionError("CH1"),
}
