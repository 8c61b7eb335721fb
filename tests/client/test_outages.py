"""What a line can do to a client, over real sockets: silence, cuts at bad moments, outages; what callers learn, and that
everything happens once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.support.relay import Direction, Flow, Link, Relay
from tests.faults.proxy import FaultProxy
from tests.support.clients import Connect
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from tests.support.stopwatch import Stopwatch, within
from tests.support.waiting import until
from twilio_conversations import (
    BackoffPolicy,
    Client,
    ClientClosedError,
    ConnectionState,
    Conversation,
    RequestTimeoutError,
    TransportUnavailableError,
)
from twilio_conversations.server import LocalServer
from twilio_conversations.transport.commands import LOOK_AFTER

ALERT = {"keepalive_interval": 0.3, "keepalive_timeout": 0.3}


class Call(threading.Thread):
    """A blocking call on a thread of its own."""

    def __init__(self, function: Callable[[], Any]) -> None:
        super().__init__()
        self._function = function
        self._value: Any = None
        self._error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self._value = self._function()
        except Exception as error:
            self._error = error

    def result(self) -> Any:
        """What it returned; raises what it raised."""
        self.join(2 * PATIENCE)
        assert not self.is_alive(), "the call hangs"
        if self._error is not None:
            raise self._error
        return self._value


@pytest.fixture
def service(own: LocalServer) -> LocalServer:
    """A service with nothing in it, whose frames are this test's alone."""
    own.forget_traffic()
    return own


def frames(service: LocalServer, method: str) -> list[dict[str, Any]]:
    """The headers of the frames of that method that the service was sent."""
    return [
        frame["header"]
        for frame in service.traffic("alice")
        if frame["direction"] == "in" and frame["header"]["method"] == method
    ]


def posts(service: LocalServer) -> dict[str, str]:
    """All attempts to send a message: the mutation id by the id of the frame."""
    asked = {header["id"]: header["http_request"] for header in frames(service, "message")}
    return {
        id_: request["headers"]["X-Twilio-Mutation-Id"]
        for id_, request in asked.items()
        if request["method"] == "POST" and request["path"].endswith("/Messages")
    }


def bodies(conversation: Conversation) -> list[str | None]:
    """All messages of a conversation, as the service has them."""
    return [message.body for message in conversation.get_messages().items]


# Silence


def test_a_black_hole_is_found_and_what_was_in_flight_is_done_once(
    connect: Connect, service: LocalServer, line: FaultProxy
) -> None:
    """Not a byte passes: the line is left after interval and timeout; the call returns when there is a line again."""
    client = connect("alice", endpoint=line.url, **ALERT)
    began = time.monotonic()
    conversation = client.create_conversation().join()
    event_log = EventLog(client, "connection_state_changed")
    line.stall()
    watch = Stopwatch()
    call = Call(lambda: conversation.send_message("out of the hole", timeout=PATIENCE))
    event_log.wait("connection_state_changed", lambda state: state is not ConnectionState.CONNECTED)
    found, waited = time.monotonic() - began, watch.waited
    line.resume()

    assert call.result().index == 0
    assert found >= 0.3, "an answer within the interval would have been waited for"
    assert waited < 0.6 + 2, "interval and timeout"
    assert bodies(conversation) == ["out of the hole"]
    assert len(set(posts(service).values())) == 1


def test_a_healthy_peer_may_be_silent_for_long(connect: Connect, service: LocalServer) -> None:
    """Six intervals without an event: pings are answered, and nothing else happens."""
    client = connect("alice", keepalive_interval=0.1, keepalive_timeout=2.0)
    event_log = EventLog(client, "connection_state_changed", "connection_error")
    threading.Event().wait(0.6)
    client.create_conversation()

    assert event_log.entries == []
    assert client.stats().connection.reconnects == 0
    assert len(frames(service, "init")) == 1


def test_a_service_that_answers_no_pings_is_alive(connect: Connect, service: LocalServer) -> None:
    """Its own pings are the only sign of life, and come later than an answer to ours would be due."""
    service.configure(websocket_pings=False, ping_interval=0.3)
    client = connect("alice", keepalive_interval=0.05, keepalive_timeout=0.05)
    service.forget_traffic()
    until(lambda: [frame["header"]["method"] for frame in service.traffic("alice")].count("ping") >= 4, "four pings")
    client.create_conversation()

    assert client.stats().connection.reconnects == 0
    assert frames(service, "init") == []


