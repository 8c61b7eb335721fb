"""`requests` without the patches of the program: they neither see nor change the requests that a client makes by itself.

`requests_cache` replaces the class `requests.Session`, `requests_mock` and tracers replace its methods, `responses` replaces
`HTTPAdapter.send`. They are meant for the program's own HTTP. A session that the program gives to a client is the program's, and
is used with whatever patches it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager

from twilio_conversations.transport.dialling import Connecting
from twilio_conversations.transport.http_connections import DialledConnection, DialledTlsConnection
from twilio_conversations.transport.socks_proxy import SocksProxy


def _own_copy(name: str) -> ModuleType:
    """Return a module, executed once more: its classes are known here only."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if TYPE_CHECKING:
    from requests import Session

    PlainSession = Session
else:
    PlainSession = _own_copy("requests.sessions").Session

_send: Final[Callable[..., Any]] = _own_copy("requests.adapters").HTTPAdapter.send


def session_class() -> type[requests.Session]:
    """Return the class `requests.Session` itself, also where another one stands under its name now."""
    return next(kind for kind in requests.Session.__mro__[::-1] if kind.__name__ == "Session")


class PlainAdapter(HTTPAdapter):
    """Connects as `dialling` does, and stops connecting when it is closed.

    How the process makes its TLS contexts is inherited, as some programs patch that for the certificates of their company.
    """

    send = _send

    def __init__(self, **facts: Any) -> None:
        self._connecting = Connecting()
        super().__init__(**facts)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **facts: Any) -> None:
        """Make the pools of direct connections."""
        self._size: dict[str, Any] = {"num_pools": connections, "maxsize": maxsize, "block": block}
        super().init_poolmanager(connections, maxsize, block, **facts)
        self.poolmanager.pool_classes_by_scheme = self._pools()

    def proxy_manager_for(self, proxy: str, **facts: Any) -> Any:
        """Return the pools of connections through a proxy."""
        known = self.proxy_manager.get(proxy)
        if known is not None:
            return known
        socks = SocksProxy.parse(proxy)
        if socks is None:
            manager = super().proxy_manager_for(proxy, **facts)
        else:
            manager = self.proxy_manager[proxy] = PoolManager(**self._size, **facts)
        manager.pool_classes_by_scheme = self._pools(socks)
        return manager

    def close(self) -> None:
        """Close all connections, and those that are being made; the adapter is of no further use."""
        self._connecting.break_off()
        super().close()

    def _pools(self, socks: SocksProxy | None = None) -> dict[str, Any]:
        more: dict[str, Any] = {"connecting": self._connecting, "socks": socks}
        return {"http": partial(_Pool, **more), "https": partial(_TlsPool, **more)}


class _Released:
    """Mixin of a connection, which cannot be broken off once it is made."""

    number: int
    _connecting: Connecting

    def connect(self) -> None:
        try:
            super().connect()  # type: ignore[misc]
        finally:
            self._connecting.end(self.number)


class _Connection(_Released, DialledConnection):
    pass


class _TlsConnection(_Released, DialledTlsConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
