"""Links begin with the address by which a client came, with what a trusted front says about it, or with the public URL."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
import requests
from starlette.requests import HTTPConnection

from tests.server.peer import TIMEOUT
from twilio_conversations.errors import InvalidArgumentError
from twilio_conversations.server import LocalServer
from twilio_conversations.server.addresses import AddressBook, Addresses, public_base, trusted_network

Fresh = Callable[[str], str]
OWN = "http://127.0.0.1:8089"
FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "chat.example.com"}


def request(peer: str | None = "127.0.0.1", scheme: str = "http", **headers: str) -> HTTPConnection:
    """Return a request as it comes from a peer; underscores in names of headers stand for dashes."""
    encoded = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()]
    client = None if peer is None else (peer, 4711)
    return HTTPConnection({"type": "http", "scheme": scheme, "client": client, "headers": encoded})


def forwarded(peer: str | None = "127.0.0.1", **headers: str) -> HTTPConnection:
    """Return a request that a front has forwarded."""
    return request(peer, host="inside:8089", **{name.replace("-", "_"): value for name, value in (FORWARDED | headers).items()})


def book(*trusted: str, public_url: str | None = None) -> AddressBook:
    """Return the addresses of a service that trusts these."""
    return AddressBook(OWN, public_url, [trusted_network(one) for one in trusted])


@pytest.mark.parametrize("scheme", ["http", "ws", "https", "wss"])
def test_the_host_and_the_scheme_of_the_request(scheme: str) -> None:
    """Without a front, links follow what the client asked; the websocket's scheme is that of its upgrade."""
    seen = book().seen_by(request(scheme=scheme, host="service.test:8089"))
    assert seen == Addresses.at(f"{'https' if scheme in ('https', 'wss') else 'http'}://service.test:8089")


@pytest.mark.parametrize(
    ("trusted", "peer", "counts"),
    [
        ((), "127.0.0.1", False),
        (("127.0.0.1",), "127.0.0.1", True),
        (("127.0.0.1",), "::ffff:127.0.0.1", True),
        (("127.0.0.1",), "10.1.2.3", False),
        (("10.0.0.0/8", "::1"), "10.1.2.3", True),
        (("10.0.0.0/8", "::1"), "::1", True),
        (("0.0.0.0/0",), None, False),
        (("0.0.0.0/0",), "testclient", False),
    ],
)
def test_only_a_trusted_front_is_believed(trusted: Iterable[str], peer: str | None, counts: bool) -> None:
    """What is said to be forwarded counts from the addresses and networks that were named, and from nobody else."""
    expected = "https://chat.example.com" if counts else "http://inside:8089"
    assert book(*trusted).seen_by(forwarded(peer)) == Addresses.at(expected)


def test_a_front_may_say_one_of_the_two() -> None:
    """Scheme and host are taken each by itself, the outermost front's where there are several."""
    trusting = book("127.0.0.1")
    assert trusting.seen_by(request(host="a:1", x_forwarded_proto="https, http")) == Addresses.at("https://a:1")
    assert trusting.seen_by(request(scheme="wss", host="a:1", x_forwarded_host="b, c")) == Addresses.at("https://b")
    assert trusting.seen_by(request(scheme="ws", host="a:1", x_forwarded_proto="gopher")) == Addresses.at("http://a:1")


@pytest.mark.parametrize("host", ["", "a b", "x/../y", "http://x", 'x"', "user@x"])
def test_what_is_no_host_is_not_used(host: str) -> None:
    """Also a trusted front's word is looked at: what is no address does not get into links."""
    assert book("127.0.0.1").seen_by(request(host="x/y", x_forwarded_host=host)) == Addresses.at(OWN)


def test_an_untrusted_front_is_warned_about_once(caplog: pytest.LogCaptureFixture) -> None:
    """Links with http behind a proxy that ends TLS are hard to explain, so the log names the remedy."""
    untrusting = book()
    for _ in range(3):
        untrusting.seen_by(forwarded())
    assert [record.getMessage().count("--trust-proxy") for record in caplog.records] == [1]


