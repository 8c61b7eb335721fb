"""Proxies: those of the caller's session and of the environment carry the connection, by CONNECT, TLS end to end."""

from __future__ import annotations

import base64

import pytest
import requests

from tests.support.addresses import resolve, swallowing
from tests.support.certificates import Authority
from tests.support.patience import PATIENCE
from tests.support.proxies import Proxy
from tests.support.scripted_service import ScriptedService
from tests.transport.conftest import Wire
from twilio_conversations.errors import InvalidArgumentError
from twilio_conversations.transport.connect import open_socket
from twilio_conversations.transport.dialling import Connecting
from twilio_conversations.transport.route import ProxyRoute, is_loopback
from twilio_conversations.util.futures import Deadline, wait
from twilio_conversations.wire.http_request import HttpRequest
from twilio_conversations.wire.packets import Notification, RestCall

SOON = PATIENCE
URL = "wss://127.0.0.1/v3/wsconnect"
BIG = 4_000_000


def session_of(authority: Authority, proxy_url: str) -> requests.Session:
    """The caller's session: it trusts the test's authority and goes through that proxy."""
    session = requests.Session()
    session.verify = authority.bundle
    session.proxies.update(http=proxy_url, https=proxy_url)
    return session


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that says nothing about proxies and certificates."""
    for name in ("https_proxy", "http_proxy", "no_proxy", "all_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


@pytest.mark.row("BY25")
@pytest.mark.parametrize("encrypted", [True, False])
def test_the_session_s_proxy_is_used(wire: Wire, authority: Authority, encrypted: bool) -> None:
    """By CONNECT, with its credentials, TLS end to end."""
    tls = authority.server_context() if encrypted else None
    with Proxy(password="secret") as proxy, ScriptedService(tls=tls) as service:
        wired = wire(service=service, session=session_of(authority, proxy.url("secret")))
        wired.up()
        wired.connection.close()

    assert proxy.asked_for(service.port) == 1
    assert b"Basic " + base64.b64encode(b"user:secret") in proxy.requests[0]


def test_an_https_proxy_is_spoken_to_in_tls(wire: Wire, authority: Authority) -> None:
    """TLS inside TLS, both verified; large messages go both ways and the peer may read slowly."""
    with Proxy(tls=authority.server_context()) as proxy, ScriptedService(tls=authority.server_context()) as service:
        wired = wire(service=service, session=session_of(authority, proxy.url()))
        peer = wired.up()
        futures = [wired.send(HttpRequest("POST", "h", "/p", body=bytes([n]) * BIG), Deadline(SOON)) for n in range(3)]
        peer.send(Notification("N1", "t", "y" * BIG))
        assert len(wired.recorder.wait_for("notification")[1]) == BIG
        for number in range(3):
            message = peer.expect(RestCall)
            assert message.request.body == bytes([number]) * BIG
            peer.answer(message, body=bytes([number]) * 300_000)
        for number, future in enumerate(futures):
            assert wait(future, Deadline(SOON), "POST").body == bytes([number]) * 300_000
        assert wired.recorder.facts("disconnected") == []
        wired.connection.close()
        peer.wait_closed()

    assert proxy.asked_for(service.port) == 1


def test_the_end_of_a_connection_through_an_https_proxy_is_seen(wire: Wire, authority: Authority) -> None:
    """A cut behind the proxy leads to a new connection, through it again."""
    with Proxy(tls=authority.server_context()) as proxy, ScriptedService(tls=authority.server_context()) as service:
        wired = wire(service=service, session=session_of(authority, proxy.url()))
        wired.up().cut()
        service.peer().accept_init()
        wired.recorder.wait_for("connected", count=2)
        wired.connection.close()

    assert proxy.asked_for(service.port) == 2


@pytest.mark.parametrize("given", [None, "wrong"])
def test_a_proxy_that_wants_a_password_is_named(wire: Wire, authority: Authority, given: str | None) -> None:
    """Without one, or with a wrong one: 407, in words, and no password in them."""
    with Proxy(password="secret") as proxy, ScriptedService(tls=authority.server_context()) as service:
        wired = wire(service=service, session=session_of(authority, proxy.url(given)))
        wired.connection.start()
        message = wired.recorder.wait_for("connection_error").message
        wired.connection.close()

    assert f"the proxy 127.0.0.1:{proxy.port} demands another user and password (407" in message
    assert "wrong" not in message


def test_an_https_proxy_with_an_untrusted_certificate_is_named(wire: Wire, authority: Authority) -> None:
    """It is the proxy's certificate that is at fault, not the service's."""
    context = authority.server_context("elsewhere.example")
    with Proxy(tls=context) as proxy, ScriptedService(tls=authority.server_context()) as service:
        wired = wire(service=service, session=session_of(authority, proxy.url()))
        wired.connection.start()
        message = wired.recorder.wait_for("connection_error").message
        wired.connection.close()

    assert f"certificate of the proxy 127.0.0.1:{proxy.port} is for another address" in message


def test_the_environment_names_proxy_exceptions_and_authorities(
    wire: Wire, authority: Authority, clean: pytest.MonkeyPatch
) -> None:
    """HTTPS_PROXY, REQUESTS_CA_BUNDLE and NO_PROXY, without a session of the caller's."""
    with Proxy() as proxy, ScriptedService(tls=authority.server_context("chat.example")) as service:
        resolve(clean, chat_example=[("127.0.0.1", service.port)])
        clean.setenv("HTTPS_PROXY", proxy.url())
        clean.setenv("REQUESTS_CA_BUNDLE", authority.bundle)
        endpoint = f"https://chat.example:{service.port}"
        through = wire(service=service, endpoint=endpoint)
        through.up()
        through.connection.close()
        assert len(proxy.requests) == 1
        clean.setenv("NO_PROXY", "chat.example")
        past = wire(service=service, endpoint=endpoint)
        past.up()
        past.connection.close()
        assert len(proxy.requests) == 1


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_no_proxy_of_the_environment_is_asked_for_this_machine(wire: Wire, clean: pytest.MonkeyPatch, variable: str) -> None:
    """A service on loopback needs no NO_PROXY, whatever session there is; a proxy that the session names is used."""
    with Proxy() as proxy, ScriptedService() as service:
        clean.setenv(variable, proxy.url())
        for session in (None, requests.Session()):
            wired = wire(service=service, session=session)
            wired.up()
            wired.connection.close()
        assert proxy.requests == []
        chosen = requests.Session()
        chosen.proxies["http"] = proxy.url()
        wired = wire(service=service, session=chosen)
        wired.up()
        wired.connection.close()
        assert proxy.asked_for(service.port) == 1


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_the_variable_that_names_a_proxy_is_told(wire: Wire, clean: pytest.MonkeyPatch, variable: str) -> None:
    """With what the proxy did, for programs too; and no password of it."""
    with Proxy(password="secret") as proxy:
        clean.setenv(variable, proxy.url("wrong"))
        wired = wire(endpoint="https://chat.example")
        wired.connection.start()
        info = wired.recorder.wait_for("connection_error")
        wired.connection.close()

    assert f"the proxy 127.0.0.1:{proxy.port} (from {variable}) demands another user and password (407" in info.message
    assert info.http_status_code == 407
    assert "wrong" not in info.message


