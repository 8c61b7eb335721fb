"""The certificate of `tls=True`: its names, who trusts it, where it is kept, and when it is made anew."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
import websocket
from cryptography import x509

from tests.server.peer import TIMEOUT
from tests.support.stopwatch import within
from twilio_conversations import Client
from twilio_conversations.server import LocalServer
from twilio_conversations.server.http import certificates, uvicorn_http
from twilio_conversations.server.http.certificates import Certificate, load_or_create

Fresh = Callable[[str], str]
HOST = "127.0.0.1"
TWILIO = [f"{part}.us1.twilio.com" for part in ("tsock", "aim", "cds", "mcs", "ers")]


def greets(certificate: Certificate, name: str) -> bool:
    """Return whether a client that trusts the authority, and only it, accepts the server under a name."""
    client = ssl.create_default_context(cafile=str(certificate.authority))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (
        client.wrap_bio(to_client, to_server, server_hostname=name),
        certificate.context().wrap_bio(to_server, to_client, server_side=True),
    )
    try:
        for _ in range(3):
            for side in sides:
                with contextlib.suppress(ssl.SSLWantReadError):
                    side.do_handshake()
    except ssl.SSLCertVerificationError:
        return False
    return all(side.version() for side in sides)


@pytest.mark.parametrize("name", ["localhost", HOST, "::1", *TWILIO])
def test_the_names_it_is_for(tmp_path: Path, name: str) -> None:
    """Clients that check strictly find loopback and the hosts that the official SDK goes to."""
    assert greets(load_or_create(tmp_path, HOST), name)


@pytest.mark.parametrize("name", ["twilio.com", "us1.twilio.com", "a.b.us1.twilio.com", "conversations.twilio.com", "192.0.2.7"])
def test_the_names_it_is_not_for(tmp_path: Path, name: str) -> None:
    """It is for no more than it needs."""
    assert not greets(load_or_create(tmp_path, HOST), name)


def test_another_host_is_added(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A host to listen on that is not in it makes a new one, which keeps the names of the old one and is warned about."""
    first = load_or_create(tmp_path, "192.0.2.7")
    assert greets(first, "192.0.2.7")
    assert load_or_create(tmp_path, HOST) == first
    assert not caplog.records
    second = load_or_create(tmp_path, "chat.test")
    assert second.pin != first.pin
    assert "trusted anew" in caplog.text
    assert all(greets(second, name) for name in ("192.0.2.7", "chat.test", "localhost"))


def test_every_address_is_no_name(tmp_path: Path) -> None:
    """Listening everywhere adds no name, nor does what is none."""
    first = load_or_create(tmp_path, HOST)
    assert all(load_or_create(tmp_path, host) == first for host in ("0.0.0.0", "::", "", "ü.test", "::1%lo", "localhost"))


def test_what_is_kept(tmp_path: Path) -> None:
    """Files are the owner's only; the authority can sign nothing more, as its key is nowhere; it is limited to the names."""
    certificate = load_or_create(tmp_path, HOST)
    files = [certificate.server, certificate.authority]
    assert sorted(certificate.server.parent.iterdir()) == sorted(files)
    assert [stat.S_IMODE(file.stat().st_mode) for file in (*files, certificate.server.parent)] == [0o600, 0o600, 0o700]
    assert certificate.server.read_text().count("PRIVATE KEY-----") == 2, "one key: the server's"
    assert "PRIVATE KEY" not in certificate.authority.read_text()
    authority = x509.load_pem_x509_certificate(certificate.authority.read_bytes())
    limits = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert limits.critical
    assert {str(subtree.value) for subtree in limits.value.permitted_subtrees or ()} == {
        "localhost",
        "us1.twilio.com",
        "127.0.0.1/32",
        "::1/128",
    }


def test_rights_of_others_are_taken(tmp_path: Path) -> None:
    """A key that others could read is closed again."""
    file = load_or_create(tmp_path, HOST).server
    file.chmod(0o644)
    load_or_create(tmp_path, HOST)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", ["empty", "cut", "no chain", "another key", "rubbish"])
def test_damaged_files_are_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str) -> None:
    """Nothing is lost with a certificate, so what cannot be used is replaced, with a warning."""
    first = load_or_create(tmp_path / "a", HOST)
    other = load_or_create(tmp_path / "b", HOST)
    key, _, chain = first.server.read_text().partition("-----BEGIN CERTIFICATE")
    other_key = other.server.read_text().partition("-----BEGIN CERTIFICATE")[0]
    mark = "-----BEGIN CERTIFICATE"
    whole = key + mark + chain
    texts = {"empty": "", "cut": whole[:-300], "no chain": key, "another key": other_key + mark + chain, "rubbish": "\0x"}
    first.server.write_text(texts[damage])
    second = load_or_create(tmp_path / "a", HOST)
    assert second.pin != first.pin
    assert greets(second, "localhost")
    assert "made anew" in caplog.text


