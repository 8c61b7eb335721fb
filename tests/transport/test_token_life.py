"""The life of tokens on one connection: wrong clocks, tokens that do not help, updates at every moment, and nobody hammered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from tests.support.patience import PATIENCE
from tests.transport.conftest import Wire, wait_until
from tests.transport.test_token_source import Provider, token
from twilio_conversations import tokens
from twilio_conversations.enums import ConnectionState
from twilio_conversations.errors import ReplyError, TokenError
from twilio_conversations.options import BackoffPolicy
from twilio_conversations.util.futures import Deadline, wait
from twilio_conversations.wire.http_request import HttpRequest
from twilio_conversations.wire.packets import ClientUpdate, Close, Init, Reply, RestCall, Status, Update

GET = HttpRequest.from_url("GET", "https://h/p")
SOON = PATIENCE
HOURS = 3 * 3600.0
STEADY = BackoffPolicy(minimum=0.05, maximum=0.2, jitter=0.0, stable_after=60)


def ahead() -> float:
    """A clock that is hours ahead of everybody else's."""
    return time.time() + HOURS


def behind() -> float:
    """A clock that is hours behind."""
    return time.time() - HOURS


# Tokens that do not help


def test_a_token_that_was_called_expired_is_not_sent_again(wire: Wire) -> None:
    """A provider that gives it again and again is reported, and asked ever more rarely; the service is left in peace."""
    stale = token()
    provider = Provider(*[stale] * 4)
    wired = wire(provider, reconnect=STEADY)
    began = time.monotonic()
    wired.connection.start()
    peer = wired.service.peer()
    peer.refuse(peer.packet(), 401, 20104)
    init = wired.service.peer().accept_init()

    assert init.token == provider.calls[4]
    assert time.monotonic() - began >= 0.05 + 0.1 + 0.2 + 0.2 - 0.05
    assert wired.service.accepted == 2
    told = [info.message for info in wired.recorder.facts("connection_error")]
    assert sum("the same token again that the service called expired" in text for text in told) == 3
    assert not any(info.terminal for info in wired.recorder.facts("connection_error"))


def test_tokens_that_expire_as_soon_as_they_are_taken_cost_ever_fewer_calls(wire: Wire) -> None:
    """Accepted, then closed with 410, each time: the delays grow all the same."""
    provider = Provider()
    wired = wire(provider, reconnect=STEADY)
    began = time.monotonic()
    wired.connection.start()
    for _ in range(4):
        peer = wired.service.peer()
        peer.accept_init()
        peer.send(Close("C1", Status(410, "EXPIRED")))
    wired.service.peer()

    assert time.monotonic() - began >= 0.05 + 0.1 + 0.2 + 0.2 - 0.05
    assert len(provider.calls) == 5


def test_notices_about_tokens_that_hardly_live_longer_do_not_drive_the_provider(wire: Wire) -> None:
    """The service gives notice of such a one at once, and of the next one again: half its life is waited for."""
    provider = Provider(lambda: token(100), lambda: token(100))
    wired = wire(provider)
    peer = wired.up()
    for number in range(20):
        peer.send(ClientUpdate(f"U{number}", "token_about_to_expire"))
    wired.recorder.wait_for("token_about_to_expire", count=20)

    assert len(provider.threads) == 1


def test_a_token_that_is_not_valid_yet_is_replaced_too(wire: Wire) -> None:
    """20105 with a provider is no denial: the clocks of backend and service may differ."""
    provider = Provider()
    wired = wire(provider)
    wired.connection.start()
    peer = wired.service.peer()
    peer.refuse(peer.packet(), 401, 20105)
    assert wired.service.peer().accept_init().token == provider.calls[1]

    wired.recorder.wait_for("connected")
    assert wired.recorder.facts("token_expired") == []
    assert ConnectionState.DENIED not in wired.recorder.facts("state")


@pytest.mark.parametrize("code", [401, 403])
@pytest.mark.parametrize("later", [False, True], ids=["first", "reconnect"])
@pytest.mark.parametrize("same", [False, True], ids=["another", "same"])
def test_a_refusal_without_a_code_has_the_provider_asked(wire: Wire, code: int, later: bool, same: bool) -> None:
    """Nobody knows what it means: what the provider returns next is sent, even if it is the same token, and nothing is denied."""
    given = token()
    provider = Provider(lambda: given, lambda: given if same else token())
    wired = wire(provider)
    if later:
        wired.up().cut()
    else:
        wired.connection.start()
    peer = wired.service.peer()
    peer.refuse(peer.packet(), code)
    assert wired.service.peer().accept_init().token == provider.calls[1]
    wired.recorder.wait_for("connected", count=2 if later else 1)

    assert len(provider.calls) == 2
    assert ConnectionState.DENIED not in wired.recorder.facts("state")
    assert [info.terminal for info in wired.recorder.facts("connection_error")] == [False]


