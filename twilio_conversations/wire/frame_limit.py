"""Largest frame that the service accepts, as far as connections that ended over one have shown."""

from __future__ import annotations

import re
from typing import Final

from twilio_conversations.errors import RequestTooLargeError

MESSAGE_TOO_BIG: Final = 1009
"""The code with which a WebSocket peer ends the connection over a frame that is too large."""

_LIMIT: Final = re.compile(r"(?:limit of|>) ([\d,]+)")


class FrameLimit:
    """The largest size that may be sent, in bytes; unknown until a frame was refused."""

    def __init__(self) -> None:
        self._limit: int | None = None  # as the service named it
        self._refused: int | None = None  # the smallest that was refused

    def learn(self, reason: str, largest: int) -> None:
        """Record that a connection ended with 1009 and `reason`, while the largest frame under way had `largest` bytes."""
        named = _LIMIT.search(reason)
        limit = int(named[1].replace(",", "")) if named else None
        if limit is not None and 0 < limit < largest:
            self._limit = limit
        else:
            self._refused = min(largest, self._refused or largest)

    def refusal(self, size: int, *, sent: bool) -> RequestTooLargeError | None:
        """Return the error of a frame of `size` bytes; `None` for one that may pass."""
        if self._limit is not None and size > self._limit:
            text = f"the request is {size} bytes as a frame, and the service takes {self._limit} at most"
        elif self._refused is not None and size >= self._refused:
            text = f"the request is {size} bytes as a frame, and the service has refused one of {self._refused} as too large"
        else:
            return None
        return RequestTooLargeError(text, size=size, limit=self._limit, sent=sent)
