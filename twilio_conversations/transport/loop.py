"""Event loop of the io thread: one selector, one watched socket, timers, and calls that other threads post."""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from twilio_conversations.transport.dialling import close_descriptor
from twilio_conversations.transport.process_hooks import no_fork
from twilio_conversations.transport.timers import Timers
from twilio_conversations.util import logs

_log = logs.logger(__name__)

LONGEST_WAIT: Final = 30.0
"""Seconds after which the loop turns though nothing happened: a computer that slept must notice."""

_WAKE_BYTES: Final = 256
"""Bytes that are read at a time of those that woke the loop; there is hardly ever more than one."""


class Watched(Protocol):
    """A socket for the loop to watch."""

    def fileno(self) -> int:
        """Return its descriptor."""


class Loop:
    """Waits for what happens next and runs it, in `turn`. Only `post` may be called from other threads.

    It has no descriptors before `open`, so that what was made before a fork and not started yet can be started after it.
    """

    _selector: selectors.BaseSelector
    _wake_reader: socket.socket
    _wake_writer: socket.socket

    def __init__(self) -> None:
        self.timers: Timers = Timers()
        self._open = False
        self._calls: deque[Callable[[], object]] = deque()
        self._woken = False
        self._watched: Watched | None = None
        self._interest = 0

    def open(self) -> None:
        """Open the descriptors that `turn` needs."""
        with no_fork():
            self._wake_reader, self._wake_writer = socket.socketpair()
            try:
                self._selector = selectors.DefaultSelector()
            except BaseException:
                self._wake_reader.close()
                self._wake_writer.close()
                raise
            self._open = True
        for end in (self._wake_reader, self._wake_writer):
            end.setblocking(False)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)

    def post(self, function: Callable[[], object]) -> None:
        """Call `function` in the loop soon."""
        self._calls.append(function)
        if self._open and not self._woken:
            self._woken = True
            try:
                self._wake_writer.send(b"\0")
            except OSError:
                pass  # full: it is awake anyway; closed: it is over

    def turn(self, deadline: float | None) -> bool:
        """Wait until something happens, at most until `deadline`; run what was posted, then the timers that are due.

        Returns whether the watched socket may be read.
        """
        readable = False
        for key, ready in self._selector.select(self._patience(deadline)):
            if key.fileobj is self._wake_reader:
                self._drain()
            elif ready & selectors.EVENT_READ:
                readable = True
        self._run_calls()
        self.timers.run_due(time.monotonic())
        return readable

    def watch(self, watched: Watched) -> None:
        """Wait for this socket to become readable too."""
        self._selector.register(watched, selectors.EVENT_READ)
        self._watched, self._interest = watched, selectors.EVENT_READ

    def want(self, *, read: bool, write: bool) -> None:
        """Wait for the watched socket to become readable, writable, or both."""
        interest = (selectors.EVENT_READ if read else 0) | (selectors.EVENT_WRITE if write else 0)
        if self._watched is not None and interest != self._interest:
            self._selector.modify(self._watched, interest)
            self._interest = interest

    def unwatch(self) -> None:
        """Stop watching the socket, which is about to be closed."""
        if self._watched is not None:
            self._selector.unregister(self._watched)
            self._watched = None

    def close(self) -> None:
        """Close the descriptors; calls that were posted and not run are discarded."""
        self._calls.clear()
        self.release()

    def release(self) -> None:
        """Close the descriptors; calls that were posted are run after the next `open`."""
        if self._open:
            with no_fork():
                self._open = self._woken = False
                self._selector.close()
                self._wake_reader.close()
                self._wake_writer.close()

    def close_in_child(self) -> None:
        """Close the child's descriptors after a fork, without a change to what the parent's selector watches."""
        self._calls.clear()
        if self._open:
            close_descriptor(self._wake_reader)
            close_descriptor(self._wake_writer)
            self._selector.close()

    def _patience(self, deadline: float | None) -> float:
        if self._calls:
            return 0.0
        earliest = self.timers.next_deadline()
        if earliest is None or (deadline is not None and deadline < earliest):
            earliest = deadline
        return LONGEST_WAIT if earliest is None else min(LONGEST_WAIT, max(0.0, earliest - time.monotonic()))

    def _drain(self) -> None:
        try:
            while len(self._wake_reader.recv(_WAKE_BYTES)) == _WAKE_BYTES:
                pass
        except BlockingIOError:
            pass
        # Cleared before the calls are run: one that is posted from now on wakes the next turn.
        self._woken = False

    def _run_calls(self) -> None:
        """Run the calls that were there at the beginning: one that posts again leaves room for the socket."""
        calls = self._calls
        for _ in range(len(calls)):
            if not calls:
                return  # one of them closed the loop
            try:
                calls.popleft()()
            except Exception:
                _log.exception("a call on the io thread failed")
