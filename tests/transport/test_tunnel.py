"""HTTP inside the websocket: what goes into a frame, and what is sent again."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.patience import PATIENCE
from tests.support.scripted_service import Peer
from tests.transport.conftest import Wire, Wired
from twilio_conversations.errors import (
    ClientClosedError,
    InvalidArgumentError,
    ReplyError,
    RequestTimeoutError,
    TransportUnavailableError,
)
from twilio_conversations.transport.commands import LOOK_AFTER
from twilio_conversations.transport.retries import retry_after
from twilio_conversations.transport.tunnel import MUTATION_HEADER, SCHEME, Tunnel, TunnelAdapter
from twilio_conversations.util import urls
from twilio_conversations.util.flows import Future, completed, failed
from twilio_conversations.util.futures import Deadline, wait
from twilio_conversations.wire.http_request import HttpRequest
from twilio_conversations.wire.packets import Reply, RestCall, Status

SOON = PATIENCE
PAST = "Mon, 1 Jan 2001 0:0:0 GMT"
HOSTILE = ["..", ".", "a/b", "a?b", "a#b", "%2e%2e", "a b", "a+b", "☃🎉", "a&b=c", "a%", "\\", ":", "a;b", "'\"<>", "%", "\x00"]


def tunnel_of(wired: Wired) -> Tunnel:
    """A tunnel through that connection."""
    return Tunnel(wired.connection, wired.connection._options)


def ask(wired: Wired, method: str = "GET", url: str = "https://h/p", *, seconds: float = SOON, **facts: Any) -> Any:
    """Send through the tunnel, as a flow on the io thread would."""
    return wired.connection.run(lambda: tunnel_of(wired).request(method, url, deadline=Deadline(seconds), **facts))


def test_answers_come_back_whatever_their_status_and_order(wire: Wire) -> None:
    """A refusal is an answer too."""
    wired = wire()
    peer = wired.up()
    first, second = ask(wired), ask(wired)
    asked = [peer.expect(RestCall), peer.expect(RestCall)]
    peer.answer(asked[1], 404, b'{"code":50350}', {"Twilio-Request-Id": "RQ1"})
    peer.answer(asked[0], 204, b"")

    found: Reply = wait(second, Deadline(SOON), "GET")
    assert (404, {"code": 50350}, "RQ1", False) == (found.code, found.json(), found.request_id, found.ok)
    empty: Reply = wait(first, Deadline(SOON), "GET")
    assert (204, None, True, 1) == (empty.code, empty.json(), empty.ok, empty.attempts)


def test_only_some_headers_go_into_a_frame(wire: Wire) -> None:
    """What concerns the service, in whatever case it is written."""
    wired = wire()
    peer = wired.up()
    headers = {"content-type": "text/x", "X-Twilio-Mutation-Id": "m", "TWILIO-Request-Id": "r", "Accept": "*/*", "Cookie": "c"}
    ask(wired, "POST", headers=headers, body=b"{}")
    message = peer.expect(RestCall)

    assert {"content-type": "text/x", "X-Twilio-Mutation-Id": "m", "TWILIO-Request-Id": "r"} == message.request.headers
    assert message.request.content_type == "text/x"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_arrive_as_they_were(wire: Wire, hostile: str) -> None:
    """In a path segment and in a query value; encoded once, never decoded on the way."""
    wired = wire()
    peer = wired.up()
    url = urls.with_query(urls.join("https://h:8/Conversations", hostile, "Participants"), [("Name", hostile)])
    ask(wired, url=url)
    request = peer.expect(RestCall).request

    assert request.path == url.removeprefix("https://h:8").partition("?")[0]
    assert request.host == "h:8"
    assert ["", "Conversations", hostile, "Participants"] == [unquote(part) for part in request.path.split("/")]
    assert [("Name", hostile)] == [(name, unquote(value)) for name, value in request.params]


def test_an_empty_segment_is_refused() -> None:
    """``/Participants/`` would be the collection."""
    with pytest.raises(InvalidArgumentError):
        urls.join("https://h", "Conversations", "")


@given(query=st.lists(st.sampled_from(["a=b=c", "flag", "a=%20", "a=1", "a=2", "b=%2B", "c="]), max_size=6).map("&".join))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_query_strings_survive(query: str) -> None:
    """Only the first ``=`` splits, bare names and repetitions are kept, nothing is re-encoded."""
    request = HttpRequest.parse(HttpRequest.from_url("GET", f"https://h/p?{query}").to_json(), b"")

    expected = [(name, value) for name, _, value in (pair.partition("=") for pair in query.split("&") if pair)]
    assert sorted(expected) == sorted(request.params)


@pytest.mark.parametrize("url", ["", "/p", "ftp://h/p", "https:///p", "http://[::1/p"])
def test_what_is_not_a_url_is_refused(wire: Wire, url: str) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidArgumentError):
        tunnel_of(wire()).request("GET", url)


# Sent again, or not


def cut_once(wired: Wired, peer: Peer) -> Peer:
    """The request arrives and the line breaks; the next connection."""
    peer.expect(RestCall)
    peer.cut()
    again = wired.service.peer()
    again.accept_init()
    return again


def test_an_idempotent_request_survives_cuts(wire: Wire) -> None:
    """Sent again on the next connection; the answer says how often."""
    wired = wire()
    peer = wired.up()
    future = ask(wired, idempotent=True)
    peer = cut_once(wired, cut_once(wired, peer))
    peer.answer(peer.expect(RestCall))

    assert wait(future, Deadline(SOON), "GET").attempts == 3


def test_any_other_request_is_never_sent_twice(wire: Wire) -> None:
    """It may have had its effect."""
    wired = wire()
    peer = wired.up()
    future = ask(wired, "POST")
    cut_once(wired, peer)

    with pytest.raises(TransportUnavailableError) as raised:
        wait(future, Deadline(SOON), "POST")
    assert (raised.value.sent, raised.value.attempts) == (True, 1)


@pytest.mark.parametrize(
    ("status", "body"), [(429, b"{}"), (502, b"<html>"), (503, b""), (504, b"{}"), (409, b'{"code":20409,"status":409}')]
)
def test_passing_troubles_are_waited_out(wire: Wire, status: int, body: bytes) -> None:
    """For an idempotent request; others get the answer."""
    wired = wire()
    peer = wired.up()
    future = ask(wired, idempotent=True)
    peer.answer(peer.expect(RestCall), status, body)
    peer.answer(peer.expect(RestCall), 200)
    once = ask(wired, "POST")
    peer.answer(peer.expect(RestCall), status, body)

    assert wait(future, Deadline(SOON), "GET").code == 200
    assert wait(once, Deadline(SOON), "POST").code == status


@pytest.mark.parametrize(("status", "body"), [(400, b"{}"), (404, b"{}"), (409, b'{"code":50433}'), (409, b"<"), (500, b"{}")])
def test_verdicts_are_final(wire: Wire, status: int, body: bytes) -> None:
    """Asking again would change nothing."""
    wired = wire()
    peer = wired.up()
    future = ask(wired, idempotent=True)
    peer.answer(peer.expect(RestCall), status, body)

    assert wait(future, Deadline(SOON), "GET").attempts == 1


def test_retry_after_is_honoured(wire: Wire) -> None:
    """Not a moment earlier."""
    wired = wire()
    peer = wired.up()
    future = ask(wired, idempotent=True)
    call = peer.expect(RestCall)
    refused = time.monotonic()
    peer.answer(call, 429, headers={"Retry-After": "1"})
    peer.answer(peer.expect(RestCall))

    assert time.monotonic() - refused >= 0.98
    assert wait(future, Deadline(SOON), "GET").attempts == 2


@pytest.mark.row("ER53")
def test_what_the_deadline_does_not_allow_is_not_waited_for(wire: Wire) -> None:
    """The refusal is the answer, at once."""
    wired = wire()
    peer = wired.up()
    future = ask(wired, idempotent=True, seconds=3)
    peer.answer(peer.expect(RestCall), 429, headers={"retry-after": "60"})

    assert wait(future, Deadline(1), "GET").code == 429


def test_a_frame_refused_for_now_is_sent_again(wire: Wire) -> None:
    """The connection's own 429; its 400 is final."""
    wired = wire()
    peer = wired.up()
    future, final = ask(wired, idempotent=True), ask(wired, idempotent=True)
    peer.refuse(peer.expect(RestCall), 429)
    peer.refuse(peer.expect(RestCall), 400)
    peer.answer(peer.expect(RestCall))

    assert wait(future, Deadline(SOON), "GET").attempts == 2
    with pytest.raises(ReplyError):
        wait(final, Deadline(SOON), "GET")


