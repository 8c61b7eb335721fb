"""Tokens for web apps under development: to this machine and named pages only, and only when asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from starlette.applications import Starlette

from tests.server.peer import TIMEOUT
from twilio_conversations import Client
from twilio_conversations.errors import InvalidArgumentError
from twilio_conversations.server import LocalServer
from twilio_conversations.server.http.token_endpoint import PATH, TokenEndpoint, page_origin

Fresh = Callable[[str], str]
PAGE = "http://localhost:3000"
ALLOWED = "access-control-allow-origin"


@pytest.fixture(scope="module")
def open_service() -> Iterator[LocalServer]:
    """A service that gives tokens to one page."""
    with LocalServer(token_endpoint=True, allowed_origins=[PAGE + "/"], trusted_proxies=["127.0.0.1"]) as server:
        yield server


def ask(server: LocalServer, headers: dict[str, str] | None = None, **params: str) -> requests.Response:
    """Ask for a token."""
    return requests.get(server.url + PATH, params={"identity": "alice"} | params, headers=headers, timeout=TIMEOUT)


def test_a_token_as_text(open_service: LocalServer, fresh: Fresh) -> None:
    """The answer to a page is the token alone, which lets the identity in; other parameters do not matter."""
    identity = fresh("zoë & co")
    answer = ask(open_service, {"Origin": PAGE, "Accept": "application/json, text/plain, */*"}, identity=identity, password="x")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert answer.headers[ALLOWED] == PAGE
    assert answer.headers["cache-control"] == "no-store"
    with Client(answer.text, endpoint=open_service.url) as client:
        client.wait_until_ready(timeout=TIMEOUT)
        assert client.user.identity == identity


@pytest.mark.parametrize(("accept", "params"), [("application/json", {}), ("*/*", {"format": "json"})])
def test_a_token_as_json(open_service: LocalServer, fresh: Fresh, accept: str, params: dict[str, str]) -> None:
    """JSON for those who take nothing else, or say so."""
    identity = fresh("alice")
    body = ask(open_service, {"Accept": accept}, identity=identity, **params).json()
    assert body["identity"] == identity
    assert body["token"].count(".") == 2


@pytest.mark.parametrize(("identity", "code"), [("", 50204), ("system", 50203), ("US" + "0" * 32, 50206), ("x" * 600, 50207)])
def test_identities_that_are_none(open_service: LocalServer, identity: str, code: int) -> None:
    """Who could not be let in gets no token, and is told why."""
    answer = ask(open_service, identity=identity)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_browsers_ask_beforehand(open_service: LocalServer) -> None:
    """The preflight is answered for the page that was named, and for no other."""
    for origin, allowed in ((PAGE, PAGE), ("http://localhost:3001", None), ("null", None)):
        headers = {"Origin": origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-anything"}
        assert requests.options(open_service.url + PATH, headers=headers, timeout=TIMEOUT).headers.get(ALLOWED) == allowed


REFUSED = {
    "another page": {"Origin": "http://localhost:3001"},
    "the same page by another scheme": {"Origin": "https://localhost:3000"},
    "a page of no origin": {"Origin": "null"},
    "a page that hides": {"Sec-Fetch-Site": "cross-site"},
    "a page of the same site that hides": {"Sec-Fetch-Site": "same-site"},
    "a name that leads here": {"Host": "evil.test"},
    "a name that leads here, with the page's origin": {"Host": "localhost.evil.test:8089", "Origin": PAGE},
    "no name": {"Host": ""},
    "Twilio's name": {"Host": "aim.us1.twilio.com"},
    "a front": {"X-Forwarded-For": "203.0.113.7"},
    "a front that says for this machine": {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https"},
    "a front by the standard": {"Forwarded": "for=127.0.0.1"},
    "a front of nginx's": {"X-Real-IP": "127.0.0.1"},
}


@pytest.mark.parametrize("who", REFUSED)
def test_who_gets_no_token(open_service: LocalServer, who: str) -> None:
    """Everybody who may be somebody else than a program of this machine or a named page is refused, and reads nothing."""
    answer = ask(open_service, REFUSED[who])
    assert (answer.status_code, answer.json()["code"]) == (403, 20403)
    assert answer.headers.get(ALLOWED) == (PAGE if REFUSED[who].get("Origin") == PAGE else None)
    assert "token" not in answer.json()


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:3000", "127.0.0.1:80", "127.1.2.3", "[::1]:8089", "app.localhost:1"])
def test_names_of_this_machine(open_service: LocalServer, host: str) -> None:
    """All names that browsers never let lead elsewhere are good."""
    assert ask(open_service, {"Host": host}).status_code == 200


PEERS = [("127.0.0.1", 200), ("::1", 200), ("::ffff:127.0.0.1", 200), ("192.0.2.7", 403), ("::ffff:192.0.2.7", 403), (None, 403)]


@pytest.mark.parametrize(("peer", "status"), PEERS)
def test_peers_of_other_machines(peer: str | None, status: int) -> None:
    """A service that listens to others gives tokens to its own machine only, whatever name was used."""
    assert answered(peer) == status


def answered(peer: str | None) -> int:
    """Return the status of the answer to a peer."""
    app = Starlette(routes=TokenEndpoint(lambda identity: identity, [PAGE]).routes())
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": PATH, "raw_path": PATH.encode()}
    scope |= {
        "query_string": b"identity=alice",
        "headers": [(b"host", b"localhost:8089")],
        "client": None if peer is None else (peer, 4711),
    }
    asyncio.run(app(scope, receive, send))
    status: int = sent[0]["status"]
    return status


def test_the_log_names_a_page_that_is_missing(open_service: LocalServer, caplog: pytest.LogCaptureFixture) -> None:
    """A browser tells its developer only that CORS forbids it; the service's log says what to allow, once."""
    for _ in range(3):
        ask(open_service, {"Origin": "http://localhost:5173"})
    assert [record.getMessage().count("'http://localhost:5173'") for record in caplog.records] == [1]


