"""The connection's state machine, without a socket: each row of what can happen, then everything at random."""

from __future__ import annotations

import logging
import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.faults.malformed import FROM_SERVICE, Malformer
from tests.wire.driven import Driven, submission
from twilio_conversations import tokens
from twilio_conversations.enums import ConnectionState
from twilio_conversations.errors import (
    ClientClosedError,
    ConnectionErrorInfo,
    ProtocolError,
    ReplyError,
    RequestTimeoutError,
    TransportUnavailableError,
)
from twilio_conversations.wire.credentials import RefusedToken
from twilio_conversations.wire.decoding import PacketError, decode
from twilio_conversations.wire.effects import (
    CloseSocket,
    Connected,
    Disconnected,
    Failed,
    OpenSocket,
    Send,
    StateChanged,
    TokenAboutToExpire,
    TokenAccepted,
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
    Unknown,
    Update,
)
from twilio_conversations.wire.session import MAX_BAD_FRAMES
from twilio_conversations.wire.transitions import PUBLIC_STATES, TRANSITIONS, Action, Input, Phase, render_markdown

EXPIRED = 20104


def states(driven: Driven) -> list[ConnectionState]:
    """The states that the latest input announced."""
    return [effect.state for effect in driven.of(StateChanged)]


def http_reply(id_: str, code: int = 200, status: Status | None = None) -> Reply:
    """The answer to a tunnelled request."""
    return Reply(id_, status or Status(200, "OK"), Status(code, "X"), body=b"{}")


# Starting


def test_start_opens_a_socket_and_sends_init() -> None:
    """The first frame carries the token, the registrations and the capabilities."""
    driven = Driven()
    driven.connect()
    assert [ConnectionState.CONNECTING] == states(driven)
    driven.open()

    init = driven.last(Init)
    assert init.token == "T0"
    assert init.continuation_token is None
    assert "twilio.sync.event" in init.registrations[0]["message_types"]
    assert ("client_update", "offline_storage") == init.capabilities


def test_an_accepted_init_connects() -> None:
    """State, `Connected`, the accepted token, then the queue in order of submission."""
    driven = Driven()
    driven.connect()
    driven.submit("a")
    driven.submit("b")
    driven.open()
    driven.answer(Init)

    assert [ConnectionState.CONNECTED] == states(driven)
    assert [Connected(resumed=False)] == driven.of(Connected)
    assert [TokenAccepted("T0", is_new=True)] == driven.of(TokenAccepted)
    assert ["a", "b"] == [packet.id for packet in driven.sent if isinstance(packet, RestCall)]


def test_an_init_reply_with_nothing_but_a_status_is_enough() -> None:
    """Everything beyond the status is optional, and the continuation token in hand is kept."""
    driven = Driven()
    driven.up()
    driven.lose()
    driven.advance(2)
    driven.open()
    driven.answer(Init, continuation_token="ct")
    driven.lose()
    driven.advance(10)
    driven.open()
    driven.answer(Init)
    driven.lose()
    driven.advance(10)
    driven.open()

    assert driven.last(Init).continuation_token == "ct"


def test_the_continuation_token_is_not_given_to_another_identity() -> None:
    """A token for somebody else starts without the old session."""

    def token(identity: str) -> str:
        return tokens.mint(identity, account_sid="AC1", api_key_sid="SK1", api_key_secret="s" * 32, service_sid="IS1")

    driven = Driven(token=token("alice"))
    driven.connect()
    driven.open()
    driven.answer(Init, continuation_token="ct")
    driven.lose()
    driven.update(token("bob"))
    driven.advance(2)
    driven.open()

    assert driven.last(Init).continuation_token is None


def test_without_a_token_the_provider_is_asked_first() -> None:
    """No socket is opened before there is a token to send."""
    driven = Driven(token=None, refreshable=True)
    driven.connect()
    assert [TokenWanted()] == driven.of(TokenWanted)
    assert not driven.of(OpenSocket)

    driven.update("T1")
    assert driven.of(OpenSocket)
    driven.open()
    assert driven.last(Init).token == "T1"


