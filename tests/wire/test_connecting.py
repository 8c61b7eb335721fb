"""The session until it is connected: the first token, sockets that fail, back-off."""

from __future__ import annotations

from tests.wire.driven import Driven, http_reply, states
from twilio_conversations import tokens
from twilio_conversations.enums import ConnectionState
from twilio_conversations.errors import (
    ConnectionErrorInfo,
    TransportUnavailableError,
)
from twilio_conversations.wire.effects import (
    CloseSocket,
    Connected,
    OpenSocket,
    TokenAccepted,
    TokenWanted,
)
from twilio_conversations.wire.packets import (
    Init,
    RestCall,
)
from twilio_conversations.wire.transitions import Phase

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
