"""A local Conversations service to develop and test against: ``from twilio_conversations.server import LocalServer``.

Needs the extra: ``pip install "twilio-conversations[server]"``.
"""

from __future__ import annotations

try:
    from twilio_conversations.server.control.methods import FaultOrders, InboundMedia
    from twilio_conversations.server.local import LocalServer
    from twilio_conversations.server.start_errors import (
        AddressError,
        DataDirectoryError,
        DataDirectoryInUseError,
        DataDirectoryPermissionError,
        LocalServerError,
    )
except ImportError as error:
    if (error.name or "").partition(".")[0] not in ("click", "cryptography", "sqlalchemy", "starlette", "uvicorn", "websockets"):
        raise
    raise ImportError(
        f'the local service needs {error.name}; install it with: pip install "twilio-conversations[server]"', name=error.name
    ) from error

__all__ = [
    "AddressError",
    "DataDirectoryError",
    "DataDirectoryInUseError",
    "DataDirectoryPermissionError",
    "FaultOrders",
    "InboundMedia",
    "LocalServer",
    "LocalServerError",
]
