"""The warning about slow handlers names the handler that runs, ran last, or comes first."""

from __future__ import annotations

import functools
import threading

import pytest

from tests.events.dispatching import LIMIT, warnings
from tests.support.patience import PATIENCE
from tests.support.waiting import until
from twilio_conversations import Subscription
from twilio_conversations.events.dispatcher import Dispatcher
from twilio_conversations.events.emitter import EventEmitter
from twilio_conversations.events.names import ConversationEvent
from twilio_conversations.events.signals import Receivers


class Source(EventEmitter):
    """Something with events."""

    _events = ConversationEvent


def filled(source: Source, dispatcher: Dispatcher) -> None:
    """Post as many events as fit."""
    for number in range(LIMIT):
        dispatcher.post(((source, ConversationEvent.MESSAGE_ADDED),), number)


def show(number: int) -> None:
    """A handler that is quick."""


def test_before_any_handler_has_run_the_first_to_come_is_named(dispatcher: Dispatcher, caplog: pytest.LogCaptureFixture) -> None:
    """A burst may fill the queue before the events thread has run at all."""
    source = Source(Receivers(dispatcher))
    dispatcher.post(((source, ConversationEvent.UPDATED),), None)  # nobody is registered for that
    source.on("message_added", functools.partial(show))
    filled(source, dispatcher)
    assert dispatcher.full
    assert dispatcher.full, "it still is, and that is no news"
    assert warnings(caplog) == ["show (message_added)"]


@pytest.mark.parametrize("late", ["replay", "callback"])
def test_what_waits_may_be_something_else(dispatcher: Dispatcher, caplog: pytest.LogCaptureFixture, late: str) -> None:
    """A late handler that is given what was, or a callback of an upload."""
    source = Source(Receivers(dispatcher))
    subscription = source.on("message_added", show)
    for _ in range(LIMIT):
        if late == "replay":
            dispatcher.replay(source, subscription, ConversationEvent.MESSAGE_ADDED, (0,))
        else:
            dispatcher.call(show, 0)
    assert dispatcher.full
    assert warnings(caplog) == ["show (message_added)" if late == "replay" else "show"]


def test_the_one_that_runs_is_named(dispatcher: Dispatcher, caplog: pytest.LogCaptureFixture) -> None:
    """Not the next one, which may be quick; once for each time that the queue is full."""
    source, entered, release = Source(Receivers(dispatcher)), threading.Event(), threading.Event()
    subscriptions: list[Subscription] = []

    def stand_still(number: int) -> None:
        subscriptions.pop().cancel()
        entered.set()
        assert release.wait(60)

    room = threading.Event()
    dispatcher.on_room = room.set
    for times in (1, 2):
        subscriptions.append(source.on("message_added", stand_still))
        dispatcher.post(((source, ConversationEvent.MESSAGE_ADDED),), 0)
        if times == 1:
            source.on("message_added", show)
            dispatcher.start()
            dispatcher.release()
        assert entered.wait(PATIENCE)
        filled(source, dispatcher)
        for _ in range(3):
            assert dispatcher.full
        assert warnings(caplog) == [f"{stand_still.__qualname__} (message_added)"] * times
        release.set()
        assert room.wait(PATIENCE)
        until(lambda: dispatcher._idle, "all are delivered")
        assert dispatcher._busy_with is None
        for event in (entered, release, room):
            event.clear()


def test_the_one_that_ran_last_is_named(dispatcher: Dispatcher, caplog: pytest.LogCaptureFixture) -> None:
    """Between two handlers, when nobody runs, the one before is the one who took the time."""
    source, full = Source(Receivers(dispatcher)), list[bool]()

    class Look:
        """Looks when no handler runs, between two that do."""

        def deliver(self, dispatcher: Dispatcher) -> None:
            filled(source, dispatcher)
            full.append(dispatcher.full)

        def first(self) -> str:
            return "the next one"

    source.once("message_added", show)
    dispatcher.post(((source, ConversationEvent.MESSAGE_ADDED),), 0)
    dispatcher._put(Look())
    dispatcher.start()
    dispatcher.release()
    until(lambda: full and not dispatcher.depth, "all are delivered")
    assert full == [True]
    assert warnings(caplog) == ["show (message_added)"]


def test_events_that_nobody_handles_make_nobody_slow(caplog: pytest.LogCaptureFixture) -> None:
    """Live events are held back while the thread has not come to them, and no warning blames a handler that is not there."""
    dispatcher = Dispatcher("none", LIMIT)
    for _ in range(LIMIT):
        dispatcher.post((), None)
    assert dispatcher.full
    assert "too slow" not in caplog.text
