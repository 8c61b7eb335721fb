"""What the acceptance tests share: the service as a process that can be killed, quick reconnects, waiting, counting."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.support.patience import PATIENCE
from twilio_conversations import Client
from twilio_conversations.options import BackoffPolicy

COMMAND = str(Path(sys.executable).with_name("twilio-conversations"))
QUICK = BackoffPolicy(minimum=0.02, maximum=0.1)
CLIENT_THREADS = tuple(f"conversations-{what}" for what in ("io", "events", "connect", "token"))  # a LocalServer has others


def until(condition: Callable[[], Any], what: str, timeout: float = PATIENCE) -> None:
    """Wait for what other threads or processes will make true."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"not within {timeout:g} s: {what}"
        threading.Event().wait(0.01)


_CLIENT_THREADS = (*(f"conversations-{kind}-" for kind in ("io", "events", "connect", "token")), "conversations-log")


def own_threads() -> list[str]:
    """The names of the clients' threads that run now."""
    return sorted(thread.name for thread in threading.enumerate() if thread.name.startswith(_CLIENT_THREADS))


def descriptors(pid: int | str = "self") -> int:
    """Open file descriptors of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def tasks(pid: int | str = "self") -> int:
    """Threads of a process, as the kernel counts them."""
    return len(os.listdir(f"/proc/{pid}/task"))


class Served:
    """`twilio-conversations serve` in a process of its own; after `kill` it may be started again on the same data and port."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = 0
        self._log = data / "stderr.txt"
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        command = [COMMAND, "serve", "--json", "--port", str(self.port), "--data", str(self.data)]
        with self._log.open("a") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.stop()
            raise RuntimeError(f"the service did not start: {self._log.read_text()[-2000:]}")
        ready = json.loads(line)
        self.url: str = ready["url"]
        self.twilsock: str = ready["twilsock"]
        self.port = int(self.url.rsplit(":", 1)[1])

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def crashes(self) -> list[str]:
        """Tracebacks through our own code on standard error (uvicorn also logs some for bytes that it refuses, and goes on)."""
        return [part for part in self._log.read_text().split("Traceback")[1:] if "/twilio_conversations/" in part]

    def kill(self) -> None:
        """End it as a power cut would, and wait until it is gone."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        process.send_signal(how)
        process.wait(PATIENCE)
        assert process.stdout is not None
        process.stdout.close()
        self._process = None

    def token(self, identity: str) -> str:
        """An access token that this service accepts."""
        command = [COMMAND, "token", identity, "--data", str(self.data)]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE).stdout.strip()

    def client(self, identity: str, url: str | None = None) -> Client:
        """A client of this service, or of a proxy in front of it, that reconnects quickly."""
        return Client(self.token(identity), endpoint=url or self.url, reconnect=QUICK)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def pair_up(first: Client, second: Client, second_identity: str, name: str) -> tuple[Any, Any]:
    """One conversation that both are in, as each of them sees it."""
    mine = first.create_conversation(friendly_name=name)
    mine.join()
    mine.add(second_identity)
    theirs: list[Any] = []

    def joined() -> bool:
        theirs[:] = [one for one in second.iter_conversations() if one.sid == mine.sid]
        return bool(theirs)

    until(joined, "the second one sees the conversation")
    return mine, theirs[0]


def every_message(conversation: Any) -> list[Any]:
    """The whole history, oldest first, read from the service page by page."""
    page = conversation.get_messages(page_size=100)
    messages: list[Any] = list(page.items)
    while page.has_prev_page:
        page = page.prev_page()
        messages[:0] = page.items
    return messages


class MessageLog:
    """Log of the messages that a client's `message_added` handler received, in order."""

    def __init__(self, client: Client) -> None:
        self.entries: list[tuple[int, str | None]] = []
        client.on("message_added", lambda message: self.entries.append((message.index, message.body)))

    def has(self, count: int) -> bool:
        """Return whether at least so many came."""
        return len(self.entries) >= count

    @property
    def indexes(self) -> list[int]:
        return [index for index, _ in self.entries]

    @property
    def bodies(self) -> list[str]:
        return [body for _, body in self.entries]
