"""Other ways to run Python than plain threads under the GIL: what docs/reliability.md says of them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.event_log import EventLog
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


LATE = """
import importlib, sys, threading
from twilio_conversations import Client, UnsupportedOperationError

library, when, url, secure_url, token = sys.argv[1:]
makers = {
    "imported": lambda: None,
    "made": lambda: Client(token, endpoint=url, auto_connect=False),
    "connected": lambda: Client(token, endpoint=url).wait_until_ready(10),
}
client = makers[when]()
if library == "gevent":
    importlib.import_module("gevent.monkey").patch_all()
else:
    importlib.import_module("eventlet").monkey_patch()
told = []
for call in (
    lambda: Client(token, endpoint=secure_url, auto_connect=False),
    *((client.connect, client.wait, client.wait_until_ready, client.create_conversation, client.events) if client else ()),
):
    try:
        call()
    except UnsupportedOperationError as error:
        told.append(str(error))
assert len(told) == (6 if client else 1), told
assert all(text.startswith(f"{library} has patched this process after") for text in told), told
if when == "connected":
    client.close()
with Client(token, endpoint=url) as client:
    room = client.create_conversation(timeout=10).join()
    came = threading.Event()
    room.on("message_added", lambda message: (room.get_messages(), came.set()))
    sent = room.send_message(media=("a.bin", b"content"))
    assert came.wait(10)
    assert sent.attached_media[0].read() == b"content"
print("done", flush=True)
"""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("when", ["imported", "made", "connected"])
@pytest.mark.parametrize("library", ["gevent", "eventlet"])
def test_patched_after_this_package_was_imported(service: LocalServer, library: str, when: str) -> None:
    """A client that is made afterwards works; one from before, and TLS, are refused at once in words."""
    pytest.importorskip(library, reason=f"{library} is not installed")
    command = [sys.executable, "-W", "ignore", "-c", LATE, library, when]
    command += [service.url, f"https://127.0.0.1:{service.port}", service.token(f"{library}-{when}")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "done" in result.stdout.splitlines(), result.stderr


SITE = """
import functools, os
from twilio_conversations import Client

EARLY = Client(os.environ["T_TOKEN"], endpoint=os.environ["T_URL"], auto_connect=False)

@functools.cache
def client():
    return Client(os.environ["T_TOKEN"], endpoint=os.environ["T_URL"])

def answer(environ):
    try:
        return (EARLY.connect() if environ["PATH_INFO"] == "/early" else client()).create_conversation(timeout=10).sid
    except Exception as error:
        return f"{type(error).__name__}: {error}"

def app(environ, start_response):
    body = answer(environ).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


def test_gunicorn_s_gevent_worker_with_preload(service: LocalServer, tmp_path: Path) -> None:
    """It patches after the program was loaded: a client of the first request works, one from before says what to do."""
    for name in ("gevent", "gunicorn"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    (tmp_path / "site_app.py").write_text(SITE)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.set_inheritable(True)
        command = [sys.executable, "-m", "gunicorn", "-k", "gevent", "--preload", "site_app:app"]
        command += ["-b", f"fd://{listener.fileno()}"]
        facts = {**os.environ, "T_URL": service.url, "T_TOKEN": service.token("gunicorn")}
        with subprocess.Popen(command, cwd=tmp_path, env=facts, pass_fds=[listener.fileno()], stderr=subprocess.PIPE) as process:
            try:
                texts = [requests.get(url + path, timeout=40).text for path in ("/", "/early", "/")]
            finally:
                process.terminate()
            _, errors = process.communicate(timeout=PATIENCE)
    assert texts[0].startswith("CH"), errors.decode()
    assert texts[1].startswith("UnsupportedOperationError: gevent has patched this process after this client was made"), texts
    assert texts[2].startswith("CH")
    assert process.returncode == 0, errors.decode()


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
    event_log = EventLog(theirs, "message_added")
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
    event_log.wait("message_added", lambda message: message.index == 39)
    assert [message.index for message in event_log.of("message_added")] == list(range(40))
