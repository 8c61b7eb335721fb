"""Forked children: told at once what happened, their parent undisturbed, free to make clients of their own."""

from __future__ import annotations

import multiprocessing
import os
import select
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.proxy import FaultProxy
from tests.support.clients import Connect
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import until
from twilio_conversations import Client, ClientClosedError
from twilio_conversations.server import LocalServer

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),  # Python 3.12: other threads run, and are meant to
]


def in_child(work: Callable[[], str], limit: float = 10.0) -> str:
    """Run `work` in a forked child: what it returned, or the error that it ended with."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        told = "nothing"
        try:
            told = work()
        except BaseException:
            told = traceback.format_exc()
        finally:
            os.write(writer, told.encode()[-4000:])
            os._exit(0)
    os.close(writer)
    try:
        assert select.select([reader], [], [], limit)[0], "the child hangs"
        return os.read(reader, 4000).decode()
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(reader)


def refused(**calls: Callable[[], Any]) -> str:
    """Which calls do not say at once that the client was left behind by a fork; `fine` when all do."""
    wrong = []
    for name, call in calls.items():
        watch = Stopwatch()
        try:
            call()
            wrong.append(f"{name}: no error")
        except ClientClosedError as error:
            if "forked" not in str(error) or watch.waited > 1:
                wrong.append(f"{name}: {error}")
        except BaseException as error:
            wrong.append(f"{name}: {error!r}")
    return "; ".join(wrong) or "fine"


def calls_of(client: Client, conversation: Any, token: str) -> dict[str, Callable[[], Any]]:
    """Every kind of call."""
    return {
        "create": client.create_conversation,
        "send": lambda: conversation.send_message("x"),
        "read": conversation.get_messages,
        "look": conversation.get_participants,
        "typing": conversation.typing,
        "wait_for": lambda: client.wait_for("message_added"),
        "events": client.events,
        "wait": client.wait,
        "ready": client.wait_until_ready,
        "connect": client.connect,
        "update_token": lambda: client.update_token(token),
        "refresh": conversation.refresh,
    }


def test_every_call_of_the_child_fails_at_once(connect: Connect, service: LocalServer, fresh: Any) -> None:
    """In words that say what to do; a loop over events too; closing returns; the parent hears nothing of it."""
    client = connect(fresh("alice"))
    conversation = client.create_conversation().join()
    event_log = EventLog(client, "connection_state_changed", "message_added")
    stream = client.events("message_added")

    def child() -> str:
        found = refused(**calls_of(client, conversation, service.token(client.identity)), loop=lambda: next(stream))
        client.close()
        client.close()
        return found if str(client.connection_state) == "disconnected" else str(client.connection_state)

    assert in_child(child) == "fine"
    message = conversation.send_message("the parent goes on")
    assert event_log.wait("message_added") is message
    assert event_log.of("connection_state_changed") == []
    assert client.stats().connection.reconnects == 0


def test_the_child_has_none_of_the_parent_s_connections(connect: Connect, service: LocalServer, fresh: Any) -> None:
    """When the parent closes, the peer sees the end, although the child lives."""
    client = connect(fresh("alice"))
    mine = client._core.connection._io.link
    assert mine is not None
    ours = mine._socket.getsockname()

    def child() -> str:
        ends = []
        for name in os.listdir("/proc/self/fd"):
            try:
                with socket.socket(fileno=os.dup(int(name))) as one:
                    ends.append(one.getsockname())
            except OSError:
                pass
        return str(ours in ends)

    assert in_child(child) == "False"
    client.create_conversation()


def test_a_fork_while_the_parent_connects(service: LocalServer, fresh: Any) -> None:
    """Also the socket that is only being opened stays the parent's alone, and the child is told at once."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        mute.settimeout(10)
        with Client(service.token(fresh("alice")), endpoint=f"http://127.0.0.1:{mute.getsockname()[1]}") as client:
            accepted, peer = mute.accept()
            with accepted:
                accepted.settimeout(10)
                assert accepted.recv(65536)

                def child() -> str:
                    found = refused(create=client.create_conversation, ready=client.wait_until_ready)
                    for name in os.listdir("/proc/self/fd"):
                        try:
                            with socket.socket(fileno=os.dup(int(name))) as one:
                                if one.getsockname() == peer:
                                    found += f"; the child has {name}"
                        except OSError:
                            pass
                    return found

                assert in_child(child) == "fine"
                assert client._core.connection._io._attempts.under_way, "the parent still connects"


