"""The token provider: called at the right times, one call at a time, and never fatal by accident."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from tests.support.patience import PATIENCE
from tests.support.stopwatch import within
from tests.transport.conftest import Wire, own_threads, wait_until
from twilio_conversations import tokens
from twilio_conversations.enums import ConnectionState
from twilio_conversations.errors import TokenError
from twilio_conversations.util.futures import Deadline, wait
from twilio_conversations.wire.http_request import HttpRequest
from twilio_conversations.wire.packets import ClientUpdate, Close, Reply, Status, Update

SOON = PATIENCE


def token(ttl: float = 3600, *, identity: str = "alice", service_sid: str = "IS1") -> str:
    """A real one, different each time."""
    return tokens.mint(identity, account_sid="AC1", api_key_sid="SK1", api_key_secret="s" * 32, service_sid=service_sid, ttl=ttl)


class Provider:
    """Gives what it was told to give, in turn; then fresh tokens."""

    def __init__(self, *given: Any) -> None:
        self.given = list(given)
        self.calls: list[str] = []
        self.threads: list[str] = []

    def __call__(self) -> Any:
        self.threads.append(threading.current_thread().name)
        value = self.given.pop(0) if self.given else token()
        if isinstance(value, BaseException):
            raise value
        if callable(value):
            value = value()
        self.calls.append(value)
        return value


def test_asked_at_the_first_start_on_its_own_thread(wire: Wire) -> None:
    """Not before, and the init carries what it gave."""
    provider = Provider()
    wired = wire(provider)
    assert not provider.threads
    wired.connection.start()
    init = wired.service.peer().accept_init()

    assert [init.token] == provider.calls
    assert provider.threads[0].startswith("conversations-token")
    wait_until(lambda: not any("token" in thread.name for thread in own_threads()), "the thread lasts as long as the call")


def test_not_asked_for_a_mere_reconnect(wire: Wire) -> None:
    """The token is still good."""
    provider = Provider()
    wired = wire(provider)
    wired.up().cut()
    wired.service.peer().accept_init()

    assert len(provider.threads) == 1


def test_asked_when_the_service_says_so(wire: Wire) -> None:
    """About to expire: a new one is put in place without a reconnect; the second time too."""
    provider = Provider()
    wired = wire(provider)
    peer = wired.up()
    for expected in (2, 3):
        peer.send(ClientUpdate("U1", "token_about_to_expire"))
        update = peer.expect(Update)
        peer.send(Reply(update.id))
        assert update.token == provider.calls[-1]
        assert expected == len(provider.calls)
    assert wired.service.accepted == 1


def test_asked_before_the_token_expires(wire: Wire) -> None:
    """By our own timer, without a word from the service."""
    provider = Provider(lambda: token(6))
    wired = wire(provider, token_renewal_margin=3.5)
    peer = wired.up()
    update = peer.expect(Update)
    peer.send(Reply(update.id))

    assert update.token == provider.calls[1]


@pytest.mark.parametrize("how", ["init", "close"])
def test_asked_after_expiry(wire: Wire, how: str) -> None:
    """Told, but neither terminal nor denied."""
    provider = Provider()
    wired = wire(provider)
    wired.connection.start()
    peer = wired.service.peer()
    if how == "init":
        peer.refuse(peer.packet(), 401, 20104)
    else:
        peer.accept_init()
        peer.send(Close("C1", Status(410, "EXPIRED")))
    again = wired.service.peer().accept_init()

    wired.recorder.wait_for("connected")
    assert again.token == provider.calls[1]
    assert wired.recorder.facts("token_expired")
    assert ConnectionState.DENIED not in wired.recorder.facts("state")


def test_asked_before_a_reconnect_with_a_token_that_ran_out(wire: Wire) -> None:
    """It is not shown to the service once more."""
    release = threading.Event()

    def slow() -> str:
        assert release.wait(SOON)
        return token()

    provider = Provider(lambda: token(4), slow)
    wired = wire(provider)
    peer = wired.up()
    expiry = tokens.read(provider.calls[0]).expires_at or 0.0
    wait_until(lambda: time.time() > expiry + 0.05, "the token is over")
    peer.cut()
    assert wired.service.no_peer(0.3)
    release.set()
    init = wired.service.peer().accept_init()

    assert [init.token] == provider.calls[1:]


@pytest.mark.parametrize("rubbish", [None, 17, "", "not a jwt", b"bytes", ValueError("no network"), SystemExit(1)], ids=repr)
def test_failures_are_reported_and_tried_again(wire: Wire, rubbish: Any) -> None:
    """Raising, or giving what cannot be a token."""
    provider = Provider(rubbish, rubbish)
    wired = wire(provider)
    wired.connection.start()
    wired.service.peer().accept_init()

    errors = wired.recorder.facts("connection_error")
    assert [False, False] == [info.terminal for info in errors]
    assert all("provider" in info.message for info in errors)


def test_a_slow_provider_is_reported_and_its_late_answer_taken(wire: Wire) -> None:
    """One call at a time: nobody calls it again while it thinks."""
    release = threading.Event()

    def slow() -> str:
        assert release.wait(SOON)
        return token()

    provider = Provider(slow)
    wired = wire(provider, token_timeout=0.05)
    wired.connection.start()
    assert "not answered" in wired.recorder.wait_for("connection_error", count=2).message
    assert len(provider.threads) == 1
    release.set()
    init = wired.service.peer().accept_init()

    assert init.token == provider.calls[0]


def test_an_explicit_update_supersedes_the_provider(wire: Wire) -> None:
    """What it still answers is not used."""
    release = threading.Event()

    def slow() -> str:
        assert release.wait(SOON)
        return token()

    provider = Provider(slow)
    wired = wire(provider)
    wired.connection.start()
    wait_until(lambda: bool(provider.threads), "it is being asked")
    mine = token()
    future = wired.connection.update_token(mine)
    peer = wired.service.peer()
    assert peer.accept_init().token == mine
    wait(future, Deadline(SOON), "update_token")
    release.set()
    wait_until(lambda: bool(provider.calls), "it answered")
    asked = wired.send(HttpRequest.from_url("GET", "https://h/p"), Deadline(SOON))
    peer.answer(peer.packet())  # a Message, not an Update

    assert wait(asked, Deadline(SOON), "GET").status.ok


def test_the_provider_may_say_never(wire: Wire) -> None:
    """`TokenError` is terminal, until the program gives a token itself."""
    wired = wire(Provider(TokenError("signed out")))
    wired.connection.start()
    wired.recorder.wait_state(ConnectionState.DENIED)
    info = wired.recorder.wait_for("connection_error")
    assert info.terminal
    assert "signed out" in info.message
    wired.connection.update_token(token())
    wired.service.peer().accept_init()

    wired.recorder.wait_for("connected")


def test_a_provider_of_refused_tokens_is_asked_ever_more_rarely(wire: Wire) -> None:
    """No storm of connections."""
    provider = Provider()
    wired = wire(provider)
    wired.connection.start()
    refused = 0.0
    for _ in range(4):
        peer = wired.service.peer()
        gap = time.monotonic() - refused
        packet = peer.packet()
        refused = time.monotonic()  # before, so that a busy machine makes the gap longer only
        peer.refuse(packet, 401, 20104)

    assert gap > 0.06
    assert len(provider.threads) <= 5


def test_a_blocking_call_from_inside_the_provider_is_an_error(wire: Wire) -> None:
    """It would wait for itself."""
    seen: list[BaseException] = []
    made: list[Any] = []

    def asks_back() -> str:
        try:
            wait(made[0].send(HttpRequest.from_url("GET", "https://h/p"), Deadline(SOON)), Deadline(SOON), "client.call")
        except RuntimeError as error:
            seen.append(error)
        return token()

    made.append(wire(Provider(asks_back)))
    made[0].connection.start()
    made[0].service.peer().accept_init()

    assert "token" in str(seen[0])


def test_close_does_not_wait_for_a_provider_that_hangs(wire: Wire) -> None:
    """Its thread ends when it does; nothing comes of its answer."""
    release = threading.Event()
    wired = wire(Provider(lambda: release.wait(30) and token()))
    wired.connection.start()
    wait_until(lambda: any("token" in thread.name for thread in own_threads()), "it is being asked")
    with within(2):
        wired.connection.close()
    release.set()

    wait_until(lambda: not own_threads(), "the thread ends with the call")
    assert wired.service.accepted == 0