# Cuts at bad moments


def test_a_lost_answer_is_asked_for_again(connect: Connect, service: LocalServer) -> None:
    """The service has done it, the client does not look: the resend is answered 202, which leads to the message."""
    client = connect("alice", resend="always")
    conversation = client.create_conversation().join()
    service.faults.lose_answers(3, identity="alice", method="POST", path="/Messages$")
    message = conversation.send_message("once")

    assert (message.index, message.body) == (0, "once")
    assert bodies(conversation) == ["once"]
    assert len(posts(service)) == 4
    assert len(set(posts(service).values())) == 1
    last = [*posts(service)][-1]
    (answer,) = (frame for frame in service.traffic("alice") if frame["direction"] == "out" and frame["header"]["id"] == last)
    assert answer["header"]["http_status"]["code"] == 202


class CutsInits(Relay):
    """Resets a connection as soon as the service has answered its init, and before the answer arrives; so often."""

    def __init__(self, target: tuple[str, int]) -> None:
        super().__init__(target)
        self.left = 0
        self.made = 0

    def cut(self, times: int) -> None:
        """Cut now, and the next so many connections at their init."""

        def begin() -> None:
            self.left = times
            for link in list(self.links):
                self.reset(link)

        self.call(begin)

    def received(self, link: Link, flow: Flow, data: bytes) -> None:
        """Let the upgrade pass."""
        if self.left and flow.direction is Direction.DOWN and not data.startswith(b"HTTP/1.1 101"):
            self.left -= 1
            self.made += 1
            self.reset(link)
        else:
            flow.push(data)


def test_cuts_during_the_reconnect(connect: Connect, service: LocalServer) -> None:
    """Four connections in a row break before the answer to their init: what was under way is still done once."""
    with CutsInits(("127.0.0.1", service.port)) as relay:
        client = connect("alice", endpoint=relay.url)
        conversation = client.create_conversation().join()
        service.faults.delay(0.3, 1, identity="alice", method="POST", path="/Messages$")
        call = Call(lambda: conversation.send_message("once", timeout=PATIENCE))
        deadline = time.monotonic() + PATIENCE
        while not posts(service):
            assert time.monotonic() < deadline
            threading.Event().wait(0.005)
        relay.cut(4)

        assert call.result().body == "once"
        assert relay.made == 4
        assert bodies(conversation) == ["once"]
        assert len(frames(service, "init")) == 6
        assert client.stats().connection.reconnects == 1, "one that counts"
        client.close()


# Time limits


def test_a_time_limit_while_offline_says_that_nothing_was_sent_and_why(connect: Connect, line: FaultProxy) -> None:
    """`sent` is false, it may be tried again, and the cause is in the text."""
    client = connect("alice", endpoint=line.url)
    conversation = client.create_conversation().join()
    event_log = EventLog(client, "connection_error")
    line.refuse()
    line.cut_all()
    reported = event_log.wait("connection_error").message
    with pytest.raises(RequestTimeoutError, match=f"127.0.0.1:{line.url.rsplit(':', 1)[1]}") as caught:
        conversation.send_message("never", timeout=0.3)
    line.refuse(False)

    assert reported.startswith("Socket error: ")
    assert (caught.value.sent, caught.value.retryable) == (False, True)
    assert bodies(conversation) == []


def test_a_time_limit_in_flight_says_that_it_may_have_happened(connect: Connect, service: LocalServer) -> None:
    """The service takes too long: `sent` is true, one attempt; and it did happen."""
    client = connect("alice")
    conversation = client.create_conversation().join()
    added = EventLog(client, "message_added")
    service.faults.delay(0.6, 1, identity="alice", method="POST", path="/Messages$")
    with pytest.raises(RequestTimeoutError) as caught:
        conversation.send_message("late", timeout=0.3)

    assert (caught.value.sent, caught.value.attempts, caught.value.retryable) == (True, 1, True)
    assert added.wait("message_added").body == "late"


