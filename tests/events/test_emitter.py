"""Handlers: how they are registered, when they run, and what cannot go wrong with them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clients import Connect
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from tests.support.waiting import until
from twilio_conversations import (
    Client,
    ClientClosedError,
    ClientEvent,
    Conversation,
    InvalidArgumentError,
    Message,
    RequestTimeoutError,
)

Pair = tuple[Conversation, Conversation]


@pytest.fixture
def alice(connect: Connect, fresh: Any) -> Client:
    """One ready client."""
    return connect(fresh("alice"))


@pytest.mark.row("BY06", "EM01")
def test_an_event_has_three_spellings(pair: Pair) -> None:
    """snake_case, the official camelCase and the enum member mean the same."""
    conversation, _ = pair
    seen: list[str] = []
    done = threading.Event()
    conversation.on("message_added", lambda message: seen.append("snake"))
    conversation.on("messageAdded", lambda message: seen.append("camel"))

    @conversation.on("message_added")
    def decorated(message: Any) -> None:
        seen.append("decorated")
        done.set()

    conversation.send_message("x")
    assert done.wait(PATIENCE)
    assert seen == ["snake", "camel", "decorated"]
    assert decorated in conversation.listeners("messageAdded")


@pytest.mark.row("BY32", "EM01")
def test_an_unknown_event_is_an_error_that_lists_the_known(alice: Client) -> None:
    """A typing mistake surfaces at once."""
    with pytest.raises(InvalidArgumentError, match="message_added"):
        alice.on("message_addded", print)  # type: ignore[call-overload]
    with pytest.raises(InvalidArgumentError):
        alice.on(ClientEvent.MESSAGE_ADDED, 5)  # type: ignore[call-overload]
    with pytest.raises(AttributeError):
        alice.signals.message_addded  # noqa: B018


@pytest.mark.row("BY07", "EM01", "EM02", "EM03", "EM10", "EM11")
def test_registrations_end_in_every_way(pair: Pair) -> None:
    """`off`, `cancel`, leaving a `with`, `once` and `remove_all_listeners`."""
    conversation, _ = pair
    calls: list[str] = []

    def twice(message: Any) -> None:
        calls.append("twice")

    conversation.on("message_added", twice)
    conversation.on("message_added", twice)
    conversation.once("message_added", lambda message: calls.append("once"))
    cancelled = conversation.on("message_added", lambda message: calls.append("cancelled"))
    cancelled.cancel()
    cancelled.cancel()
    with conversation.on("message_added", lambda message: calls.append("with")):
        pass
    event_log = EventLog(conversation, "message_added")
    conversation.send_message("1")
    event_log.wait("message_added", lambda message: message.body == "1")
    assert calls == ["twice", "twice", "once"]
    conversation.off("message_added", twice)
    conversation.off("message_added", print)
    conversation.send_message("2")
    event_log.wait("message_added", lambda message: message.body == "2")
    assert calls == ["twice", "twice", "once", "twice"]
    conversation.remove_all_listeners()
    assert conversation.listeners("message_added") == []


def test_a_blinker_receiver_gets_the_same(pair: Pair) -> None:
    """Whoever connects to the signal in blinker's own way is called as `receiver(sender, event=..., payload=...)`."""
    conversation, _ = pair
    got: list[Any] = []
    done = threading.Event()

    def receiver(sender: Any, *, event: Any, payload: Any) -> None:
        got.append((sender, event, payload))
        done.set()

    conversation.signals.message_added.connect(receiver)
    message = conversation.send_message("x")
    assert done.wait(PATIENCE)
    assert got == [(conversation, "message_added", message)]


