"""The client's life: its token, readiness, waiting and closing."""

from __future__ import annotations

import copy
import logging
import os
import pickle
import select
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.clients import Connect
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from twilio_conversations import (
    Client,
    ClientClosedError,
    ConnectionState,
    InitializationError,
    InvalidArgumentError,
    NotReadyError,
    RequestTimeoutError,
    State,
    TokenError,
    TransportUnavailableError,
    __version__,
)
from twilio_conversations.server import LocalServer
from twilio_conversations.state.tracked import SyncNames
from twilio_conversations.util.flows import Future
from twilio_conversations.util.futures import Deadline


@pytest.mark.row("BY02", "BY20", "BY21", "CL03", "CL04", "CL05", "CL06", "CL07", "EV21", "US02", "US05", "US06", "US09")
def test_a_client_becomes_ready_by_itself(connect: Connect, fresh: Any) -> None:
    """What is known before and after."""
    identity = fresh("alice")
    client = connect(identity, ready=False)
    user = client.user
    assert client.wait_until_ready(PATIENCE) is client

    assert (client.is_ready, client.state, client.identity) == (True, State.INITIALIZED, identity)
    assert client.connection_state is ConnectionState.CONNECTED
    assert client.user is user
    assert (user.identity, user.is_subscribed, user.friendly_name, user.attributes) == (identity, True, None, {})
    assert client.version == __version__
    assert client.reachability_enabled in (True, False)
    assert client.stats().connection.reconnects == 0


def test_the_first_call_waits_for_readiness(connect: Connect, fresh: Any) -> None:
    """Nobody has to wait explicitly."""
    assert connect(fresh("alice"), ready=False).create_conversation(friendly_name="early").friendly_name == "early"


@pytest.mark.row("BY22", "CL02", "ER05", "EV17", "EV19", "EV20", "EV23")
def test_handlers_can_be_registered_before_anything_happens(service: LocalServer, fresh: Any) -> None:
    """With `auto_connect=False` nothing is missed, and calls say what is to be done first."""
    with Client(service.token(fresh("alice")), endpoint=service.url, auto_connect=False) as client:
        with pytest.raises(NotReadyError, match="connect"):
            client.create_conversation()
        event_log = EventLog(
            client, "connection_state_changed", "state_changed", "initialized", "user_updated", "user_subscribed"
        )
        assert client.connect() is client
        event_log.wait("initialized")
        assert event_log.of("connection_state_changed") == ["connecting", "connected"]
        assert [name for name in event_log.names() if name != "connection_state_changed"] == [
            "user_updated",
            "user_subscribed",
            "state_changed",
            "initialized",
        ]


@pytest.mark.row("CL02", "ER03")
@pytest.mark.parametrize("token", ["", "not-a-jwt", "a.b.c"])
def test_a_token_that_cannot_work_is_refused_by_the_constructor(token: str) -> None:
    """The fault is named before anything is sent."""
    with pytest.raises(TokenError):
        Client(token, endpoint="http://127.0.0.1:9")


@pytest.mark.row("BY20", "ER03")
def test_an_expired_token_is_named_here(service: LocalServer) -> None:
    """No connection is needed to see that."""
    with pytest.raises(TokenError, match="expired"):
        Client(service.token("alice", ttl=-3600), endpoint=service.url)


@pytest.mark.row("BY18", "CL30", "CL32", "CL34", "ER06", "EV22", "EV24", "JD01")
def test_a_token_that_the_service_refuses_fails_every_waiter(service: LocalServer, fresh: Any) -> None:
    """A bad signature: the error says so, nothing is retried, and another token heals the client."""
    identity = fresh("alice")
    good = service.token(identity)
    head, body, signature = good.split(".")
    with Client(f"{head}.{body}.{'A' * 42}{signature[-1]}", endpoint=service.url) as client:
        event_log = EventLog(client, "init_failed", "connection_error", "connection_state_changed", "initialized")
        with pytest.raises(InitializationError) as caught:
            client.create_conversation()
        assert (caught.value.info.terminal, caught.value.status) == (True, 401)
        assert event_log.wait("init_failed").error.http_status_code == 401
        assert client.state is State.FAILED
        event_log.wait("connection_state_changed", lambda state: state is ConnectionState.DENIED)
        client.update_token(good)
        assert client.wait_until_ready(PATIENCE).identity == identity
        event_log.wait("initialized")


