"""What goes to the media service and to the hosts of temporary links: our token, and nothing that is meant for somebody else."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from tests.media.conftest import lead_media_to
from tests.media.http_service import LIMIT, Answer, HttpService, Seen
from tests.media.test_media import CONTENT, described, foreign
from tests.support.patience import PATIENCE
from twilio_conversations import Client, ConversationsError, MediaError, RequestTimeoutError, TransportUnavailableError
from twilio_conversations.server import LocalServer
from twilio_conversations.transport.link_secrecy import without_queries, without_url
from twilio_conversations.util import logs

FOREIGN = ("authorization", "cookie", "proxy-authorization")
SECRET = "the-secret-of-a-link"


@pytest.fixture(autouse=True)
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password for every host, as users of curl have it."""
    path = tmp_path / "netrc"
    path.write_text("default login somebody password secret\n")
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))


def laden(session: requests.Session) -> requests.Session:
    """A session with everything that a program may have put on it for others."""
    session.auth = ("somebody", "secret")
    session.cookies.set("sid", "secret", domain="127.0.0.1")
    session.params = {"api_key": "secret"}
    session.headers.update({"authorization": "Bearer secret", "Cookie": "a=secret", "Proxy-Authorization": "Basic secret"})
    session.headers.update({"X-Mine": "yes", "User-Agent": "mine", "Accept-Language": None})  # type: ignore[dict-item]
    return session


@pytest.fixture(params=["own", "plain", "laden"])
def alice(request: pytest.FixtureRequest, service: LocalServer, fresh: Callable[[str], str]) -> Iterator[Client]:
    """A client with no session, with one as it is made, and with one that has credentials for others."""
    with requests.Session() as session:
        given = {"own": None, "plain": session, "laden": laden(session)}[request.param] if request.param != "own" else None
        with Client(service.token(fresh("alice")), endpoint=service.url, session=given) as client:
            yield client.wait_until_ready(PATIENCE)


def carried(seen: Seen) -> tuple[bool, list[str]]:
    """Whether a request had our token, and which credentials of others it had."""
    others = [name for name in FOREIGN if name in seen.headers]
    return "x-twilio-token" in seen.headers, others + [seen.path for _ in range("api_key" in seen.path)]


def test_only_the_token_goes_to_the_media_service(alice: Client) -> None:
    """Descriptions and uploads have it; the content of a link has nothing, wherever it is, and a redirect neither."""
    room = alice.create_conversation().join()
    with HttpService() as stranger, HttpService() as service:
        lead_media_to(alice, service)
        moved = Answer(307, b"", {"Location": f"{stranger.url}/moved?Signature=x"})
        stranger.script += [Answer(200, CONTENT), Answer(200, CONTENT)]
        links = [described(f"{host.url}/content?Signature=x") for host in (stranger, service)]
        service.script += [*links, moved]
        assert [foreign(alice).read(), foreign(alice).read()] == [CONTENT, CONTENT]
        service.script.append(Answer.json({"sid": "ME1"}, 500))
        with pytest.raises(MediaError, match="500"):
            room.send_message(media=b"x")
    assert [carried(seen) for seen in service.seen] == [(True, []), (True, []), (False, []), (True, [])]
    assert [carried(seen) for seen in stranger.seen] == [(False, [])] * 2
    assert all("x-mine" not in seen.headers for seen in (*stranger.seen, service.seen[2]))


def test_the_headers_of_a_session(service: LocalServer, fresh: Callable[[str], str]) -> None:
    """The media service gets those of the program that are no credentials, a stranger the user agent; none is changed."""
    with requests.Session() as session, HttpService() as media:
        before = dict(laden(session).headers)
        with Client(service.token(fresh("alice")), endpoint=service.url, session=session) as client:
            client.wait_until_ready(PATIENCE)
            lead_media_to(client, media)
            media.script += [described(f"{media.url}/content"), Answer(200, CONTENT)]
            foreign(client).read()
        assert dict(session.headers) == before
    known, stranger = media.seen
    assert (known.headers["x-mine"], known.headers["user-agent"]) == ("yes", "mine")
    assert ("x-mine" in stranger.headers, stranger.headers["user-agent"]) == (False, "mine")
    assert "accept-language" not in known.headers