def test_a_timeout_knows_that_an_earlier_attempt_was_sent(wire: Wire) -> None:
    """Though the last one was not."""
    wired = wire()
    peer = wired.up()
    future = ask(wired, idempotent=True, seconds=0.8)
    peer.expect(RestCall)
    peer.cut()
    wired.service.peer()  # and no answer to its init
    with pytest.raises(RequestTimeoutError) as raised:
        wait(future, Deadline(SOON), "GET")

    assert raised.value.sent is True
    assert raised.value.attempts == 2


def test_closing_ends_the_wait_between_attempts(wire: Wire) -> None:
    """Nobody sits out a back-off of a closed client."""
    wired = wire()
    peer = wired.up()
    future = ask(wired, idempotent=True)
    peer.answer(peer.expect(RestCall), 429, headers={"retry-after": "3"})
    wait(wired.connection.call(lambda: None), Deadline(SOON), "the io thread")
    time.sleep(0.05)
    wired.connection.close()

    with pytest.raises(ClientClosedError):
        future.result()


# How many may wait


def test_calls_beyond_the_limit_are_refused(wire: Wire) -> None:
    """At once, in words; what the client asks for itself is not counted, and an answer makes room."""
    wired = wire(max_pending_requests=2)
    tunnel = tunnel_of(wired)
    peer = wired.up()

    def call() -> Reply:
        return tunnel.call("GET", "https://h/p", deadline=Deadline(SOON))

    with ThreadPoolExecutor(3) as threads:
        own = [ask(wired, url="https://h/own") for _ in range(3)]
        waiting = [threads.submit(call) for _ in range(2)]
        asked = [peer.expect(RestCall) for _ in range(5)]
        with pytest.raises(TransportUnavailableError, match="max_pending_requests is 2") as raised:
            call()
        assert (raised.value.sent, raised.value.retryable) == (False, True)
        for message in asked:
            peer.answer(message)
        assert {future.result(SOON).code for future in waiting} == {200}
        assert {wait(future, Deadline(SOON), "GET").code for future in own} == {200}
        late = threads.submit(call)
        peer.answer(peer.expect(RestCall))
        assert late.result(SOON).code == 200


