"""Requests to the media service and to where it keeps content: repeated where that helps, ended in time, the token kept."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.media.http_service import HANG_UP, LIMIT, Answer, HttpService
from tests.support.stopwatch import within
from twilio_conversations import ClientClosedError, Endpoints, MediaError, Options, ProtocolError, RequestTimeoutError
from twilio_conversations.errors import TransportUnavailableError
from twilio_conversations.sending.attachment import attachment, opened
from twilio_conversations.transport.content_stream import ContentStream
from twilio_conversations.transport.media_http import TOKEN_HEADER, MediaHttp, Transfer
from twilio_conversations.util.futures import Deadline, Role, mark_thread

CONTENT = bytes(range(256)) * 2000
DONE = Answer.json({"sid": "ME1"}, 201)


@pytest.fixture
def http() -> Iterator[MediaHttp]:
    """Requests with a token, over a session of their own."""
    made = MediaHttp(Options(endpoints=Endpoints.for_region("us1"), default_timeout=LIMIT), None, lambda: "the-token")
    yield made
    made.close()


@pytest.fixture
def transfer() -> Transfer:
    """A call with a limit."""
    return Transfer(Deadline(LIMIT))


def upload(http: MediaHttp, service: HttpService, transfer: Transfer, told: Callable[[int], object] = lambda sent: None) -> Any:
    """Upload the content."""
    with opened(attachment(("a.png", CONTENT))) as content:
        return http.upload(service.url + "/Media?Category=media", "image/png", content, transfer, told)


def test_an_upload_as_it_goes_over_the_wire(http: MediaHttp, transfer: Transfer) -> None:
    """The bytes as they are, with their length, type and the token; progress is told piece by piece."""
    sent: list[int] = []
    with HttpService(DONE) as service:
        assert upload(http, service, transfer, sent.append) == {"sid": "ME1"}
    (seen,) = service.seen
    assert (seen.method, seen.path, seen.token) == ("POST", "/Media?Category=media", "the-token")
    assert (seen.headers["content-type"], seen.headers["content-length"]) == ("image/png", str(len(CONTENT)))
    assert "transfer-encoding" not in seen.headers
    assert seen.body == CONTENT
    assert sent == sorted(sent)
    assert sent[-1] == len(CONTENT)


@pytest.mark.parametrize("trouble", [HANG_UP, *map(Answer, (429, 502, 503, 504))], ids=lambda one: str(one.status))
@pytest.mark.row("ER31", "JD04")
def test_what_may_pass_is_tried_again(http: MediaHttp, transfer: Transfer, trouble: Answer) -> None:
    """An upload is sent again from its start after a cut and while the service is busy; so are GETs."""
    with HttpService(trouble, trouble, DONE, trouble, DONE) as service:
        upload(http, service, transfer)
        assert http.get_json(service.url + "/Media/ME1", transfer) == {"sid": "ME1"}
    assert [seen.body for seen in service.seen] == [CONTENT, CONTENT, CONTENT, b"", b""]


def test_an_answer_that_breaks_off_is_asked_for_again(http: MediaHttp, transfer: Transfer) -> None:
    """Half an answer is none."""
    half = Answer(200, DONE.body, cut=5)
    with HttpService(half, DONE, half, DONE) as service:
        assert http.get_json(service.url, transfer) == {"sid": "ME1"}
        assert upload(http, service, transfer) == {"sid": "ME1"}
    assert len(service.seen) == 4


def test_retry_after_is_obeyed(http: MediaHttp, transfer: Transfer) -> None:
    """No attempt comes earlier than the service asks."""
    with HttpService(Answer(429, headers={"Retry-After": "1"}), DONE) as service:
        started = time.monotonic()
        http.get_json(service.url, transfer)
    assert time.monotonic() - started >= 1


@pytest.mark.row("ER31")
def test_a_refusal_is_final_and_says_what_it_was(http: MediaHttp, transfer: Transfer) -> None:
    """Status, code and text of the answer are there; it is not tried again, and no query of a link is told."""
    refusal = Answer.json({"code": 50512, "message": "too large", "status": 413}, 413, **{"Twilio-Request-Id": "RQ1"})
    with HttpService(refusal) as service, pytest.raises(MediaError, match="too large") as caught:
        http.get_content(service.url + "/content?Signature=secret", transfer)
    assert (caught.value.status, caught.value.code, caught.value.request_id) == (413, 50512, "RQ1")
    assert (caught.value.attempts, caught.value.retryable) == (1, False)
    assert "secret" not in str(caught.value)


def test_a_refusal_need_not_be_json(http: MediaHttp, transfer: Transfer) -> None:
    """A proxy may answer with anything; an answer that should be JSON and is not is an error of its own."""
    with HttpService(Answer(404, b"<html>"), Answer(200, b"<html>")) as service:
        with pytest.raises(MediaError) as caught:
            http.get_json(service.url, transfer)
        assert (caught.value.status, caught.value.body) == (404, "<html>")
        with pytest.raises(ProtocolError):
            http.get_json(service.url, transfer)


def test_the_deadline_ends_the_attempts(http: MediaHttp) -> None:
    """The last answer is the outcome when there is no time for another attempt, and silence ends in a timeout."""
    silent = threading.Event()
    with HttpService(Answer(503, headers={"Retry-After": "60"}), Answer(gate=silent)) as service:
        with pytest.raises(MediaError) as caught:
            http.get_json(service.url, Transfer(Deadline(LIMIT)))
        assert caught.value.retryable
        started = time.monotonic()
        with pytest.raises(RequestTimeoutError):
            http.get_json(service.url, Transfer(Deadline(0.3)))
        assert time.monotonic() - started < LIMIT / 2
        silent.set()


def test_a_peer_that_takes_nothing_ends_in_a_timeout(http: MediaHttp) -> None:
    """An upload that stalls is over with the deadline, on a new connection and on one that was used before."""
    gate = threading.Event()
    large = bytes(20_000_000)  # more than the buffers of both sides hold
    with HttpService(Answer(gate=gate), DONE, Answer(gate=gate)) as service:
        for _ in range(2):
            started = time.monotonic()
            with opened(attachment(large)) as content, pytest.raises(RequestTimeoutError):
                http.upload(service.url, "a/b", content, Transfer(Deadline(0.3)), lambda sent: None)
            assert time.monotonic() - started < LIMIT / 2
            if service.script:
                http.get_json(service.url, Transfer(Deadline(LIMIT)))
        gate.set()


def test_nobody_there(http: MediaHttp) -> None:
    """Without a connection the error says so, within the deadline."""
    with HttpService() as service:
        url = service.url
    with pytest.raises((TransportUnavailableError, RequestTimeoutError)):
        http.get_json(url, Transfer(Deadline(0.5)))


def test_the_token_stays_with_its_origin(http: MediaHttp, transfer: Transfer) -> None:
    """A redirect within the service carries the token on; one that leads elsewhere does not, and neither does content."""
    with HttpService(DONE, Answer(200)) as elsewhere:
        leading = (Answer(302, headers={"Location": "/other"}), Answer(307, headers={"Location": elsewhere.url + "/stolen"}))
        with HttpService(*leading) as service:
            http.get_json(service.url + "/Media/ME1", transfer)
        http.get_content(elsewhere.url + "/content", transfer).close()
    assert [(seen.path, seen.token) for seen in service.seen] == [("/Media/ME1", "the-token"), ("/other", "the-token")]
    assert [(seen.path, seen.token) for seen in elsewhere.seen] == [("/stolen", None), ("/content", None)]
    assert not any("the-token" in str(seen.headers) for seen in elsewhere.seen)


def test_an_upload_is_not_redirected(http: MediaHttp, transfer: Transfer) -> None:
    """Content goes where it was meant to go, or nowhere."""
    with HttpService() as elsewhere, HttpService(Answer(307, headers={"Location": elsewhere.url})) as service:
        with pytest.raises(MediaError):
            upload(http, service, transfer)
        assert elsewhere.seen == []


def test_redirects_in_a_circle_end(http: MediaHttp, transfer: Transfer) -> None:
    """After a few it is an error."""
    around = Answer(302, headers={"Location": "/again"})
    with HttpService(*[around] * 50) as service, pytest.raises(TransportUnavailableError):
        http.get_json(service.url, transfer)
    assert len(service.seen) < 10


def test_a_token_that_was_renewed_meanwhile_is_used(transfer: Transfer) -> None:
    """A refused token is not the last word when there is another by now; the same token again is not tried."""
    tokens = iter(["old", "new", "new", "new", "new"])
    http = MediaHttp(Options(endpoints=Endpoints.for_region("us1")), None, lambda: next(tokens))
    with HttpService(Answer(401), DONE, Answer(401)) as service:
        http.get_json(service.url, transfer)
        with pytest.raises(MediaError) as caught:
            http.get_json(service.url, transfer)
    assert caught.value.status == 401
    assert [seen.token for seen in service.seen] == ["old", "new", "new"]
    http.close()


@pytest.mark.row("BY25")
def test_a_session_of_the_programs(transfer: Transfer) -> None:
    """Its headers go along, nothing is mounted on it, and it stays open."""
    with requests.Session() as session, HttpService(DONE, Answer(200, b"still open")) as service:
        session.headers["X-Mine"] = "yes"
        adapters = dict(session.adapters)
        http = MediaHttp(Options(endpoints=Endpoints.for_region("us1")), session, lambda: "t")
        http.get_json(service.url, transfer)
        http.close()
        assert session.get(service.url, timeout=LIMIT).text == "still open"
        assert dict(session.adapters) == adapters
        assert TOKEN_HEADER not in session.headers
    assert service.seen[0].headers["x-mine"] == "yes"


# -- content ----------------------------------------------------------------------------------------------------------


def stream_of(http: MediaHttp, service: HttpService, transfer: Transfer) -> ContentStream:
    """The content at that service."""
    return ContentStream(http, transfer, lambda start: http.get_content(service.url, transfer, start=start))


def test_a_stream_that_could_not_be_opened_is_closed_like_any_other(
    http: MediaHttp, transfer: Transfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python closes it when it forgets it, and from 3.13 on says what failed there."""
    closings: list[BaseException | None] = []
    close = ContentStream.close

    def watched(stream: ContentStream) -> None:
        closings.append(None)
        try:
            close(stream)
        except BaseException as error:
            closings[-1] = error
            raise

    monkeypatch.setattr(ContentStream, "close", watched)
    with HttpService(Answer(404)) as service:
        with pytest.raises(MediaError):
            stream_of(http, service, transfer)
        gc.collect()
    assert closings == [None]


