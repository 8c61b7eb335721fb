"""Each program in docs/examples/ does what its first lines describe, as a process of its own, and ends by SIGTERM with 0."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.bot.conftest import Talk
from tests.support.clients import Connect, Fresh
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from twilio_conversations import Message
from twilio_conversations.server import LocalServer

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
Talks = Callable[..., Talk]
Runs = Callable[..., Any]


@pytest.fixture
def runs(service: LocalServer) -> Runs:
    """Returns a context manager: an example runs as an identity, and is ended by a signal."""

    @contextmanager
    def run(name: str, identity: str, *arguments: str) -> Iterator[None]:
        with process(service, name, identity, *arguments) as program:
            try:
                yield
                program.send_signal(signal.SIGTERM)
                _, errors = program.communicate(timeout=PATIENCE)
                assert program.returncode == 0, errors
            finally:
                program.kill()

    return run


def process(service: LocalServer, name: str, identity: str, *arguments: str) -> subprocess.Popen[str]:
    """Start an example."""
    environment = {
        **os.environ,
        "CONVERSATIONS_TOKEN": service.token(identity),
        "TWILIO_CONVERSATIONS_ENDPOINT": service.url,
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py"), *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_every_example_is_tested() -> None:
    """No program is forgotten here."""
    tested = Path(__file__).read_text("utf-8")
    assert [path.name for path in sorted(EXAMPLES.glob("*.py")) if f'"{path.stem}"' not in tested] == []


def test_echo(runs: Runs, talk: Talks, fresh: Fresh) -> None:
    """Text and attachments, also of before it was started."""
    me = fresh("bot")
    room = talk(me)
    room.say("early")
    room.say("with a file", media=("a.txt", b"content", "text/plain"))
    with runs("echo", me):
        room.heard("early")
        (media,) = room.heard("with a file").attached_media
        assert (media.filename, media.read()) == ("a.txt", b"content")
        room.say("late")
        room.heard("late")


def test_bridge(runs: Runs, connect: Connect, fresh: Fresh) -> None:
    """Both ways, with attachments, and in no circle."""
    alice, bob = connect(fresh("alice")), connect(fresh("bob"))
    me, here, there = fresh("bot"), fresh("here"), fresh("there")
    rooms = [one.create_conversation(unique_name=name).join() for one, name in ((alice, here), (bob, there))]
    logs = [EventLog(room, "message_added") for room in rooms]
    for room in rooms:
        room.add(me)
    with runs("bridge", me, here, there):
        first = rooms[0].send_message("hello", media=("a.txt", b"content", "text/plain"))
        passed: Message = logs[1].wait("message_added", lambda one: one.body == f"{alice.identity}: hello")
        assert passed.attributes == {"author": alice.identity, "original": first.sid}
        assert passed.attached_media[0].read() == b"content"
        rooms[1].send_message("welcome")
        logs[0].wait("message_added", lambda one: one.body == f"{bob.identity}: welcome")
    assert [len(log.of("message_added")) for log in logs] == [2, 2]


def test_on_call(runs: Runs, talk: Talks, fresh: Fresh) -> None:
    """A screenshot, a dialogue, typing, and the report."""
    me = fresh("bot")
    room = talk(me)
    typing = EventLog(room.room, "typing_started")
    with runs("on_call", me):
        picture = room.say("look", media=("screen.png", b"png", "image/png"))
        assert room.heard("Kept screen.png for the report.").attributes == {"reply_to": picture.sid}
        room.say("/incident")
        room.heard("What is broken?")
        room.say("the coffee machine")
        room.heard("How bad is it, from 1 to 5?")
        room.say("5")
        report, screen = room.heard("Thank you, somebody is on the way.").attached_media
        typing.wait("typing_started")
    assert b"Incident: the coffee machine\nSeverity: 5\n" in report.read()
    assert b"Screenshots: 1\n" in report.read()
    assert screen.read() == b"png"


def test_export(service: LocalServer, connect: Connect, fresh: Fresh, tmp_path: Path) -> None:
    """One line for each message, oldest first, and the attachments by their sids."""
    alice = connect(fresh("alice"))
    room = alice.create_conversation(friendly_name="Lunch").join()
    for number in range(3):
        room.send_message(f"text {number}")
    (media,) = room.send_message(media=("../../etc/a.txt", b"content", "text/plain")).attached_media
    with process(service, "export", alice.identity, str(tmp_path)) as program:
        output, errors = program.communicate(timeout=PATIENCE)
    assert (program.returncode, output) == (0, "Lunch: 4 messages\n"), errors
    lines = [json.loads(line) for line in (tmp_path / f"{room.sid}.jsonl").read_text("utf-8").splitlines()]
    assert [line["body"] for line in lines[:3]] == ["text 0", "text 1", "text 2"]
    assert (tmp_path / room.sid / media.sid).read_bytes() == b"content"


def test_help_desk(service: LocalServer, runs: Runs, talk: Talks, fresh: Fresh) -> None:
    """Customers are invited by SMS and e-mail, what they write is confirmed to them, and the agent sees it."""
    me = fresh("bot")
    room = talk(me)
    number, mail = f"+1555{uuid.uuid4().int % 10**7:07}", f"{fresh('zoe')}@example.com"
    with runs("help_desk", me):
        room.say(f"/invite sms {number}")
        room.heard(f"Invited {number}.")
        room.say(f"/invite sms {number}")
        room.heard(f"{number} is in a conversation already.")
        room.say(f"/invite email {mail}")
        room.heard(f"Invited {mail}.")
        room.say("/invite pigeon")
        room.heard("Write /invite sms NUMBER, or /invite email ADDRESS.")
        service.receive(number, "+15550199", "Where is my order?")
        room.heard("We have received your message (4 words), an agent will answer soon.")
        service.receive(mail, "help@shop.example", subject="Order", email_body={"text/plain": "Thank you very much indeed!"})
        room.heard("We have received your message (5 words), an agent will answer soon.")
        room.say("/who")
        room.heard(", ".join(sorted([room.room.created_by, me, "SMS", "EMAIL"])))
        room.say("It is on its way.")
    assert "It is on its way." in [one["body"] for one in service.sent(number)]