@pytest.mark.parametrize(("resend", "seconds", "attempts"), [("always", 1.5, 2), ("look", LOOK_AFTER + 1.5, 1)])
def test_a_time_limit_after_several_attempts_counts_them(
    connect: Connect, service: LocalServer, line: FaultProxy, resend: str, seconds: float, attempts: int
) -> None:
    """The answer is lost and then the line: sent is true although the last attempt, or the look, waits for a connection."""
    client = connect("alice", endpoint=line.url, resend=resend)
    conversation = client.create_conversation().join()
    line.refuse()
    service.faults.lose_answers(1, identity="alice", method="POST", path="/Messages$")
    with pytest.raises(RequestTimeoutError) as caught:
        conversation.send_message("who knows", timeout=seconds)
    line.refuse(False)

    assert (caught.value.sent, caught.value.attempts) == (True, attempts)
    assert bodies(conversation) == ["who knows"]


def test_the_queue_is_bounded_while_offline(connect: Connect, line: FaultProxy) -> None:
    """More callers than places: the queue never holds more, and everybody gets an error that may be tried again."""
    client = connect("alice", endpoint=line.url, max_pending_requests=3)
    conversation = client.create_conversation().join()
    event_log = EventLog(client, "connection_error")
    line.refuse()
    line.cut_all()
    event_log.wait("connection_error")
    calls = [Call(lambda n=n: conversation.send_message(f"{n}", timeout=1.0)) for n in range(8)]
    most = 0
    while any(call.is_alive() for call in calls):
        most = max(most, client.stats().connection.queued)
        threading.Event().wait(0.01)
    errors = []
    for call in calls:
        with pytest.raises((RequestTimeoutError, TransportUnavailableError)) as caught:
            call.result()
        errors.append(caught.value)
    line.refuse(False)

    assert most == 3
    assert {(error.sent, error.retryable) for error in errors} == {(False, True)}
    assert sum("too many requests" in str(error) for error in errors) == 5
    assert conversation.send_message("back").index == 0


def test_the_start_has_no_part_in_the_limit(connect: Connect, service: LocalServer, fresh: Callable[[str], str]) -> None:
    """A client of which one call may wait, in many conversations, starts with several requests under way."""
    identity = fresh("busy")
    rooms = [{"created_by": identity, "participants": [{"identity": identity}]} for _ in range(40)]
    service.seed({"users": [{"identity": identity}], "conversations": rooms})
    client = connect(identity, ready=False, max_pending_requests=1)
    event_log = EventLog(client, "error", "connection_error", "init_failed")

    assert len(client.get_subscribed_conversations(page_size=100).items) == 40
    assert client.create_conversation().join().send_message("here").index == 0
    assert event_log.entries == []


# Waiting to come back


def test_the_service_s_hint_is_waited_out(connect: Connect, service: LocalServer) -> None:
    """Two refusals with 429 that ask for half a second each: no connection comes earlier."""
    client = connect("alice")
    service.faults.refuse_connections(2, identity="alice", reconnect_min_ms=500)
    began = time.monotonic()
    service.faults.drop("alice")
    client.create_conversation()

    assert time.monotonic() - began >= 1.0
    answers = [frame["header"].get("status", {}) for frame in service.traffic() if frame["direction"] == "out"]
    assert [status.get("code") for status in answers].count(429) == 2


def test_close_ends_a_long_wait_at_once(service: LocalServer, line: FaultProxy) -> None:
    """In a back-off of minutes: whoever waits for the line is told, and nobody connects afterwards."""
    client = Client(service.token("alice"), endpoint=line.url, reconnect=BackoffPolicy(minimum=600, maximum=600))
    conversation = client.wait_until_ready(PATIENCE).create_conversation().join()
    event_log = EventLog(client, "connection_state_changed")
    line.cut_all()
    event_log.wait("connection_state_changed", lambda state: state is ConnectionState.RETRYING)
    call = Call(lambda: conversation.send_message("never", timeout=600))
    while not client.stats().connection.queued:
        threading.Event().wait(0.005)
    with within(2):
        client.close()
        with pytest.raises(ClientClosedError):
            call.result()

    assert len(frames(service, "init")) == 1
