"""Futures, deadlines, and the one function that waits.

Work that needs the connection is written as a *flow*: a generator that yields futures and is resumed on the thread that
settles them (the io thread). So a start-up or a membership change reads from top to bottom and blocks no thread. Everybody
else waits through `wait`, which ends on the caller's own clock and refuses to run where waiting would hang the client.
"""

from __future__ import annotations

import enum
import functools
import threading
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, Final, ParamSpec, TypeVar

from twilio_conversations.errors import RequestTimeoutError, WrongThreadError
from twilio_conversations.util import checks

__all__ = [
    "Deadline",
    "Flow",
    "Future",
    "Role",
    "completed",
    "current_role",
    "fail",
    "failed",
    "flow",
    "gather",
    "mark_thread",
    "settle",
    "wait",
]

T = TypeVar("T")
P = ParamSpec("P")
Flow = Generator[Future[Any], Any, T]

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


def wait(future: Future[T], deadline: Deadline, what: str, trouble: Callable[[], str | None] = lambda: None) -> T:
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


def completed(value: T) -> Future[T]:
    """Return a future that is done."""
    future: Future[T] = Future()
    future.set_result(value)
    return future


def failed(error: BaseException) -> Future[Any]:
    """Return a future that has failed."""
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


def settle(future: Future[T], value: T) -> bool:
    """Set the result unless somebody was faster; say whether it was us."""
    try:
        future.set_result(value)
    except InvalidStateError:
        return False
    return True


def fail(future: Future[Any], error: BaseException) -> bool:
    """Set the error unless somebody was faster; say whether it was us."""
    try:
        future.set_exception(error)
    except InvalidStateError:
        return False
    return True


def gather(futures: Iterable[Future[T]]) -> Future[list[T]]:
    """Return a future of all results, in order; it fails as soon as one fails."""
    members = list(futures)
    result: Future[list[T]] = Future()
    missing = len(members)
    if not missing:
        result.set_result([])
        return result

    def one_done(future: Future[T]) -> None:
        nonlocal missing
        missing -= 1
        error = future.exception()
        if error is not None:
            fail(result, error)
        elif missing == 0 and not result.done():
            settle(result, [member.result() for member in members])

    for member in members:
        member.add_done_callback(one_done)
    return result


def flow(function: Callable[P, Flow[T]]) -> Callable[P, Future[T]]:
    """Turn a generator of futures into a function that returns a future.

    The generator runs at once up to its first unfinished future, then goes on where that future is settled.
    """

    @functools.wraps(function)
    def start(*args: P.args, **kwargs: P.kwargs) -> Future[T]:
        result: Future[T] = Future()
        _advance(function(*args, **kwargs), result, None)
        return result

    return start


def _advance(steps: Flow[T], result: Future[T], settled: Future[Any] | None) -> None:
    """Run `steps` until it yields a future that is not done yet (a loop: recursion would grow with finished futures)."""
    while True:
        try:
            if settled is None:
                pending = next(steps)
            elif (error := settled.exception()) is not None:
                pending = steps.throw(error)
            else:
                pending = steps.send(settled.result())
        except StopIteration as stop:
            settle(result, stop.value)
            return
        except Exception as error:
            fail(result, error)
            return
        if not pending.done():
            pending.add_done_callback(functools.partial(_advance, steps, result))
            return
        settled = pending
