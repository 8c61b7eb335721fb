"""Other ways to run Python than plain threads under the GIL: what docs/reliability.md says of them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.client.diary import Diary
from tests.support.patience import PATIENCE
from twilio_conversations import Conversation
from twilio_conversations.server import LocalServer

PROGRAM = """
import sys
from gevent import monkey
monkey.patch_all()
import threading
from twilio_conversations import Client

url, token = sys.argv[1:]
with Client(token, endpoint=url) as client:
    room = client.wait_until_ready(10).create_conversation().join()
    came = threading.Event()
    room.on("message_added", lambda message: came.set())
    sent = room.send_message("x")
    assert came.wait(10)
    assert [message.sid for message in room.get_messages()] == [sent.sid]
print("done")
"""


def test_a_client_works_where_gevent_has_patched_everything(service: LocalServer) -> None:
    """Its threads are greenlets then: it starts, sends, hears and closes."""
    pytest.importorskip("gevent", reason="gevent is not installed")
    command = [sys.executable, "-c", PROGRAM, service.url, service.token("gevent")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "done\n"


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty")
def test_many_threads_may_use_the_same_objects(pair: tuple[Conversation, Conversation]) -> None:
    """Whatever turns they take, each message is sent once, told once, and is one object."""
    mine, theirs = pair
    diary = Diary(theirs, "message_added")
    sent: list[int] = []

    def work() -> None:
        for _ in range(10):
            message = mine.send_message("x")
            message.update_attributes({"index": message.index})
            sent.append(message.index)
            assert message.attributes == {"index": message.index}
            assert message in mine.get_messages(40).items

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(sent) == list(range(40))
    diary.wait("message_added", lambda message: message.index == 39)
    assert [message.index for message in diary.of("message_added")] == list(range(40))
