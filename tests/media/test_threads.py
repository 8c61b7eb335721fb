"""Media on many threads at once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest

from tests.support.patience import PATIENCE
from twilio_conversations import Client, Conversation
from twilio_conversations.server import LocalServer

THREADS = 24
LIMIT = PATIENCE


def test_many_threads_upload_over_connections_that_are_kept(
    service: LocalServer, fresh: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    """The pool is sized for threads: none of them finds it full, which would throw a connection away after each use."""
    caplog.set_level(logging.DEBUG, logger="urllib3.connectionpool")
    together = threading.Barrier(THREADS)
    sent: list[int] = []
    with Client(service.token(fresh("alice")), endpoint=service.url) as alice:
        room: Conversation = alice.create_conversation().join()

        def upload(number: int) -> None:
            for turn in range(2):
                together.wait(LIMIT)
                sent.append(room.send_message(media=(f"{number}-{turn}.bin", bytes(200_000)), timeout=LIMIT).index)

        threads = [threading.Thread(target=upload, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT)
    assert sorted(sent) == list(range(2 * THREADS))
    assert [record.message for record in caplog.records if "pool is full" in record.message] == []
