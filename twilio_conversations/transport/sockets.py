"""Opening the socket: name, TCP, proxy, TLS and the WebSocket upgrade.

These block and cannot be interrupted from within, so an `Attempt` makes them on a thread of its own, `conversations-connect`,
and hands the io thread a ready socket or an error.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
import requests
import websocket
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH, prepend_scheme_if_needed, select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig
from urllib3.util import parse_url
from urllib3.util.ssltransport import SSLTransport

from twilio_conversations._version import __version__
from twilio_conversations.errors import ConversationsError, InvalidArgumentError, TransportUnavailableError
from twilio_conversations.futures import Deadline, Role, mark_thread
from twilio_conversations.os_errors import start_thread
from twilio_conversations.transport.diagnosis import in_words
from twilio_conversations.transport.nested_tls import NestedTls
from twilio_conversations.util.naming import shown

_LONGEST_HANDSHAKE: Final = 64 * 1024
_DEFAULT_PORTS: Final = {"ws": 80, "wss": 443}


@attrs.frozen
class Route:
    """How to reach an address: the caller's own settings and those of the environment, merged.

    Attributes:
        proxy: URL of an HTTP proxy, or `None`.
        verify: `True`, `False`, or a path of CA certificates.
        certificate: path of a client certificate, or (certificate, key).
    """

    proxy: str | None = None
    verify: bool | str = True
    certificate: str | tuple[str, str] | None = attrs.field(default=None, repr=False)

    @classmethod
    def find(cls, url: str, session: requests.Session | None) -> Route:
        """The route that a request of `session` to the same host would take; a session of requests' own without one."""
        http_url = "http" + url.removeprefix("ws")
        if session is not None:
            return cls._of(session, http_url)
        with requests.Session() as plain:
            return cls._of(plain, http_url)

    @classmethod
    def _of(cls, session: requests.Session, http_url: str) -> Route:
        merged = session.merge_environment_settings(http_url, {}, None, chosen_verify(session), None)
        verify = merged["verify"] if merged["verify"] is not None else True
        return cls(select_proxy(http_url, merged["proxies"]), verify, merged["cert"])


def chosen_verify(session: requests.Session) -> bool | str | None:
    """What a session's program has chosen for `verify`, to be said with each request; `None` if nothing.

    Left to itself requests lets the CA bundle of the environment overrule what the program has set.
    """
    return None if session.verify is True else session.verify


class Attempt:
    """One try to open a socket, on a thread of its own. Whoever made it takes the socket, or abandons the attempt."""

    def __init__(
        self,
        generation: int,
        url: str,
        session: requests.Session | None,
        timeout: float,
        done: Callable[[Attempt], None],
    ) -> None:
        """`done` is called on the connecting thread as soon as `take` has something to give."""
        self.generation = generation
        self._url = url
        self._session = session
        self._deadline = Deadline(timeout)
        self._done = done
        self._lock = threading.Lock()
        self._handle: socket.socket | None = None  # a second descriptor of the socket in use: to break the waiting off
        self._in_use = -1  # the first descriptor, whatever holds it by now
        self._ready: Any = None
        self._error: Exception | None = None
        self._abandoned = False
        self._thread: threading.Thread | None = None

    def start(self, name: str) -> None:
        """Start the thread."""
        thread = threading.Thread(target=self._run, name=name, daemon=True)
        start_thread(thread)
        self._thread = thread

    def take(self) -> socket.socket:
        """The open socket, non-blocking; raises what went wrong instead."""
        with self._lock:
            ready, self._ready = self._ready, None
        if ready is None:
            raise self._error or TransportUnavailableError("the attempt was abandoned")
        return ready  # type: ignore[no-any-return]

    def abandon(self) -> None:
        """Nobody wants the socket any more: it is closed, and what the thread waits for (except DNS) is broken off."""
        with self._lock:
            self._abandoned = True
            ready, self._ready = self._ready, None
            if self._handle is not None:
                _shut(self._handle)
        if ready is not None:
            ready.close()

    def join(self, timeout: float) -> None:
        """Wait for the thread."""
        if self._thread is not None:
            self._thread.join(timeout)

    def close_in_child(self) -> None:
        """After a fork: give the child's descriptors back without a word to the peer. Takes no lock."""
        handle = self._handle
        if handle is not None and _same_socket(handle.fileno(), self._in_use):
            os.close(self._in_use)
        for held in (self._handle, self._ready):
            if held is not None:
                close_descriptor(held)

    def _run(self) -> None:
        mark_thread(Role.CONNECT)
        ready = None
        try:
            ready = open_socket(self._url, Route.find(self._url, self._session), self._deadline, self._watch)
        except ConversationsError as error:
            self._error = error
        except BaseException as error:  # whatever it is, io waits for the outcome, and does not ask what is the program's
            self._error = TransportUnavailableError(f"the connecting thread ended: {shown(error)}", retryable=True)
            self._error.__cause__ = error
        with self._lock:
            handle, self._handle = self._handle, None
            wanted = not self._abandoned
            if wanted:
                self._ready = ready
        if handle is not None:
            handle.close()
        if wanted:
            self._done(self)
        elif ready is not None:
            ready.close()

    def _watch(self, used: socket.socket) -> None:
        """The thread is about to wait for `used`."""
        with self._lock:
            if self._abandoned:
                raise TransportUnavailableError("the attempt was abandoned")
            before, self._handle = self._handle, used.dup()
            self._in_use = used.fileno()
        if before is not None:
            before.close()


