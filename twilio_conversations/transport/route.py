"""Route to an address: its proxy and certificates, as a `requests` session and the environment name them."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies

import attrs
import requests
from requests.utils import select_proxy

from twilio_conversations.transport.plain_requests import PlainSession

_SYSTEM: Final = "the system's settings"

_TLS_SETTINGS: Final = (
    "ssl_context",
    "ssl_version",
    "ssl_minimum_version",
    "ssl_maximum_version",
    "server_hostname",
    "assert_hostname",
    "assert_fingerprint",
)
"""What an adapter of a session may tell urllib3 about TLS, besides certificates."""


@attrs.frozen
class ProxyRoute:
    """Route to an address: the settings of the caller and those of the environment, merged.

    Attributes:
        proxy: URL of an HTTP or SOCKS proxy, or `None`.
        verify: `True`, `False`, or a path of CA certificates.
        certificate: path of a client certificate, or (certificate, key).
        source: the environment's variable that names the proxy, such as ``HTTPS_PROXY``; `None` if the program has chosen it.
        tls: further settings of the session's adapter, by urllib3's names: an `ssl.SSLContext`, a fingerprint.
    """

    proxy: str | None = None
    verify: bool | str = True
    certificate: str | tuple[str, str] | None = attrs.field(default=None, repr=False)
    source: str | None = attrs.field(default=None, eq=False)
    tls: Mapping[str, Any] = attrs.field(factory=dict, eq=False, repr=False)

    @classmethod
    def find(cls, url: str, session: requests.Session | None) -> ProxyRoute:
        """Return the route that a request of `session` to the same host would take; without one, that of the environment."""
        http_url = "http" + url.removeprefix("ws") if url.startswith("ws") else url
        if session is not None:
            return cls._of(session, http_url)
        with PlainSession() as plain:
            return cls._of(plain, http_url)

    @classmethod
    def _of(cls, session: requests.Session, http_url: str) -> ProxyRoute:
        proxies = chosen_proxies(session, http_url)
        merged = session.merge_environment_settings(http_url, proxies, None, chosen_verify(session), None)
        verify = merged["verify"] if merged["verify"] is not None else True
        proxy = select_proxy(http_url, merged["proxies"])
        source = None if proxy is None or proxy in session.proxies.values() else named_by_environment(proxy, "_proxy") or _SYSTEM
        return cls(proxy, verify, merged["cert"], source, _tls_settings(session, http_url, verify, merged["cert"]))

    @property
    def proxy_name(self) -> str | None:
        """The proxy as messages name it: its host and port, and the variable of the environment that names it."""
        if self.proxy is None:
            return None
        place = self.proxy.rpartition("://")[2].partition("/")[0].rpartition("@")[2]
        return f"the proxy {place}" if self.source is None else f"the proxy {place} (from {self.source})"


def chosen_verify(session: requests.Session) -> bool | str | None:
    """Return the program's choice of `verify` for a session, to be named with each request; `None` without one.

    Otherwise requests would let the CA bundle of the environment overrule that choice.
    """
    return None if session.verify is True else session.verify


def chosen_proxies(session: requests.Session, url: str) -> Any:
    """Return the proxies to name with each request of a session.

    A proxy of the environment is not used for this machine itself: it could not reach a service that listens on loopback, or
    would reach another one. A proxy that the program has set is used all the same.
    """
    return {**dict.fromkeys(getproxies()), **session.proxies} if is_loopback(urlsplit(url).hostname or "") else {}


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, by its name or address; nothing is looked up."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(name))  # short forms, such as 127.1
        except OSError:
            return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def named_by_environment(value: str, *endings: str) -> str | None:
    """Return the variable that has this value and whose lower-case name ends so; requests prefers lower case."""
    names = (name for name in os.environ if name.lower().endswith(endings) and os.environ[name] == value)
    return min(names, key=str.swapcase, default=None)


def _tls_settings(session: requests.Session, http_url: str, verify: Any, certificate: Any) -> dict[str, Any]:
    """Return the TLS settings of the adapter that the session has mounted for the URL, for all connections or for this one."""
    try:
        adapter = session.get_adapter(http_url)
    except requests.exceptions.InvalidSchema:
        return {}
    told = getattr(getattr(adapter, "poolmanager", None), "connection_pool_kw", None)
    settings = dict(told) if isinstance(told, Mapping) else {}
    if (ask := getattr(adapter, "build_connection_pool_key_attributes", None)) is not None:
        _, for_this_one = ask(requests.Request("GET", http_url).prepare(), verify, certificate)
        settings.update(for_this_one)
    return {name: settings[name] for name in _TLS_SETTINGS if settings.get(name) is not None}
