"""The listening socket: its address, and its behaviour when the process runs out of descriptors."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import Callable
from typing import Any, Final

from twilio_conversations.errors import InvalidArgumentError
from twilio_conversations.server.start_errors import address_error
from twilio_conversations.util import logs

_log = logs.logger(__name__)

PAUSE: Final = 1.0
"""Seconds without accepting after the process ran out of descriptors; asyncio's own delay."""
LOG_INTERVAL: Final = 60.0
"""Seconds between two log lines about that."""
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class ExhaustedError(OSError):
    """No descriptor is left for another connection; that is logged already."""


class Listener(socket.socket):
    """A listening socket that reports the lack of descriptors once, then in intervals.

    asyncio pauses accepting after such an error, but goes on with its batch, and logs each attempt with a traceback. Here the
    first error of a batch pauses it, and the others end it.
    """

    clock: Callable[[], float] = staticmethod(time.monotonic)
    _paused_until = 0.0
    _log_after = 0.0
    _is_told = False

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection.

        Raises:
            BlockingIOError: no connection is waiting, or accepting pauses.
            ExhaustedError: no descriptor is left.
        """
        now = self.clock()
        if now < self._paused_until:
            raise BlockingIOError(errno.EAGAIN, "accepting pauses")
        try:
            accepted = super().accept()
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            self._paused_until = now + PAUSE / 2  # over when asyncio tries again
            self._report(error, now)
            raise ExhaustedError(error.errno, error.strerror) from error
        if self._is_told:
            self._is_told = False
            _log.warning("connections are accepted again")
        return accepted

    def _report(self, error: OSError, now: float) -> None:
        if now >= self._log_after:
            self._log_after = now + LOG_INTERVAL
            self._is_told = True
            _log.error("no further connection is accepted until others end: %s (see ulimit -n)", error.strerror)


def listen(host: str, port: int) -> Listener:
    """Listen on an address.

    Raises:
        InvalidArgumentError: the port is not between 0 and 65535.
        AddressError: the address cannot be listened on.
    """
    if type(port) is not int or not 0 <= port <= 65535:
        raise InvalidArgumentError(f"port must be a number from 0 to 65535, not {port!r}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only on sockets that name their protocol; without it two small frames wait for each other.
    listener = Listener(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except (OSError, UnicodeError) as error:
        listener.close()
        raise address_error(host, port, error) from error
    return listener


def quiet_when_exhausted(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Handle an exception of the loop; what `Listener` has logged is not logged again."""
    if not isinstance(context.get("exception"), ExhaustedError):
        loop.default_exception_handler(context)
