"""A question and its answer."""

from __future__ import annotations

import queue

from twilio_conversations.models.conversation import Conversation
from twilio_conversations.models.message import Message
from twilio_conversations.util.futures import Deadline


class Ask:
    """Sends a message and returns the answer of somebody else: ``ask(room, "hello").body``."""

    def __call__(self, room: Conversation, text: str, *, timeout: float = 10.0) -> Message:
        """Send `text` to the room of the one who asks; return the next message by another author.

        Raises:
            AssertionError: nobody answered within `timeout` seconds.
        """
        __tracebackhide__ = True
        arrived: queue.SimpleQueue[Message] = queue.SimpleQueue()
        deadline = Deadline(timeout)
        with room.on("message_added", arrived.put):
            question = room.send_message(text)
            while not deadline.passed:
                try:
                    message = arrived.get(timeout=deadline.slice())
                except queue.Empty:
                    continue
                if message.author != question.author and message.index > question.index:
                    return message
        raise AssertionError(f"nobody answered {text!r} within {timeout:g} s")
