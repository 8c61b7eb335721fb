"""Accepting connections when the process has run out of descriptors."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.support.patience import PATIENCE

resource = pytest.importorskip("resource", reason="the system has no limits to set")

TIMEOUT = PATIENCE

PAUSES = """
import logging, os, resource, socket, sys
from twilio_conversations.server.http.listener import listen

logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
now = 100.0
listener = listen("127.0.0.1", 0)
listener.setblocking(False)
listener.clock = lambda: now
callers = [socket.create_connection(listener.getsockname()) for _ in range(2)]
next_free = os.dup(0)
os.close(next_free)
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)


def accept():
    try:
        listener.accept()[0].close()
    except OSError as error:
        print(type(error).__name__)
    else:
        print("accepted")


resource.setrlimit(resource.RLIMIT_NOFILE, (next_free, hard))
for now in (100.0, 100.0, 101.0, 159.0, 161.0):
    accept()
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
for now in (161.1, 162.0, 163.0, 164.0):
    accept()
"""


def test_accepting_pauses_and_tells_in_intervals() -> None:
    """The first attempt fails, those behind it in the batch find nobody; a minute later it is logged again."""
    ended = subprocess.run([sys.executable, "-c", PAUSES], capture_output=True, text=True, timeout=TIMEOUT, check=True)
    told = "ERROR no further connection is accepted until others end: Too many open files (see ulimit -n)"
    assert ended.stdout.splitlines() == [
        *(told, "ExhaustedError", "BlockingIOError", "ExhaustedError", "ExhaustedError"),
        *(told, "ExhaustedError", "BlockingIOError"),
        *("WARNING connections are accepted again", "accepted", "accepted", "BlockingIOError"),
    ]


def test_a_service_without_descriptors_comes_back(tmp_path: Path) -> None:
    """It says once that it is out of descriptors, without a traceback, and serves again when some are free."""
    command = [sys.executable, "-m", "twilio_conversations", "serve", "--port", "0", "--json", "--data", str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = json.loads(process.stdout.readline())["url"]
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (40, hard))
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        crowd = [socket.create_connection(address, timeout=TIMEOUT) for _ in range(60)]
        lines = [process.stderr.readline()]
        for caller in crowd:
            caller.close()
        lines.append(process.stderr.readline())
        assert requests.get(f"{url}/_local/health", timeout=TIMEOUT).json()["status"] == "ok"
        process.terminate()
        lines += process.communicate(timeout=TIMEOUT)[1].splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "ERROR twilio_conversations.server.http.listener",
        "WARNING twilio_conversations.server.http.listener",
    ]
    assert process.returncode == 0
