"""What a `requests.Session` is told once about proxies and certificates holds for everything a client sends: the websocket and
media, against a local service behind a front that ends TLS."""

from __future__ import annotations

import hashlib
import ssl
import sys
import threading
from collections.abc import Iterator
from typing import Any

import certifi
import pytest
import requests
from requests.adapters import HTTPAdapter

from tests.support.addresses import resolve, swallowing
from tests.support.certificates import Authority
from tests.support.clients import Connect
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from tests.support.proxies import Proxy, SocksProxy, TlsFront
from tests.support.resources import sockets
from tests.transport.conftest import wait_until
from twilio_conversations import Client, ClientClosedError, MediaError, RequestTimeoutError, TransportUnavailableError
from twilio_conversations.server import LocalServer
from twilio_conversations.transport import media_http, socks_proxy

CONTENT = bytes(range(256)) * 1000


@pytest.fixture(autouse=True)
def quiet_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing about proxies and certificates."""
    for name in ("https_proxy", "http_proxy", "no_proxy", "all_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def service() -> Iterator[LocalServer]:
    """A service that is told of its front."""
    with LocalServer(trusted_proxies=["127.0.0.1"]) as server:
        yield server


@pytest.fixture
def front(service: LocalServer, authority: Authority) -> Iterator[TlsFront]:
    """The service behind TLS."""
    with TlsFront(service.port, authority.server_context()) as one:
        yield one


def session_of(**facts: Any) -> requests.Session:
    """A session with these attributes set."""
    session = requests.Session()
    for name, value in facts.items():
        setattr(session, name, value)
    return session


def works(client: Client, scheme: str = "https") -> None:
    """A conversation, a message with a medium, and its content back: websocket, upload and download."""
    conversation = client.create_conversation().join()
    medium = conversation.send_message(media=("a.bin", CONTENT)).attached_media[0]
    assert str(medium.get_content_temporary_url()).startswith(f"{scheme}://")
    assert medium.read() == CONTENT


@pytest.mark.parametrize("form", ["bundle", "directory"])
def test_a_private_authority(connect: Connect, front: TlsFront, authority: Authority, fresh: Any, form: str) -> None:
    """`session.verify` is a file, or a directory, of CA certificates."""
    works(connect(fresh("alice"), endpoint=front.url, session=session_of(verify=getattr(authority, form))))


def test_no_verification(connect: Connect, front: TlsFront, fresh: Any) -> None:
    """`session.verify` is `False`; urllib3 warns of each request by plain HTTP, as it does for everybody."""
    with pytest.warns(Warning, match="Unverified HTTPS"):
        works(connect(fresh("alice"), endpoint=front.url, session=session_of(verify=False)))


@pytest.mark.parametrize("chosen", ["bundle", "off"])
def test_the_session_overrules_the_environment(
    connect: Connect, front: TlsFront, authority: Authority, fresh: Any, monkeypatch: pytest.MonkeyPatch, chosen: str
) -> None:
    """A CA bundle of the environment that does not fit counts neither for the websocket nor for media."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    session = session_of(verify=authority.bundle if chosen == "bundle" else False)
    if chosen == "bundle":
        works(connect(fresh("alice"), endpoint=front.url, session=session))
    else:
        with pytest.warns(Warning, match="Unverified HTTPS"):
            works(connect(fresh("alice"), endpoint=front.url, session=session))


