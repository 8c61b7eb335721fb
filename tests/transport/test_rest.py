"""Commands: once and only once, with errors that say what happened."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.patience import PATIENCE
from tests.support.scripted_service import Peer
from tests.transport.conftest import Wire, Wired
from twilio_conversations.errors import (
    ClientClosedError,
    ConflictError,
    ForbiddenError,
    InvalidArgumentError,
    ProtocolError,
    RequestTimeoutError,
    RestError,
    RestNotFoundError,
    ThrottledError,
    TransportUnavailableError,
)
from twilio_conversations.transport.commands import CommandKind
from twilio_conversations.transport.rest import Rest
from twilio_conversations.transport.retries import retry_after
from twilio_conversations.transport.tunnel import MUTATION_HEADER, Tunnel
from twilio_conversations.util.futures import Deadline, wait
from twilio_conversations.wire.packets import RestCall

SOON = PATIENCE
URL = "https://h/v2/Conversations"


class Call:
    """A blocking call on a thread of its own."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self.value: Any = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.value = self._function()
        except BaseException as error:
            self.error = error

    def result(self) -> Any:
        """What came of it."""
        self._thread.join(SOON)
        assert not self._thread.is_alive(), "the call hangs"
        if self.error is not None:
            raise self.error
        return self.value


UPDATE = CommandKind.UPDATE


def rest_of(wired: Wired) -> Rest:
    """Commands over that connection."""
    return Rest(Tunnel(wired.connection, wired.connection._options), wired.connection._options)


def up(wire: Wire, **options: Any) -> tuple[Wired, Rest, Peer]:
    """A connection, its commands, its service."""
    wired = wire(**options)
    peer = wired.up()
    return wired, rest_of(wired), peer


def mutation(message: RestCall) -> str:
    """The mutation id of a request."""
    return message.request.headers[MUTATION_HEADER]


def test_the_four_verbs_as_they_go_over_the_wire(wire: Wire) -> None:
    """Method, headers and body of each."""
    _, rest, peer = up(wire)
    calls = [
        (lambda: rest.get(URL + "?a=b"), ("GET", "application/json; charset=utf-8", b"", False)),
        (lambda: rest.post(URL, {"é": None}, UPDATE), ("POST", "application/json; charset=utf-8", '{"é":null}'.encode(), True)),
        (lambda: rest.delete(URL, CommandKind.DELETE), ("DELETE", "application/json; charset=utf-8", b"{}", True)),
        (
            lambda: rest.post_form(URL, {"ChannelSid": "CH1", "x y": "+&"}),
            ("POST", "application/x-www-form-urlencoded", b"ChannelSid=CH1&x%20y=%2B%26", False),
        ),
    ]
    for function, (method, kind, body, mutates) in calls:
        call = Call(function)
        message = peer.expect(RestCall)
        peer.answer(message, 200, b'{"sid":"CH1"}')
        request = message.request
        assert (method, kind, body) == (request.method, request.content_type, request.body)
        assert (MUTATION_HEADER in request.headers) is mutates
        assert call.result() == (None if method == "DELETE" else {"sid": "CH1"})


def test_a_command_is_sent_again_after_a_cut_under_the_same_id(wire: Wire) -> None:
    """The service acts once."""
    wired, rest, peer = up(wire)
    call = Call(lambda: rest.post(URL, {}, UPDATE))
    first = peer.expect(RestCall)
    peer.cut()
    peer = wired.service.peer()
    peer.accept_init()
    second = peer.expect(RestCall)
    peer.answer(second, 201, b'{"sid":"CH1"}')

    assert call.result() == {"sid": "CH1"}
    assert mutation(first) == mutation(second)


def test_two_commands_have_two_ids_and_the_caller_may_give_one(wire: Wire) -> None:
    """So that another process can repeat it."""
    _, rest, peer = up(wire)
    seen = []
    for given in (None, None, "mine"):
        call = Call(lambda given=given: rest.post(URL, {}, UPDATE, mutation_id=given))
        message = peer.expect(RestCall)
        seen.append(mutation(message))
        peer.answer(message)
        call.result()

    assert len(set(seen)) == 3
    assert seen[2] == "mine"


def test_done_already_is_followed_to_the_resource(wire: Wire) -> None:
    """202 with a resource URL: its content is the result."""
    _, rest, peer = up(wire)
    call = Call(lambda: rest.post(URL, {}, UPDATE))
    peer.answer(peer.expect(RestCall), 202, b'{"resource_url":"https://h/v2/Conversations/CH1"}')
    fetched = peer.expect(RestCall)
    peer.answer(fetched, 200, b'{"sid":"CH1"}')

    assert call.result() == {"sid": "CH1"}
    assert ("GET", "/v2/Conversations/CH1") == (fetched.request.method, fetched.request.path)


def test_a_deletion_done_already_leaves_nothing_to_fetch(wire: Wire) -> None:
    """A 404 there is success; any other refusal is not."""
    _, rest, peer = up(wire)
    for status, error in ((404, None), (403, ForbiddenError)):
        call = Call(lambda: rest.delete(URL, CommandKind.DELETE))
        peer.answer(peer.expect(RestCall), 202, b'{"resource_url":"/v2/Conversations/CH1"}')
        peer.answer(peer.expect(RestCall), status)
        if error is None:
            assert call.result() is None
        else:
            with pytest.raises(error):
                call.result()


def test_202_without_a_resource_is_the_answer(wire: Wire) -> None:
    """There is nothing to follow."""
    _, rest, peer = up(wire)
    call = Call(lambda: rest.post(URL, {}, UPDATE))
    peer.answer(peer.expect(RestCall), 202, b'{"ok":true}')

    assert call.result() == {"ok": True}