@pytest.fixture
def records(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was logged so far by anybody, at DEBUG, as text."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "urllib3")

    def text() -> list[str]:
        assert logs.flush(10)
        return [logging.Formatter().format(record) + repr(record.args) for record in caplog.records]

    return text


def test_signatures_are_not_logged(alice: Client, records: Callable[[], list[str]]) -> None:
    """Everything logs at DEBUG: uploads and downloads are there, by their paths; the program's own requests are as they were."""
    room = alice.create_conversation().join()
    media = room.send_message(media=("a.txt", CONTENT)).attached_media[0]
    assert media.read() == CONTENT
    said = records()
    assert any(f"/media/{media.sid}?..." in text for text in said)
    assert [text for text in said if "Signature" in text or "Expires" in text] == []
    url = media.get_content_temporary_url()
    requests.get(str(url), timeout=LIMIT)
    assert any("Signature=" in text for text in records())


def test_signatures_of_links_that_fail_are_nowhere(service: LocalServer, fresh: Callable[[str], str], records: Any) -> None:
    """Refused, broken, tried again by the session's adapter, at nobody: neither the log nor the traceback has them."""
    query = f"?Signature={SECRET}"
    with requests.Session() as session, HttpService() as media:
        session.mount("http://", HTTPAdapter(max_retries=Retry(2, status_forcelist=[503], backoff_factor=0.001)))
        with Client(service.token(fresh("alice")), endpoint=service.url, session=session, default_timeout=2) as client:
            client.wait_until_ready(PATIENCE)
            lead_media_to(client, media)
            for url, answers in {
                f"http://127.0.0.1:9/{query}": [],
                f"http://no-such-host.invalid/{query}": [],
                f"{media.url}/a{query}": [Answer(404, query.encode()), described(f"{media.url}/a{query}"), Answer(404)],
                f"{media.url}/b{query}": [Answer(503)] * 50,
                f"ftp://127.0.0.1/{query}": [],
            }.items():
                media.script[:] = [described(url), *answers]
                with pytest.raises(ConversationsError) as raised:
                    foreign(client).read(timeout=1)
                assert SECRET not in "".join(traceback.format_exception(raised.value)), url
    assert [text for text in records() if SECRET in text] == []
    assert any("Incremented Retry" in text for text in records())


def test_the_signature_of_a_link_that_takes_too_long_is_nowhere(service: LocalServer, fresh: Callable[[str], str]) -> None:
    """The session's adapter tries until the time limit is over: the error of that does not show the error before it."""
    with requests.Session() as session, HttpService() as media:
        session.mount("http://127.0.0.1:9/", HTTPAdapter(max_retries=Retry(3, backoff_factor=0.25)))  # 1.5 s
        with Client(service.token(fresh("alice")), endpoint=service.url, session=session) as client:
            client.wait_until_ready(PATIENCE)
            lead_media_to(client, media)
            media.script[:] = [described(f"http://127.0.0.1:9/?Signature={SECRET}")]
            with pytest.raises(RequestTimeoutError) as raised:
                foreign(client).read(timeout=0.5)
    assert SECRET not in "".join(traceback.format_exception(raised.value))


def test_queries_are_cut_out_of_text() -> None:
    """Of URLs and paths; a question stays."""
    text = "GET /media/ME1?Expires=1&Signature=x failed (url: /a?b=c): why? (http://h/p?q)"
    assert without_queries(text) == "GET /media/ME1?... failed (url: /a?...): why? (http://h/p?...)"


def test_an_error_without_its_url() -> None:
    """What went wrong is kept as the cause, what it was wrapped in is not; nothing is invented where there is no URL."""
    inner = ConnectionRefusedError("refused")
    assert without_url(requests.ConnectionError(OSError(f"/a?{SECRET}", inner))) is inner
    plain = TransportUnavailableError("no URL at all?")
    assert without_url(plain) is plain
    assert str(without_url(ValueError(f"http://h/a?{SECRET}"))) == "ValueError: http://h/a?..."
