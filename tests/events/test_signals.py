"""A handler is kept for as long as it is registered, whatever else the program keeps."""

from __future__ import annotations

import gc
import queue
import weakref
from collections.abc import Callable

import pytest

from tests.support.clients import Connect
from tests.support.patience import PATIENCE
from twilio_conversations import Conversation, Message

WAIT = PATIENCE


class Bot:
    """Something whose method is a handler."""

    def __init__(self, heard: queue.Queue[str | None]) -> None:
        self.heard = heard

    def hear(self, message: Message) -> None:
        """Note the text."""
        self.heard.put(message.body)


def test_a_handler_that_nobody_else_holds_is_called(pair: tuple[Conversation, Conversation]) -> None:
    """Neither a lambda nor a method of an object that the program let go is lost."""
    mine, theirs = pair
    heard: queue.Queue[str | None] = queue.Queue()
    theirs.on("message_added", lambda message: heard.put(message.body))
    theirs.on("message_added", Bot(heard).hear)
    gc.collect()
    mine.send_message("kept")
    assert [heard.get(timeout=WAIT) for _ in range(2)] == ["kept", "kept"]


def test_an_object_with_a_handler_outlives_the_program_s_own_reference(connect: Connect, fresh: Callable[[str], str]) -> None:
    """A handler registered on a message is called though the program keeps no reference to the message."""
    client = connect(fresh("alice"))
    room = client.create_conversation().join()
    heard: queue.Queue[str | None] = queue.Queue()
    room.send_message("first").on("updated", lambda update: heard.put(update.message.body))
    gc.collect()
    room.get_messages().items[0].update_body("second")
    assert heard.get(timeout=WAIT) == "second"


def test_a_receiver_of_blinker_s_own_may_be_weak(pair: tuple[Conversation, Conversation]) -> None:
    """Who connects to the signal in blinker's way is held weakly, and gone with its owner."""
    mine, theirs = pair
    heard: queue.Queue[str | None] = queue.Queue()

    class Receiver:
        def hear(self, sender: object, *, event: object, payload: object) -> None:
            heard.put("weak")

    receiver = Receiver()
    theirs.signals.message_added.connect(receiver.hear)
    theirs.on("message_added", lambda message: heard.put(message.body))
    gone = weakref.ref(receiver)
    del receiver
    gc.collect()
    assert gone() is None
    mine.send_message("strong")
    assert heard.get(timeout=WAIT) == "strong"
    with pytest.raises(queue.Empty):
        heard.get_nowait()
