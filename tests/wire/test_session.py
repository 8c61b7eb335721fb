"""The session while it is connected: requests, frames, the end, and its table of transitions."""

from __future__ import annotations

from tests.wire.driven import EXPIRED, Driven, http_reply, submission
from twilio_conversations.errors import (
    ClientClosedError,
    ProtocolError,
    ReplyError,
    RequestTimeoutError,
)
from twilio_conversations.wire import packets
from twilio_conversations.wire.credentials import RefusedToken
from twilio_conversations.wire.decoding import PacketError
from twilio_conversations.wire.effects import (
    CloseSocket,
    Disconnected,
    Send,
    TokenAboutToExpire,
    TokenExpired,
    TokenWanted,
)
from twilio_conversations.wire.packets import (
    ClientUpdate,
    Close,
    Notification,
    Reply,
    Status,
    Unknown,
)
from twilio_conversations.wire.session import MAX_BAD_FRAMES
from twilio_conversations.wire.transitions import PUBLIC_STATES, TRANSITIONS, Action, Input, Phase, render_markdown

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


# Frames


def test_everything_but_a_reply_is_acknowledged() -> None:
    """Known, unknown, repeated, and also before the init is answered; without an id there is nothing to acknowledge."""
    driven = Driven()
    driven.connect()
    driven.open()
    for packet in (Unknown("P1", "ping"), Unknown(None, "ping"), ClientUpdate("P2", "x"), Unknown("P1", "ping")):
        driven.receive(packet)

    assert ["P1", "P2", "P1"] == [packet.id for packet in driven.sent if isinstance(packet, Reply)]


def test_a_notification_is_handed_on_to_be_delivered_and_acknowledged() -> None:
    """Also one that is repeated, and before the init is answered."""
    driven = Driven()
    driven.connect()
    driven.open()
    for packet in (Notification("N1", "t", 1), Notification("N1", "t", 1), Notification(None, "t", 2)):
        driven.receive(packet)
        assert [packet] == driven.effects


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


def test_a_submission_does_not_show_its_bytes() -> None:
    """What may hold somebody's words stays out of logs."""
    assert "http_request" not in repr(submission("a"))


def test_the_latest_init_is_named() -> None:
    """By the id of its packet; before the first there is none."""
    driven = Driven()
    assert driven.session.init_id == ""
    driven.up()
    assert [packet.id for packet in driven.sent if isinstance(packet, packets.Init)] == [driven.session.init_id]
