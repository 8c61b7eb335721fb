"""Refusals of the token or of the client, by the answer to an init or by a close of the service."""

from __future__ import annotations

import pytest

from tests.wire.driven import EXPIRED, Driven, http_reply, states
from twilio_conversations.enums import ConnectionState
from twilio_conversations.errors import (
    ClientClosedError,
    ConnectionErrorInfo,
    RequestTimeoutError,
    TransportUnavailableError,
)
from twilio_conversations.wire.decoding import PacketError
from twilio_conversations.wire.effects import (
    CloseSocket,
    Disconnected,
    Failed,
    TokenExpired,
    TokenWanted,
)
from twilio_conversations.wire.packets import (
    BackoffHint,
    ClientUpdate,
    Close,
    Init,
    Notification,
    Reply,
    RestCall,
    Status,
)
from twilio_conversations.wire.session import LINGER
from twilio_conversations.wire.transitions import Phase

# Refused


@pytest.mark.parametrize("code", [401, 403])
def test_a_refused_token_denies(code: int) -> None:
    """Terminal, no retry; queued requests fail at once and say that nothing was sent."""
    driven = Driven()
    driven.connect()
    driven.submit("a")
    driven.open()
    driven.answer(Init, code, 20101)

    assert [ConnectionState.DENIED] == states(driven)
    assert [ConnectionErrorInfo(True, "Connection error: text", code, 20101)] == driven.of(ConnectionErrorInfo)
    assert not driven.of(TokenExpired)
    assert driven.settled["a"].sent is False
    assert driven.session.next_deadline() is None
    driven.submit("b")
    assert isinstance(driven.settled["b"], TransportUnavailableError)


def test_an_expired_token_is_announced() -> None:
    """401 with 20104 also says that the token expired."""
    driven = Driven()
    driven.connect()
    driven.open()
    driven.answer(Init, 401, EXPIRED)

    assert driven.of(TokenExpired)
    assert driven.session.phase is Phase.DENIED


def test_an_expired_token_with_a_provider_is_replaced() -> None:
    """Not terminal: the provider is asked, the queue waits, and its token connects."""
    driven = Driven(refreshable=True)
    driven.connect()
    driven.submit("a")
    driven.open()
    driven.answer(Init, 401, EXPIRED)
    assert driven.of(TokenExpired)
    assert driven.of(TokenWanted)
    assert [False] == [info.terminal for info in driven.of(ConnectionErrorInfo)]

    driven.update("T1")
    driven.establish()
    assert driven.last(Init).token == "T1"
    assert driven.last(RestCall).id == "a"


@pytest.mark.parametrize("code", [400, 429, 500, 503])
def test_any_other_refusal_is_retried_and_the_queue_survives(code: int) -> None:
    """The queue waits for its own deadlines."""
    driven = Driven()
    driven.connect()
    driven.submit("a")
    driven.open()
    driven.answer(Init, code)
    assert driven.session.phase is Phase.WAITING
    assert "a" not in driven.settled

    driven.advance(1)
    driven.establish()
    assert driven.last(RestCall).id == "a"


def test_a_throttled_init_waits_as_long_as_it_is_told() -> None:
    """The hint in the payload of a 429 counts, also against a new token in the meantime."""
    driven = Driven()
    driven.connect()
    driven.open()
    driven.answer(Init, 429, 51202, b'{"backoff_policy":{"reconnect_min_ms":3000}}')
    driven.update("T1", "u")
    driven.advance(2.9)
    assert driven.session.phase is Phase.WAITING
    driven.advance(0.2)

    assert driven.phase is Phase.CONNECTING
    driven.open()
    assert driven.last(Init).token == "T1"


def test_a_malformed_reply_to_init_is_a_refusal() -> None:
    """It does not have to wait for the timeout."""
    driven = Driven()
    driven.connect()
    driven.open()
    error = PacketError("no status", id_=driven.last(Init).id, method="reply")
    driven.do(driven.session.receive_bad(error, driven.now))

    assert driven.session.phase is Phase.WAITING


# Close by the service


def _leaving() -> Driven:
    """A session with the requests "a" and "b" under way that was just offloaded."""
    driven = Driven()
    driven.up()
    driven.submit("a")
    driven.submit("b")
    driven.receive(Close("C1", Status(308, "OFFLOAD"), BackoffHint(4000, 20000)))
    return driven


def test_an_offload_reconnects_after_the_hint() -> None:
    """308 with nothing under way: acknowledged, the socket closed at once, no error."""
    driven = Driven()
    driven.up()
    driven.receive(Close("C1", Status(308, "OFFLOAD"), BackoffHint(1000, 20000)))

    assert driven.last(Reply).id == "C1"
    assert driven.session.phase is Phase.WAITING
    assert [ConnectionState.RETRYING] == states(driven)
    assert 1 <= (driven.session.next_deadline() or 0) - driven.now <= 20
    assert not driven.of(ConnectionErrorInfo)


