"""Opening of the socket: name, TCP, proxy, TLS and the WebSocket upgrade.

These block and cannot be interrupted from within, so an `Attempt` makes them on a thread of its own, `conversations-connect`,
and hands the io thread a ready socket or an error.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH, prepend_scheme_if_needed
from urllib3.connection import ProxyConfig
from urllib3.util import parse_url
from urllib3.util.ssltransport import SSLTransport

from twilio_conversations.errors import ConversationsError, InvalidArgumentError, TransportUnavailableError
from twilio_conversations.transport.diagnosis import answer_in, in_words
from twilio_conversations.transport.dialling import Connecting, close_descriptor
from twilio_conversations.transport.http_connections import DialledConnection, DialledTlsConnection
from twilio_conversations.transport.process_hooks import no_fork
from twilio_conversations.transport.route import ProxyRoute, named_by_environment
from twilio_conversations.transport.socks_proxy import SocksProxy
from twilio_conversations.transport.upgrade import upgrade
from twilio_conversations.util.futures import Deadline, Role, mark_thread
from twilio_conversations.util.naming import shown
from twilio_conversations.util.os_errors import start_thread
from twilio_conversations.wire.failures import ConnectRefusedError

_DEFAULT_PORTS: Final = {"ws": 80, "wss": 443}
_PROXY_PORTS: Final = {"http": 80, "https": 443}


class Attempt:
    """One attempt to open a socket, on a thread of its own. Its owner takes the socket, or abandons the attempt."""

    def __init__(
        self,
        generation: int,
        url: str,
        session: requests.Session | None,
        timeout: float,
        done: Callable[[Attempt], None],
    ) -> None:
        """`done` is called on the connecting thread as soon as `take` has an outcome."""
        self.generation = generation
        self._url = url
        self._session = session
        self._deadline = Deadline(timeout)
        self._done = done
        self._lock = threading.Lock()
        self._connecting = Connecting()
        self._ready: Any = None
        self._error: Exception | None = None

    def start(self, name: str) -> threading.Thread:
        """Start the thread, and return it."""
        thread = threading.Thread(target=self._run, name=name, daemon=True)
        start_thread(thread)
        return thread

    def take(self) -> socket.socket:
        """Return the open socket, non-blocking; raise the error instead if it could not be opened."""
        with self._lock:
            ready, self._ready = self._ready, None
        if ready is None:
            raise self._error or TransportUnavailableError("the attempt was abandoned")
        return ready  # type: ignore[no-any-return]

    def abandon(self) -> None:
        """Close the socket, and break off whatever the thread waits for (except DNS)."""
        self._connecting.break_off()
        with self._lock:
            ready, self._ready = self._ready, None
        if ready is not None:
            ready.close()

    def close_in_child(self) -> None:
        """Close the child's descriptors after a fork, without a byte to the peer. Takes no lock."""
        self._connecting.close_in_child()
        if self._ready is not None:
            close_descriptor(self._ready)

    def _run(self) -> None:
        mark_thread(Role.CONNECT)
        ready = None
        try:
            ready = open_socket(self._url, ProxyRoute.find(self._url, self._session), self._deadline, self._connecting)
        except ConversationsError as error:
            self._error = error
        except BaseException as error:  # whatever it is: the io thread waits for the outcome
            self._error = TransportUnavailableError(f"the connecting thread ended: {shown(error)}", retryable=True)
            self._error.__cause__ = error
        with no_fork(), self._lock:
            wanted = self._connecting.finish()
            if wanted:
                self._ready = ready
        if wanted:
            self._done(self)
        elif ready is not None:
            ready.close()