def test_a_provider_that_refuses_for_good_denies() -> None:
    """What waits fails at once, and a token given later connects all the same."""
    driven = Driven(token=None, refreshable=True)
    driven.connect()
    driven.submit("a")
    driven.do(driven.session.token_refused(ValueError("not authorised"), driven.now))

    assert driven.session.phase is Phase.DENIED
    assert isinstance(driven.session.refusal, TransportUnavailableError)
    assert isinstance(driven.settled["a"], TransportUnavailableError)
    assert driven.of(ConnectionErrorInfo)[0].terminal
    driven.update("T1")
    driven.establish()
    assert driven.phase is Phase.CONNECTED


def test_what_a_session_shows() -> None:
    """Its latest socket, how often it was accepted, its tokens, what is under way, and how long an answer took."""
    driven = Driven()
    session = driven.session
    assert (session.generation, session.connections, session.token, session.latest_token) == (0, 0, "T0", "T0")
    driven.up()
    driven.submit("a")
    assert (session.requests.written, session.round_trip) == (1, None)
    driven.now += 0.25
    driven.receive(http_reply("a"))
    assert (session.requests.written, session.round_trip) == (0, 0.25)
    driven.update("T1")
    assert (session.token, session.latest_token) == ("T0", "T1")
    driven.lose()
    while driven.open_generation is None:
        driven.advance(0.1)
    driven.establish()
    assert (session.generation, session.connections, session.token) == (2, 2, "T1")


def test_a_provider_that_fails_is_the_trouble_of_who_waits_for_it() -> None:
    """Only as long as its token is what is missing."""
    driven = Driven(token=None, refreshable=True)
    driven.session.token_delayed("not now")
    assert driven.session.trouble != "not now"
    driven.connect()
    driven.session.token_delayed("no answer from the provider")
    assert driven.session.trouble == "no answer from the provider"
    assert driven.session.refusal is None
    driven.submit("a", 5)
    driven.advance(5)
    assert "no answer from the provider" in str(driven.settled["a"])


# Sockets that fail


def test_a_socket_that_cannot_be_opened_is_retried_with_growing_delays() -> None:
    """1, 2, 4 seconds, each failure reported as not terminal."""
    driven = Driven()
    driven.connect()
    for delay in (1, 2, 4):
        driven.lose("refused")
        assert [False] == [info.terminal for info in driven.of(ConnectionErrorInfo)]
        driven.advance(delay - 0.01)
        assert not driven.of(OpenSocket)
        driven.advance(0.02)
        assert driven.of(OpenSocket)


def test_a_socket_that_never_opens_is_given_up() -> None:
    """After the connect timeout it is closed, and another is tried later."""
    driven = Driven(connect_timeout=3)
    driven.connect()
    driven.advance(3)

    assert [CloseSocket(1)] == driven.of(CloseSocket)
    assert driven.session.phase is Phase.WAITING


def test_an_init_without_an_answer_is_not_terminal() -> None:
    """After the init timeout the socket is replaced."""
    driven = Driven(init_timeout=10)
    driven.connect()
    driven.open()
    driven.advance(10)

    assert driven.session.phase is Phase.WAITING
    assert [False] == [info.terminal for info in driven.of(ConnectionErrorInfo)]


def test_news_of_an_old_socket_is_nobody_s() -> None:
    """Opened, failed or lost: only the present generation counts."""
    driven = Driven()
    driven.up()
    driven.lose()
    driven.advance(2)

    assert [] == driven.session.socket_opened(1, driven.now)
    assert [] == driven.session.socket_lost(1, "late", driven.now)
    assert driven.session.phase is Phase.CONNECTING


def test_back_off_starts_over_only_after_a_stable_connection() -> None:
    """A connection that breaks at once keeps the series growing; one that lasted resets it."""
    driven = Driven()
    driven.up()
    driven.lose()
    driven.advance(1)
    driven.establish()
    driven.lose()
    assert driven.session.next_deadline() == driven.now + 2
    driven.advance(2)
    driven.establish()
    driven.advance(driven.options.reconnect.stable_after)
    driven.lose()

    assert driven.session.next_deadline() == driven.now + 1