# The adapter


def test_a_requests_session_can_be_carried(wire: Wire) -> None:
    """Status, headers, body and URL are where requests has them."""
    wired = wire()
    peer = wired.up()
    with requests.Session() as session:
        session.mount(SCHEME, TunnelAdapter(tunnel_of(wired)))
        answers: list[requests.Response] = []
        import threading

        caller = threading.Thread(target=lambda: answers.append(session.get(SCHEME + "h/p?a=b", timeout=SOON)))
        caller.start()
        message = peer.expect(RestCall)
        peer.answer(message, 200, '{"é":1}'.encode(), {"content-type": "application/json"})
        caller.join(SOON)

    assert message.request.params == (("a", "b"),)
    assert answers[0].json() == {"é": 1}
    assert answers[0].headers["Content-Type"] == "application/json"
    assert "user-agent" not in {name.lower() for name in message.request.headers}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0), ("3", 3), ("1.5", 1.5), ("-3", 0), ("inf", 0), ("nan", 0), ("soon", 0), (PAST, 0)],
)
def test_retry_after_is_read_leniently(text: str, expected: float) -> None:
    """Numbers and dates; anything else asks for nothing."""
    assert expected == retry_after({"retry-after": text})


def test_retry_after_may_be_a_date() -> None:
    """In the future."""
    from email.utils import formatdate

    assert 50 < retry_after({"retry-after": formatdate(time.time() + 60, usegmt=True)}) <= 61


# In doubt