def test_answers_under_way_are_read_after_an_offload() -> None:
    """The socket is closed with the last of them; then the back-off with the service's hint."""
    driven = _leaving()
    assert [ConnectionState.RETRYING] == states(driven)
    assert driven.of(Disconnected)
    driven.receive(http_reply("a", 201))
    assert not driven.of(CloseSocket)
    driven.receive(http_reply("b", 404))

    assert driven.of(CloseSocket)
    assert [201, 404] == [driven.settled[id_].code for id_ in "ab"]
    assert driven.phase is Phase.WAITING
    assert 4 <= (driven.session.next_deadline() or 0) - driven.now <= 20


def test_answers_that_do_not_come_after_an_offload_are_waited_for_two_seconds() -> None:
    """Then what was written fails, as sent, with the reason of the close; so it does when the socket ends before."""
    for lost in (False, True):
        driven = _leaving()
        driven.receive(http_reply("a"))
        if lost:
            driven.lose()
        else:
            driven.advance(LINGER - 0.1)
            assert "b" not in driven.settled
            driven.advance(0.1)

        assert isinstance(driven.settled["a"], Reply)
        assert (True, True) == (driven.settled["b"].sent, driven.settled["b"].retryable)
        assert "OFFLOAD" in str(driven.settled["b"])
        assert driven.phase is Phase.WAITING
        assert 4 <= (driven.session.next_deadline() or 0) - driven.now <= 20


def test_nothing_new_goes_out_after_an_offload() -> None:
    """Requests are queued, a token is kept, and whatever comes beside answers is left to the next connection."""
    driven = _leaving()
    sent = len(driven.sent)
    driven.submit("c")
    driven.update("T1", "u")
    driven.receive(Notification("N1", "t", {}))
    assert not driven.effects
    driven.receive(ClientUpdate("U1", "token_about_to_expire"))
    driven.receive(Close("C2", Status(401, "X")))
    driven.do(driven.session.token_refused(RuntimeError("none"), driven.now))

    assert driven.phase is Phase.LEAVING
    assert len(driven.sent) == sent
    assert "c" not in driven.settled
    driven.advance(30)
    driven.establish()
    assert driven.last(Init).token == "T1"
    assert driven.last(RestCall).id == "c"


def test_a_request_that_is_too_late_does_not_hold_up_the_leaving() -> None:
    """Nobody waits for its answer; another one is waited for."""
    driven = Driven()
    driven.up()
    driven.submit("a", 0.5)
    driven.submit("b", 1)
    driven.receive(Close("C1", Status(308)))
    driven.advance(0.5)
    assert driven.session.phase is Phase.LEAVING
    driven.advance(0.5)

    assert all(isinstance(driven.settled[id_], RequestTimeoutError) for id_ in "ab")
    assert driven.phase is Phase.WAITING


def test_closing_while_answers_are_read_is_the_end() -> None:
    """A farewell, the socket closed, everything failed."""
    driven = _leaving()
    driven.close()

    assert isinstance(driven.last(Close), Close)
    assert all(isinstance(driven.settled[id_], ClientClosedError) for id_ in "ab")
    assert driven.open_generation is None


@pytest.mark.parametrize("status", [None, Status(503, "X"), Status(299, "X"), Status(-1)])
def test_an_unlisted_close_reconnects(status: Status | None) -> None:
    """Whatever the code, and without one too."""
    driven = Driven()
    driven.up()
    driven.receive(Close("C1", status))

    assert driven.session.phase is Phase.WAITING


@pytest.mark.parametrize("status", [Status(401, "X"), Status(410, "X"), Status(308, "X", None, 51232)])
def test_a_close_that_refuses_the_token_denies_at_once(status: Status) -> None:
    """No retry; the error is reported; a new token connects again."""
    driven = Driven()
    driven.up()
    driven.receive(Close("C1", status))

    assert [ConnectionState.DENIED] == states(driven)
    assert driven.of(ConnectionErrorInfo)[0].terminal
    assert bool(driven.of(TokenExpired)) is (status.code == 410)
    driven.update("T1")
    driven.establish()
    assert driven.phase is Phase.CONNECTED


def test_a_close_for_expiry_asks_the_provider() -> None:
    """410 with a provider is a renewal, not an end."""
    driven = Driven(refreshable=True)
    driven.up()
    driven.receive(Close("C1", Status(410, "X")))

    assert driven.of(TokenWanted)
    assert [ConnectionState.CONNECTING] == states(driven)


@pytest.mark.parametrize("code", [406, 417])
def test_an_incompatible_service_is_the_end(code: int) -> None:
    """Nothing helps: a request, and a token, fail at once."""
    driven = Driven()
    driven.up()
    driven.receive(Close("C1", Status(code, "X")))

    assert driven.session.phase is Phase.FAILED
    assert driven.of(Failed)
    assert driven.of(ConnectionErrorInfo)[0].terminal
    driven.submit("a")
    assert isinstance(driven.settled["a"], TransportUnavailableError)
    driven.update("T1", "u")
    assert isinstance(driven.settled["u"], TransportUnavailableError)
