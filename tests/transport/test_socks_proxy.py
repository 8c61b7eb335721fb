"""SOCKS proxies, where PySocks is installed, and what to install where it is not."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import requests

from tests.support.addresses import resolve, swallowing
from tests.support.certificates import Authority
from tests.support.proxies import SocksProxy as SocksServer
from tests.support.scripted_service import ScriptedService
from tests.transport.conftest import Wire
from twilio_conversations.transport import socks_proxy
from twilio_conversations.transport.socks_proxy import SocksProxy


def session_of(proxy_url: str, **facts: Any) -> requests.Session:
    """The caller's session, which goes through that proxy."""
    session = requests.Session()
    session.proxies.update(http=proxy_url, https=proxy_url)
    for name, value in facts.items():
        setattr(session, name, value)
    return session


@pytest.mark.parametrize("encrypted", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_a_socks_proxy_carries_the_connection(wire: Wire, authority: Authority, scheme: str, encrypted: bool) -> None:
    """With its user and password, TLS end to end; the letter h lets the proxy resolve names."""
    tls = authority.server_context("localhost") if encrypted else None
    with SocksServer(password="secret") as proxy, ScriptedService(tls=tls) as service:
        session = session_of(proxy.url(scheme, "secret"), verify=authority.bundle)
        endpoint = f"{'https' if encrypted else 'http'}://localhost:{service.port}"
        wired = wire(service=service, session=session, endpoint=endpoint)
        wired.up()
        wired.connection.close()
    assert proxy.asked == [("localhost" if scheme == "socks5h" else "127.0.0.1", service.port)]


def test_a_socks_proxy_that_wants_another_password_is_named(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variable that names it, and without the password."""
    with SocksServer(password="secret") as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url(password="wrong"))
        wired = wire(endpoint="http://chat.example")
        wired.connection.start()
        message = wired.recorder.wait_for("connection_error").message
        wired.connection.close()
    assert f"the proxy 127.0.0.1:{proxy.port} (from ALL_PROXY) did not open the connection (SOCKS5 authentication" in message
    assert "wrong" not in message


def test_what_a_socks_proxy_cannot_reach_is_named(wire: Wire) -> None:
    """In its own words."""
    with ScriptedService() as gone:
        port = gone.port
    with SocksServer() as proxy:
        wired = wire(endpoint=f"http://127.0.0.1:{port}", session=session_of(proxy.url()))
        wired.connection.start()
        message = wired.recorder.wait_for("connection_error").message
        wired.connection.close()
    assert f"the proxy 127.0.0.1:{proxy.port} did not open the connection (0x05: Connection refused)" in message


def test_the_addresses_of_a_socks_proxy_race(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of a service do."""
    with SocksServer() as proxy, ScriptedService() as service, swallowing() as hole:
        resolve(monkeypatch, proxy_example=[hole, ("127.0.0.1", proxy.port)])
        wired = wire(service=service, session=session_of("socks5h://proxy.example"), connect_timeout=60)
        wired.up()
        wired.connection.close()


def test_without_pysocks_it_is_said_what_to_install(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """And which variable asked for such a proxy."""
    monkeypatch.setitem(sys.modules, "socks", None)
    socks_proxy._socket_class.cache_clear()
    with SocksServer() as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url())
        wired = wire(endpoint="http://chat.example")
        wired.connection.start()
        message = wired.recorder.wait_for("connection_error").message
        wired.connection.close()
    assert f"the proxy 127.0.0.1:{proxy.port} (from ALL_PROXY): SOCKS proxies need PySocks: pip install PySocks" in message


def test_urls_of_socks_proxies_are_read() -> None:
    """Percent-encoded users, the usual port, and no others; a password is in no repr."""
    assert SocksProxy.parse("http://h:1") is None
    assert SocksProxy.parse("SOCKS5H://h") == SocksProxy("h", 1080, 5, True)
    named = SocksProxy.parse("socks4a://a%40b:p%2F@[::1]:9")
    assert named == SocksProxy("::1", 9, 4, True, "a@b", "p/")
    assert "p/" not in repr(named)
    for damaged in ("socks5://", "socks5://me:secret@[::1", "socks5://h:port"):
        with pytest.raises(requests.exceptions.InvalidProxyURL) as caught:
            SocksProxy.parse(damaged)
        assert "secret" not in str(caught.value)