def test_waking_up_ends_the_wait() -> None:
    """After sleep there is no reason to sit out a delay."""
    driven = Driven()
    driven.connect()
    driven.lose()
    driven.do(driven.session.wake(driven.now))

    assert driven.of(OpenSocket)


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


def test_offload_reconnects_after_the_hint_and_fails_what_was_in_flight() -> None:
    """308: acknowledged, no error, no three seconds of silence; what was written fails at once, as sent."""
    driven = Driven()
    driven.up()
    driven.submit("a")
    driven.receive(Close("C1", Status(308, "OFFLOAD"), BackoffHint(1000, 20000)))

    assert isinstance(driven.last(Reply), Reply)
    assert driven.last(Reply).id == "C1"
    assert driven.settled["a"].sent is True
    assert driven.settled["a"].retryable
    assert driven.session.phase is Phase.WAITING
    assert 1 <= (driven.session.next_deadline() or 0) - driven.now <= 20
    assert not driven.of(ConnectionErrorInfo)


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


# Token updates


def test_a_token_update_on_a_live_connection() -> None:
    """One `update` frame; traffic goes on; no second `Connected`."""
    driven = Driven()
    driven.up()
    driven.update("T1", "u")
    assert driven.last(Update).token == "T1"
    driven.submit("a")
    assert driven.last(RestCall).id == "a"
    driven.answer(Update)

    assert driven.settled["u"] is None
    assert not driven.of(Connected)
    assert not states(driven)


def test_the_token_in_use_needs_no_update() -> None:
    """Settled at once, nothing sent."""
    driven = Driven()
    driven.up()
    before = len(driven.sent)
    driven.update("T0", "u")

    assert driven.settled["u"] is None
    assert len(driven.sent) == before


def test_an_update_while_initialising_is_sent_afterwards() -> None:
    """The init carried the old token, so an `update` follows it."""
    driven = Driven()
    driven.connect()
    driven.open()
    driven.update("T1", "u")
    driven.answer(Init)
    assert driven.last(Update).token == "T1"
    assert "u" not in driven.settled
    driven.answer(Update)

    assert driven.settled["u"] is None


def test_updates_while_updating_are_merged_into_the_latest() -> None:
    """Of three tokens, the first and the last are sent."""
    driven = Driven()
    driven.up()
    for number in (1, 2, 3):
        driven.update(f"T{number}", f"u{number}")
    driven.answer(Update)
    assert driven.settled == {"u1": None}
    assert driven.last(Update).token == "T3"
    driven.answer(Update)

    assert driven.settled == {"u1": None, "u2": None, "u3": None}
    assert 2 == sum(isinstance(packet, Update) for packet in driven.sent)


def test_a_refused_update_can_be_tried_again_with_the_same_token() -> None:
    """The refused token is forgotten, and its update fails with the reason."""
    driven = Driven()
    driven.up()
    driven.update("T1", "u")
    driven.answer(Update, 401, 20107)
    assert isinstance(driven.settled["u"], ReplyError)
    assert driven.settled["u"].code == 20107

    driven.update("T1", "again")
    driven.open()
    assert driven.last(Init).token == "T1"
    driven.answer(Init)
    assert driven.settled["again"] is None


@pytest.mark.parametrize("refreshable", [False, True])
@pytest.mark.parametrize("code", [None, EXPIRED, 20105, 20106, 20107])
@pytest.mark.parametrize("stage", ["updating", "after a cut"])
def test_a_refused_token_gives_way_to_the_good_one_before_it(stage: str, code: int | None, refreshable: bool) -> None:
    """Reported, not terminal; the token in use connects again over one new socket, and the provider is asked for another."""
    driven = Driven(refreshable=refreshable)
    driven.up()
    if stage == "after a cut":
        driven.lose()
    driven.update("T1", "u")
    if stage == "after a cut":
        driven.open()
    driven.answer(Init if stage == "after a cut" else Update, 401, code)

    assert driven.settled["u"].code == code
    assert driven.session.credentials.refused == RefusedToken("T1", code == EXPIRED)
    assert not driven.of(TokenExpired), "the token in use is none of that"
    assert [TokenWanted()] == driven.of(TokenWanted)
    assert [ConnectionErrorInfo(False, "Connection error: text", 401, code)] == driven.of(ConnectionErrorInfo)
    driven.establish()
    assert driven.last(Init).token == "T0"
    assert driven.session.token == driven.session.latest_token == "T0"
    assert driven.session.phase is Phase.CONNECTED