def test_a_fork_while_the_parent_sends(service: LocalServer, fresh: Any) -> None:
    """The call under way is the parent's, and is answered there."""
    with (
        FaultProxy(("127.0.0.1", int(service.url.rsplit(":", 1)[1])), seed=1) as proxy,
        Client(service.token(fresh("alice")), endpoint=proxy.url) as client,
    ):
        conversation = client.create_conversation().join()
        proxy.stall()
        sent: list[Any] = []
        sender = threading.Thread(target=lambda: sent.append(conversation.send_message("under way")))
        sender.start()
        until(lambda: client.stats().connection.in_flight > 0, "it is under way")
        told = in_child(lambda: refused(**calls_of(client, conversation, service.token(client.identity))))
        proxy.resume()
        sender.join(PATIENCE)
    assert told == "fine"
    assert sent[0].body == "under way"


def test_a_handler_forks(connect: Connect, service: LocalServer, fresh: Any) -> None:
    """Its child can use a client of its own, in any way, though it runs on what was the thread for events."""
    client = connect(fresh("alice"))
    conversation = client.create_conversation().join()
    identity, told = fresh("child"), []

    def child() -> str:
        with Client(service.token(identity), endpoint=service.url) as own:
            room = own.create_conversation().join()
            with own.events("message_added", timeout=PATIENCE) as stream:
                room.send_message("mine")
                return f"{next(stream).payload.body} {refused(create=client.create_conversation)}"

    conversation.on("message_added", lambda message: told.append(in_child(child)))
    conversation.send_message("x")
    until(lambda: told, "the child's word")
    assert told == ["mine fine"]
    assert conversation.send_message("the parent goes on").index == 1


def test_a_client_that_was_not_started_can_be_started_in_every_child(service: LocalServer, fresh: Any) -> None:
    """As a server that loads the program before it forks its workers has it; nothing of it is shared."""
    identity = fresh("alice")
    with Client(service.token(identity), endpoint=service.url, auto_connect=False) as client:
        client.on("initialized", lambda: None)

        def child() -> str:
            name = client.connect().create_conversation(friendly_name="made in a worker").friendly_name
            client.close()
            return str(name)

        assert [in_child(child) for _ in range(2)] == ["made in a worker"] * 2
        assert client.connect().wait_until_ready(PATIENCE).identity == identity


PARENT = """
import multiprocessing, os, subprocess, sys, threading
from twilio_conversations import Client, ClientClosedError

def try_it(number):
    try:
        client.create_conversation(timeout=5)
    except ClientClosedError:
        return number

def try_own(token, url):
    with Client(token, endpoint=url) as own:
        own.create_conversation()

if __name__ == "__main__":
    token, url, how = sys.argv[1:]
    client = Client(token, endpoint=url)
    room = client.create_conversation().join()
    states = []
    client.on("connection_state_changed", states.append)
    context = multiprocessing.get_context(how)
    if how == "fork":
        with context.Pool(2) as pool:
            assert pool.map(try_it, range(4)) == [0, 1, 2, 3]
        for leave in (os._exit, sys.exit):
            if os.fork() == 0:
                leave(0)
            os.wait()
    worker = context.Process(target=try_own, args=(token, url))
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    subprocess.run([sys.executable, "-c", ""], check=True)
    assert room.send_message("the parent goes on").index == 0
    assert [state for state in states if state not in ("connecting", "connected")] == []
    assert client.stats().connection.reconnects == 0
    print("fine")
"""


@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_multiprocessing_and_subprocesses_disturb_nobody(service: LocalServer, fresh: Any, tmp_path: Any, how: str) -> None:
    """Pools, processes by fork and by spawn, children that end in both ways, other programs."""
    assert how in multiprocessing.get_all_start_methods()
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    command = [sys.executable, "-W", "error", "-W", "ignore:.*fork:DeprecationWarning", str(script)]
    done = subprocess.run(
        [*command, service.token(fresh("alice")), service.url, how],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
    )
    assert (done.stdout, done.stderr, done.returncode) == ("fine\n", "", 0)