def test_off_unless_asked_for(service: LocalServer) -> None:
    """Without it nobody gets a token, and every page may read how to have one."""
    for headers in ({}, {"Origin": PAGE}):
        answer = ask(service, headers)
        assert answer.status_code == 404
        assert "--token-endpoint" in answer.json()["message"]
    assert answer.headers[ALLOWED] == "*"


@pytest.mark.parametrize(
    "origin", ["*", "null", "localhost:3000", "http://", "http://localhost:3000/app", "file://", "http://*.test"]
)
def test_origins_that_are_none(origin: str) -> None:
    """Neither everybody nor nobody can be named."""
    with pytest.raises(InvalidArgumentError, match="origin"):
        LocalServer(token_endpoint=True, allowed_origins=[origin])


def test_one_origin_is_enough_as_text() -> None:
    """A text is one origin, or one proxy, not one for each letter."""
    with LocalServer(token_endpoint=True, allowed_origins=PAGE, trusted_proxies="127.0.0.1") as server:
        assert ask(server, {"Origin": PAGE}).headers[ALLOWED] == PAGE


def test_origins_without_the_endpoint() -> None:
    """Origins alone open nothing, which is not what was meant."""
    with pytest.raises(InvalidArgumentError, match="token endpoint"):
        LocalServer(allowed_origins=[PAGE])


def test_origins_are_spelled_as_browsers_do() -> None:
    """Capitals, a slash and a port that goes without saying do not make another origin."""
    spellings = ("HTTP://LocalHost:80/", "https://app.test:443", "http://[::1]:3000", "http://localhost:443")
    origins = ["http://localhost", "https://app.test", "http://[::1]:3000", "http://localhost:443"]
    assert [page_origin(origin) for origin in spellings] == origins
