"""Opening the socket: TLS is verified, the caller's session says how, proxies are used, nothing can hold the thread."""

from __future__ import annotations

import base64
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
import requests
import websocket

from tests.support.scripted_service import LIMIT, Peer, ScriptedService
from tests.transport.conftest import Wire
from twilio_conversations.errors import InvalidArgumentError, TransportUnavailableError
from twilio_conversations.futures import Deadline, wait
from twilio_conversations.transport.sockets import Attempt, Route, open_socket
from twilio_conversations.wire.packets import HttpRequest, Message, Notification

SOON = 5.0
URL = "wss://127.0.0.1/v3/wsconnect"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an authority, and a certificate of its making for 127.0.0.1 that serves both ends."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificates, and is not there")
    home = tmp_path_factory.mktemp("tls")

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=home, check=True, capture_output=True)

    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    run("req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=Test authority")
    run("req", *new_key, "-keyout", "end.key", "-out", "end.csr", "-subj", "/CN=127.0.0.1")
    (home / "end.ext").write_text("subjectAltName=IP:127.0.0.1\n")
    signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "end.ext"]
    run("x509", "-req", "-in", "end.csr", "-out", "end.pem", *signing)
    return home


@pytest.fixture
def tls(certificates: Path) -> ssl.SSLContext:
    """What a service needs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "end.pem", certificates / "end.key")
    return context


@pytest.fixture
def secure(tls: ssl.SSLContext) -> Iterator[ScriptedService]:
    """A service behind TLS."""
    with ScriptedService(tls=tls) as service:
        yield service


def session_of(certificates: Path, **proxies: str) -> requests.Session:
    """The caller's session, trusting the test's authority."""
    session = requests.Session()
    session.verify = str(certificates / "ca.pem")
    session.proxies.update(proxies)
    return session


def test_tls_end_to_end(wire: Wire, secure: ScriptedService, certificates: Path) -> None:
    """Requests, and messages larger than a TLS record, both ways."""
    wired = wire(service=secure, session=session_of(certificates))
    peer = wired.up()
    future = wired.connection.send(HttpRequest("POST", "h", "/p", body=b"x" * 300_000), Deadline(SOON))
    message = peer.expect(Message)
    peer.send(Notification("N1", "t", "y" * 300_000))
    peer.answer(message, body=b"z" * 300_000)

    assert len(message.request.body) == 300_000
    assert len(wait(future, Deadline(SOON), "POST").body) == 300_000
    wired.recorder.wait_for("notification")
    assert peer.expect_acknowledgement() == "N1"
    wired.connection.close()


def test_many_small_frames_in_one_tls_record(wire: Wire, secure: ScriptedService, certificates: Path) -> None:
    """What OpenSSL holds back is read though the socket is no longer readable."""
    wired = wire(service=secure, session=session_of(certificates))
    peer = wired.up()
    for _ in range(20):
        peer.send_many([Notification(f"N{number}", "t", "x" * 700) for number in range(40)])
    wired.recorder.wait_for("notification", count=800)
    wired.connection.close()


def test_an_unknown_authority_is_refused(wire: Wire, secure: ScriptedService) -> None:
    """Unless the program says otherwise; reported, and tried again."""
    wired = wire(service=secure)
    wired.connection.start()

    assert "CERTIFICATE_VERIFY_FAILED" in wired.recorder.wait_for("connection_error").message
    wired.connection.close()


def test_verification_can_be_turned_off(wire: Wire, secure: ScriptedService) -> None:
    """By the caller's session alone."""
    session = requests.Session()
    session.verify = False
    wired = wire(service=secure, session=session)
    wired.up()
    wired.connection.close()


def test_the_client_certificate_is_shown(wire: Wire, tls: ssl.SSLContext, certificates: Path) -> None:
    """From the caller's session too."""
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(certificates / "ca.pem")
    session = session_of(certificates)
    session.cert = (str(certificates / "end.pem"), str(certificates / "end.key"))
    with ScriptedService(tls=tls) as service:
        wired = wire(service=service, session=session)
        wired.up()
        wired.connection.close()


