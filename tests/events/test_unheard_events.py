"""Events that nobody receives: they wake no thread while it sleeps, and change nothing for those who come later."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.patience import PATIENCE
from tests.support.waiting import until
from twilio_conversations.events.dispatcher import Dispatcher
from twilio_conversations.events.emitter import EventEmitter
from twilio_conversations.events.names import ClientEvent
from twilio_conversations.events.signals import Receivers

PUSHED = ClientEvent.PUSH_NOTIFICATION


class Thing(EventEmitter):
    """An object with the events of a client."""

    _events = ClientEvent

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._live = Receivers(dispatcher)


@pytest.fixture
def sleeping(dispatcher: Dispatcher) -> Dispatcher:
    """Return a dispatcher whose thread waits for events."""
    dispatcher.start()
    dispatcher.release()
    until(lambda: dispatcher._idle, "the events thread sleeps")
    return dispatcher


def post(dispatcher: Dispatcher, thing: Thing, payload: Any) -> None:
    """Raise the event."""
    dispatcher.post(((thing, PUSHED),), payload)


def delivered(dispatcher: Dispatcher) -> None:
    """Wait until everything that was posted before is delivered."""
    done = threading.Event()
    dispatcher.call(done.set)
    assert done.wait(PATIENCE)


def test_the_thread_is_not_woken(sleeping: Dispatcher) -> None:
    """Nothing is taken from the queue, nothing stays in it, and the latest payload is known."""
    thing = Thing(sleeping)
    post(sleeping, thing, "first")
    post(sleeping, thing, "second")
    assert (sleeping.taken, sleeping.depth) == (0, 0)
    seen: list[str] = []
    thing.on(PUSHED, seen.append, replay=True)
    delivered(sleeping)
    assert seen == ["second"]


def test_a_receiver_of_any_target_gets_it(sleeping: Dispatcher) -> None:
    """Also of the last one."""
    first, second = Thing(sleeping), Thing(sleeping)
    seen: list[str] = []
    second.on(PUSHED, seen.append)
    sleeping.post(((first, PUSHED), (second, PUSHED)), "both")
    delivered(sleeping)
    assert seen == ["both"]
    first.on(PUSHED, seen.append, replay=True)
    delivered(sleeping)
    assert seen == ["both", "both"]


def during(dispatcher: Dispatcher, act: Callable[[], object]) -> None:
    """Have the events thread work while `act` runs, which has until then to do."""
    begun, end = threading.Event(), threading.Event()
    dispatcher.call(lambda: (begun.set(), end.wait(PATIENCE)))
    assert begun.wait(PATIENCE)
    act()
    end.set()


def test_an_event_whose_turn_is_later_waits_for_those_who_come_until_then(sleeping: Dispatcher) -> None:
    """While a handler runs, or others wait, an event belongs to all who are registered when its turn comes."""
    thing = Thing(sleeping)
    seen: list[str] = []

    def act() -> None:
        post(sleeping, thing, "meanwhile")
        thing.on(PUSHED, seen.append)

    during(sleeping, act)
    delivered(sleeping)
    assert seen == ["meanwhile"]


def test_an_event_does_not_wait_for_who_registers(sleeping: Dispatcher) -> None:
    """While receivers change, which takes a moment, the event goes the long way instead of waiting."""
    thing = Thing(sleeping)
    with sleeping.registering:
        post(sleeping, thing, "meanwhile")
    delivered(sleeping)
    assert sleeping.taken >= 1
    assert thing._live.last == {PUSHED: "meanwhile"}


def test_before_the_start_everything_waits(dispatcher: Dispatcher) -> None:
    """Whoever registers before the thread runs receives it."""
    thing = Thing(dispatcher)
    seen: list[str] = []
    post(dispatcher, thing, "early")
    thing.on(PUSHED, seen.append)
    dispatcher.start()
    dispatcher.release()
    delivered(dispatcher)
    assert seen == ["early"]
