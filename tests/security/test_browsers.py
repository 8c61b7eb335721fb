"""A page of somebody else's, open in a browser on this machine: what it can reach of the local service, and what not."""

from __future__ import annotations

import socket

import pytest
import requests
import websocket

from tests.server.peer import TIMEOUT, Peer
from twilio_conversations.server import LocalServer
from twilio_conversations.server.api.media import content_headers

EVIL = {"Origin": "http://evil.test"}
STRANGE_HOSTS = ("a b", 'x"onload="', "x/../y", "http://x", "x?y", "x#y", "x\\y", "[::1", "a:b:c", "x:999999", "user:key@x", "ü")
CONTENT_TYPES = ("text/html\r\nEvil: 1", "text/plain\nx", "text/☃", "\x00/x", "", "text", "a/" + "b" * 300)
NAMES = ("x\r\nEvil: 1", "x\x00y", '"; filename=y', "\u202ecod.exe", "x" * 256, "☃" * 100, "a;b", "a'b%00")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_no_page_uses_the_control_plane(service: LocalServer, method: str) -> None:
    """Also with the right key, which a browser may have kept, what a page asks for is refused; nothing invites to log in."""
    url = f"{service.url}/_local/faults"
    order = {"kind": "refuse_connections"} if method == "POST" else {}
    for origin in ("http://evil.test", "null", service.url):
        answer = requests.request(method, url, json=order, auth=service.api_key, headers={"Origin": origin}, timeout=TIMEOUT)
        assert (answer.status_code, answer.json()["code"]) == (403, 20403)
    assert service.faults.pending() == []
    asked = requests.request(method, url, json=order, headers=EVIL, timeout=TIMEOUT)
    assert "www-authenticate" not in asked.headers
    assert requests.get(url, auth=service.api_key, timeout=TIMEOUT).status_code == 200


def test_no_page_sends_the_token_for_another(service: LocalServer, alice: Peer) -> None:
    """The question that browsers ask first is answered for media only, and no other answer may be read by a page."""
    ask = {**EVIL, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-twilio-token"}
    token = {**EVIL, "X-Twilio-Token": service.token(alice.identity)}
    for path in ("/Client/v2/Configuration", "/v4/Subscriptions", "/_local/reset", "/_local/health"):
        for method, headers in (("OPTIONS", ask), ("GET", token)):
            answer = requests.request(method, service.url + path, headers=headers, timeout=TIMEOUT)
            assert not any(name.lower().startswith("access-control-") for name in answer.headers)


def test_a_page_without_a_token_gets_nothing_by_websocket(service: LocalServer) -> None:
    """Pages may open a connection, as those with the official SDK must; without a token it is of no use."""
    page = websocket.create_connection(service.twilsock, timeout=TIMEOUT, origin="http://evil.test")
    page.close()
    with Peer(service) as stranger:
        assert stranger.init("").status.code == 401


def test_a_name_that_leads_here(service: LocalServer) -> None:
    """A page that makes its own name mean this machine (DNS rebinding) is a stranger like any other: access hangs on tokens."""
    for host in ("evil.test", f"evil.test:{service.port}"):
        answer = requests.get(f"{service.url}/Client/v2/Configuration", headers={"Host": host}, timeout=TIMEOUT)
        assert (answer.status_code, answer.json()["code"]) == (401, 20101)
        assert requests.post(f"{service.url}/_local/reset", headers={"Host": host}, timeout=TIMEOUT).status_code == 401


def configuration(service: LocalServer, token: str, host: str) -> bytes:
    """What is answered to a request that came to that host, head and all."""
    lines = ("GET /Client/v2/Configuration HTTP/1.1", f"Host: {host}", f"X-Twilio-Token: {token}", "Connection: close", "", "")
    with socket.create_connection(("127.0.0.1", service.port), timeout=TIMEOUT) as line:
        line.sendall("\r\n".join(lines).encode())
        return b"".join(iter(lambda: line.recv(65536), b""))


@pytest.mark.parametrize("host", ["evil.test", "evil.test:8089", "[::1]", "[::1]:80"])
def test_links_begin_with_the_address_that_was_asked(service: LocalServer, alice: Peer, host: str) -> None:
    """Clients behind proxies and in containers come by other names; the links that they are given lead back there."""
    answer = configuration(service, service.token(alice.identity), host)
    assert f'"conversations":"http://{host}/'.encode() in answer


@pytest.mark.parametrize("host", STRANGE_HOSTS)
def test_links_have_no_strange_host(service: LocalServer, alice: Peer, host: str) -> None:
    """What is no address does not get into links: they begin with the service's own, if it answers at all."""
    head, _, body = configuration(service, service.token(alice.identity), host).partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 400"))
    assert b" 400 " in head or f'"conversations":"{service.url}/'.encode() in body


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_types_of_media_from_outside(content_type: str) -> None:
    """A type that is none comes in by no door: it would be a header when the content is fetched."""
    with LocalServer() as own:
        binding = {"address": "+15550100", "proxy_address": "+15550199"}
        own.seed({"conversations": [{"participants": [{"identity": "alice"}, {"messaging_binding": binding}]}]})
        body = {**binding, "media": [{"content": "eA==", "content_type": content_type, "filename": "x\r\nEvil: 1"}]}
        with pytest.raises(ValueError, match="50511"):
            own.perform("POST", "receive", body)


@pytest.mark.parametrize("name", NAMES)
def test_names_of_media_are_one_header(name: str) -> None:
    """A name stays inside the one header that it is for."""
    headers = content_headers("text/plain", name)
    assert all(value.isascii() and value.isprintable() for value in headers.values())
    assert headers["content-disposition"].count('"') in (0, 2)
