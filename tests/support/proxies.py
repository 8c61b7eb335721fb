"""Proxies between a client and its service: for HTTP CONNECT, for SOCKS5, and a reverse proxy that ends TLS."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
from types import TracebackType
from typing import Self

from tests.support.certificates import accepted_tls
from tests.support.patience import PATIENCE

LIMIT = PATIENCE


class ProxyServer:
    """Server that accepts connections, with TLS if `tls` is given, and serves each on a thread of its own."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, name="proxy-server")]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(LIMIT)
        self.cut_all()
        for thread in self._threads:
            thread.join(LIMIT)

    def cut_all(self) -> None:
        """End every connection."""
        for one in list(self._open):
            _shut(one)

    def serve(self, client: socket.socket) -> None:
        """Serve one connection; it is closed afterwards."""
        raise NotImplementedError

    def carry(self, client: socket.socket, service: socket.socket) -> None:
        """Carry bytes both ways until one side ends."""
        self._open.add(service)
        back = threading.Thread(target=_pump, args=(service, client), name="proxy-server-back")
        self._threads.append(back)
        back.start()
        _pump(client, service)
        back.join(LIMIT)
        self._open.discard(service)
        service.close()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(accepted)
            thread = threading.Thread(target=self._one, args=(accepted,), name="proxy-server-one")
            self._threads.append(thread)
            thread.start()

    def _one(self, accepted: socket.socket) -> None:
        with contextlib.suppress(OSError):
            client = accepted
            if self._tls is not None:
                self._open.discard(accepted)
                client = accepted_tls(self._tls, accepted)
                self._open.add(client)
            try:
                self.serve(client)
            finally:
                self._open.discard(client)
                client.close()


class Proxy(ProxyServer):
    """An HTTP proxy for CONNECT. With `password` it demands that of `user`; `tls` makes it an HTTPS proxy.

    Attributes:
        requests: the heads of the requests, each up to the empty line.
    """

    def __init__(self, *, password: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self.requests: list[bytes] = []
        self._wanted = None if password is None else base64.b64encode(f"user:{password}".encode())

    def url(self, password: str | None = None) -> str:
        """Return its URL, with user and password if there is one."""
        user = "" if password is None else f"user:{password}@"
        return f"{'http' if self._tls is None else 'https'}://{user}127.0.0.1:{self.port}"

    def asked_for(self, port: int) -> int:
        """Return the number of requests for a connection to that port of this machine."""
        return sum(request.startswith(f"CONNECT 127.0.0.1:{port} ".encode()) for request in self.requests)

    def serve(self, client: socket.socket) -> None:
        request = _head(client)
        self.requests.append(request)
        if self._wanted is not None and b"Basic " + self._wanted not in request:
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        host, port = request.split(b" ")[1].split(b":")
        with socket.create_connection((host.decode(), int(port)), LIMIT) as service:
            service.settimeout(None)
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self.carry(client, service)


class SocksProxy(ProxyServer):
    """A SOCKS5 proxy; with `password` it demands that of `user`. It resolves every name to this machine.

    Attributes:
        asked: the requested hosts and ports.
    """

    def __init__(self, *, password: str | None = None) -> None:
        super().__init__()
        self.asked: list[tuple[str, int]] = []
        self._password = password

    def url(self, scheme: str = "socks5h", password: str | None = None) -> str:
        """Return its URL, with user and password if there is one."""
        user = "" if password is None else f"user:{password}@"
        return f"{scheme}://{user}127.0.0.1:{self.port}"

    def serve(self, client: socket.socket) -> None:
        _exactly(client, _exactly(client, 2)[1])
        client.sendall(b"\x05\x00" if self._password is None else b"\x05\x02")
        if self._password is not None and not self._admits(client):
            return
        kind = _exactly(client, 4)[3]
        host = socket.inet_ntoa(_exactly(client, 4)) if kind == 1 else _exactly(client, _exactly(client, 1)[0]).decode()
        port = int.from_bytes(_exactly(client, 2), "big")
        self.asked.append((host, port))
        try:
            service = socket.create_connection(("127.0.0.1", port), LIMIT)
        except ConnectionRefusedError:
            client.sendall(b"\x05\x05\x00\x01" + bytes(6))
            return
        with service:
            service.settimeout(None)
            client.sendall(b"\x05\x00\x00\x01" + bytes(6))
            self.carry(client, service)

    def _admits(self, client: socket.socket) -> bool:
        user = _exactly(client, _exactly(client, 2)[1])
        password = _exactly(client, _exactly(client, 1)[0])
        good = (user.decode(), password.decode()) == ("user", self._password)
        client.sendall(b"\x01\x00" if good else b"\x01\x01")
        return good


class TlsFront(ProxyServer):
    """Reverse proxy that ends TLS before a plain service on this machine (``X-Forwarded-Proto``), one request a connection."""

    def __init__(self, service_port: int, tls: ssl.SSLContext) -> None:
        super().__init__(tls)
        self.url = f"https://127.0.0.1:{self.port}"
        self.service_port = service_port

    def serve(self, client: socket.socket) -> None:
        line, _, rest = _head(client).partition(b"\r\n")
        forwarded = b"\r\nX-Forwarded-Proto: https\r\n"
        if b"upgrade: websocket" not in rest.lower():
            forwarded += b"Connection: close\r\n"
            rest = b"\r\n".join(part for part in rest.split(b"\r\n") if not part.lower().startswith(b"connection:"))
        with socket.create_connection(("127.0.0.1", self.service_port), LIMIT) as service:
            service.settimeout(None)
            service.sendall(line + forwarded + rest)
            self.carry(client, service)


def _head(client: socket.socket) -> bytes:
    """Read up to the empty line; return that with what came after it in the same packet."""
    head = b""
    while b"\r\n\r\n" not in head:
        data = client.recv(4096)
        if not data:
            raise ConnectionError("closed before the end of the request's head")
        head += data
    return head


def _exactly(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = client.recv(size - len(data))
        if not more:
            raise ConnectionError("closed too early")
        data += more
    return data


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except (OSError, ValueError):
        pass
    finally:
        _shut(source)
        _shut(sink)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
