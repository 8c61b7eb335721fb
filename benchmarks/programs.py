"""Short programs as whole processes, with compiled modules as after an installation: an import, a script with one message."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from benchmarks.processes import ROOT, Failed

IMPORT: Final = "from twilio_conversations import Client"
LIBRARIES: Final = "import attrs, blinker, jwt, requests, websocket"
ONE_MESSAGE: Final = """
import sys
from twilio_conversations import Client
with Client(sys.argv[1], endpoint=sys.argv[2]) as client:
    client.get_conversation_by_sid(sys.argv[4]).send_message("hello")
"""
"""A message by way of the client: `token`, `url`, `twilsock` and `sid` are the arguments."""
BARE_MESSAGE: Final = """
import sys
from urllib.parse import urlsplit
from benchmarks.bare import Bare
bare = Bare(sys.argv[3], sys.argv[1])
path = urlsplit(bare.get("/Client/v2/Configuration")["links"]["conversations"]).path
status, _ = bare.request("POST", f"{path}/{sys.argv[4]}/Messages", {"body": "hello", "attributes": "{}"})
bare.close()
sys.exit(status >= 300)
"""
"""The same by a bare loop."""


class Programs:
    """Runs programs in new interpreters that share one folder of compiled modules."""

    def __init__(self, compiled: str) -> None:
        self._env = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        self._env.pop("PYTHONDONTWRITEBYTECODE", None)
        self._known: set[str] = set()

    def seconds(self, code: str, arguments: Sequence[str] = ()) -> float:
        """Return how long a program takes, from its start to its end; the first run of each, which compiles, is not measured."""
        if code not in self._known:
            self._known.add(code)
            self._run(code, arguments)
        return self._run(code, arguments)

    def _run(self, code: str, arguments: Sequence[str]) -> float:
        command = [sys.executable, "-c", code, *arguments]
        began = time.perf_counter()
        try:  # with pipes, which close when the program ends: a wait with a limit alone polls every 50 ms
            subprocess.run(command, cwd=ROOT, env=self._env, check=True, timeout=60, capture_output=True)
        except subprocess.SubprocessError as error:
            raise Failed(str(error)) from error
        return time.perf_counter() - began


@contextmanager
def programs() -> Iterator[Programs]:
    """Provide what runs programs."""
    with tempfile.TemporaryDirectory() as compiled:
        yield Programs(compiled)
