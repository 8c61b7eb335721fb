"""Deadlines, roles of threads, and the one function that waits.

A thread of the program waits through `wait`, which ends on the caller's own clock and refuses to run where waiting would hang the
client. The io thread never waits: its work is written as flows (`util.flows`).
"""

from __future__ import annotations

import concurrent.futures
import enum
import threading
import time
from collections.abc import Callable
from concurrent.futures import InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Final, TypeVar

from twilio_conversations.errors import RequestTimeoutError, WrongThreadError
from twilio_conversations.util import checks

T = TypeVar("T")

SLICE: Final = 1.0
"""Seconds for which a thread waits at most without looking up."""


class Role(enum.Enum):
    """Role of a thread of the client; `None` means a thread of the program."""

    IO = "io"
    EVENTS = "events"
    CONNECT = "connect"
    TOKEN = "token"
    LOG = "log"
    SERVICE = "service"


_NO_WAITING: Final = {
    Role.IO: "",
    Role.TOKEN: "",
    Role.LOG: ": a logging handler that sends through the client needs a QueueHandler before it, and no records of"
    " 'twilio_conversations'",
}

_ENDLESS = 100 * 366 * 86400.0
"""Seconds that nobody waits, and that every waiting function of the system still takes."""

_kind = threading.local
_local: threading.local = _kind()


def _here() -> threading.local:
    """State of the current thread. Once gevent or eventlet have replaced threads, each greenlet is a thread of its own."""
    global _kind, _local
    if threading.local is not _kind:
        _kind = threading.local
        _local = _kind()
    return _local


def mark_thread(role: Role | None) -> None:
    """Set the role of the current thread, so that `wait` can raise instead of hanging it; `None` removes the role."""
    _here().role = role


def current_role() -> Role | None:
    """Return the role of the current thread, or `None` for a thread that is not ours."""
    return getattr(_here(), "role", None)


class Deadline:
    """A moment on the monotonic clock by which a call must be over."""

    __slots__ = ("at",)

    def __init__(self, seconds: float | None) -> None:
        """`seconds` from now; `None`, or more than any clock can wait, for no limit.

        Raises:
            ArgumentTypeError: `seconds` is no number.
        """
        endless = seconds is None or checks.seconds(seconds, "timeout") > _ENDLESS
        self.at: float = float("inf") if endless or seconds is None else time.monotonic() + max(seconds, -_ENDLESS)

    def remaining(self) -> float | None:
        """Seconds left, never below zero; `None` for no limit."""
        return None if self.at == float("inf") else max(0.0, self.at - time.monotonic())

    def slice(self) -> float:
        """Seconds to wait before looking up: Python notices no signal that comes in the moment a thread begins to wait."""
        return min(SLICE, max(0.0, self.at - time.monotonic()))

    @property
    def patience(self) -> float | None:
        """Seconds left, as a socket's timeout: never zero, which would mean non-blocking; `None` for no limit."""
        remaining = self.remaining()
        return None if remaining is None else max(0.001, remaining)

    @property
    def passed(self) -> bool:
        """Whether the moment is over."""
        return time.monotonic() >= self.at


def refuse_to_wait(what: str) -> None:
    """Raise `WrongThreadError` on a thread whose waiting would stop what it waits for, or would cause more of it forever."""
    role = current_role()
    if role in _NO_WAITING:
        thread = threading.current_thread().name
        raise WrongThreadError(f"{what} blocks and must not be called on the client's own thread {thread!r}{_NO_WAITING[role]}")


class SharedFuture(concurrent.futures.Future[T]):
    """A result for which threads wait. Any thread may settle it."""

    def settle(self, value: T) -> bool:
        """Set the result unless somebody was faster; return whether it was this call."""
        try:
            self.set_result(value)
        except InvalidStateError:
            return False
        return True

    def fail(self, error: BaseException) -> bool:
        """Set the error unless somebody was faster; return whether it was this call."""
        try:
            self.set_exception(error)
        except InvalidStateError:
            return False
        return True


def wait(future: SharedFuture[T], deadline: Deadline, what: str, trouble: Callable[[], str | None] = lambda: None) -> T:
    """Wait for `future` and return its result. `trouble` is asked, when the time is over, what stands in the way.

    Raises:
        RequestTimeoutError: the deadline passed first; the work itself goes on.
        WrongThreadError: called on a thread that must never wait (the text names the call).
    """
    if not future.done():
        refuse_to_wait(what)
    while True:
        try:
            return future.result(deadline.slice())
        except FutureTimeoutError as error:
            if future.done() and future.exception() is error:
                raise
            if deadline.passed:
                break
    why = trouble()
    raise RequestTimeoutError(f"{what}: no answer within the time limit{f': {why}' if why else ''}", retryable=True)
