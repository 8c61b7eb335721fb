"""What a send costs the caller's thread, in counts: a regression shows on any machine, however busy."""

from __future__ import annotations

import collections
import gc
import socket
import sys
import types
from typing import Any

from tests.support.clients import Pair

SENDS = 20
MOST_CALLS = 140
"""Python functions that are called for one send, those of the standard library included: 117, and 20 more where the answer is
faster than the event and is read for the message."""


def test_a_send_wakes_the_io_thread_once_and_calls_few_functions(pair: Pair) -> None:
    """The caller's thread writes one byte to wake the other, and does not ask the system for anything else."""
    conversation, _ = pair
    conversation.send_message("what is made once is made now")
    counts: collections.Counter[str] = collections.Counter()

    def count(frame: types.FrameType, event: str, argument: Any) -> None:
        if event == "call":
            counts["functions"] += 1
        elif event == "c_call" and isinstance(getattr(argument, "__self__", None), socket.socket):
            counts[f"socket.{argument.__name__}"] += 1

    gc.disable()  # what it finalizes is counted too
    sys.setprofile(count)
    try:
        for number in range(SENDS):
            conversation.send_message(f"message {number}")
    finally:
        sys.setprofile(None)
        gc.enable()
    assert counts.pop("functions") <= MOST_CALLS * SENDS
    assert counts.keys() == {"socket.send"}
    assert counts["socket.send"] <= SENDS  # none where the io thread is awake
