"""TLS inside the TLS of a proxy, for a non-blocking socket."""

from __future__ import annotations

import socket
import ssl
from typing import Final

from urllib3.util.ssltransport import SSLTransport

_RECORD: Final = 16 * 1024


class NestedTls:
    """A TLS connection of urllib3, after its handshake, with reading and writing for an io loop.

    urllib3's methods are for blocking sockets: data that the outer socket does not take at once would be lost. Here a write that
    could not be completed raises, and is repeated with the same data, as with OpenSSL itself.
    """

    def __init__(self, made: SSLTransport) -> None:
        self.socket: socket.socket = made.socket
        self.socket.setblocking(False)
        self._tls = made.sslobj
        self._incoming = made.incoming
        self._outgoing = made.outgoing
        self._unsent = b""
        self._promised = 0  # bytes of the caller's that are encrypted and not yet sent

    def fileno(self) -> int:
        """Return the descriptor to watch."""
        return self.socket.fileno()

    def recv(self, size: int) -> bytes:
        """Return up to `size` bytes, none at the end; raise `ssl.SSLWantReadError` when none are there."""
        while True:
            try:
                return self._tls.read(size)
            except ssl.SSLWantReadError:
                data = self.socket.recv(_RECORD)
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return b""

    def send(self, data: bytes | bytearray) -> int:
        """Write some of `data`, and return its size; raise `ssl.SSLWantWriteError` when the peer takes nothing now."""
        self._flush()
        if not self._promised:
            self._promised = self._tls.write(memoryview(data)[:_RECORD])
            self._unsent = self._outgoing.read()
            self._flush()
        sent, self._promised = self._promised, 0
        return sent

    def close(self) -> None:
        """Close the descriptor."""
        self.socket.close()

    def _flush(self) -> None:
        while self._unsent:
            self._unsent = self._unsent[self.socket.send(self._unsent) :]