def open_socket(url: str, route: ProxyRoute, deadline: Deadline, connecting: Connecting) -> Any:
    """Open a WebSocket and return its socket, non-blocking, right after the upgrade.

    `connecting` receives each TCP socket before the thread waits for it.

    Raises:
        InvalidArgumentError: that address, or that proxy, cannot be used.
        TransportUnavailableError: the text names the peer and what failed; the cause is the error of the library.
        ConnectRefusedError: likewise, when the answer had an HTTP status.
    """
    host, port, secure = _address(url)
    connection = _connection(host, port, route, secure=secure, timeout=deadline.remaining(), connecting=connecting)
    try:
        connection.connect()
        opened = connection.sock
        upgrade(url, opened, deadline)
        if isinstance(opened, SSLTransport):
            from twilio_conversations.transport.nested_tls import NestedTls

            return NestedTls(opened)
        opened.setblocking(False)
    except Exception as error:
        connection.close()
        by_proxy = route.proxy is not None and not connection.past_proxy
        raise _unavailable(error, str(route.proxy_name) if by_proxy else f"{host}:{port}") from error
    except BaseException:
        connection.close()
        raise
    return opened


def _address(url: str) -> tuple[str, int, bool]:
    """Return host, port, and whether TLS is used."""
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise InvalidArgumentError(f"not a WebSocket URL: {url!r}")
    return parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme], parts.scheme == "wss"


def _connection(
    host: str, port: int, route: ProxyRoute, *, secure: bool, **facts: Any
) -> DialledConnection | DialledTlsConnection:
    """Return urllib3's connection by that route, not yet connected."""
    kind = partial(DialledTlsConnection, **_tls(route)) if secure else DialledConnection
    if route.proxy is None:
        return kind(host, port, **facts)
    socks, proxy = _parsed(route)
    if socks is not None:
        return kind(host, port, socks=socks, **facts)
    if proxy.scheme == "https" and not secure:
        raise InvalidArgumentError("an HTTPS proxy can carry wss:// only, not ws://")
    proxy_port = proxy.port or _PROXY_PORTS[proxy.scheme]
    connection = kind(proxy.host, proxy_port, proxy=proxy, proxy_config=ProxyConfig(None, False, None, None), **facts)
    connection.set_tunnel(host, port, HTTPAdapter().proxy_headers(str(route.proxy)), scheme=proxy.scheme)
    return connection


def _parsed(route: ProxyRoute) -> tuple[SocksProxy | None, Any]:
    """Return the SOCKS proxy, or the URL of an HTTP one. An error does not quote the URL, which may hold a password."""
    try:
        if (socks := SocksProxy.parse(route.proxy or "")) is not None:
            return socks, None
        proxy = parse_url(prepend_scheme_if_needed(route.proxy, "http"))  # type: ignore[no-untyped-call]
    except ValueError:
        proxy = None
    if proxy is None or not proxy.host or proxy.scheme not in _PROXY_PORTS:
        raise InvalidArgumentError(f"{route.source or 'the session'} does not name an HTTP or SOCKS proxy by its URL")
    return None, proxy


def _unavailable(error: Exception, peer: str) -> TransportUnavailableError:
    words, answer = in_words(error, peer), answer_in(error)
    if answer is None:
        return TransportUnavailableError(words, sent=False, retryable=True)
    return ConnectRefusedError(words, *answer)


def _tls(route: ProxyRoute) -> dict[str, Any]:
    """Return urllib3's settings of certificates, read as requests reads `verify` and `cert`."""
    certificate, key = route.certificate if isinstance(route.certificate, tuple) else (route.certificate, None)
    _must_exist(certificate, "client certificate")
    _must_exist(key, "key of a client certificate")
    facts: dict[str, Any] = {"cert_file": certificate, "key_file": key, "cert_reqs": "CERT_REQUIRED", **route.tls}
    if route.verify is False:
        facts["cert_reqs"] = "CERT_NONE"
        return facts
    authorities = DEFAULT_CA_BUNDLE_PATH if route.verify is True else route.verify
    _must_exist(authorities, "CA bundle")
    facts["ca_cert_dir" if os.path.isdir(authorities) else "ca_certs"] = authorities
    return facts


def _must_exist(path: str | None, what: str) -> None:
    if path is not None and not os.path.exists(path):
        source = named_by_environment(path, "_ca_bundle")
        raise TransportUnavailableError(f"there is no {what} at {path}{f' (from {source})' if source else ''}", sent=False)