@pytest.mark.parametrize("refreshable", [False, True])
def test_a_former_token_whose_time_has_passed_is_nothing_to_go_back_to(refreshable: bool) -> None:
    """Then the refusal counts: denied, or the provider is asked before anything is sent."""
    driven = Driven(refreshable=refreshable)
    driven.up()
    driven.update("T1", "u")
    driven.session.token_expired("T0")
    driven.answer(Update, 401, 20107)

    assert driven.session.phase is (Phase.AUTHORISING if refreshable else Phase.DENIED)
    assert [not refreshable] == [info.terminal for info in driven.of(ConnectionErrorInfo)]


def test_requests_refused_for_expiry_during_an_update_mean_the_former_token() -> None:
    """The new one is none of that: it is neither forgotten nor asked for again."""
    driven = Driven(refreshable=True)
    driven.up()
    driven.submit("a")
    driven.update("T1", "u")
    driven.receive(Reply("a", Status(401, "X", None, EXPIRED)))
    assert driven.session.credentials.refused == RefusedToken("T0", expired=True)
    assert not driven.of(TokenWanted)
    driven.answer(Update)

    assert driven.settled["u"] is None
    assert driven.session.token == "T1"


@pytest.mark.parametrize("code", [None, 20101, 20107])
def test_a_first_token_that_is_refused_is_replaced_by_the_provider(code: int | None) -> None:
    """Whatever the refusal says, as long as there is somebody to ask: not terminal, and the queue waits."""
    driven = Driven(token=None, refreshable=True)
    driven.connect()
    driven.submit("a")
    driven.update("bad")
    driven.open()
    driven.answer(Init, 401, code)
    assert driven.of(TokenWanted)
    assert [False] == [info.terminal for info in driven.of(ConnectionErrorInfo)]
    driven.update("good")
    driven.establish()

    assert driven.last(Init).token == "good"
    assert driven.last(RestCall).id == "a"


def test_a_provider_that_ends_while_its_last_token_is_good_is_reported() -> None:
    """There will be no further one: that is told, and the connection stands."""
    driven = Driven(refreshable=True)
    driven.up()
    driven.do(driven.session.token_refused(ValueError("not authorised"), driven.now))

    assert [False] == [info.terminal for info in driven.of(ConnectionErrorInfo)]
    assert driven.session.phase is Phase.CONNECTED


def test_a_refused_token_that_was_replaced_already_costs_one_clean_connection() -> None:
    """With a newer token at hand the socket is replaced at once, without a detour over `denied`."""
    driven = Driven()
    driven.up()
    driven.update("T1", "u1")
    driven.update("T2", "u2")
    driven.answer(Update, 401)

    assert isinstance(driven.settled["u1"], ReplyError)
    assert [ConnectionState.CONNECTING] == states(driven)
    driven.establish()
    assert driven.last(Init).token == "T2"
    assert driven.settled["u2"] is None


def test_an_update_without_an_answer_goes_on_by_init() -> None:
    """The socket is replaced and the init carries the new token."""
    driven = Driven()
    driven.up()
    driven.update("T1", "u")
    driven.advance(driven.options.init_timeout)
    assert driven.session.phase is Phase.WAITING
    driven.advance(1)
    driven.establish()

    assert driven.last(Init).token == "T1"
    assert driven.settled["u"] is None


def test_an_update_survives_an_offload() -> None:
    """It settles with the next init."""
    driven = Driven()
    driven.up()
    driven.update("T1", "u")
    driven.receive(Close("C", Status(308)))
    assert "u" not in driven.settled
    driven.advance(2)
    driven.establish()

    assert driven.settled["u"] is None


