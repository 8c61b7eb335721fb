"""Handlers may call whatever blocks; closing never hangs and leaves no thread behind."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.support.observer import Observer
from benchmarks.support.relay import Direction, Flow, Link, Relay
from tests.faults.proxy import FaultProxy
from tests.support.conversations import pair_up
from tests.support.patience import PATIENCE
from tests.support.resources import own_threads
from tests.support.stopwatch import Stopwatch, within
from tests.support.waiting import until
from twilio_conversations import Client, ClientClosedError
from twilio_conversations.server import LocalServer

LIMIT = 2.0  # what close() promises, seconds
SLACK = 0.4  # what one turn of a loop may add to it


def within_the_limit() -> contextlib.AbstractContextManager[None]:
    """The block may take no longer than `close()` promises."""
    return within(LIMIT + SLACK)


def all_gone() -> None:
    """No thread of any client is left."""
    until(lambda: not own_threads(), f"all threads gone: {own_threads()}")


def port_of(server: LocalServer) -> int:
    """The port that the service listens on."""
    return int(server.url.rsplit(":", 1)[1])


# handlers


def test_a_handler_may_call_anything_that_blocks_before_the_client_is_ready(server: LocalServer) -> None:
    """The very first event's handler waits for readiness, creates, joins, sends, reads and changes, and gets its answers."""
    told: list[Any] = []
    done = threading.Event()

    def work(state: Any) -> None:
        if done.is_set() or told:
            return
        told.append(str(state))
        client.wait_until_ready(PATIENCE)
        conversation = client.create_conversation(friendly_name="made in a handler")
        conversation.join()
        message = conversation.send_message("one")
        message.update_body("two")
        conversation.update_friendly_name("renamed")
        conversation.advance_last_read_message_index(message.index)
        conversation.typing()
        told.extend([conversation.get_messages().items[-1].body, conversation.friendly_name])
        told.extend(participant.identity for participant in conversation.get_participants())
        told.append(conversation.get_messages_count())
        client.update_token(server.token("early"))
        conversation.delete()
        done.set()

    client = Client(server.token("early"), endpoint=server.url)
    with client:
        client.on("connection_state_changed", work)
        assert done.wait(PATIENCE), f"got as far as {told}"
    assert told[1:] == ["two", "renamed", "early", 1]


def test_a_handler_may_answer_inside_the_event_it_got(server: LocalServer) -> None:
    """Echo: a `message_added` handler sends into the same conversation and returns only when that is done."""
    with Client(server.token("echo"), endpoint=server.url) as echo, Client(server.token("caller"), endpoint=server.url) as caller:

        def reply(message: Any) -> None:
            if message.author == "caller":
                message.conversation.send_message(message.body.upper())
                message.get_participant()

        echo.on("message_added", reply)
        mine, _ = pair_up(caller, echo, "echo", "echo chamber")
        heard: list[str | None] = []
        caller.on("message_added", lambda message: heard.append(message.body) if message.author == "echo" else None)
        for word in ("a", "b", "c"):
            mine.send_message(word)
        until(lambda: len(heard) == 3, "three echoes")
        assert heard == ["A", "B", "C"]


def test_a_handler_that_raises_stops_nobody(server: LocalServer) -> None:
    """Of two handlers of one event the first raises: both ran, the next event comes too."""
    ran: list[str] = []
    with Client(server.token("clumsy"), endpoint=server.url) as client:

        def clumsy(message: Any) -> None:
            ran.append("clumsy")
            raise ValueError("on purpose")

        client.on("message_added", clumsy)
        client.on("message_added", lambda message: ran.append("careful"))
        conversation = client.create_conversation(friendly_name="two handlers")
        conversation.join()
        conversation.send_message("one")
        conversation.send_message("two")
        until(lambda: len(ran) == 4, "all four calls")
    assert ran == ["clumsy", "careful"] * 2


# closing


def test_close_from_a_handler(server: LocalServer) -> None:
    """A handler closes its own client: the call returns at once and every thread ends."""
    took: list[float] = []
    client = Client(server.token("quitter"), endpoint=server.url)

    def quit_at_once() -> None:
        watch = Stopwatch()
        client.close()
        took.append(watch.waited)

    client.on("initialized", quit_at_once)
    until(lambda: took, "the handler returned")
    assert took[0] < 0.5
    all_gone()


def test_close_from_another_thread_and_twice(server: LocalServer) -> None:
    """Two threads close at the same time, then once more: each call returns in time."""
    client = Client(server.token("twice"), endpoint=server.url)
    client.wait_until_ready(PATIENCE)
    closers = [threading.Thread(target=client.close) for _ in range(2)]
    with within_the_limit():
        for closer in closers:
            closer.start()
        for closer in closers:
            closer.join(PATIENCE)
        client.close()
    all_gone()
    with pytest.raises(ClientClosedError):
        client.get_subscribed_conversations()


