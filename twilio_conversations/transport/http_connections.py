"""urllib3's connections, dialled by this package: with racing addresses, SOCKS proxies and waiting that can be broken off.

urllib3 does the rest: the tunnel through a proxy, TLS, certificates.
"""

from __future__ import annotations

import socket
import ssl
import traceback
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from twilio_conversations.transport.dialling import AbandonedError, Connecting, dial
from twilio_conversations.transport.socks_proxy import SocksProxy
from twilio_conversations.util.futures import Deadline


class _Dialled:
    """Mixin of urllib3's connections.

    Attributes:
        past_proxy: whether the proxy, if there is one, has opened the way to the service.
        number: the descriptor that the socket began with.
    """

    timeout: float | None
    source_address: tuple[str, int] | None
    socket_options: Any
    port: int
    _dns_host: str

    def __init__(self, *args: Any, connecting: Connecting, socks: SocksProxy | None = None, **facts: Any) -> None:
        super().__init__(*args, **facts)
        self.past_proxy: bool = False
        self.number: int = -1
        self._connecting = connecting
        self._socks = socks
        self._dial = dial if socks is None else socks.dial

    def _new_conn(self) -> socket.socket:
        facts: dict[str, Any] = {"options": self.socket_options or (), "source": self.source_address}
        connection: Any = self
        try:
            made = self._dial(self._dns_host, self.port, Deadline(self.timeout), self._connecting, **facts)
        except TimeoutError as error:
            raise ConnectTimeoutError(connection, str(error)) from error
        except (OSError, AbandonedError) as error:
            raise NewConnectionError(connection, str(error)) from error
        made.settimeout(self.timeout)
        self.number = made.fileno()
        self.past_proxy = self._socks is not None
        return made

    def _tunnel(self) -> None:
        super()._tunnel()  # type: ignore[misc]
        self.past_proxy = True


class DialledConnection(_Dialled, HTTPConnection):
    """A plain connection, which `connecting` knows until its owner ends that."""


class DialledTlsConnection(_Dialled, HTTPSConnection):
    """A connection with TLS, likewise."""

    def connect(self) -> None:
        """Connect to the service, in TLS, through the proxy if there is one."""
        try:
            super().connect()
        except OSError as error:
            close_half_made(error)
            raise


def close_half_made(error: BaseException) -> None:
    """Close the socket that `ssl` was making when it raised `error`.

    It leaves one open that the peer has reset before the handshake, and nobody else has it.
    """
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_globals.get("__name__") == "ssl" and isinstance(half_made := frame.f_locals.get("self"), ssl.SSLSocket):
            half_made.close()