@pytest.mark.parametrize("code", [401, 410])
def test_the_former_token_ends_while_an_update_is_under_way(code: int) -> None:
    """A close because of the token may mean the one before: the init of a new socket says whether the new one is good."""
    driven = Driven()
    driven.up()
    driven.update("T1", "u")
    driven.receive(Close("C", Status(code, "X")))
    assert "u" not in driven.settled
    driven.establish()

    assert driven.last(Init).token == "T1"
    assert driven.settled["u"] is None


def test_a_token_that_is_refused_after_all_denies() -> None:
    """The new socket's init is refused too: the update fails, and nothing is tried on and on."""
    driven = Driven()
    driven.up()
    driven.update("T1", "u")
    driven.receive(Close("C", Status(410, "X")))
    driven.open()
    driven.answer(Init, 401, 20104)
    assert isinstance(driven.settled["u"], ReplyError)
    driven.open()
    assert driven.last(Init).token == "T0", "the close may have meant either"
    driven.answer(Init, 401, 20104)

    assert driven.session.phase is Phase.DENIED


def test_an_update_ends_the_back_off() -> None:
    """A new token is tried at once."""
    driven = Driven()
    driven.connect()
    driven.lose()
    driven.update("T1")

    assert driven.of(OpenSocket)


def test_an_update_has_a_deadline() -> None:
    """The caller is told; the token is used all the same."""
    driven = Driven()
    driven.connect()
    driven.update("T1", "u", seconds=5)
    driven.advance(5)
    assert isinstance(driven.settled["u"], RequestTimeoutError)
    driven.establish()

    assert driven.last(Init).token == "T1"


def test_a_stale_token_is_renewed_before_reconnecting() -> None:
    """Once its time is over a token is not sent again while there is a provider."""
    driven = Driven(refreshable=True)
    driven.up()
    driven.session.token_expired("T0")
    driven.lose()
    driven.advance(2)

    assert driven.of(TokenWanted)
    assert not driven.of(OpenSocket)


def test_the_end_of_a_former_token_is_no_reason_to_ask_for_another() -> None:
    """The next one came during the outage, and is sent as soon as there is a socket."""
    driven = Driven(refreshable=True)
    driven.up()
    driven.lose()
    driven.update("T1")
    assert driven.session.token_expired("T0") is False
    driven.establish()

    assert driven.last(Init).token == "T1"


# Requests


def test_an_answer_settles_its_request_in_any_order() -> None:
    """Matched by id; a second answer and one to nothing are ignored."""
    driven = Driven()
    driven.up()
    for id_ in "abc":
        driven.submit(id_)
    for id_ in "cabbx":
        driven.receive(http_reply(id_))

    assert ["c", "a", "b"] == list(driven.settled)
    assert all(isinstance(outcome, Reply) for outcome in driven.settled.values())


def test_a_reply_with_another_status_fails_its_request_alone() -> None:
    """The connection stands; expiry is announced all the same."""
    driven = Driven()
    driven.up()
    driven.submit("a")
    driven.receive(http_reply("a", status=Status(401, "X", None, EXPIRED)))

    assert isinstance(driven.settled["a"], ReplyError)
    assert driven.of(TokenExpired)
    assert driven.session.phase is Phase.CONNECTED


def test_a_request_refused_for_expiry_asks_the_provider() -> None:
    """The token in use is over, and there is no newer one."""
    driven = Driven(refreshable=True)
    driven.up()
    driven.submit("a")
    driven.receive(http_reply("a", status=Status(401, "X", None, EXPIRED)))

    assert driven.session.credentials.refused == RefusedToken("T0", expired=True)
    assert [TokenWanted()] == driven.of(TokenWanted)


def test_a_reply_without_http_status_is_a_protocol_error() -> None:
    """An answer to a request has two statuses."""
    driven = Driven()
    driven.up()
    driven.submit("a")
    driven.receive(Reply("a"))

    assert isinstance(driven.settled["a"], ProtocolError)