def partial(start: int, cut: int | None = None) -> Answer:
    """The rest of the content from `start` on."""
    facts = {"Content-Range": f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"}
    return Answer(206, CONTENT[start:], facts, cut=cut)


def test_a_broken_download_goes_on_where_it_broke(http: MediaHttp, transfer: Transfer) -> None:
    """Only what is missing is asked for, cut after cut."""
    with HttpService(Answer(200, CONTENT, cut=100_000), partial(100_000, cut=50_000), partial(150_000)) as service:
        stream = stream_of(http, service, transfer)
        assert stream.read() == CONTENT
        stream.close()
    assert [seen.headers.get("range") for seen in service.seen] == [None, "bytes=100000-", "bytes=150000-"]
    assert {seen.headers["accept-encoding"] for seen in service.seen} == {"identity"}


def test_a_service_without_ranges_serves_too(http: MediaHttp, transfer: Transfer) -> None:
    """What it sends again from the start is passed over."""
    with HttpService(Answer(200, CONTENT, cut=100_000), Answer(200, CONTENT)) as service:
        stream = stream_of(http, service, transfer)
        assert stream.read() == CONTENT
        stream.close()


def test_a_service_that_goes_on_elsewhere_is_not_believed(http: MediaHttp, transfer: Transfer) -> None:
    """Content with a hole in it is worse than an error."""
    with HttpService(Answer(200, CONTENT, cut=100_000), partial(200_000)) as service:
        stream = stream_of(http, service, transfer)
        with pytest.raises(ProtocolError):
            stream.read()
        stream.close()


def test_a_download_that_breaks_off_for_ever_ends(http: MediaHttp) -> None:
    """No content is given out as complete that is not."""
    with HttpService(Answer(200, CONTENT, cut=100_000), *[HANG_UP] * 50) as service:
        transfer = Transfer(Deadline(1.0))
        with stream_of(http, service, transfer) as stream, pytest.raises((TransportUnavailableError, RequestTimeoutError)):
            stream.read()


# -- ending -----------------------------------------------------------------------------------------------------------


def test_closing_stops_what_is_under_way_and_what_comes(http: MediaHttp) -> None:
    """Who pauses between attempts is woken; the next call is refused."""
    caught: list[BaseException] = []

    def call(url: str) -> None:
        try:
            with http.transfer(Deadline(LIMIT), "call") as transfer:
                http.get_json(url, transfer)
        except ClientClosedError as error:
            caught.append(error)

    with HttpService(Answer(503, headers={"Retry-After": "5"})) as service:
        thread = threading.Thread(target=call, args=(service.url,))
        thread.start()
        assert service.arrived.wait(LIMIT)
        with within(4):
            http.close()
            thread.join(LIMIT)
        call(service.url)
    assert len(caught) == 2


def test_a_thread_that_must_not_wait_is_refused(http: MediaHttp) -> None:
    """The error names the call, before anything is sent."""
    errors: list[BaseException] = []

    def run() -> None:
        mark_thread(Role.IO)
        try:
            with http.transfer(Deadline(1.0), "read()"):
                pass
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(LIMIT)
    assert "read()" in str(errors[0])
