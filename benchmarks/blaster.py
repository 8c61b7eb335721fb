"""A scripted service that is never the brake: it plays the start-up from a script, then sends prebuilt frames on order.

Orders on standard input, one JSON object a line: `ready` waits until a client has subscribed, `blast` sends it `count` messages
(two frames each) and waits for their acknowledgements unless `acknowledged` is false; `go_on` sends those from `first` on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from benchmarks.script import DOCUMENT, LIST, message_frames
from benchmarks.scripted import Connected, ScriptedService
from benchmarks.worker import answer_lines


class Blaster(ScriptedService):
    """Blasts the client that subscribed last."""

    def __init__(self) -> None:
        super().__init__()
        self._frames: dict[int, bytes] = {}

    def _follower(self) -> Connected | None:
        return next((client for client in reversed(self.clients) if {LIST, DOCUMENT} <= client.subscribed), None)

    def ready(self, count: int, timeout: float = 20.0) -> Mapping[str, Any]:
        """Wait until a client follows both the message list and the document, with the frames for it at hand."""
        if count not in self._frames:
            self._frames[count] = b"".join(message_frames(index) for index in range(count))
        with self.changed:
            if not self.changed.wait_for(self._follower, timeout):
                raise TimeoutError("no client subscribed")
        return {}

    def blast(self, count: int, acknowledged: bool = True, timeout: float = 120.0) -> Mapping[str, Any]:
        """Send `count` messages as fast as they are taken; when that began, on the machine's monotonic clock."""
        client = self._follower()
        if client is None:
            raise RuntimeError("nobody listens")
        wanted = client.acknowledged + (2 * count if acknowledged else 0)
        started = time.monotonic()
        client.socket.sendall(self._frames[count])
        with self.changed:
            if not self.changed.wait_for(lambda: client.gone or client.acknowledged >= wanted, timeout):
                raise TimeoutError(f"{wanted - client.acknowledged} of {2 * count} not acknowledged")
        client.subscribed.clear()  # a client takes part once; it may linger while the next one comes
        return {"started": started}

    def go_on(self, first: int, count: int) -> Mapping[str, Any]:
        """Send the messages from `first` on, made now, so that there may be any number of them in time."""
        client = self._follower()
        if client is None:
            raise RuntimeError("nobody listens")
        client.socket.sendall(b"".join(message_frames(index) for index in range(first, first + count)))
        return {}


if __name__ == "__main__":
    blaster = Blaster()
    print(json.dumps({"url": blaster.url, "twilsock": blaster.twilsock}), flush=True)
    answer_lines({"ready": blaster.ready, "blast": blaster.blast, "go_on": blaster.go_on})
