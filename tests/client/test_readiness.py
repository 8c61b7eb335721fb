"""A client that cannot go on wakes whoever waits, at once and with the cause; and what a token can bring back comes back."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.client.test_deaths import NoThreads, in_threads, outcome
from tests.client.test_token_life import forged
from tests.support.clients import Connect
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from tests.support.resources import own_threads
from tests.support.waiting import until
from twilio_conversations import (
    Client,
    ClientClosedError,
    ConnectionState,
    InitializationError,
    NoThreadError,
    NotReadyError,
    RequestTimeoutError,
    TokenError,
    TransportUnavailableError,
)
from twilio_conversations.server import LocalServer


@pytest.fixture
def service(own: LocalServer) -> LocalServer:
    """A service with nothing in it, for this test alone."""
    return own


def later_waits(client: Client) -> list[Callable[[], object]]:
    """Every way to wait for a client."""
    return [
        client.wait,
        client.wait_until_ready,
        lambda: client.wait_for("message_added"),
        lambda: client.events("message_added"),
        client.create_conversation,
        client.get_subscribed_conversations,
        client.get_subscribed_users,
        lambda: client.user.update_attributes({}),
        client.user.refresh,
        client.user.unsubscribe,
    ]


def never() -> str:
    """A provider that says that there is no token, for good."""
    raise TokenError("no token for anybody", code=20101)


REFUSALS: dict[str, Callable[[LocalServer], Any]] = {
    "a wrong signature": lambda service: forged(service.token("alice")),
    "a provider that says never": lambda service: never,
}


@pytest.mark.parametrize("why", REFUSALS)
def test_a_refused_start_wakes_every_wait(service: LocalServer, why: str) -> None:
    """Those that wait before it is known, and those that begin when it is."""
    with Client(REFUSALS[why](service), endpoint=service.url, auto_connect=False) as client:
        stream = client.events("message_added")
        finish = in_threads(client.wait, lambda: client.wait_for("message_added"), lambda: list(stream))
        client.connect()
        for error in finish():
            assert isinstance(error, InitializationError)
        for call in later_waits(client):
            error = outcome(call)
            assert isinstance(error, InitializationError), call
            assert error.status == 401
        assert not client.is_ready
        client.update_token(service.token("alice"))
        client.wait_until_ready(PATIENCE)
        client.create_conversation().join()
        assert not client.wait(0)
        assert client.is_ready


def test_an_end_in_the_middle_of_life_wakes_every_wait(service: LocalServer) -> None:
    """A fixed token expires: a loop has the events of before first, `is_ready` follows, and another token brings all back."""
    with Client(service.token("alice"), endpoint=service.url) as client:
        client.wait_until_ready(PATIENCE)
        stream = client.events("token_expired", "connection_error")
        finish = in_threads(client.wait, lambda: client.wait_for("message_added"), lambda: list(client.events("message_added")))
        until(lambda: len(client._core.streams) == 3, "all three wait")
        service.faults.expire_tokens("alice")
        for error in finish():
            assert isinstance(error, InitializationError)
            assert (error.status, error.code, error.info.terminal) == (410, 20104, True)
        assert [next(stream).name, next(stream).name] == ["token_expired", "connection_error"]
        with pytest.raises(InitializationError, match="expired"):
            next(stream)
        for call in later_waits(client):
            assert isinstance(outcome(call), InitializationError), call
        assert not client.is_ready
        client.update_token(service.token("alice"))
        assert client.is_ready
        client.create_conversation()
        assert not client.wait(0)


def test_a_start_that_is_not_allowed_wakes_every_wait(service: LocalServer) -> None:
    """The connection stands, but the service refuses the configuration; another token tries again on the same connection."""
    service.faults.refuse(None, status=403, identity="alice", path="/Configuration")
    with Client(service.token("alice"), endpoint=service.url) as client:
        with pytest.raises(InitializationError) as caught:
            client.wait(PATIENCE)
        assert caught.value.status == 403
        for call in later_waits(client):
            assert isinstance(outcome(call), InitializationError), call
        assert not client.is_ready
        service.faults.clear()
        client.update_token(service.token("alice", ttl=1800))
        client.create_conversation()
        assert client.is_ready
        assert client.stats().connection.reconnects == 0


def test_media_of_a_client_that_was_refused(service: LocalServer) -> None:
    """What goes past the connection has the cause too."""
    with Client(service.token("alice"), endpoint=service.url) as client:
        room = client.create_conversation().join()
        media = room.send_message(media=("a.txt", b"x")).attached_media[0]
        service.faults.expire_tokens("alice")
        assert isinstance(outcome(client.wait), InitializationError)
        for call in (media.read, lambda: room.send_message(media=("a.txt", b"y"))):
            error = outcome(call)
            assert isinstance(error, TransportUnavailableError)
            assert (error.status, error.code) == (410, 20104)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_is_not_ready(connect: Connect) -> None:
    """Nor does any wait of it begin."""
    client = connect("alice")
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        found = [client.is_ready, *(type(outcome(call)).__name__ for call in later_waits(client))]
        os.write(writer, repr(found).encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as told_by_child:
        told = told_by_child.read().decode()
    os.waitpid(pid, 0)

    assert told == repr([False, *["ClientClosedError"] * len(later_waits(client))])
    assert client.is_ready


def test_a_wait_that_times_out_leaves_nothing_behind(connect: Connect) -> None:
    """Whoever asks every moment costs no memory."""
    client = connect("alice")
    for _ in range(100):
        assert not client.wait(0)
        with pytest.raises(RequestTimeoutError):
            client.wait_for("message_added", timeout=0)
    assert len(client._core.readiness._waits) == 1
    assert len(client._core.closed._callbacks) == 1


def test_the_listing_goes_on_where_another_token_connects(service: LocalServer) -> None:
    """Denied while the listing is asked for and not answered: waits hear why, and have it after `update_token`."""
    with Client(service.token("alice"), endpoint=service.url) as maker:
        rooms = {maker.create_conversation().join().sid for _ in range(3)}
    service.faults.delay(3600, None, identity="alice", method="GET", path="/Conversations")
    with Client(service.token("alice"), endpoint=service.url) as client:
        client.wait_until_ready(PATIENCE)
        service.faults.expire_tokens("alice")
        with pytest.raises(InitializationError):
            client.wait(PATIENCE)
        service.faults.clear()
        until(lambda: client._core.runtime._pauses, "the listing waits for another token")
        client.update_token(service.token("alice"))
        assert {room.sid for room in client.iter_conversations()} == rooms


def test_is_ready_is_false_whenever_a_call_would_fail(service: LocalServer) -> None:
    """Before the start, while it starts, and after the end."""
    client = Client(service.token("alice"), endpoint=service.url, auto_connect=False)
    assert not client.is_ready
    for call in (
        client.create_conversation,
        client.user.refresh,
        lambda: client.update_token(service.token("alice", ttl=1800)),
        lambda: client.remove_push_registrations("fcm", "device"),
    ):
        assert isinstance(outcome(call), NotReadyError), "it would wait for what nobody has begun"
    client.connect().wait_until_ready(PATIENCE)
    assert client.is_ready
    client.close()
    assert not client.is_ready
    assert client.wait()
    for call in later_waits(client)[1:]:
        assert isinstance(outcome(call), ClientClosedError), call


@pytest.mark.parametrize("kind", ["events", "io"])
def test_connect_after_a_connect_that_failed(service: LocalServer, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """No thread to be had: it raises and leaves none; the next one works, with what was registered before."""
    client = Client(service.token("alice"), endpoint=service.url, auto_connect=False)
    event_log = EventLog(client, "initialized", "connection_state_changed")
    with monkeypatch.context() as patch:
        NoThreads(patch, kind, 1)
        with pytest.raises(NoThreadError):
            client.connect()
    until(lambda: not own_threads(), "all threads gone")
    assert isinstance(outcome(client.create_conversation), NotReadyError)
    with client.connect():
        client.wait_until_ready(PATIENCE)
        event_log.wait("initialized")
        assert client.connection_state is ConnectionState.CONNECTED
    until(lambda: not own_threads(), "all threads gone")


def test_the_own_user_before_the_client_is_ready(service: LocalServer) -> None:
    """Its identity is in the token; its calls wait as all others do, within their own limit."""
    with Client(service.token("alice"), endpoint=service.url) as client:
        assert client.user.identity == client.identity == "alice"
        client.user.update_friendly_name("Alice")
        assert client.user.refresh().friendly_name == "Alice"
    with Client(service.token("alice"), endpoint="http://127.0.0.1:9") as client:
        client.wait_for("connection_error", timeout=PATIENCE)
        for call in (client.user.refresh, client.user.unsubscribe, partial(client.user.update_attributes, {})):
            with pytest.raises(RequestTimeoutError, match="refused the connection"):
                call(timeout=0.1)


def test_the_own_identity_is_known_as_soon_as_the_provider_has_answered(service: LocalServer) -> None:
    """There need be no connection."""
    asked, release = threading.Event(), threading.Event()

    def provide() -> str:
        asked.set()
        release.wait(PATIENCE)
        return service.token("alice")

    with Client(provide, endpoint="http://127.0.0.1:9") as client:
        user = client.user
        assert asked.wait(PATIENCE)
        assert user.identity == client.identity == ""
        release.set()
        until(lambda: user.identity == "alice", "the identity is known")
        assert client.identity == "alice"


@pytest.mark.row("BY40")
def test_a_program_can_ask_whether_a_client_is_over(service: LocalServer) -> None:
    """`ended_by` is the error that calls would raise, known without a call: closed, or rejected until another token."""
    with Client(forged(service.token("alice")), endpoint=service.url, auto_connect=False) as client:
        assert client.ended_by is None
        rejected = outcome(client.connect().wait)
        assert client.ended_by is not None
        assert str(client.ended_by) == str(rejected)
        client.update_token(service.token("alice"))
        client.wait_until_ready(PATIENCE)
        assert client.ended_by is None
    assert isinstance(client.ended_by, ClientClosedError)