def test_a_malformed_reply_fails_its_request_at_once() -> None:
    """And is not answered."""
    driven = Driven()
    driven.up()
    driven.submit("a")
    driven.do(driven.session.receive_bad(PacketError("bad", id_="a", method="reply"), driven.now))

    assert isinstance(driven.settled["a"], ProtocolError)
    assert not driven.of(Send)


def test_what_was_written_fails_with_the_socket_and_what_waits_does_not() -> None:
    """Only a written request may have had its effect."""
    driven = Driven()
    driven.up()
    driven.submit("written")
    driven.lose()
    driven.submit("queued")

    assert driven.settled["written"].sent is True
    assert "queued" not in driven.settled


def test_deadlines_end_requests_wherever_they_are() -> None:
    """`sent` tells the two apart."""
    driven = Driven()
    driven.up()
    driven.submit("written", 5)
    driven.advance(5)
    driven.lose()
    driven.submit("queued", 0.5)
    driven.submit("too late", 0)
    driven.advance(0.5)

    assert {"written": True, "queued": False, "too late": False} == {id_: error.sent for id_, error in driven.settled.items()}
    assert all(isinstance(error, RequestTimeoutError) for error in driven.settled.values())


def test_a_cancelled_request_is_not_written() -> None:
    """It leaves the queue."""
    driven = Driven()
    driven.connect()
    driven.submit("a")
    driven.do(driven.session.cancel("a", driven.now))
    driven.establish()

    assert not any(isinstance(packet, RestCall) for packet in driven.sent)


# Frames


def test_everything_but_a_reply_is_acknowledged_before_it_is_told() -> None:
    """Known, unknown, repeated, and also before the init is answered; without an id there is nothing to acknowledge."""
    driven = Driven()
    driven.connect()
    driven.open()
    for packet in (Notification("N1", "t", 1), Notification("N1", "t", 1), Unknown("P1", "ping"), Unknown(None, "ping")):
        driven.receive(packet)
    assert ["N1", "N1", "P1"] == [packet.id for packet in driven.sent if isinstance(packet, Reply)]

    driven.receive(Notification("N2", "t", 2))
    assert isinstance(driven.effects[0], Send)
    assert Notification("N2", "t", 2) == driven.effects[1]


def test_a_token_about_to_expire_is_announced() -> None:
    """Other client updates are acknowledged and no more."""
    driven = Driven()
    driven.up()
    driven.receive(ClientUpdate("U1", "something_else"))
    assert not driven.of(TokenAboutToExpire)
    driven.receive(ClientUpdate("U2", "token_about_to_expire"))

    assert driven.of(TokenAboutToExpire)


def test_a_few_bad_frames_are_answered_and_then_the_socket_is_replaced() -> None:
    """400 for each that can be named."""
    driven = Driven()
    driven.up()
    for _ in range(MAX_BAD_FRAMES):
        assert driven.session.phase is Phase.CONNECTED
        driven.do(driven.session.receive_bad(PacketError("bad", id_="N1", method="notification"), driven.now))

    assert [400] * MAX_BAD_FRAMES == [packet.status.code for packet in driven.sent if isinstance(packet, Reply)]
    assert driven.session.phase is Phase.WAITING


# The end


def test_close_fails_everything_and_says_goodbye() -> None:
    """In flight, queued and updates; then the socket goes."""
    driven = Driven()
    driven.up()
    driven.submit("a")
    driven.update("T1", "u")
    driven.close()

    assert isinstance(driven.last(Close), Close)
    assert driven.of(CloseSocket)
    assert driven.of(Disconnected)
    assert all(isinstance(outcome, ClientClosedError) for outcome in driven.settled.values())
    assert {"a", "u"} == set(driven.settled)
    driven.submit("b")
    assert isinstance(driven.settled["b"], ClientClosedError)


# The table


def test_every_phase_can_be_closed_and_has_a_public_state() -> None:
    """But for the closed one there is a way out of everything."""
    for phase in Phase:
        assert phase in PUBLIC_STATES
        assert ((phase, Input.CLOSE) in TRANSITIONS) is (phase is not Phase.CLOSED)