def open_socket(url: str, route: Route, deadline: Deadline, watch: Callable[[socket.socket], None]) -> Any:
    """Open a WebSocket and return its socket, non-blocking, right after the upgrade.

    `watch` is told of each TCP socket before anything is waited for.

    Raises:
        InvalidArgumentError: that address, or that proxy, cannot be used.
        TransportUnavailableError: the text says who failed at what; the cause is the error of the library that noticed.
    """
    connection = _connection(url, route, deadline, watch)
    try:
        connection.connect()
        opened = connection.sock
        _upgrade(url, opened, deadline)
        if isinstance(opened, SSLTransport):
            return NestedTls(opened)
        opened.setblocking(False)
    except Exception as error:
        connection.close()
        raise TransportUnavailableError(in_words(error, connection.peer), sent=False, retryable=True) from error
    except BaseException:
        connection.close()
        raise
    return opened


def close_descriptor(held: Any) -> None:
    """Close a socket's descriptor and nothing else: no shutdown, no TLS farewell."""
    inner = getattr(held, "socket", held)  # urllib3's TLS in TLS keeps the real socket inside
    try:
        os.close(inner.detach())
    except OSError:
        pass


def _same_socket(one: int, other: int) -> bool:
    """Whether two descriptors are of one socket; a number may mean something else by now."""
    try:
        return one != other and os.path.sameopenfile(one, other)
    except OSError:
        return False


def _shut(handle: socket.socket) -> None:
    try:
        handle.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


class _Dialled:
    """Mixed into urllib3's connections: TCP sockets are announced before they connect, and it is known who is spoken to."""

    dial: Callable[[str, int], socket.socket]
    peer: str
    target: str
    _dns_host: str
    port: int

    def _new_conn(self) -> socket.socket:
        return self.dial(self._dns_host, self.port)

    def _tunnel(self) -> None:
        super()._tunnel()  # type: ignore[misc]
        self.peer = self.target


class _PlainConnection(_Dialled, HTTPConnection):
    pass


class _SecureConnection(_Dialled, HTTPSConnection):
    pass