@pytest.mark.parametrize("code", [401, 403])
def test_without_a_provider_a_refusal_without_a_code_is_final(wire: Wire, code: int) -> None:
    """There is nobody to ask; another token of the program's connects again."""
    wired = wire(token())
    wired.connection.start()
    peer = wired.service.peer()
    peer.refuse(peer.packet(), code)
    wired.recorder.wait_state(ConnectionState.DENIED)
    wired.connection.update_token(token())
    wired.service.peer().accept_init()

    wired.recorder.wait_for("connected")


def test_a_provider_that_hangs_for_ever_goes_on_being_reported(wire: Wire) -> None:
    """Also after another token has superseded its answer: when that one expires, nobody waits in silence."""
    release = threading.Event()
    provider = Provider(lambda: release.wait(30) and token())
    wired = wire(provider, token_timeout=0.1)
    wired.connection.start()
    wired.recorder.wait_for("connection_error", lambda info: "not answered" in info.message, count=2)
    wired.connection.update_token(token())
    peer = wired.service.peer()
    peer.accept_init()
    wired.recorder.wait_for("connected")
    before = len(wired.recorder.facts("connection_error"))
    peer.send(Close("C1", Status(410, "EXPIRED")))
    wired.recorder.wait_for("connection_error", lambda info: "not answered" in info.message, count=before + 2)
    assert len(provider.threads) == 1, "one call at a time"
    release.set()
    init = wired.service.peer().accept_init()

    assert init.token == provider.calls[1], "what it had answered before is too old to be used"


# Clocks that are wrong


def test_a_clock_that_is_ahead_keeps_nobody_out(wire: Wire) -> None:
    """Every token looks expired here; the service is the one to say so, and its notices count."""
    provider = Provider()
    wired = wire(provider, clock=ahead)
    peer = wired.up()
    assert provider.calls
    assert (tokens.read(provider.calls[0]).expires_at or float("inf")) < ahead()
    peer.send(ClientUpdate("U1", "token_about_to_expire"))
    update = peer.expect(Update)
    peer.send(Reply(update.id))

    assert update.token == provider.calls[1]
    assert wired.recorder.facts("connection_error") == []
    assert wired.service.accepted == 1


@pytest.mark.parametrize("clock", [ahead, behind])
def test_a_wrong_clock_does_not_make_renewal_late(wire: Wire, clock: Any) -> None:
    """No token lives longer than from its issue to its expiry, whatever the time is."""
    provider = Provider(lambda: token(6))
    wired = wire(provider, clock=clock, token_renewal_margin=3)
    peer = wired.up()
    update = peer.expect(Update)
    peer.send(Reply(update.id))

    assert update.token == provider.calls[1]


# Updates at every moment


def test_updates_while_initialising_the_latest_wins(wire: Wire) -> None:
    """Three of them before the init is answered: all settle, and one update is sent, with the last token."""
    wired = wire()
    wired.connection.start()
    peer = wired.service.peer()
    init = peer.expect(Init)
    futures = [wired.connection.update_token(f"T{number}") for number in (1, 2, 3)]
    wait(wired.connection.call(lambda: None), Deadline(SOON), "posted")
    peer.send(Reply(init.id))
    update = peer.expect(Update)
    peer.send(Reply(update.id))
    for future in futures:
        wait(future, Deadline(SOON), "update_token")
    wired.send(GET, Deadline(SOON))

    assert (init.token, update.token) == ("T0", "T3")
    assert isinstance(peer.packet(), RestCall), "no further update"
    assert wired.service.accepted == 1


def test_updates_while_updating_the_latest_wins(wire: Wire) -> None:
    """The one under way is finished, those in between are left out."""
    wired = wire()
    peer = wired.up()
    futures = [wired.connection.update_token("T1")]
    update = peer.expect(Update)
    futures += [wired.connection.update_token(f"T{number}") for number in (2, 3, 4)]
    wait(wired.connection.call(lambda: None), Deadline(SOON), "posted")
    peer.send(Reply(update.id))
    last = peer.expect(Update)
    peer.send(Reply(last.id))
    for future in futures:
        wait(future, Deadline(SOON), "update_token")

    assert (update.token, last.token) == ("T1", "T4")


@pytest.mark.parametrize("stage", ["initialising", "updating"])
def test_a_cut_in_the_middle_of_an_update_delivers_it_with_the_next_init(wire: Wire, stage: str) -> None:
    """Its caller is answered by that init, and learns nothing of the cut."""
    wired = wire()
    wired.connection.start()
    peer = wired.service.peer()
    if stage == "updating":
        peer.accept_init()
        wired.recorder.wait_for("connected")
    else:
        peer.expect(Init)
    future = wired.connection.update_token("T1")
    if stage == "updating":
        peer.expect(Update)
    else:
        wait(wired.connection.call(lambda: None), Deadline(SOON), "posted")
    peer.cut()
    assert wired.service.peer().accept_init().token == "T1"

    wait(future, Deadline(SOON), "update_token")
    assert wired.service.accepted == 2