def test_the_page_for_the_docs_shows_every_row() -> None:
    """Rendered from the same data."""
    text = render_markdown()

    assert len(TRANSITIONS) == text.count("\n") - 2
    assert Action.SEND_UPDATE.value in text


# Everything at random


class RandomEvents(RuleBasedStateMachine):
    """Any order of events. `Driven` asserts: one socket, nothing sent without it, nothing settled twice or after the end."""

    def __init__(self) -> None:
        super().__init__()
        self.driven = Driven()
        self.cooperates = True
        self.names = iter(range(10**6))
        self.asked: set[str] = set()
        self.latest = "T0"
        self.refused: set[str] = set()
        self.noted: RefusedToken | None = None

    @initialize(up=st.booleans(), refreshable=st.booleans(), cooperates=st.booleans())
    def start(self, up: bool, refreshable: bool, cooperates: bool) -> None:
        """Idle or connected; in the end the service either does what it should, or nothing more."""
        self.driven = Driven(refreshable=refreshable)
        self.cooperates = cooperates
        if up:
            self.driven.up()

    @rule()
    def connect(self) -> None:
        if self.driven.session.phase is Phase.IDLE:
            self.driven.connect()

    def _note_refusal(self) -> None:
        """A refusal was meant for the token sent last."""
        refusal = self.driven.session.credentials.refused
        if refusal is not None and refusal is not self.noted:
            assert refusal.token == next(p.token for p in reversed(self.driven.sent) if isinstance(p, Init | Update))
            self.noted = refusal
            self.refused.add(refusal.token)

    @precondition(lambda self: self.driven.open_generation is not None)
    @rule(good=st.booleans())
    def socket(self, good: bool) -> None:
        if good:
            self.driven.open()
        else:
            self.driven.lose()

    @rule(generation=st.integers(0, 5), good=st.booleans())
    def stale_socket(self, generation: int, good: bool) -> None:
        session, now = self.driven.session, self.driven.now
        if generation != self.driven.open_generation:
            self.driven.do(session.socket_opened(generation, now) if good else session.socket_lost(generation, "x", now))

    @precondition(lambda self: any(isinstance(packet, Init | Update) for packet in self.driven.sent))
    @rule(code=st.sampled_from([200, 200, 200, 401, 403, 429, 500, 400]), error_code=st.sampled_from([None, EXPIRED, 1]))
    def control_answer(self, code: int, error_code: int | None) -> None:
        asked = next(packet for packet in reversed(self.driven.sent) if isinstance(packet, Init | Update))
        before = self.driven.session.phase
        self.driven.receive(Reply(asked.id, Status(code, "X", None, error_code)))
        if before in (Phase.INITIALISING, Phase.UPDATING):
            self._note_refusal()

    @rule(code=st.sampled_from([None, 308, 401, 410, 503, 406]), error_code=st.sampled_from([None, 51232]))
    def close_frame(self, code: int | None, error_code: int | None) -> None:
        before = self.driven.session.phase
        self.driven.receive(Close("C", None if code is None else Status(code, "X", None, error_code), BackoffHint(100)))
        if before in (Phase.INITIALISING, Phase.CONNECTED, Phase.UPDATING):
            self._note_refusal()

    @rule(id_=st.sampled_from([None, "N1"]))
    def notification(self, id_: str | None) -> None:
        self.driven.receive(Notification(id_, "t", {}))

    @rule(method=st.sampled_from([None, "reply", "notification"]))
    def bad_frame(self, method: str | None) -> None:
        error = ProtocolError("bad") if method is None else PacketError("bad", id_="N1", method=method)
        self.driven.do(self.driven.session.receive_bad(error, self.driven.now))

    @rule(seconds=st.sampled_from([0.0, 0.5, 30.0]))
    def submit(self, seconds: float) -> None:
        id_ = f"r{next(self.names)}"
        self.asked.add(id_)
        self.driven.submit(id_, seconds)

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), code=st.sampled_from([200, 404, 503]))
    def answer(self, data: st.DataObject, code: int) -> None:
        written = [packet.id for packet in self.driven.sent if isinstance(packet, RestCall)]
        if written:
            self.driven.receive(http_reply(data.draw(st.sampled_from(written)), code))

    @rule(number=st.integers(0, 4), keyed=st.booleans(), seconds=st.sampled_from([1.0, float("inf")]))
    def update(self, number: int, keyed: bool, seconds: float) -> None:
        key = f"u{next(self.names)}" if keyed else None
        if key:
            self.asked.add(key)
        self.latest = f"T{number}"
        self.refused.discard(self.latest)
        self.driven.update(self.latest, key, seconds)

    @rule(seconds=st.sampled_from([0.1, 1.0, 15.0, 130.0]))
    def time_passes(self, seconds: float) -> None:
        self.driven.advance(seconds)

    @rule()
    def wake(self) -> None:
        self.driven.do(self.driven.session.wake(self.driven.now))

    @invariant()
    def never_stuck(self) -> None:
        """Where the service must act next, a timer guards it."""
        if self.driven.session.phase in (Phase.CONNECTING, Phase.INITIALISING, Phase.UPDATING, Phase.WAITING):
            assert self.driven.session.next_deadline() is not None

    @invariant()
    def one_public_state(self) -> None:
        assert self.driven.session.state is PUBLIC_STATES[self.driven.session.phase]

    def teardown(self) -> None:
        driven = self.driven
        if self.cooperates:
            self._finish_well()
        driven.close()
        assert self.asked <= set(driven.settled), "a future was left behind"
        driven.do(driven.session.connect(driven.now))
        driven.do(driven.session.wake(driven.now))
        driven.do(driven.session.receive(Notification("N", "t"), driven.now))
        driven.advance(1000)

    def _finish_well(self) -> None:
        driven = self.driven
        if driven.session.phase is Phase.IDLE:
            driven.connect()
        for _ in range(10):
            if driven.session.phase is Phase.WAITING:
                driven.advance(200)
            elif driven.session.phase is Phase.CONNECTING:
                driven.open()
            elif driven.session.phase is Phase.INITIALISING:
                driven.answer(Init)
            elif driven.session.phase is Phase.UPDATING:
                driven.answer(Update)
        assert driven.session.phase in (Phase.CONNECTED, Phase.DENIED, Phase.FAILED, Phase.AUTHORISING)
        if driven.session.phase is Phase.CONNECTED and self.latest not in self.refused:
            final = next(packet for packet in reversed(driven.sent) if isinstance(packet, Init | Update))
            assert final.token == self.latest, "the latest token was not the one finally sent"