def test_a_public_url_settles_it() -> None:
    """Whatever a request and its front say, links begin with the public URL."""
    settled = book("127.0.0.1", public_url="https://chat.test")
    assert settled.seen_by(forwarded()) == settled.seen_by(request(host="aim.us1.twilio.com")) == settled.default
    assert settled.default == Addresses.at("https://chat.test")


@pytest.mark.parametrize("part", ["tsock", "aim", "cds", "mcs", "ers"])
def test_the_host_names_of_twilio(part: str) -> None:
    """Who takes this service for Twilio is given links to the hosts that Twilio has for each part."""
    seen = book().seen_by(request(scheme="wss", host=f"{part}.us1.twilio.com"))
    assert seen == Addresses("https://aim.us1.twilio.com", "https://cds.us1.twilio.com", "https://mcs.us1.twilio.com")
    with_port = book().seen_by(request(scheme="wss", host=f"{part}.ie1.twilio.com:8089"))
    assert with_port.media == "https://mcs.ie1.twilio.com:8089"


@pytest.mark.parametrize("host", ["x.us1.twilio.com", "aim.us1.twilio.com.evil.test", "aim.twilio.com", "aim.a.b.twilio.com"])
def test_other_host_names_are_as_any(host: str) -> None:
    """What only looks like Twilio's is a host as any."""
    assert book().seen_by(request(host=host)) == Addresses.at(f"http://{host}")


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://chat.test", "https://chat.test"),
        ("HTTPS://chat.test:8443/", "https://chat.test:8443"),
        ("http://[::1]:1", "http://[::1]:1"),
    ],
)
def test_public_urls(url: str, base: str) -> None:
    """Scheme, host and port; the slash at the end does not count."""
    assert public_base(url) == base


WRONG_URLS = [
    "",
    "chat.test",
    "ftp://chat.test",
    "https://chat.test/chat",
    "https://",
    "https://a:b@chat.test",
    "https://x:99999",
]


@pytest.mark.parametrize("url", WRONG_URLS)
def test_wrong_public_urls_are_refused(url: str) -> None:
    """What would make links that lead nowhere is refused before the service starts, by name."""
    with pytest.raises(InvalidArgumentError, match="public URL"):
        LocalServer(public_url=url)


@pytest.mark.parametrize("proxy", ["", "localhost", "10.0.0.1/8", "*"])
def test_wrong_proxies_are_refused(proxy: str) -> None:
    """A front is named by its address or network; a name or everybody is not meant."""
    with pytest.raises(InvalidArgumentError, match="trusted proxy"):
        LocalServer(trusted_proxies=[proxy])


@pytest.mark.parametrize("variable", ["127.0.0.1", "*"])
def test_a_service_believes_nobody_unless_told(fresh: Fresh, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """By default not even this machine's fronts count, whatever uvicorn's own variable says."""
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", variable)
    with LocalServer() as untold:
        assert links(untold, fresh("alice"))["conversations"].startswith(f"{untold.url}/")


def test_services_that_were_told(fresh: Fresh) -> None:
    """A trusted front's words and a public URL reach the links of the configuration."""
    with LocalServer(trusted_proxies=["127.0.0.1"]) as trusting:
        assert links(trusting, fresh("alice"))["media_service"].startswith("https://chat.example.com/v1/Services/")
    with LocalServer(public_url="https://public.test/") as settled:
        assert links(settled, fresh("alice"))["users"].startswith("https://public.test/Client/v2/")


def links(server: LocalServer, identity: str) -> dict[str, str]:
    """Return the links of the configuration that comes through a front."""
    headers = {"X-Twilio-Token": server.token(identity), **FORWARDED}
    answer = requests.get(f"{server.url}/Client/v2/Configuration", headers=headers, timeout=TIMEOUT)
    found: dict[str, str] = answer.json()["links"]
    return found
