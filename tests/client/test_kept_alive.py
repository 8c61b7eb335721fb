"""What is kept alive for how long: objects with handlers as long as these may be called, nothing for ever."""

from __future__ import annotations

import gc
import threading
import traceback
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.support.clients import Connect
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from tests.support.waiting import until
from twilio_conversations import Client, ClientClosedError, Conversation
from twilio_conversations.events.emitter import EventEmitter

Pair = tuple[Conversation, Conversation]


def ignore(payload: Any = None) -> None:
    """A handler."""


def client_of(model: Any) -> Client:
    """The client that a model belongs to."""
    client: Client = model._live.runtime.events
    return client


def gone(object_: Callable[[], Any]) -> bool:
    """Whether nothing but garbage holds an object."""
    gc.collect()
    return object_() is None


@pytest.fixture
def meet(connect: Connect, fresh: Any) -> Callable[[], Pair]:
    """Returns a maker of a conversation of two clients that keep no messages for the sake of speed (pytest would keep a pair)."""

    def make() -> Pair:
        alice, bob = connect(fresh("alice"), max_cached_messages=0), connect(fresh("bob"), max_cached_messages=0)
        event_log = EventLog(bob, "conversation_joined")
        conversation = alice.create_conversation(friendly_name="pair").join()
        conversation.add(bob.identity)
        bobs = event_log.wait("conversation_joined")
        bob.remove_all_listeners()
        return conversation, bobs

    return make


def let_go(objects: Sequence[Callable[[], Any]], *told_of: EventEmitter) -> None:
    """The objects are let go, once what happened last, which is remembered for `replay=True`, was something else."""

    def all_gone() -> bool:
        for emitter in told_of:
            (emitter._live.last or {}).clear()
        return all(gone(one) for one in objects)

    until(all_gone, "all is let go")


def test_a_handler_keeps_its_object_alive(meet: Callable[[], Pair]) -> None:
    """The program need not hold what it listens to."""
    conversation, bobs = meet()
    message = conversation.send_message("x")
    until(lambda: bobs.get_messages().items, "the message")
    changed = threading.Event()
    bobs.get_messages().items[0].on("updated", lambda args: changed.set())
    gc.collect()
    message.update_body("y")
    assert changed.wait(PATIENCE)


def _by_cancel(one: EventEmitter) -> None:
    one.on("updated", ignore).cancel()


def _by_off(one: EventEmitter) -> None:
    one.on("updated", ignore)
    one.on("updated", ignore)
    one.off("updated", ignore)
    one.off("updated", ignore)


def _by_remove_all(one: EventEmitter) -> None:
    one.on("updated", ignore)
    one.once("updated", ignore)
    one.remove_all_listeners()


def _by_blinker(one: EventEmitter) -> None:
    one.signals.updated.connect(ignore)
    one.signals.updated.disconnect(ignore)


def _by_collection(one: EventEmitter) -> None:
    def receiver(sender: Any, *, event: Any, payload: Any) -> None:
        """A receiver that blinker holds weakly."""

    one.signals.updated.connect(receiver)


def _by_looking(one: EventEmitter) -> None:
    assert one.listeners("updated") == []
    assert not one.signals.updated.receivers


@pytest.mark.parametrize("end", [_by_cancel, _by_off, _by_remove_all, _by_blinker, _by_collection, _by_looking])
def test_the_last_handler_lets_go(meet: Callable[[], Pair], end: Callable[[EventEmitter], None]) -> None:
    """However its last handler went, an object is kept no longer than the program holds it."""
    conversation, _ = meet()
    message = conversation.send_message("x")
    kept = weakref.ref(message)
    end(message)
    del message
    let_go([kept], client_of(conversation), conversation)


def test_once_lets_go_when_it_was_called(meet: Callable[[], Pair]) -> None:
    """Its registration ends by itself, and with it what it kept alive."""
    conversation, bobs = meet()
    event_log = EventLog(bobs, "message_added")
    message = conversation.send_message("x")
    seen = event_log.wait("message_added")
    event_log.entries.clear()
    kept, done = weakref.ref(seen), threading.Event()
    seen.once("updated", lambda args: done.set())
    del seen
    message.update_body("y")
    assert done.wait(PATIENCE)
    let_go([kept], client_of(bobs), bobs)


