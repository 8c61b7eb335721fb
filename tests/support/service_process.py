"""The local service in a process of its own, which can be killed and started again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

from tests.support.patience import PATIENCE
from twilio_conversations import Client
from twilio_conversations.options import BackoffPolicy

COMMAND = str(Path(sys.executable).with_name("twilio-conversations"))


QUICK = BackoffPolicy(minimum=0.02, maximum=0.1)


class ServiceProcess:
    """`twilio-conversations serve` in a process of its own; after `kill` it may be started again on the same data and port."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = 0
        self._log = data / "stderr.txt"
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        """Start the service, and wait until it is ready."""
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
        """Kill the process, and wait until it has ended."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop the service, and wait until its process has ended."""
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
        return Client(self.token(identity), endpoint=url or self.url, reconnect=QUICK, default_timeout=PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