class Proxy:
    """An HTTP proxy that knows CONNECT."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://user:secret@127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(LIMIT)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            request = b""
            while b"\r\n\r\n" not in request:
                request += client.recv(4096)
            self.requests.append(request)
            host, port = request.split(b" ")[1].split(b":")
            target = socket.create_connection((host.decode(), int(port)))
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            for source, sink in ((client, target), (target, client)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            sink.close()


@pytest.mark.row("BY25")
@pytest.mark.parametrize("encrypted", [True, False])
def test_the_session_s_proxy_is_used(wire: Wire, tls: ssl.SSLContext, certificates: Path, encrypted: bool) -> None:
    """By CONNECT, with its credentials, TLS end to end."""
    with Proxy() as proxy, ScriptedService(tls=tls if encrypted else None) as service:
        wired = wire(service=service, session=session_of(certificates, http=proxy.url, https=proxy.url))
        wired.up()
        wired.connection.close()

    assert proxy.requests[0].startswith(f"CONNECT 127.0.0.1:{service.port} ".encode())
    assert b"Basic " + base64.b64encode(b"user:secret") in proxy.requests[0]


def test_the_environment_s_proxy_is_used_and_its_exceptions_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    """As requests reads it, for a session that trusts it."""
    for name in ("https_proxy", "http_proxy", "no_proxy", "all_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert Route.find(URL, None) == Route()
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/ca.pem")
    assert Route.find(URL, None) == Route("http://proxy:1", "/ca.pem")
    distrustful = requests.Session()
    distrustful.trust_env = False
    assert Route.find(URL, distrustful) == Route()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    assert Route.find(URL, None).proxy is None


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "http://"])
def test_other_proxies_are_refused_in_words(proxy: str) -> None:
    """Rather than passed by."""
    with pytest.raises((InvalidArgumentError, ValueError)):
        open_socket(URL, Route(proxy), Deadline(1), lambda used: None)


@pytest.mark.row("ER48")
@pytest.mark.parametrize("url", ["http://h/", "wss:///p", "h"])
def test_other_addresses_are_refused(url: str) -> None:
    """Before anything is opened."""
    with pytest.raises(InvalidArgumentError):
        open_socket(url, Route(), Deadline(1), lambda used: None)


@pytest.mark.parametrize("flood", [b"x", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000], ids=["drip", "flood"])
def test_the_answer_to_the_upgrade_is_bounded(flood: bytes) -> None:
    """In time and in size."""
    with ScriptedService(upgrade=False) as service:
        done = threading.Event()
        attempt = Attempt(1, f"ws://127.0.0.1:{service.port}/", None, 0.5, lambda _: done.set())
        attempt.start("connecting")
        peer: Peer = service.peer()
        while not done.is_set():
            try:
                peer.send_raw(flood)
            except OSError:
                break
            time.sleep(0.01)
        assert done.wait(SOON)
        attempt.join(SOON)

        with pytest.raises((TransportUnavailableError, OSError, websocket.WebSocketException)):
            attempt.take()


def test_an_abandoned_attempt_closes_its_own_socket() -> None:
    """Whether it was still under way or done."""
    with ScriptedService() as service:
        done = threading.Event()
        attempt = Attempt(1, f"ws://127.0.0.1:{service.port}/", None, SOON, lambda _: done.set())
        attempt.start("connecting")
        assert done.wait(SOON)
        attempt.abandon()
        service.peer().wait_closed()
        with pytest.raises(TransportUnavailableError):
            attempt.take()

    with ScriptedService(upgrade=False) as service:
        called: list[Attempt] = []
        attempt = Attempt(1, f"ws://127.0.0.1:{service.port}/", None, 60, called.append)
        attempt.start("connecting")
        peer = service.peer()
        attempt.abandon()
        attempt.join(SOON)
        peer.wait_closed()

        assert not called