@pytest.mark.row("JD11")
def test_a_handler_that_raises_is_logged_and_reported(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    """The others run, the `error` event tells who failed, and a failing error handler ends the matter."""
    conversation, _ = pair
    client: Any = conversation._live.runtime.events
    event_log = EventLog(client, "error")
    client.on("error", lambda failure: 1 / 0)

    def broken(message: Any) -> None:
        raise ValueError("broken")

    conversation.on("message_added", broken)
    after = EventLog(conversation, "message_added")
    with caplog.at_level(logging.ERROR):
        conversation.send_message("x")
        after.wait("message_added")
        failure = event_log.wait("error")
    assert (failure.handler, failure.event) == (broken, ClientEvent.MESSAGE_ADDED)
    assert "broken" in caplog.text
    conversation.send_message("y")
    after.wait("message_added", lambda message: message.body == "y")


@pytest.mark.row("BY08", "EM02", "EV21")
def test_sticky_events_reach_late_handlers(alice: Client) -> None:
    """`initialized` reaches a handler that was registered long after."""
    done = threading.Event()
    alice.on("initialized", done.set)
    assert done.wait(PATIENCE)
    again = threading.Event()
    alice.once("initialized", again.set)
    assert again.wait(PATIENCE)
    assert alice.listeners("initialized") == [done.set]


@pytest.mark.row("EM01", "EM09")
def test_replay_gives_the_latest(pair: Pair) -> None:
    """`replay=True` first hands out what happened last, once."""
    conversation, _ = pair
    event_log = EventLog(conversation, "message_added")
    conversation.send_message("1")
    conversation.send_message("2")
    event_log.wait("message_added", lambda message: message.body == "2")
    got: list[str | None] = []
    done = threading.Event()

    def note(message: Message) -> None:
        got.append(message.body)
        done.set()

    conversation.on("message_added", note, replay=True)
    assert done.wait(PATIENCE)
    assert got == ["2"]


@pytest.mark.row("BY04")
def test_wait_for_returns_the_payload(pair: Pair) -> None:
    """The next event that satisfies the predicate, or a time limit."""
    conversation, bobs = pair
    bob: Any = bobs._live.runtime.events
    timer = threading.Timer(0.05, lambda: [conversation.send_message(text) for text in ("no", "yes")])
    timer.start()
    assert bob.wait_for("message_added", lambda message: message.body == "yes", timeout=PATIENCE).index == 1
    timer.join()
    with pytest.raises(RequestTimeoutError):
        bob.wait_for("message_added", timeout=0.05)


@pytest.mark.row("BY05", "EV09", "EV10")
def test_events_in_a_loop(pair: Pair) -> None:
    """A plain `for` sees the events in order and ends when the client is closed."""
    conversation, bobs = pair
    bob: Any = bobs._live.runtime.events
    with bob.events("message_added", "message_removed", timeout=PATIENCE) as stream:
        message = conversation.send_message("one")
        message.remove()
        first, second = next(stream), next(stream)
    assert (first.name, first.payload.body, second.name) == ("message_added", "one", "message_removed")
    assert first.source is bob
    assert first.received_at.tzinfo is not None

    stream = bob.events("message_added")
    bob.close()
    assert list(stream) == []
    with pytest.raises(ClientClosedError):
        bob.wait_for("message_added")


def test_waiting_for_events_inside_a_handler_is_an_error_in_words(pair: Pair) -> None:
    """It would wait for itself; so it raises at once."""
    conversation, _ = pair
    client: Any = conversation._live.runtime.events
    errors: list[BaseException] = []
    done = threading.Event()

    def handler(message: Any) -> None:
        calls: tuple[Callable[[], object], ...] = (lambda: client.wait_for("message_added"), client.events)
        for call in calls:
            try:
                call()
            except RuntimeError as error:
                errors.append(error)
        done.set()

    conversation.on("message_added", handler)
    conversation.send_message("x")
    assert done.wait(PATIENCE)
    assert len(errors) == 2
    assert "inside" in str(errors[0])


def test_a_slow_handler_loses_nothing_and_bounds_the_queue(
    connect: Connect, fresh: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """While a handler is stuck, further events stay with the service; when there is room again they all come, in order."""
    sender, reader = connect(fresh("sender")), connect(fresh("reader"), max_pending_events=20)
    conversation = sender.create_conversation()
    conversation.join()
    event_log = EventLog(reader, "conversation_joined")
    conversation.add(reader.identity)
    event_log.wait("conversation_joined")
    stuck, release, got = threading.Event(), threading.Event(), []
    all_there = threading.Event()

    def slow(message: Any) -> None:
        got.append(message.index)
        stuck.set()
        release.wait(PATIENCE)
        if len(got) == 300:
            all_there.set()

    reader.on("message_added", slow)
    with caplog.at_level(logging.WARNING):
        for number in range(300):
            conversation.send_message(str(number))
        assert stuck.wait(PATIENCE)
        bobs = reader.get_conversation_by_sid(conversation.sid)
        assert bobs.get_messages_count() == 300
        assert reader.stats().pending_events < 60
        until(lambda: "handlers are too slow" in caplog.text, "the warning")
    assert "<locals>.slow (message_added)" in caplog.text
    release.set()
    assert all_there.wait(PATIENCE), len(got)
    assert got == list(range(300))
