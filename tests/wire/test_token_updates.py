"""Token updates: merged, refused, cut off, and tokens that expire meanwhile."""

from __future__ import annotations

import pytest

from tests.wire.driven import EXPIRED, Driven, states
from twilio_conversations.enums import ConnectionState
from twilio_conversations.errors import (
    ConnectionErrorInfo,
    ReplyError,
    RequestTimeoutError,
)
from twilio_conversations.wire.credentials import RefusedToken
from twilio_conversations.wire.effects import (
    Connected,
    OpenSocket,
    TokenExpired,
    TokenWanted,
)
from twilio_conversations.wire.packets import (
    Close,
    Init,
    Reply,
    RestCall,
    Status,
    Update,
)
from twilio_conversations.wire.transitions import Phase


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