def test_what_is_removed_is_let_go_after_its_last_event(meet: Callable[[], Pair]) -> None:
    """A message and a participant with handlers: the end is told, then only the program holds them."""
    conversation, bobs = meet()
    event_log = EventLog(bobs, "message_added", "message_removed", "participant_left")
    message = conversation.send_message("x")
    seen = event_log.wait("message_added")
    alices = bobs.get_participant_by_identity(client_of(conversation).identity)
    for model in (seen, alices):
        model.on("updated", ignore)
    kept = [weakref.ref(model) for model in (seen, alices)]
    del seen, alices, model
    message.remove()
    event_log.wait("message_removed")
    conversation.leave()
    event_log.wait("participant_left")
    assert all(not gone(one) for one in kept), "the event_log has them"
    event_log.entries.clear()
    let_go(kept, client_of(bobs), bobs)


def test_all_that_lives_in_a_conversation_goes_with_it(meet: Callable[[], Pair]) -> None:
    """Its own handlers, and those of its messages and participants, do not keep a conversation that was removed."""
    conversation, bobs = meet()
    bob, ends = client_of(bobs), threading.Event()
    bob.on("conversation_removed", ignore)
    bobs.on("removed", lambda gone: ends.set())
    conversation.send_message("x")
    until(lambda bobs=bobs: bobs.get_messages().items, "the message")
    items: list[Any] = list(bobs.get_messages().items)
    models = [bobs, *items, *bobs.get_participants()]
    for model in models:
        model.on("updated", ignore)
    kept = [weakref.ref(model) for model in models]
    items.clear()
    models.clear()
    del model, bobs
    assert not gone(kept[0])
    conversation.delete()
    assert ends.wait(PATIENCE), "its own handler hears of the end"
    let_go(kept, bob)


def test_a_conversation_that_comes_back_has_its_handlers(meet: Callable[[], Pair]) -> None:
    """The program still holds it: it is the same object, and is kept alive again."""
    conversation, bobs = meet()
    bob = client_of(bobs)
    event_log = EventLog(bob, "conversation_removed", "conversation_joined")
    got = threading.Event()
    bobs.on("message_added", lambda message: got.set())
    conversation.remove_participant(bob.identity)
    event_log.wait("conversation_removed")
    event_log.entries.clear()
    conversation.add(bob.identity)
    assert event_log.wait("conversation_joined") is bobs
    del bobs
    event_log.entries.clear()
    gc.collect()
    conversation.send_message("again")
    assert got.wait(PATIENCE)


def test_conversations_that_were_left_leave_nothing_behind(connect: Connect, fresh: Any) -> None:
    """Nothing in the client grows with the conversations that it once was in."""
    alice, bob = connect(fresh("alice")), connect(fresh("bob"))
    event_log = EventLog(bob, "conversation_joined", "conversation_removed")
    sync, conversations = bob._core.runtime.sync, bob._core.conversations
    registries: list[Any] = [
        sync._roots,
        sync._named,
        sync._subscriptions._all,
        conversations._tracked,
        conversations._told,
        bob._core.dispatcher._pins,
    ]
    counts = []
    for round_ in (1, 2):
        for _ in range(10):
            conversation = alice.create_conversation().join()
            conversation.add(bob.identity)
            event_log.wait("conversation_joined", lambda joined, sid=conversation.sid: joined.sid == sid)
            conversation.delete()
        until(lambda round_=round_: len(event_log.of("conversation_removed")) == 10 * round_, "all are removed")
        counts.append([len(registry) for registry in registries])
    assert counts[0] == counts[1]


def test_errors_of_a_closed_client_do_not_pile_up(connect: Connect, fresh: Any) -> None:
    """A program that goes on calling a closed client gets a new error each time, not one that grows."""
    client = connect(fresh("alice"))
    conversation = client.create_conversation()
    client.close()
    depths = []
    for _ in range(3):
        with pytest.raises(ClientClosedError) as caught:
            conversation.send_message("x")
        depths.append(len(traceback.extract_tb(caught.value.__traceback__)))
    assert depths[0] == depths[2]
