"""Queue of a session's outgoing frames: bounded, in order, with notifications that are held back."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator

from twilio_conversations.server.http.sockets import FrameSocket

MAX_QUEUED_FRAMES, MAX_QUEUED_BYTES = 2_000, 4 * 1024 * 1024
"""Most that may be unsent: at these bounds, cursors stand still and requests are not read."""
MAX_WRITE = 64 * 1024
"""Bytes after which a write ends, so that the transport's flow control takes effect."""


class Outbox:
    """Queue of frames, sent in few writes, on the event loop."""

    def __init__(self, record: Callable[[bytes], None]) -> None:
        """`record` is called with each frame that is queued."""
        self.socket: FrameSocket
        self.frames: deque[bytes] = deque()
        self.size = 0
        self.held: list[bytes] | None = None
        self.held_size = 0
        self._unacknowledged = 0
        self._record = record
        self._later = asyncio.get_running_loop().call_soon

    @property
    def is_full(self) -> bool:
        """Whether the queue is at a bound."""
        return _is_full(len(self.frames), self.size)

    @property
    def has_room(self) -> bool:
        """Whether further notifications may be queued or held."""
        return not self.is_full and (self.held is None or not _is_full(len(self.held), self.held_size))

    @property
    def is_half_empty(self) -> bool:
        """Whether a connection that stood still may go on."""
        return len(self.frames) <= MAX_QUEUED_FRAMES // 2 and not self.is_full

    def notify(self, frame: bytes, flush: Callable[[], None]) -> None:
        """Queue a notification, or hold it back."""
        if self.held is None:
            self.ask(frame, flush)
        else:
            self.held.append(frame)
            self.held_size += len(frame)

    def hold(self, held: bool, flush: Callable[[], None]) -> None:
        """Hold notifications back from now on, or queue those that were held, in order."""
        if held:
            self.held = self.held or []
            return
        frames, self.held, self.held_size = self.held or [], None, 0
        for frame in frames:
            self.ask(frame, flush)

    def ask(self, frame: bytes, flush: Callable[[], None]) -> None:
        """Queue a frame that the client acknowledges."""
        self._unacknowledged += 1
        self.push(frame, flush)

    def acknowledge(self) -> None:
        """Note that the client has acknowledged a frame."""
        self._unacknowledged = max(0, self._unacknowledged - 1)

    def under_way(self) -> Iterator[str]:
        """Yield the frames under way, in words."""
        if self._unacknowledged:
            yield f"{self._unacknowledged} frames that are not acknowledged"
        if self.frames:
            yield f"{len(self.frames)} frames that are not sent"
        if self.held:
            yield f"{len(self.held)} events that a fault holds back"

    def push(self, frame: bytes, flush: Callable[[], None]) -> None:
        """Queue a frame; `flush` is called two turns of the loop later, for all that is queued until then."""
        self._record(frame)
        if not self.frames:
            self._later(self._later, flush)
        self.frames.append(frame)
        self.size += len(frame)

    def flush(self) -> None:
        """Send queued frames while the socket is writable."""
        while self.frames and self.socket.is_writable:
            batch = []
            size = 0
            while self.frames and size < MAX_WRITE:
                frame = self.frames.popleft()
                batch.append(frame)
                size += len(frame)
            self.size -= size
            self.socket.send(batch)

    def clear(self) -> None:
        """Discard the queued frames."""
        self.frames.clear()
        self.size = 0


def _is_full(frames: int, size: int) -> bool:
    return frames >= MAX_QUEUED_FRAMES or size >= MAX_QUEUED_BYTES