def test_a_proxy_that_is_not_there_is_told_from_the_service(wire: Wire, clean: pytest.MonkeyPatch) -> None:
    """It is the proxy that refuses."""
    with Proxy() as proxy:
        clean.setenv("HTTP_PROXY", proxy.url())
    wired = wire(endpoint="http://chat.example")
    wired.connection.start()
    message = wired.recorder.wait_for("connection_error").message
    assert f"the proxy 127.0.0.1:{proxy.port} (from HTTP_PROXY) refused the connection" in message


def test_the_addresses_of_a_proxy_race(wire: Wire, clean: pytest.MonkeyPatch) -> None:
    """One that swallows packets costs a head start."""
    with Proxy() as proxy, ScriptedService() as service, swallowing() as hole:
        resolve(clean, proxy_example=[hole, ("127.0.0.1", proxy.port)])
        session = requests.Session()
        session.proxies["http"] = "http://proxy.example:1"
        wired = wire(service=service, session=session, connect_timeout=60)
        wired.up()
        wired.connection.close()


def test_a_session_may_leave_the_environment_alone(clean: pytest.MonkeyPatch) -> None:
    """With `trust_env` off; and what a session says itself overrules the environment."""
    url = "wss://chat.example/v3/wsconnect"
    assert ProxyRoute.find(url, None) == ProxyRoute()
    clean.setenv("HTTPS_PROXY", "http://proxy:1")
    clean.setenv("REQUESTS_CA_BUNDLE", "/ca.pem")
    assert ProxyRoute.find(url, None) == ProxyRoute("http://proxy:1", "/ca.pem")
    assert ProxyRoute.find(URL, None) == ProxyRoute(None, "/ca.pem")
    session = requests.Session()
    session.verify = "/own.pem"
    assert ProxyRoute.find(url, session).verify == "/own.pem"
    session.trust_env = False
    assert ProxyRoute.find(url, session) == ProxyRoute(None, "/own.pem")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *((host, True) for host in ("localhost", "LOCALHOST.", "chat.localhost", "127.0.0.1", "127.9.9.9", "127.1", "::1")),
        *((host, True) for host in ("::ffff:127.0.0.1", "0.0.0.0", "::")),
        *((host, False) for host in ("", "chat.example", "localhost.example", "10.0.0.1", "2001:db8::1", "notlocalhost")),
    ],
)
def test_this_machine_is_known_by_name_and_address(host: str, expected: bool) -> None:
    """Without asking DNS."""
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        (URL, "ftp://127.0.0.1:1"),
        (URL, "http://"),
        (URL, "socks5://"),
        (URL, "http://me:secret@[::1"),
        ("ws://h/p", "https://127.0.0.1:1"),
    ],
)
def test_other_proxies_are_refused_in_words(url: str, proxy: str) -> None:
    """Rather than passed by."""
    with pytest.raises(InvalidArgumentError) as caught:
        open_socket(url, ProxyRoute(proxy), Deadline(1), Connecting())
    assert "secret" not in str(caught.value)