@pytest.mark.row("BY19")
def test_a_provider_is_asked_for_the_token(service: LocalServer, fresh: Any) -> None:
    """A function instead of a token; it runs on a thread that must not call the client."""
    identity = fresh("alice")
    errors: list[BaseException] = []

    def provide() -> str:
        try:
            clients[0].create_conversation()
        except RuntimeError as error:
            errors.append(error)
        return service.token(identity)

    clients = [Client(provide, endpoint=service.url, auto_connect=False)]
    with clients[0] as client:
        client.connect()
        assert client.wait_until_ready(PATIENCE).identity == identity
    assert "own thread" in str(errors[0])


@pytest.mark.row("CL14")
def test_update_token_is_taken_on_the_live_connection(connect: Connect, service: LocalServer, fresh: Any) -> None:
    """The socket stays; the same token is nothing new; a bad one changes nothing."""
    client = connect(fresh("alice"))
    event_log = EventLog(client, "connection_state_changed")
    fresh_token = service.token(client.identity, ttl=1800)
    assert client.update_token(fresh_token) is client
    assert client.update_token(fresh_token) is client
    with pytest.raises(TokenError):
        client.update_token("nonsense")
    client.create_conversation()
    assert {state for _, state in event_log.entries} <= {ConnectionState.CONNECTED}  # the start may be told as late as now


@pytest.mark.row("EV12")
def test_a_token_that_expires_soon_is_announced(service: LocalServer, fresh: Any) -> None:
    """The service tells ahead of time."""
    with Client(service.token(fresh("alice"), ttl=60), endpoint=service.url) as client:
        EventLog(client, "token_about_to_expire").wait("token_about_to_expire")


@pytest.mark.row("BY17", "CL30", "ER45", "EV24")
def test_nothing_answers(fresh: Any, service: LocalServer) -> None:
    """A port where nobody listens: errors are reported, calls end at their time limit, and the client keeps trying."""
    with Client(service.token(fresh("alice")), endpoint="http://127.0.0.1:9") as client:
        event_log = EventLog(client, "connection_error", "init_failed")
        with pytest.raises(RequestTimeoutError):
            client.create_conversation(timeout=0.3)
        error = event_log.wait("connection_error")
        assert not error.terminal
        assert event_log.of("init_failed") == []


@pytest.mark.row("BY01", "BY03", "BY24", "CL13", "ER08")
def test_everything_about_closing(service: LocalServer, fresh: Any) -> None:
    """`with` closes; a closed client says so, wakes who waits, and can be closed again."""
    with Client(service.token(fresh("alice")), endpoint=service.url) as client:
        event_log = EventLog(client, "connection_state_changed")
        client.wait_until_ready(PATIENCE)
        waiter = threading.Thread(target=client.wait)
        waiter.start()
        assert client.wait(0.01) is False
    waiter.join(PATIENCE)
    assert not waiter.is_alive()
    assert client.wait(0) is True
    assert event_log.wait("connection_state_changed", lambda state: state == "disconnected")
    client.shutdown()
    for call in (client.create_conversation, client.connect, client.wait_until_ready, client.get_subscribed_conversations):
        with pytest.raises(ClientClosedError):
            call()


@pytest.mark.row("BY32")
def test_options_are_checked(service: LocalServer) -> None:
    """Unknown options and impossible values are errors of the constructor."""
    token = service.token("alice")
    with pytest.raises(InvalidArgumentError, match="default_timeout"):
        Client(token, endpoint=service.url, default_timout=5)  # type: ignore[call-arg]
    with pytest.raises(InvalidArgumentError):
        Client(token, endpoint=service.url, default_timeout=0)
    with pytest.raises(InvalidArgumentError):
        Client(token, endpoint=service.url, region="us1")


@pytest.mark.row("BY16")
def test_live_objects_refuse_to_be_pickled(connect: Connect, fresh: Any) -> None:
    """The error points to what can be sent elsewhere instead."""
    client = connect(fresh("alice"))
    conversation = client.create_conversation(friendly_name="plain", attributes={"a": 1})
    with pytest.raises(TypeError, match="to_dict"):
        pickle.dumps(conversation)
    with pytest.raises(TypeError):
        copy.copy(client)
    assert conversation.to_dict()["attributes"] == {"a": 1}