def test_a_refused_update_leaves_the_former_token_in_use(wire: Wire) -> None:
    """20106 on update: the caller has the code, and the client is back over one connection."""
    wired = wire()
    peer = wired.up()
    future = wired.connection.update_token("somebody else's")
    peer.refuse(peer.expect(Update), 401, 20106)
    with pytest.raises(ReplyError) as caught:
        wait(future, Deadline(SOON), "update_token")
    assert (caught.value.status, caught.value.code) == (401, 20106)
    assert wired.service.peer().accept_init().token == "T0"
    wired.recorder.wait_for("connected", count=2)
    again = wired.connection.update_token("T0")
    wait(again, Deadline(SOON), "update_token")

    assert wired.service.accepted == 2
    assert ConnectionState.DENIED not in wired.recorder.facts("state")
    assert [info.terminal for info in wired.recorder.facts("connection_error")] == [False]


@pytest.mark.parametrize("code", [None, 20101, 20107, 20403])
def test_a_token_that_is_revoked_is_replaced_by_the_provider(wire: Wire, code: int | None) -> None:
    """Whatever the refusal says: the provider's next one connects, once."""
    provider = Provider()
    wired = wire(provider)
    peer = wired.up()
    peer.send(Close("C1", Status(401, "UNAUTHORIZED", "revoked", code)))
    assert wired.service.peer().accept_init().token == provider.calls[1]
    wired.recorder.wait_for("connected", count=2)

    assert ConnectionState.DENIED not in wired.recorder.facts("state")
    assert wired.service.no_peer(0.2)
    wait_until(lambda: wired.connection.state is ConnectionState.CONNECTED, "it is up again")


# Bad answers at a renewal


UNFIT: dict[str, tuple[Callable[[], Any], str]] = {
    "somebody else's": (lambda: token(identity="mallory"), "for 'mallory'"),
    "for another service": (lambda: token(service_sid="IS" + "9" * 32), "for service IS9"),
    "over already": (lambda: token(-10), "has expired"),
    "without a grant": (lambda: jwt.encode({"exp": time.time() + 60}, "k" * 32), "not an access token"),
    "rubbish": (lambda: "rubbish", "not a JWT"),
    "nothing": (lambda: None, "NoneType, not text"),
}


@pytest.mark.parametrize("what", UNFIT)
def test_a_renewal_that_can_be_seen_to_be_wrong_is_never_sent(wire: Wire, what: str) -> None:
    """It is reported and the provider asked again; the service sees the next good one only, on the same connection."""
    bad, words = UNFIT[what]
    provider = Provider(token, bad)
    wired = wire(provider)
    peer = wired.up()
    peer.send(ClientUpdate("U1", "token_about_to_expire"))
    info = wired.recorder.wait_for("connection_error")
    update = peer.expect(Update)
    peer.send(Reply(update.id))

    assert words in info.message
    assert not info.terminal
    assert update.token == provider.calls[2]
    assert wired.service.accepted == 1


def test_a_renewal_that_the_service_refuses_is_asked_for_again(wire: Wire) -> None:
    """The token in use connects again at once; the next good one is taken; the delays between bad ones grow."""
    connected = threading.Event()

    def renewed() -> str:  # a slow machine may take longer to connect than the provider is left alone
        assert connected.wait(PATIENCE)
        connected.clear()
        return token()

    provider = Provider(token, token, renewed, renewed, renewed)
    wired = wire(provider, reconnect=STEADY)
    peer = wired.up()
    began = time.monotonic()
    peer.send(ClientUpdate("U1", "token_about_to_expire"))
    for _ in range(3):
        peer.refuse(peer.expect(Update), 401, 20107)
        peer = wired.service.peer()
        assert peer.accept_init().token == provider.calls[0]
        connected.set()
    update = peer.expect(Update)
    peer.send(Reply(update.id))

    assert update.token == provider.calls[4]
    assert time.monotonic() - began >= 0.05 + 0.1 + 0.2 - 0.05
    assert ConnectionState.DENIED not in wired.recorder.facts("state")
    assert [info.error_code for info in wired.recorder.facts("connection_error")] == [20107] * 3


def test_the_same_refused_token_again_is_not_sent_while_another_is_in_use(wire: Wire) -> None:
    """A provider with a cache: it costs one connection, not one for each answer."""
    refused = token()
    provider = Provider(token, lambda: refused, lambda: refused, lambda: refused)
    wired = wire(provider)
    peer = wired.up()
    peer.send(ClientUpdate("U1", "token_about_to_expire"))
    peer.refuse(peer.expect(Update), 401, 20107)
    peer = wired.service.peer()
    peer.accept_init()
    update = peer.expect(Update)
    peer.send(Reply(update.id))

    assert update.token == provider.calls[4]
    assert wired.service.accepted == 2
    told = [info.message for info in wired.recorder.facts("connection_error")]
    assert sum("the same token again that the service refused" in text for text in told) == 2


def test_a_provider_that_says_never_while_its_token_is_good_is_reported(wire: Wire) -> None:
    """Not in silence: there will be no further token, and the one in use is used until it ends."""

    def never() -> str:
        raise TokenError("the backend is gone")

    wired = wire(Provider(token, never))
    peer = wired.up()
    peer.send(ClientUpdate("U1", "token_about_to_expire"))
    info = wired.recorder.wait_for("connection_error")

    assert (info.terminal, info.message) == (False, "the backend is gone")
    assert wired.connection.state is ConnectionState.CONNECTED
