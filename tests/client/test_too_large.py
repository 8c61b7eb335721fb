"""A request that is larger than what the service takes in one frame."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.patience import PATIENCE
from twilio_conversations import Conversation, RequestTooLargeError
from twilio_conversations.server.uvicorn_server import MAX_FRAME


def test_a_message_that_is_too_large(pair: tuple[Conversation, Conversation], fresh: Callable[[str], str]) -> None:
    """It fails with the sizes, once over the wire and then unsent; the connection comes back for everybody else."""
    ours, theirs = pair
    attributes = {"text": "x" * MAX_FRAME}
    with pytest.raises(RequestTooLargeError) as first:
        ours.send_message("hello", attributes=attributes, timeout=PATIENCE)
    assert (first.value.limit, first.value.sent, first.value.attempts, first.value.status) == (MAX_FRAME, True, 1, 413)
    assert first.value.size > MAX_FRAME
    assert ours.send_message("after it", timeout=PATIENCE).body == "after it"
    with pytest.raises(RequestTooLargeError) as second:
        ours.update_attributes(attributes, timeout=PATIENCE)
    assert second.value.sent is False
    assert ours.send_message("after both", timeout=PATIENCE).index == 1
    assert [message.body for message in theirs.get_messages(timeout=PATIENCE)] == ["after it", "after both"]
