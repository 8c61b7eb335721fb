"""SOCKS proxies: the protocol is PySocks', over a connection that is made here."""

from __future__ import annotations

import functools
import importlib
import socket
from typing import Any, Final, Self
from urllib.parse import urlsplit

import attrs
from requests.exceptions import InvalidProxyURL, InvalidSchema
from requests.utils import get_auth_from_url

from twilio_conversations.transport.dialling import Connecting, dial
from twilio_conversations.util.futures import Deadline

WANTED: Final = "SOCKS proxies need PySocks: pip install PySocks"

_DEFAULT_PORT: Final = 1080
_SOCKS: Final = {"socks4": (4, False), "socks4a": (4, True), "socks5": (5, False), "socks5h": (5, True)}
"""Scheme -> version of SOCKS, and whether the proxy resolves names."""


@attrs.frozen
class SocksProxy:
    """A SOCKS proxy, as its URL names it.

    Attributes:
        host: its name or address.
        port: 1080 by default.
        version: 4 or 5.
        resolves: whether it looks up names itself.
        user: for proxies that require one.
        password: likewise.
    """

    host: str
    port: int
    version: int
    resolves: bool
    user: str | None = None
    password: str | None = attrs.field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> Self | None:
        """Return the proxy that a URL names; `None` if that is no SOCKS proxy.

        Raises:
            requests.exceptions.InvalidProxyURL: it is one, but its URL is damaged.
        """
        version, resolves = _SOCKS.get(url.partition("://")[0].lower(), (0, False))
        if not version:
            return None
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or _DEFAULT_PORT
        except ValueError:
            host = None
        if not host:
            raise InvalidProxyURL("the URL of the SOCKS proxy has no host, or none that can be read")
        user, password = get_auth_from_url(url)
        return cls(host, port, version, resolves, user or None, password or None)

    def dial(self, host: str, port: int, deadline: Deadline, connecting: Connecting, **facts: Any) -> socket.socket:
        """Return a socket that the proxy has connected to `host`; the addresses of the proxy race.

        Raises:
            requests.exceptions.InvalidSchema: PySocks is not installed.
            OSError: the proxy does not answer, or refuses.
            AbandonedError: the waiting was broken off.
        """
        kind = _socket_class()
        made = dial(self.host, self.port, deadline, connecting, **facts)
        number = made.fileno()
        carried = kind(made.family, made.type, made.proto, fileno=made.detach())
        try:
            carried.set_proxy(kind.codes[self.version], self.host, self.port, self.resolves, self.user, self.password)
            carried.settimeout(deadline.patience)
            carried.connect((host.strip("[]"), port))
        except BaseException:
            connecting.end(number)
            carried.close()
            raise
        through = socket.socket(carried.family, carried.type, carried.proto, fileno=carried.detach())
        through.settimeout(deadline.patience)
        return through


@functools.cache
def _socket_class() -> Any:
    """Return the class of PySocks' socket, made to use a connection to the proxy that is there already."""
    try:
        pysocks = importlib.import_module("socks")
    except ImportError:
        raise InvalidSchema(WANTED) from None

    system_socket: Any = pysocks.socksocket.__mro__[2]  # what PySocks was built on; it may be a patched one

    class Connected(system_socket):  # type: ignore[misc]
        """Next in line after PySocks' own classes, whose `connect` would call the system's."""

        __slots__ = ()

        def connect(self, address: Any) -> None:
            """Do nothing: the socket is connected."""

    return type("SocksSocket", (pysocks.socksocket, Connected), {"codes": {4: pysocks.SOCKS4, 5: pysocks.SOCKS5}})