def _connection(
    url: str, route: Route, deadline: Deadline, watch: Callable[[socket.socket], None]
) -> _PlainConnection | _SecureConnection:
    """urllib3's connection for the URL by that route, not yet connected."""
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise InvalidArgumentError(f"not a WebSocket URL: {url!r}")
    host, port = parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme]
    proxy = None if route.proxy is None else parse_url(prepend_scheme_if_needed(route.proxy, "http"))  # type: ignore[no-untyped-call]
    if proxy is not None and (proxy.scheme not in ("http", "https") or not proxy.host):
        raise InvalidArgumentError(f"only HTTP proxies can carry the connection, not {proxy.scheme}")
    if proxy is not None and proxy.scheme == "https" and parts.scheme == "ws":
        raise InvalidArgumentError("an HTTPS proxy can carry wss:// only, not ws://")
    facts: dict[str, Any] = {"host": host, "port": port, "timeout": deadline.remaining()}
    if proxy is not None:
        proxy_port = proxy.port or (443 if proxy.scheme == "https" else 80)
        config = ProxyConfig(None, False, None, None)
        facts.update(host=proxy.host, port=proxy_port, proxy=proxy, proxy_config=config)
    connection = _SecureConnection(**facts, **_tls(route)) if parts.scheme == "wss" else _PlainConnection(**facts)
    connection.dial = lambda name, number: _dial(name, number, deadline, watch)
    connection.target = connection.peer = f"{host}:{port}"
    if proxy is not None:
        connection.peer = f"the proxy {proxy.host}:{facts['port']}"
        headers = HTTPAdapter().proxy_headers(str(route.proxy))
        connection.set_tunnel(host, port, headers, scheme=str(proxy.scheme))
    return connection


def _tls(route: Route) -> dict[str, Any]:
    """What urllib3 must know about certificates, read the way requests reads `verify` and `cert`."""
    certificate, key = route.certificate if isinstance(route.certificate, tuple) else (route.certificate, None)
    _must_exist(certificate, "client certificate")
    _must_exist(key, "key of a client certificate")
    facts: dict[str, Any] = {"cert_file": certificate, "key_file": key, "cert_reqs": "CERT_REQUIRED"}
    if route.verify is False:
        facts["cert_reqs"] = "CERT_NONE"
        return facts
    authorities = DEFAULT_CA_BUNDLE_PATH if route.verify is True else route.verify
    _must_exist(authorities, "CA bundle")
    facts["ca_cert_dir" if os.path.isdir(authorities) else "ca_certs"] = authorities
    return facts


def _must_exist(path: str | None, what: str) -> None:
    if path is not None and not os.path.exists(path):
        raise TransportUnavailableError(f"there is no {what} at {path}", sent=False)


def _dial(host: str, port: int, deadline: Deadline, watch: Callable[[socket.socket], None]) -> socket.socket:
    """Connect to the first address of `host` that answers; the time left is shared among the addresses."""
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    problem: OSError = OSError(f"no address for {host}")
    for left in range(len(addresses), 0, -1):
        family, kind, protocol, _, address = addresses[-left]
        dialled = socket.socket(family, kind, protocol)
        try:
            watch(dialled)
            dialled.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            dialled.settimeout(_some(deadline) / left)
            dialled.connect(address)
            dialled.settimeout(_some(deadline))
            return dialled
        except OSError as error:
            dialled.close()
            problem = error
    raise problem


def _some(deadline: Deadline) -> float:
    """The time that is left, but never zero, which would mean non-blocking."""
    remaining = deadline.remaining()
    return 0.001 if remaining is None else max(0.001, remaining)


class _HandshakeSocket:
    """The socket during the upgrade: a peer that drips or floods cannot hold the thread."""

    def __init__(self, connected: Any, deadline: Deadline) -> None:
        self._socket = connected
        self._deadline = deadline
        self._received = 0

    def recv(self, size: int) -> bytes:
        self._received += size
        if self._received > _LONGEST_HANDSHAKE:
            raise TransportUnavailableError("the answer to the WebSocket upgrade is too long")
        if self._deadline.passed:
            raise TimeoutError("the WebSocket upgrade took too long")
        self._socket.settimeout(_some(self._deadline))
        return self._socket.recv(size)  # type: ignore[no-any-return]

    def send(self, data: bytes) -> int:
        self._socket.sendall(data)
        return len(data)

    def gettimeout(self) -> float:
        return _some(self._deadline)

    def fileno(self) -> int:
        return self._socket.fileno()  # type: ignore[no-any-return]

    def close(self) -> None:
        """The connection closes it."""


def _upgrade(url: str, opened: Any, deadline: Deadline) -> None:
    """The WebSocket handshake, by websocket-client; redirects are not followed, no compression is offered."""
    websocket.create_connection(
        url,
        socket=_HandshakeSocket(opened, deadline),
        redirect_limit=0,
        suppress_origin=True,
        header=[f"User-Agent: twilio-conversations-python/{__version__}"],
    )
