"""Whatever keeps a client from connecting is said in words: who failed at what."""

from __future__ import annotations

import socket
import ssl
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.support.certificates import Authority
from tests.support.scripted_service import ScriptedService
from tests.transport.conftest import Wire
from twilio_conversations.enums import ConnectionState
from twilio_conversations.server import LocalServer

# TLS


def an_unknown_authority(authority: Authority, session: requests.Session) -> ssl.SSLContext:
    """The session trusts only what the system trusts."""
    session.verify = True
    return authority.server_context()


def another_address(authority: Authority, session: requests.Session) -> ssl.SSLContext:
    """A good certificate of somebody else."""
    return authority.server_context("10.9.8.7")


def another_name(authority: Authority, session: requests.Session) -> ssl.SSLContext:
    """A good certificate for a name; here an address was asked for, which no name matches."""
    return authority.server_context("chat.example.com")


def an_expired_certificate(authority: Authority, session: requests.Session) -> ssl.SSLContext:
    """It was good until yesterday."""
    return authority.server_context(expired=True)


def an_old_protocol(authority: Authority, session: requests.Session) -> ssl.SSLContext:
    """TLS 1.1 and nothing newer."""
    context = authority.server_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def a_client_certificate_is_missing(authority: Authority, session: requests.Session) -> ssl.SSLContext:
    """TLS 1.2 says so in the handshake."""
    context = authority.server_context()
    authority.demand_certificates(context)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def a_bundle_that_is_not_there(authority: Authority, session: requests.Session) -> ssl.SSLContext:
    """A typing error in the path."""
    session.verify = "/nowhere/bundle.pem"
    return authority.server_context()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (an_unknown_authority, "certificate of {peer} is not from a trusted authority"),
        (another_address, "certificate of {peer} is for another address"),
        (another_name, "certificate of {peer} is for another address"),
        (an_expired_certificate, "certificate of {peer} has expired"),
        (an_old_protocol, "TLS with {peer} failed: it speaks no version of TLS that is accepted here"),
        (a_client_certificate_is_missing, "TLS with {peer} failed: it broke off the handshake, perhaps for want of a client"),
        (a_bundle_that_is_not_there, "there is no CA bundle at /nowhere/bundle.pem"),
    ],
)
def test_tls_says_what_failed(
    wire: Wire, authority: Authority, fault: Callable[[Authority, requests.Session], ssl.SSLContext], words: str
) -> None:
    """Reported as not terminal, and tried again: certificates are renewed while clients run."""
    session = requests.Session()
    session.verify = authority.bundle
    context = fault(authority, session)
    with ScriptedService(tls=context) as service:
        wired = wire(session=session, endpoint=f"https://127.0.0.1:{service.port}")
        wired.connection.start()
        info = wired.recorder.wait_for("connection_error", count=2)
        wired.connection.close()

    assert words.format(peer=f"127.0.0.1:{service.port}") in info.message
    assert not info.terminal


def test_a_plain_port_is_told_from_a_tls_one(wire: Wire, service: LocalServer) -> None:
    """``https`` to a service that speaks HTTP."""
    wired = wire(endpoint=f"https://127.0.0.1:{service.port}")
    wired.connection.start()
    words = f"TLS with 127.0.0.1:{service.port} failed: it does not answer with TLS, as a plain HTTP port would"

    assert words in wired.recorder.wait_for("connection_error").message


# DNS and TCP


def test_a_name_that_does_not_resolve_is_named_and_asked_again(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text says DNS and the host; as soon as the name resolves the client connects."""
    resolve = socket.getaddrinfo
    known: list[str] = []

    def look_up(host: Any, *arguments: Any, **more: Any) -> Any:
        if host != "chat.example.com":
            return resolve(host, *arguments, **more)
        if not known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(known[0], *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with ScriptedService() as service:
        wired = wire(endpoint=f"http://chat.example.com:{service.port}")
        wired.connection.start()
        info = wired.recorder.wait_for("connection_error", count=3)
        assert f"DNS does not know the host of chat.example.com:{service.port} (Name or service not known)" in info.message
        assert wired.connection.state in (ConnectionState.RETRYING, ConnectionState.CONNECTING)
        known.append("127.0.0.1")
        service.peer().accept_init()
        wired.recorder.wait_for("connected")
        wired.connection.close()


def test_a_name_that_cannot_exist_is_dns_s_fault(wire: Wire) -> None:
    """By this machine's own resolver: ``.invalid`` is reserved for names that never resolve."""
    wired = wire(endpoint="http://nowhere.invalid:80")
    wired.connection.start()

    assert "DNS does not know the host of nowhere.invalid:80" in wired.recorder.wait_for("connection_error").message


def test_the_variable_that_names_a_missing_ca_bundle_is_told(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing error in the environment."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/bundle.pem")
    wired = wire(endpoint="https://127.0.0.1:1")
    wired.connection.start()
    message = wired.recorder.wait_for("connection_error").message

    assert message.endswith("there is no CA bundle at /nowhere/bundle.pem (from REQUESTS_CA_BUNDLE)")


def test_a_port_where_nobody_listens_is_named(wire: Wire) -> None:
    """Host, port and what they did."""
    with ScriptedService() as service:
        port = service.port
    wired = wire(endpoint=f"http://127.0.0.1:{port}")
    wired.connection.start()

    assert f"127.0.0.1:{port} refused the connection" in wired.recorder.wait_for("connection_error").message


def test_a_peer_that_accepts_and_is_silent_is_named(wire: Wire) -> None:
    """After the connect timeout."""
    with ScriptedService(upgrade=False) as service:
        wired = wire(service=service, connect_timeout=0.2)
        wired.connection.start()
        message = wired.recorder.wait_for("connection_error", lambda info: "in time" in info.message).message
        wired.connection.close()

    assert message


def test_a_refused_upgrade_tells_the_status(wire: Wire) -> None:
    """And not the whole answer."""
    with ScriptedService(upgrade=False) as service:
        wired = wire(service=service)
        wired.connection.start()
        service.peer().send_raw(b"HTTP/1.1 403 Forbidden\r\nX-Secret: 1\r\n\r\n")
        message = wired.recorder.wait_for("connection_error").message
        wired.connection.close()

    assert message.endswith("answered the WebSocket upgrade with status 403 Forbidden")
