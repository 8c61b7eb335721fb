"""The processes of a benchmark: each is a child that answers one line of JSON for each line of JSON that it is sent."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import requests

from twilio_conversations.server.storage.credentials import load_or_create

HERE = Path(__file__).parent
ROOT = HERE.parent
NODE_MODULES = ROOT / "tests" / "interop" / "node_modules"
OFFICIAL = NODE_MODULES / "conversations-3.0.1"
SEEDED_AT_ONCE = 500
INSTALL = "npm ci --ignore-scripts --prefix tests/interop"


class Failed(Exception):
    """A child could not do what it was asked."""


class Child:
    """A process spoken to in lines of JSON; other lines that it prints are passed over."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self._answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with contextlib.suppress(ValueError):
                answer = json.loads(line)
                if isinstance(answer, dict):
                    self._answers.put(answer)
        self._answers.put(None)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def read(self, timeout: float = 60.0) -> dict[str, Any]:
        """The next line; `Failed` when the child says so, ends, or is silent for `timeout` seconds."""
        try:
            answer = self._answers.get(timeout=timeout)
        except queue.Empty:
            raise Failed(f"no answer within {timeout:g} s") from None
        if answer is None:
            raise Failed(f"ended with code {self._process.wait(5)}")
        if "error" in answer:
            raise Failed(str(answer["error"]))
        return answer

    def tell(self, do: str, **arguments: Any) -> None:
        """Send a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._process.stdin.flush()

    def ask(self, do: str, timeout: float = 60.0, **arguments: Any) -> dict[str, Any]:
        """Send a line and read the answer."""
        self.tell(do, **arguments)
        return self.read(timeout)

    def close(self) -> None:
        """End the process, gently at first."""
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Service(Child):
    """`twilio-conversations serve` on a free port with data of its own."""

    def __init__(self, data: Path) -> None:
        self._data = data
        super().__init__([command_line(), "serve", "--json", "--port", "0", "--data", str(data)])
        ready = self.read(30)
        self._credentials = load_or_create(data)
        self.url: str = ready["url"]
        self.twilsock: str = ready["twilsock"]

    def token(self, identity: str) -> str:
        """An access token for `identity`."""
        return self._credentials.mint(identity)

    def tokens(self, *identities: str) -> list[str]:
        """Access tokens for several."""
        return [self.token(identity) for identity in identities]

    def control(self, operation: str, timeout: float = 300.0, **body: Any) -> Any:
        """The answer of the control plane to a POST."""
        key = (self._credentials.api_key_sid, self._credentials.api_key_secret)
        answer = requests.post(f"{self.url}/_local/{operation}", json=body, auth=key, timeout=timeout)
        answer.raise_for_status()
        return answer.json()

    def seed(self, *conversations: Mapping[str, Any], **more: Any) -> list[str]:
        """Create conversations as a seed describes them, in parts of a size that the control plane takes; their sids."""
        sids: list[str] = []
        for start in range(0, len(conversations), SEEDED_AT_ONCE):
            made = self.control("seed", conversations=conversations[start : start + SEEDED_AT_ONCE], **more)
            sids += [one["sid"] for one in made["conversations"]]
        return sids


@contextlib.contextmanager
def service() -> Iterator[Service]:
    """A service whose data is gone afterwards."""
    with tempfile.TemporaryDirectory() as data, Service(Path(data)) as one:
        yield one


def command_line() -> str:
    """The installed `twilio-conversations` beside this Python."""
    return str(Path(sys.executable).with_name("twilio-conversations"))


def python(module: str, *arguments: str) -> Child:
    """One of our own modules as a child."""
    return Child([sys.executable, "-m", module, *arguments])


def official() -> Child:
    """The worker with the official SDK."""
    return Child(["node", "--expose-gc", str(HERE / "official.js")], env={"SDK": str(OFFICIAL), "NODE_PATH": str(NODE_MODULES)})


def missing_official() -> str | None:
    """What the official SDK needs to take part, if it cannot: a program, or the one command that installs it."""
    try:
        subprocess.run(["node", "--version"], check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return "node"
    return None if OFFICIAL.exists() else INSTALL