def test_the_environment_alone(
    connect: Connect, front: TlsFront, authority: Authority, fresh: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxy and CA bundle of the environment, without a session; an exception takes the proxy away again."""
    with Proxy() as proxy, TlsFront(front.service_port, authority.server_context("chat.example")) as named:
        resolve(monkeypatch, chat_example=[("127.0.0.1", named.port)])
        url = f"https://chat.example:{named.port}"
        monkeypatch.setenv("HTTPS_PROXY", proxy.url())
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", authority.bundle)
        works(connect(fresh("alice"), endpoint=url))
        asked = len(proxy.requests)
        assert asked >= 2, "the websocket and media"
        monkeypatch.setenv("NO_PROXY", "chat.example")
        works(connect(fresh("alice"), endpoint=url))
        assert len(proxy.requests) == asked


@pytest.mark.parametrize("own", [False, True], ids=["no session", "a session of the program's"])
def test_this_machine_needs_no_proxy_of_the_environment(
    connect: Connect, service: LocalServer, fresh: Any, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    """Neither the websocket nor media ask it, though there is no NO_PROXY."""
    with Proxy() as proxy:
        for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(variable, proxy.url())
        works(connect(fresh("alice"), session=requests.Session() if own else None), "http")
        assert proxy.requests == []


def test_media_errors_name_the_proxy_of_the_environment(connect: Connect, fresh: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is not there, or answers in the service's place."""
    with LocalServer() as service, Proxy(password="secret") as proxy:
        resolve(monkeypatch, chat_example=[("127.0.0.1", service.port)])
        client = connect("alice", token=service.token("alice"), endpoint=f"http://chat.example:{service.port}")
        medium = client.create_conversation().join().send_message(media=("a.bin", CONTENT)).attached_media[0]
        monkeypatch.setenv("HTTP_PROXY", proxy.url())
        named = f"the proxy 127.0.0.1:{proxy.port} \\(from HTTP_PROXY\\)"
        with pytest.raises(MediaError, match=f"through {named}") as caught:
            medium.read(timeout=5)
        assert caught.value.status == 407
    with pytest.raises(TransportUnavailableError, match=f"{named} refused the connection"):
        medium.read(timeout=0.1)


def test_an_ssl_context_of_the_session_s_adapter(connect: Connect, front: TlsFront, authority: Authority, fresh: Any) -> None:
    """It holds for the websocket as for media: an authority that only the context knows."""
    context = ssl.create_default_context(cafile=authority.bundle)

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *facts: Any, **more: Any) -> None:
            super().init_poolmanager(*facts, ssl_context=context, **more)

    session = requests.Session()
    session.mount("https://", Adapter())
    works(connect(fresh("alice"), endpoint=front.url, session=session))


@pytest.mark.parametrize("good", [True, False])
def test_other_tls_settings_of_an_adapter(
    connect: Connect, front: TlsFront, authority: Authority, fresh: Any, good: bool
) -> None:
    """A fingerprint, here; what it does not fit is refused, also by the websocket."""
    certificate = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", front.port)))
    fingerprint = hashlib.sha256(certificate if good else b"another").hexdigest()

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *facts: Any, **more: Any) -> None:
            super().init_poolmanager(*facts, assert_fingerprint=fingerprint, **more)

    session = session_of(verify=authority.bundle)
    session.mount("https://", Adapter())
    if good:
        works(connect(fresh("alice"), endpoint=front.url, session=session))
        return
    client = connect(fresh("alice"), endpoint=front.url, session=session, ready=False)
    assert "ingerprint" in EventLog(client, "connection_error").wait("connection_error").message


@pytest.mark.parametrize("own", [False, True], ids=["no session", "a session of the program's"])
def test_a_socks_proxy(connect: Connect, service: LocalServer, fresh: Any, monkeypatch: pytest.MonkeyPatch, own: bool) -> None:
    """Websocket and media go through it."""
    with SocksProxy() as proxy:
        session = session_of(proxies={"http": proxy.url()}) if own else None
        if not own:
            monkeypatch.setenv("ALL_PROXY", proxy.url())
        works(connect(fresh("alice"), endpoint=f"http://chat.example:{service.port}", session=session), "http")
        assert len(proxy.asked) >= 2
        assert set(proxy.asked) == {("chat.example", service.port)}