def test_close_while_a_handler_is_still_busy(server: LocalServer) -> None:
    """A running handler is not interrupted: close() leaves it behind, and its thread ends as soon as it returns."""
    entered, release, left = threading.Event(), threading.Event(), threading.Event()
    client = Client(server.token("busy"), endpoint=server.url)

    def busy() -> None:
        entered.set()
        release.wait(PATIENCE)
        left.set()

    client.on("initialized", busy)
    assert entered.wait(PATIENCE)
    with within_the_limit():
        client.close()
    assert not left.is_set()
    assert own_threads(), "the busy handler's thread cannot have ended"
    release.set()
    all_gone()
    assert left.is_set()


def test_close_fails_what_is_waiting(server: LocalServer) -> None:
    """A call that waits in another thread ends with ClientClosedError when the client is closed."""
    with FaultProxy(("127.0.0.1", port_of(server)), seed=4) as proxy:
        client = Client(server.token("waiter"), endpoint=proxy.url)
        conversation = client.create_conversation(friendly_name="waiting")
        conversation.join()
        proxy.stall()
        outcome: list[BaseException] = []
        sender = threading.Thread(target=lambda: outcome.append(error_of(lambda: conversation.send_message("never"))))
        sender.start()
        until(lambda: client.stats().connection.in_flight > 0, "the message is under way")
        with within_the_limit():
            client.close()
        sender.join(PATIENCE)
        assert isinstance(outcome[0], ClientClosedError)
    all_gone()


def error_of(call: Callable[[], Any]) -> BaseException:
    """What a call raised."""
    try:
        call()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def test_close_during_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that takes for ever to look up does not hold close(); the thread that looks it up ends with the lookup."""
    entered, release = threading.Event(), threading.Event()
    look_up = socket.getaddrinfo

    def slow(host: Any, *arguments: Any, **options: Any) -> Any:
        if host != "slow.invalid":
            return look_up(host, *arguments, **options)
        entered.set()
        release.wait(PATIENCE)
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with LocalServer() as issuer:
        token = issuer.token("nobody")
    client = Client(token, endpoint="http://slow.invalid:8089")
    assert entered.wait(PATIENCE)
    with within_the_limit():
        client.close()
    release.set()
    all_gone()


def test_close_while_connecting_to_a_port_that_does_not_answer(server: LocalServer) -> None:
    """SYN into nowhere: the backlog is full, so connect() hangs; close() does not."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        client = Client(server.token("nobody"), endpoint=f"http://127.0.0.1:{full.getsockname()[1]}")
        until(lambda: any("connect" in name for name in own_threads()), "it connects")
        with within_the_limit():
            client.close()
    until(lambda: not own_threads(), "all threads gone")


def test_close_while_the_upgrade_is_not_answered(server: LocalServer) -> None:
    """The peer accepts and then says nothing, ever."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        client = Client(server.token("nobody"), endpoint=f"http://127.0.0.1:{mute.getsockname()[1]}")
        mute.settimeout(10)
        accepted, _ = mute.accept()
        with accepted:
            accepted.settimeout(10)
            assert accepted.recv(1)
            with within_the_limit():
                client.close()
            all_gone()


class SilentAfter(Relay):
    """Lets the service answer a number of packets, then swallows what it says."""

    def __init__(self, target: tuple[str, int], answers: int) -> None:
        super().__init__(target)
        self.answers = answers
        self.swallowed = threading.Event()
        self._seen = Observer()

    def received(self, link: Link, flow: Flow, data: bytes) -> None:
        """Count the service's packets until enough have passed."""
        if flow.direction is Direction.DOWN:
            if self.answers <= 0:
                self.swallowed.set()
                return
            self.answers -= len(list(self._seen.feed(data)))
        flow.push(data)


@pytest.mark.parametrize("answers", [1, 2, 3])
def test_close_during_start_up(server: LocalServer, answers: int) -> None:
    """The service goes mute after its first, second or third answer; a call waits for readiness meanwhile."""
    with SilentAfter(("127.0.0.1", port_of(server)), answers) as relay:
        client = Client(server.token("starter"), endpoint=relay.url)
        outcome: list[BaseException] = []
        waiter = threading.Thread(target=lambda: outcome.append(error_of(lambda: client.get_subscribed_conversations())))
        waiter.start()
        assert relay.swallowed.wait(PATIENCE)
        with within_the_limit():
            client.close()
        waiter.join(PATIENCE)
        assert isinstance(outcome[0], ClientClosedError)
        all_gone()


def test_close_with_a_peer_that_went_silent(server: LocalServer) -> None:
    """A connection that worked becomes a black hole; there is nobody to say goodbye to."""
    with FaultProxy(("127.0.0.1", port_of(server)), seed=4) as proxy:
        client = Client(server.token("lonely"), endpoint=proxy.url)
        client.wait_until_ready(PATIENCE)
        proxy.stall()
        with within_the_limit():
            client.close()
        all_gone()


def test_close_before_anything_happened(server: LocalServer) -> None:
    """Constructor and close() back to back, many times over."""
    with within_the_limit():
        for _ in range(20):
            Client(server.token("hasty"), endpoint=server.url).close()
    all_gone()