RandomEvents.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
TestRandomEvents = RandomEvents.TestCase


@pytest.mark.slow
def test_a_hundred_thousand_malformed_inputs(caplog: pytest.LogCaptureFixture) -> None:
    """Codec and state machine raise nothing but `ProtocolError`, and the session still works afterwards."""
    caplog.set_level(logging.CRITICAL, "twilio_conversations")  # each is warned of; to keep that takes longer than the test
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    malformed = Malformer(seed, FROM_SERVICE, masked=False)
    driven = Driven()
    driven.up()
    for number in range(100_000):
        data = malformed.packet()
        try:
            packet = decode(data)
        except ProtocolError as error:
            driven.do(driven.session.receive_bad(error, driven.now))
        else:
            driven.receive(packet)
        if number % 50 == 0:
            driven.submit(f"r{number}", 60)
        driven.sent = [packet for packet in driven.sent[-3:] if isinstance(packet, Init | Update)]
        if driven.session.phase is Phase.DENIED:
            driven.update(f"T{number}")
        if driven.session.phase is Phase.FAILED:
            driven = Driven()
            driven.up()
        while driven.session.phase is not Phase.CONNECTED:
            driven.advance(200) if driven.session.phase is Phase.WAITING else driven.establish()
    driven.submit("good", 60)
    driven.receive(http_reply("good"))

    assert isinstance(driven.settled["good"], Reply)


def test_a_submission_does_not_show_its_bytes() -> None:
    """What may hold somebody's words stays out of logs."""
    assert "http_request" not in repr(submission("a"))