def test_in_progress_is_waited_out(wire: Wire) -> None:
    """409 with 20409 until the service has finished."""
    _, rest, peer = up(wire)
    call = Call(lambda: rest.post(URL, {}, UPDATE))
    for _ in range(2):
        peer.answer(peer.expect(RestCall), 409, b'{"code":20409,"message":"conflict","status":409}')
    peer.answer(peer.expect(RestCall), 202, b'{"resource_url":"https://h/x"}')
    peer.answer(peer.expect(RestCall), 200, b"{}")

    assert call.result() == {}


@pytest.mark.row("BY18", "ER39", "ER42")
@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, RestError), (403, ForbiddenError), (404, RestNotFoundError), (409, ConflictError), (500, RestError)],
)
def test_refusals_are_typed_and_say_everything(wire: Wire, status: int, kind: type[RestError]) -> None:
    """Status, code, message, more info, request id, attempts."""
    _, rest, peer = up(wire)
    call = Call(lambda: rest.post(URL, {}, UPDATE))
    body = b'{"code":50300,"message":"no","more_info":"https://x/50300","status":%d}' % status
    peer.answer(peer.expect(RestCall), status, body, {"twilio-request-id": "RQ1"})

    with pytest.raises(kind, match="no") as raised:
        call.result()
    error = raised.value
    assert type(error) is kind
    assert (status, 50300, "https://x/50300", "RQ1", 1) == (
        error.status,
        error.code,
        error.more_info,
        error.request_id,
        error.attempts,
    )


@pytest.mark.row("ER40", "ER52")
def test_throttled_beyond_the_deadline(wire: Wire) -> None:
    """The refusal, not a timeout, with the number of attempts."""
    _, rest, peer = up(wire)
    call = Call(lambda: rest.post(URL, {}, UPDATE, timeout=1.0))
    peer.answer(peer.expect(RestCall), 429)
    peer.answer(peer.expect(RestCall), 429, headers={"Retry-After": "30"})

    with pytest.raises(ThrottledError) as raised:
        call.result()
    assert raised.value.attempts == 2
    assert raised.value.retryable


def test_typing_is_never_sent_again(wire: Wire) -> None:
    """It would be late."""
    wired, rest, peer = up(wire)
    call = Call(lambda: rest.post_form(URL, {"ChannelSid": "CH1"}))
    peer.expect(RestCall)
    peer.cut()
    with pytest.raises(TransportUnavailableError) as raised:
        call.result()

    assert raised.value.sent is True
    assert wired.connection.stats().queued == 0


@pytest.mark.row("ER46")
def test_no_answer_within_the_time_limit(wire: Wire) -> None:
    """The caller's own clock ends it."""
    _, rest, _ = up(wire)
    with pytest.raises(RequestTimeoutError):
        Call(lambda: rest.get(URL, timeout=0.1)).result()


def test_an_answer_that_is_not_json(wire: Wire) -> None:
    """A success must be readable; a refusal is kept as text."""
    _, rest, peer = up(wire)
    call = Call(lambda: rest.get(URL))
    peer.answer(peer.expect(RestCall), 200, b"<html>")
    with pytest.raises(ProtocolError):
        call.result()
    call = Call(lambda: rest.get(URL))
    peer.answer(peer.expect(RestCall), 400, b"<html>")
    with pytest.raises(RestError) as raised:
        call.result()

    assert raised.value.body == "<html>"


def test_closing_wakes_every_caller(wire: Wire) -> None:
    """In flight or queued."""
    wired, rest, peer = up(wire)
    calls = [Call(lambda: rest.get(URL)) for _ in range(5)]
    for _ in calls:
        peer.expect(RestCall)
    wired.connection.close()

    for call in calls:
        with pytest.raises(ClientClosedError):
            call.result()


def test_not_on_the_client_s_own_thread(wire: Wire) -> None:
    """The text names the call."""
    wired, rest, _ = up(wire)

    with pytest.raises(RuntimeError, match=r"GET .*Conversations"):
        wait(wired.connection.call(lambda: rest.get(URL)), Deadline(SOON), "call")


def test_cookies_are_not_kept_and_the_environment_is_not_read(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands stay inside the websocket."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    _, rest, peer = up(wire)
    for _ in range(2):
        call = Call(lambda: rest.get(URL))
        message = peer.expect(RestCall)
        peer.answer(message, headers={"Set-Cookie": "a=b"})
        call.result()

    assert {"Content-Type"} == set(message.request.headers)


def test_redirects_are_not_followed(wire: Wire) -> None:
    """A 302 is a refusal."""
    _, rest, peer = up(wire)
    call = Call(lambda: rest.get(URL))
    peer.answer(peer.expect(RestCall), 302, headers={"Location": "https://elsewhere/"})

    with pytest.raises(RestError):
        call.result()


def test_relative_urls_are_refused(wire: Wire) -> None:
    """Before anything is sent."""
    _, rest, _ = up(wire)

    with pytest.raises(InvalidArgumentError):
        rest.get("/v2/Conversations")


@pytest.mark.parametrize("asked", ["1e300", "9" * 400, "inf", "nan", "-5", "soon", "\x00"])
def test_a_pause_without_bounds_is_not_waited_for(asked: str) -> None:
    """What nobody can wait for is a day at most; what is no time is none."""
    assert 0.0 <= retry_after({"retry-after": asked}) <= 86_400
