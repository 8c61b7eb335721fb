"""The life of a client's token against the local service: what the program sees, and how often the service was bothered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.proxy import FaultProxy
from tests.support.clients import Connect
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from tests.support.stopwatch import within
from twilio_conversations import (
    Client,
    ConnectionState,
    ReplyError,
    RequestTimeoutError,
    TokenError,
    TransportUnavailableError,
)
from twilio_conversations.server import LocalServer


def inits(server: LocalServer) -> list[tuple[int, int | None]]:
    """What the service answered to each `init`: status and Twilio's code."""
    frames = server.traffic()
    asked = {frame["header"]["id"] for frame in frames if frame["direction"] == "in" and frame["header"]["method"] == "init"}
    answers = [frame["header"]["status"] for frame in frames if frame["direction"] == "out" and frame["header"]["id"] in asked]
    return [(status["code"], status.get("errorCode")) for status in answers]


class Issuer:
    """A provider that counts: gives tokens of `ttl` seconds, or does what `then` says."""

    def __init__(self, server: LocalServer, identity: str = "alice", ttl: float = 3600) -> None:
        self._server = server
        self._identity = identity
        self.ttl = ttl
        self.calls = 0
        self.then: Callable[[], str] | None = None

    def __call__(self) -> str:
        self.calls += 1
        return self.then() if self.then is not None else self.fresh()

    def fresh(self) -> str:
        """A token, different from all others."""
        return self._server.token(self._identity, ttl=self.ttl)


@pytest.fixture
def service(own: LocalServer) -> LocalServer:
    """A service with nothing in it, whose frames are this test's alone."""
    own.forget_traffic()
    return own


def test_many_expiries_in_one_life(connect: Connect, service: LocalServer) -> None:
    """Each costs one call of the provider and one connection; calls that were under way come through, once."""
    issuer = Issuer(service)
    client = connect("alice", token=issuer)
    event_log = EventLog(client, "token_expired")
    conversation = client.create_conversation().join()
    for number in range(1, 5):
        service.faults.expire_tokens("alice")
        assert conversation.send_message(f"after expiry {number}").index == number - 1
        assert issuer.calls == number + 1
    assert inits(service) == [(200, None)] * 5
    assert len(event_log.of("token_expired")) == 4
    assert conversation.get_messages_count() == 4


def test_expiry_while_offline(connect: Connect, service: LocalServer, line: FaultProxy) -> None:
    """The token ran out during an outage: the provider is asked before the next init, not after a refusal."""
    issuer = Issuer(service, ttl=5)
    client = connect("alice", token=issuer, endpoint=line.url, token_renewal_margin=0.5)
    event_log = EventLog(client, "connection_state_changed", "token_expired")
    issued = time.time()
    line.refuse()
    line.cut_all()
    event_log.wait("connection_state_changed", lambda state: state is ConnectionState.RETRYING)
    issuer.ttl = 3600
    while time.time() < issued + 5.2:
        threading.Event().wait(0.05)
    line.refuse(False)
    client.create_conversation(timeout=PATIENCE)

    assert {status for status, _ in inits(service)} == {200}
    assert len(inits(service)) == 2
    assert event_log.of("token_expired") == []
    assert issuer.calls == 2


def test_a_fixed_token_that_expires(service: LocalServer) -> None:
    """An event, a terminal error, and calls that fail at once with both codes; `update_token` brings everything back."""
    with Client(service.token("alice", ttl=5), endpoint=service.url) as client:
        conversation = client.wait_until_ready(PATIENCE).create_conversation().join()
        event_log = EventLog(client, "token_expired", "connection_error", "connection_state_changed")
        event_log.wait("token_expired")
        info = event_log.wait("connection_error")
        assert (info.terminal, info.http_status_code, info.error_code) == (True, 410, 20104)
        event_log.wait("connection_state_changed", lambda state: state is ConnectionState.DENIED)
        with within(5), pytest.raises(TransportUnavailableError, match="expired") as caught:
            conversation.send_message("too late")
        assert (caught.value.status, caught.value.code, caught.value.sent) == (410, 20104, False)
        client.update_token(service.token("alice"))
        assert conversation.send_message("here again").index == 0
    assert inits(service) == [(200, None)] * 2


def test_a_handler_that_gives_the_new_token_costs_one_connection(service: LocalServer) -> None:
    """`update_token` from inside `token_expired`, from `connection_error` and from outside, all at once."""
    with Client(service.token("alice"), endpoint=service.url) as client:
        client.wait_until_ready(PATIENCE)
        new, done = service.token("alice", ttl=1800), threading.Event()

        @client.on("token_expired")
        def renew() -> None:
            client.update_token(new)

        @client.on("connection_error")
        def renew_again(info: Any) -> None:
            client.update_token(new)
            done.set()

        service.faults.expire_tokens("alice")
        assert done.wait(PATIENCE)
        client.update_token(new)
        client.create_conversation()
        assert client.connection_state is ConnectionState.CONNECTED
    assert inits(service) == [(200, None)] * 2


def test_a_token_of_somebody_else_changes_nothing(connect: Connect, service: LocalServer) -> None:
    """It is refused before it is sent, with the service's own code, and the client works on."""
    client = connect("alice")
    with pytest.raises(TokenError, match="'bob'") as caught:
        client.update_token(service.token("bob"))
    assert caught.value.code == 20106
    client.create_conversation()
    assert inits(service) == [(200, None)]