@pytest.mark.row("BY34")
def test_tokens_are_never_logged(service: LocalServer, fresh: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Not even at DEBUG, where frames are."""
    token = service.token(fresh("alice"))
    with caplog.at_level(logging.DEBUG), Client(token, endpoint=service.url) as client:
        client.wait_until_ready(PATIENCE).create_conversation()
        client.update_token(service.token(client.identity, ttl=1000))
        assert token not in repr(client) + repr(vars(client))
    assert token.split(".")[2] not in caplog.text


@pytest.mark.row("BY11", "CL18", "PG02", "PG03", "PG04", "PG05", "PG06")
def test_the_list_pages_locally_and_in_order(connect: Connect, fresh: Any) -> None:
    """Pages of any size, forwards and back, each conversation once."""
    client = connect(fresh("alice"))
    made = sorted((client.create_conversation(friendly_name=str(number)).join() for number in range(7)), key=lambda c: c.sid)
    first = client.get_subscribed_conversations(page_size=3)

    assert list(first.iter_all()) == made
    assert [len(page) for page in first.pages()] == [3, 3, 1]
    assert not first.has_prev_page
    assert first.next_page().prev_page().items == first.items
    with pytest.raises(InvalidArgumentError):
        client.get_subscribed_conversations(page_size=0)


@pytest.mark.row("CV05", "CV09", "CV10", "CV11", "CV12")
def test_a_second_client_of_the_same_identity_finds_everything(connect: Connect, fresh: Any) -> None:
    """Names, horizon, level and history come with the list."""
    identity = fresh("alice")
    first = connect(identity)
    conversation = first.create_conversation(friendly_name="kept", attributes={"a": 1})
    conversation.join()
    conversation.send_message("hello")
    conversation.set_all_messages_read()
    conversation.set_user_notification_level("muted")
    again = connect(identity).get_subscribed_conversations().items[0]

    assert (again.friendly_name, again.attributes, again.last_read_message_index) == ("kept", {"a": 1}, 0)
    assert (again.notification_level, again.status) == ("muted", "joined")
    assert [message.body for message in again.get_messages()] == ["hello"]
    assert again.last_message is not None
    assert again.last_message.index == 0


def test_the_death_of_the_io_thread_is_impossible_to_miss(connect: Connect, fresh: Any) -> None:
    """The state, the `error` event, every waiter and every later call tell of it, with the cause."""
    client = connect(fresh("alice"))
    conversation = client.create_conversation().join()
    event_log = EventLog(client, "error", "connection_state_changed")
    outcomes: list[BaseException | None] = []

    def waiting() -> None:
        try:
            client.wait()
        except TransportUnavailableError as error:
            outcomes.append(error.__cause__)

    def die() -> None:
        raise SystemExit("somebody pulled the plug")

    waiter = threading.Thread(target=waiting)
    waiter.start()
    client._core.connection.post(die)
    waiter.join(PATIENCE)

    assert "somebody pulled the plug" in str(outcomes[0])
    assert "somebody pulled the plug" in str(event_log.wait("error").error)
    assert event_log.wait("connection_state_changed") is ConnectionState.ERROR
    for call in (client.create_conversation, lambda: conversation.send_message("x"), lambda: conversation.get_messages()):
        with pytest.raises(TransportUnavailableError):
            call()


def test_closing_wakes_who_waits_for_a_conversation(service: LocalServer, fresh: Any) -> None:
    """A call that waits for something to appear ends at once when the client is closed."""
    client = Client(service.token(fresh("alice")), endpoint=service.url)
    client.wait_until_ready(PATIENCE)
    runtime = client._core.runtime
    membership = runtime.run_now(
        lambda: client._core.conversations._appear("CH" + "1" * 32, SyncNames("x")), Deadline(PATIENCE), "the test"
    )
    there = threading.Event()

    def begin() -> Future[Any]:
        there.set()
        return membership.ready

    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(runtime.run, begin, Deadline(PATIENCE), "the test")
        assert there.wait(PATIENCE)
        client.close()

    assert isinstance(waiting.exception(), ClientClosedError)
    assert isinstance(client._core.readiness.cause, ClientClosedError)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_is_told_at_once(connect: Connect, fresh: Any) -> None:
    """The child cannot use its parent's client and hears why; the parent goes on undisturbed."""
    client = connect(fresh("alice"))
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            client.create_conversation(timeout=PATIENCE)
        except BaseException as error:
            os.write(writer, f"{type(error).__name__}: {error}".encode())
        os._exit(0)
    os.close(writer)
    assert select.select([reader], [], [], 10)[0], "the child says nothing"
    told = os.read(reader, 1000).decode()
    os.close(reader)
    os.waitpid(pid, 0)

    assert told.startswith("ClientClosedError")
    assert "fork" in told
    assert client.create_conversation(friendly_name="still here").friendly_name == "still here"
