"""Content of an attachment as a stream that survives broken connections."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Final

import requests
import urllib3

from twilio_conversations.errors import ConversationsError, ProtocolError, TransportUnavailableError
from twilio_conversations.transport.media_http import MOST_ATTEMPTS, MediaHttp, Transfer, some
from twilio_conversations.transport.retries import RESENDS
from twilio_conversations.wire.backoff import Backoff

OnBytes = Callable[[int], object]
"""Receives the number of bytes read so far."""

_PARTIAL: Final = 206
_PIECE: Final = 64 * 1024


class ContentStream(io.RawIOBase):
    """The bytes of an attachment as they come. After a broken connection it goes on where that broke."""

    def __init__(
        self,
        http: MediaHttp,
        transfer: Transfer,
        connect: Callable[[int], requests.Response],
        on_bytes: OnBytes = lambda received: None,
    ) -> None:
        """`connect` returns an answer that begins at a position, or at the start if the service cannot do that.

        `transfer` has begun; it is ended when the stream is closed. `on_bytes` is called after each piece.
        """
        self._http = http
        self._transfer = transfer
        self._connect = connect
        self._on_bytes = on_bytes
        self._position = 0
        self._failures = 0
        self._backoff = Backoff(RESENDS)
        self._response: requests.Response | None = None  # there also if connecting fails: the stream is closed in any case
        self._response = connect(0)

    def readable(self) -> bool:
        """Return `True`."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` with the bytes that are there, and return their number; 0 at the end.

        Raises:
            MediaError: the service refused to go on.
            TransportUnavailableError: the connection broke, and again.
            RequestTimeoutError: the deadline passed.
        """
        while True:
            self._transfer.check()
            try:
                if self._response is None:
                    self._response = self._resume()
                data = some(self._response, len(buffer))
            except (urllib3.exceptions.HTTPError, OSError) as error:
                self._broken(error)
                continue
            self._position += len(data)
            self._failures = 0
            buffer[: len(data)] = data
            if data:
                self._on_bytes(self._position)
            return len(data)

    def close(self) -> None:
        """Release the connection."""
        if not self.closed:
            self._let_go()
            self._http.end(self._transfer)
        super().close()

    def _resume(self) -> requests.Response:
        response = self._connect(self._position)
        begins = f"bytes {self._position}-"
        if response.status_code == _PARTIAL and not response.headers.get("Content-Range", begins).startswith(begins):
            response.close()
            raise ProtocolError("the content goes on elsewhere than was asked for", status=_PARTIAL, sent=True)
        if response.status_code != _PARTIAL:
            left = self._position
            while left and (skipped := some(response, min(left, _PIECE))):
                self._transfer.check()
                left -= len(skipped)
        return response

    def _broken(self, error: Exception) -> None:
        self._let_go()
        if isinstance(error, ConversationsError):
            raise error
        self._transfer.check()
        self._failures += 1
        if self._failures >= MOST_ATTEMPTS:
            text = f"the content broke off after {self._position} bytes: {error}"
            raise TransportUnavailableError(text, attempts=self._failures, retryable=True) from error
        self._transfer.pause(self._backoff.next_delay())

    def _let_go(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.close()