def test_a_provider_that_gives_somebody_else_s_token(connect: Connect, service: LocalServer) -> None:
    """It is reported in words and never sent; the client works on, on the same connection, and asks again."""
    issuer = Issuer(service)
    client = connect("alice", token=issuer)
    event_log = EventLog(client, "connection_error")
    issuer.then = lambda: service.token("bob")
    service.faults.token_about_to_expire("alice")
    info = event_log.wait("connection_error")
    assert not info.terminal
    assert "'bob'" in info.message
    client.create_conversation()
    assert inits(service) == [(200, None)]


def forged(token: str) -> str:
    """The same token, signed by nobody that the service knows."""
    head, body, signature = token.split(".")
    return f"{head}.{body}.{'A' * (len(signature) - 1)}{signature[-1]}"


def test_a_first_answer_that_is_bad(connect: Connect, service: LocalServer) -> None:
    """A wrong signature, then a good token: reported, and the client connects."""
    answers = iter([forged(service.token("alice")), service.token("alice")])
    client = connect("alice", token=lambda: next(answers), ready=False)
    event_log = EventLog(client, "connection_error")
    client.wait_until_ready(PATIENCE)
    assert [info.terminal for info in event_log.of("connection_error")] == [False]
    assert inits(service) == [(401, 20107), (200, None)]


def test_a_forged_answer_at_a_renewal(connect: Connect, service: LocalServer) -> None:
    """The client is back with the token that is good, and what is called meanwhile comes through."""
    issuer = Issuer(service)
    client = connect("alice", token=issuer)
    event_log = EventLog(client, "connection_error", "connection_state_changed")
    conversation = client.create_conversation().join()
    issuer.then = lambda: forged(issuer.fresh())
    service.faults.token_about_to_expire("alice")
    assert not event_log.wait("connection_error").terminal
    issuer.then = None
    assert conversation.send_message("still here").index == 0
    assert ConnectionState.DENIED not in event_log.of("connection_state_changed")


def test_a_refused_update_tells_its_caller(connect: Connect, service: LocalServer) -> None:
    """A signature that is not the service's: `ReplyError`; the token in use before stays in use."""
    client = connect("alice", token=service.token("alice"))
    with pytest.raises(ReplyError) as caught:
        client.update_token(forged(service.token("alice", ttl=1800)))
    assert (caught.value.status, caught.value.code) == (401, 20107)
    client.create_conversation()
    assert inits(service) == [(200, None)] * 2


def test_short_lived_tokens_do_not_drive_the_provider(connect: Connect, service: LocalServer) -> None:
    """The service gives notice of each of them at once; the provider is asked at half its life."""
    issuer = Issuer(service, ttl=60)
    client = connect("alice", token=issuer)
    for _ in range(20):
        client.create_conversation()

    assert [frame for frame in service.traffic() if frame["header"]["method"] == "client_update"], "there was notice"
    assert issuer.calls == 1


@pytest.mark.parametrize("how", ["raises", "rubbish", "hangs"])
def test_a_provider_that_fails_is_the_reason_of_time_limits(service: LocalServer, how: str) -> None:
    """Who waits for readiness learns what keeps it away; then a token given by hand starts the client."""
    release = threading.Event()

    def provide() -> Any:
        if how == "raises":
            raise OSError("the backend is down")
        return 17 if how == "rubbish" else release.wait(30)

    words = {"raises": "OSError: the backend is down", "rubbish": "int, not text", "hangs": "has not answered"}[how]
    with Client(provide, endpoint=service.url, token_timeout=0.1) as client:
        event_log = EventLog(client, "connection_error")
        assert words in event_log.wait("connection_error").message
        with pytest.raises(RequestTimeoutError, match=words) as caught:
            client.create_conversation(timeout=0.2)
        assert (caught.value.sent, caught.value.retryable) == (False, True)
        client.update_token(service.token("alice"))
        client.create_conversation()
        release.set()
    assert inits(service) == [(200, None)]


def test_a_provider_that_calls_the_client_back(connect: Connect, service: LocalServer) -> None:
    """A blocking call from inside it is an error at once, also when the client is ready, and does nothing."""
    issuer = Issuer(service)
    client = connect("alice", token=issuer)
    errors: list[BaseException] = []

    def asks_back() -> str:
        calls: list[Callable[[], object]] = [
            client.create_conversation,
            client.get_subscribed_users,
            lambda: client.update_token(service.token("alice", ttl=1800)),
        ]
        for call in calls:
            try:
                call()
            except RuntimeError as error:
                errors.append(error)
        return issuer.fresh()

    issuer.then = asks_back
    service.faults.expire_tokens("alice")
    other = connect("alice", token=service.token("alice"))
    client.wait_until_ready(PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while len(errors) < 3:
        assert time.monotonic() < deadline, errors
        threading.Event().wait(0.01)
    assert all("own thread" in str(error) for error in errors)
    client.get_subscribed_conversations()
    posts = [frame for frame in service.traffic() if frame["header"].get("http_request", {}).get("method") == "POST"]
    assert not [frame for frame in posts if frame["header"]["http_request"]["path"].endswith("/Conversations")]
    assert other.is_ready