@pytest.mark.parametrize("own", [False, True], ids=["no session", "a session of the program's"])
def test_media_say_that_pysocks_is_missing(
    connect: Connect, service: LocalServer, fresh: Any, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    """At once, with the variable that names the proxy, whoever speaks with it."""

    def missing(*facts: Any, **more: Any) -> None:
        raise requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support.")

    resolve(monkeypatch, chat_example=[("127.0.0.1", service.port)])
    session = requests.Session() if own else None
    client = connect(fresh("alice"), endpoint=f"http://chat.example:{service.port}", session=session)
    medium = client.create_conversation().join().send_message(media=("a.bin", CONTENT)).attached_media[0]
    monkeypatch.setitem(sys.modules, "socks", None)
    socks_proxy._socket_class.cache_clear()
    monkeypatch.setattr("requests.adapters.SOCKSProxyManager", missing)
    monkeypatch.setenv("ALL_PROXY", "socks5h://127.0.0.1:1")
    words = r"the proxy 127.0.0.1:1 \(from ALL_PROXY\): SOCKS proxies need PySocks: pip install PySocks"
    with pytest.raises(TransportUnavailableError, match=words) as caught:
        medium.read(timeout=60)
    assert not caught.value.retryable


def test_media_pass_an_address_that_swallows_packets(
    connect: Connect, service: LocalServer, fresh: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each new connection costs a head start, and not a time limit."""
    with swallowing() as hole:
        resolve(monkeypatch, chat_example=[hole, ("127.0.0.1", service.port)])
        works(connect(fresh("alice"), endpoint=f"http://chat.example:{service.port}", connect_timeout=60), "http")


def test_closing_ends_a_connection_that_media_wait_for(service: LocalServer, fresh: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that connects to an address that swallows packets, on a thread of the program's."""
    places = [("127.0.0.1", service.port)]
    resolve(monkeypatch, chat_example=places)
    client = Client(service.token(fresh("alice")), endpoint=f"http://chat.example:{service.port}", connect_timeout=60)
    medium = client.create_conversation().join().send_message(media=("a.bin", CONTENT)).attached_media[0]
    client._core.runtime.media._session.close()
    client._core.runtime.media._session = media_http._own_session()  # no connection that was kept
    caught: list[BaseException] = []

    def read() -> None:
        try:
            medium.read(timeout=60)
        except ClientClosedError as error:
            caught.append(error)

    with swallowing() as hole:
        places[:] = [hole]
        before = sockets()
        thread = threading.Thread(target=read)
        thread.start()
        wait_until(lambda: bool(sockets() - before), "it connects")
        client.close()
        thread.join(5)
    assert caught


def test_a_client_certificate(connect: Connect, service: LocalServer, authority: Authority, fresh: Any) -> None:
    """A front that demands one gets the session's."""
    context = authority.server_context()
    authority.demand_certificates(context)
    session = session_of(verify=authority.bundle, cert=authority.client_certificate())
    with TlsFront(service.port, context) as strict:
        client = connect(fresh("alice"), endpoint=strict.url, session=session)
        works(client)
        client.close()


@pytest.mark.parametrize("encrypted", [False, True], ids=["http", "https"])
def test_a_proxy_with_a_password(connect: Connect, front: TlsFront, authority: Authority, fresh: Any, encrypted: bool) -> None:
    """Everything goes through the proxy; an HTTPS one is spoken to in TLS, inside which the service's TLS runs."""
    with Proxy(password="secret", tls=authority.server_context() if encrypted else None) as proxy:
        session = session_of(verify=authority.bundle, proxies={"https": proxy.url("secret")})
        client = connect(fresh("alice"), endpoint=front.url, session=session)
        works(client)
        client.close()
        assert len(proxy.requests) == proxy.asked_for(front.port) >= 2


def test_tls_trouble_reaches_handlers_and_media_calls(
    connect: Connect, front: TlsFront, authority: Authority, fresh: Any
) -> None:
    """`connection_error` names the cause; so does the error of a call for media, at once."""
    session = session_of(verify=authority.bundle)
    client = connect(fresh("alice"), endpoint=front.url, session=session)
    medium = client.create_conversation().join().send_message(media=("a.bin", CONTENT)).attached_media[0]
    event_log = EventLog(client, "connection_error")
    session.verify = True
    session.close()  # connections that were verified before
    words = f"the TLS certificate of 127.0.0.1:{front.port} is not from a trusted authority"
    with pytest.raises(TransportUnavailableError, match=words) as caught:
        medium.read(timeout=PATIENCE)
    assert not caught.value.retryable
    front.cut_all()
    assert words in event_log.wait("connection_error").message


def test_a_time_limit_names_what_keeps_the_service_away(service: LocalServer, fresh: Any) -> None:
    """TLS to a plain port, a name that does not resolve: in `connection_error`, and in the error of a call that waited."""
    for endpoint, words in (
        (f"https://127.0.0.1:{service.port}", "it does not answer with TLS"),
        ("http://nowhere.invalid", "DNS does not know the host of nowhere.invalid:80"),
    ):
        with Client(service.token(fresh("alice")), endpoint=endpoint) as client:
            event_log = EventLog(client, "connection_error")
            assert words in event_log.wait("connection_error").message
            with pytest.raises(RequestTimeoutError, match=words) as caught:
                client.create_conversation(timeout=0.1)
            assert (caught.value.sent, caught.value.retryable) == (False, True)