class Looking:
    """Looks for the effect of a command, as a test wants it."""

    def __init__(self, *found: Reply | Exception | None, in_doubt: bool = False) -> None:
        self.in_doubt = in_doubt
        self.found = list(found)
        self.story: list[tuple[str, float]] = []

    def doubt(self) -> None:
        self.story.append(("doubt", time.monotonic()))

    def look(self) -> Future[Reply | None]:
        self.story.append(("look", time.monotonic()))
        found = self.found.pop(0)
        return failed(found) if isinstance(found, Exception) else completed(found)

    @property
    def events(self) -> list[str]:
        return [name for name, _ in self.story]


def command(wired: Wired, look: Looking, seconds: float = SOON) -> Any:
    """Send a command, on a thread that waits for it."""
    threads = ThreadPoolExecutor(1)
    facts: dict[str, Any] = {"headers": {MUTATION_HEADER: "m"}, "deadline": Deadline(seconds), "idempotent": True, "look": look}
    future = threads.submit(tunnel_of(wired).call, "POST", "https://h/p", **facts)
    threads.shutdown(wait=False)
    return future


def test_a_command_that_is_found_is_not_sent_again(wire: Wire) -> None:
    """It is looked for a second after the cut; what was found is the answer."""
    wired = wire()
    peer = wired.up()
    look = Looking(Reply("", http_status=Status(200, "OK"), body=b'{"index":1}'))
    future = command(wired, look)
    cut_once(wired, peer)
    found = future.result(SOON)

    assert (found.json(), found.attempts, found.in_doubt) == ({"index": 1}, 1, True)
    assert look.events == ["doubt", "look"]
    assert look.story[1][1] - look.story[0][1] >= LOOK_AFTER * 0.98


def test_a_command_that_is_not_found_is_sent_again(wire: Wire) -> None:
    """After each attempt that leaves it in doubt, and after no other: 429, and a frame that was refused."""
    wired = wire()
    peer = wired.up()
    look = Looking(None, None, None)
    future = command(wired, look)
    peer.answer(peer.expect(RestCall), 429)
    peer.refuse(peer.expect(RestCall), 429)
    assert look.events == []
    peer.answer(peer.expect(RestCall), 504)
    peer = cut_once(wired, peer)
    peer.answer(peer.expect(RestCall), 201)
    found = future.result(SOON)

    assert (found.code, found.attempts, found.in_doubt) == (201, 5, True)
    assert look.events == ["doubt", "look", "doubt", "look"]


def test_a_command_left_in_doubt_before_is_looked_for_first(wire: Wire) -> None:
    """Nothing is sent before that."""
    wired = wire()
    peer = wired.up()
    future = command(wired, Looking(None, in_doubt=True))
    peer.answer(peer.expect(RestCall), 201)
    assert future.result(SOON).in_doubt
    found = command(wired, Looking(Reply("", http_status=Status(200, "OK")), in_doubt=True)).result(SOON)

    assert (found.code, found.attempts) == (200, 0)


@pytest.mark.parametrize("error", [TransportUnavailableError("no", sent=False), ValueError("a fault of ours")])
def test_a_look_that_fails_is_the_end(wire: Wire, error: Exception) -> None:
    """The command is not sent again, and may have been carried out."""
    wired = wire()
    peer = wired.up()
    future = command(wired, Looking(error))
    peer.answer(peer.expect(RestCall), 503)
    with pytest.raises(type(error)):
        future.result(SOON)

    assert getattr(error, "sent", True) is True


@pytest.mark.parametrize("resend", ["always", "never"])
def test_without_looking(wire: Wire, resend: Any) -> None:
    """A command in doubt is sent again, or raises; a request that only reads is sent again in any case."""
    wired = wire(resend=resend)
    peer = wired.up()
    look = Looking()
    future = command(wired, look)
    peer.answer(peer.expect(RestCall), 503)
    if resend == "always":
        peer = cut_once(wired, peer)
        peer.answer(peer.expect(RestCall), 201)
        assert future.result(SOON).attempts == 3
    else:
        assert future.result(SOON).code == 503
        future = command(wired, look)
        peer = cut_once(wired, peer)
        with pytest.raises(TransportUnavailableError) as raised:
            future.result(SOON)
        assert raised.value.sent is True
    reading = ask(wired, idempotent=True)
    peer.answer(peer.expect(RestCall), 503)
    peer.answer(peer.expect(RestCall), 200)

    assert wait(reading, Deadline(SOON), "GET").code == 200
    assert look.events == []
