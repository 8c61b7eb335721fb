"""Deadlines, roles of threads, and the one function that waits.

A thread of the program waits through `wait`, which ends on the caller's own clock and refuses to run where waiting would hang the
client. The io thread never waits: its work is written as flows (`util.flows`).
"""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Callable
from concurrent.futures import InvalidStateError
from typing import Final, Generic, TypeVar, cast

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


class SharedFuture(Generic[T]):
    """A result for which threads wait. Any thread may settle it, once.

    One lock is held until there is an outcome, and each thread that gets it then passes it on. The condition of Python's own
    futures costs a command more calls of functions than its frame, its answer and its message together.
    """

    __slots__ = ("_callbacks", "_claim", "_error", "_is_done", "_latch", "_value")

    def __init__(self) -> None:
        self._claim = threading.Lock()  # of whoever settles it; never released
        self._latch = threading.Lock()
        self._latch.acquire()
        self._callbacks: list[Callable[[SharedFuture[T]], object]] = []
        self._is_done = False
        self._error: BaseException | None = None
        self._value: T | None = None

    def settle(self, value: T) -> bool:
        """Set the result unless somebody was faster; return whether it was this call."""
        if not self._claim.acquire(blocking=False):
            return False
        self._value = value
        self._finish()
        return True

    def fail(self, error: BaseException) -> bool:
        """Set the error unless somebody was faster; return whether it was this call."""
        if not self._claim.acquire(blocking=False):
            return False
        self._error = error
        self._finish()
        return True

    def done(self) -> bool:
        """Return whether there is a result or an error."""
        return self._is_done

    def awaited(self, seconds: float) -> bool:
        """Wait at most so long; return whether it is done."""
        if not self._is_done and self._latch.acquire(timeout=seconds):
            self._latch.release()
        return self._is_done

    def exception(self) -> BaseException | None:
        """Return the error; `None` if there is a result. It must be done."""
        self._check()
        return self._error

    def result(self) -> T:
        """Return the result, or raise the error. It must be done."""
        self._check()
        if self._error is not None:
            try:
                raise self._error
            finally:
                del self  # the traceback of the error holds this frame
        return cast(T, self._value)

    def add_done_callback(self, function: Callable[[SharedFuture[T]], object]) -> None:
        """Call `function`, which must not raise, with this future once it is done: on the thread that settles it, or at once."""
        self._callbacks.append(function)
        if self._is_done:
            self._call_back()

    def _finish(self) -> None:
        self._is_done = True  # before the callbacks are looked at: one that is added meanwhile is called here or by who adds it
        self._latch.release()
        if self._callbacks:
            self._call_back()

    def _call_back(self) -> None:
        while self._callbacks:
            try:
                function = self._callbacks.pop(0)
            except IndexError:
                return  # another thread has taken the last one
            function(self)

    def _check(self) -> None:
        if not self._is_done:
            raise InvalidStateError("the result is still to come")


def wait(future: SharedFuture[T], deadline: Deadline, what: str, trouble: Callable[[], str | None] = lambda: None) -> T:
    """Wait for `future` and return its result. `trouble` is asked, when the time is over, what stands in the way.

    Raises:
        RequestTimeoutError: the deadline passed first; the work itself goes on.
        WrongThreadError: called on a thread that must never wait (the text names the call).
    """
    if not future.done():
        refuse_to_wait(what)
        while not future.awaited(deadline.slice()):
            if deadline.passed:
                why = trouble()
                raise RequestTimeoutError(f"{what}: no answer within the time limit{f': {why}' if why else ''}", retryable=True)
    return future.result()