def test_it_is_made_anew_before_it_expires(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A month before its end there is another; until then it stays the same."""
    first = load_or_create(tmp_path, HOST)
    now = dt.datetime.now(dt.UTC)
    for days, same in ((760, True), (775, False)):
        monkeypatch.setattr(certificates, "_now", lambda days=days: now + dt.timedelta(days=days))
        assert (load_or_create(tmp_path, HOST) == first) == same


def test_a_client_that_trusts_it(fresh: Fresh, tmp_path: Path) -> None:
    """A session with `verify` is all that a Python program needs, for the websocket and for media."""
    with LocalServer(tmp_path, tls=True) as server:
        session = requests.Session()
        session.verify = server.ca_file
        assert (server.url[:8], server.twilsock[:6]) == ("https://", "wss://")
        with Client(server.token(fresh("alice")), endpoint=server.url, session=session) as alice:
            room = alice.create_conversation().join()
            (medium,) = room.send_message(media=("a.txt", b"milk", "text/plain")).attached_media
            assert str(medium.get_content_temporary_url()).startswith(server.url)
            assert medium.read() == b"milk"
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{server.url}/_local/health", timeout=TIMEOUT)
        pin = server.certificate.pin
    with LocalServer(tmp_path, tls=True) as again:
        assert again.certificate.pin == pin


def test_plain_http_to_a_port_with_tls_ends(tmp_path: Path) -> None:
    """Who does not speak TLS is cut off, and the service goes on."""
    with LocalServer(tls=True) as server:
        with socket.create_connection((HOST, server.port), timeout=TIMEOUT) as line:
            line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"HTTP" not in b"".join(iter(lambda: line.recv(4096), b""))
        assert requests.get(f"{server.url}/_local/health", verify=server.ca_file, timeout=TIMEOUT).json()["status"] == "ok"


def test_links_under_the_names_of_twilio(fresh: Fresh) -> None:
    """A client that came to Twilio's hosts, which lead here, is given links to them: the API, Sync and media each to its own."""
    with LocalServer(tls=True) as server:
        url, headers = f"{server.url}/Client/v2/Configuration", {"X-Twilio-Token": server.token(fresh("alice"))}
        for host in TWILIO:
            answer = requests.get(url, headers=headers | {"Host": host}, verify=server.ca_file, timeout=TIMEOUT)
            links = answer.json()["links"]
            assert links["conversations"].startswith("https://aim.us1.twilio.com/Client/v2/Services/IS")
            assert links["media_service"].startswith("https://mcs.us1.twilio.com/v1/Services/IS")


def test_a_handshake_of_tls_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who connects and does not begin TLS is cut off: by plain HTTP's own limit, not after asyncio's minute."""
    assert uvicorn_http.HEAD_TIME <= 10
    monkeypatch.setattr(uvicorn_http, "HEAD_TIME", 0.2)
    with LocalServer(tls=True) as server, socket.create_connection((HOST, server.port), timeout=TIMEOUT) as line:
        assert line.recv(1) == b""


def test_silent_connections_do_not_hold_up_the_end() -> None:
    """A peer that never says anything, and one that does not answer the end of TLS, delay `stop` by two seconds at most."""
    with LocalServer(tls=True) as server, requests.Session() as session:
        session.get(f"{server.url}/_local/health", verify=server.ca_file, timeout=TIMEOUT)
        with socket.create_connection((HOST, server.port), timeout=TIMEOUT), within(4):
            server.stop()


def test_no_certificate_without_tls(service: LocalServer, tmp_path: Path) -> None:
    """A service that speaks plain HTTP has none, and makes none."""
    with pytest.raises(RuntimeError, match="tls=True"):
        _ = service.ca_file
    with LocalServer(tmp_path):
        assert not (tmp_path / certificates.DIRECTORY).exists()


def test_the_websocket_by_the_name_of_twilio(caplog: pytest.LogCaptureFixture) -> None:
    """The handshake under Twilio's own name verifies and ends in a websocket, whose end is no error."""
    with LocalServer(tls=True) as server:
        raw = socket.create_connection((HOST, server.port), timeout=TIMEOUT)
        context = ssl.create_default_context(cafile=server.ca_file)
        secure = context.wrap_socket(raw, server_hostname="tsock.us1.twilio.com")
        page = websocket.create_connection("wss://tsock.us1.twilio.com/v3/wsconnect", socket=secure, timeout=TIMEOUT)
        assert page.connected
        page.close()
    assert caplog.records == []
