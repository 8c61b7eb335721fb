"""Flows: work of the io thread that waits for answers without blocking, and the futures that it waits for.

A flow is a generator that yields futures and is resumed on the thread that settles them. So a start-up or a membership change
reads from top to bottom. A flow that is a step of one other flow only needs no future of its own: it stays a generator, and the
other one writes ``yield from``. Threads that wait use `futures.SharedFuture` instead.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import InvalidStateError
from typing import Any, Generic, ParamSpec, TypeVar, cast

from twilio_conversations.errors import ConversationsError
from twilio_conversations.util import logs

__all__ = ["Flow", "Future", "completed", "failed", "flow", "gather"]

_log = logs.logger(__name__)

T = TypeVar("T")
P = ParamSpec("P")


class Future(Generic[T]):
    """A result that is still to come, for one thread: the io thread settles it once, and runs what waits for it.

    It has no lock. Other threads may ask whether it is done, and take the result then.
    """

    __slots__ = ("_callbacks", "_error", "_is_done", "_value")

    def __init__(self) -> None:
        self._callbacks: tuple[Callable[[Future[T]], object], ...] = ()
        self._is_done = False
        self._error: BaseException | None = None
        self._value: T | None = None

    def settle(self, value: T) -> bool:
        """Set the result unless that was done before; return whether it was this call."""
        if self._is_done:
            return False
        self._value = value
        self._finish()
        return True

    def fail(self, error: BaseException) -> bool:
        """Set the error unless that was done before; return whether it was this call."""
        if self._is_done:
            return False
        self._error = error
        self._finish()
        return True

    def done(self) -> bool:
        """Return whether there is a result or an error."""
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

    def add_done_callback(self, function: Callable[[Future[T]], object]) -> None:
        """Call `function` with this future once it is done: at once if it is. What it raises is logged."""
        if self._is_done:
            _call(function, self)
        else:
            self._callbacks += (function,)

    def _finish(self) -> None:
        self._is_done = True  # last, as other threads look at it
        callbacks, self._callbacks = self._callbacks, ()
        for function in callbacks:
            _call(function, self)

    def _check(self) -> None:
        if not self._is_done:
            raise InvalidStateError("the result is still to come")


Flow = Generator[Future[Any], Any, T]


def _call(function: Callable[[Future[T]], object], future: Future[T]) -> None:
    try:
        function(future)
    except Exception:
        _log.exception("a callback of a future failed")


def completed(value: T) -> Future[T]:
    """Return a future that is done."""
    future: Future[T] = Future()
    future.settle(value)
    return future


def failed(error: BaseException) -> Future[Any]:
    """Return a future that has failed."""
    future: Future[Any] = Future()
    future.fail(error)
    return future


class _Running(Future[T]):
    """A flow under way, as the future of its result. It is itself the callback of what it waits for."""

    __slots__ = ("_steps",)

    def __init__(self, steps: Flow[T]) -> None:
        super().__init__()
        self._steps = steps

    def __call__(self, settled: Future[Any] | None) -> None:
        """Run to the first future that is not done yet (a loop: recursion would grow with finished futures)."""
        steps = self._steps
        failure: BaseException | None = None
        cause: BaseException | None = None
        try:
            while True:
                if settled is None:
                    pending = next(steps)
                elif (cause := settled.exception()) is not None:
                    pending = steps.throw(cause)
                else:
                    pending = steps.send(settled.result())
                if not pending.done():
                    pending.add_done_callback(self)
                    return
                settled = pending
        except StopIteration as stop:
            value = stop.value
        except Exception as error:
            if error is not cause and not isinstance(error, ConversationsError):
                _log.exception("a flow failed")  # a mistake of ours, and perhaps nobody takes the result
            # Without this frame in its traceback, which leads back to this future: else each error were a cycle.
            failure = error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
        if failure is None:
            self.settle(value)
        else:
            self.fail(failure)


def flow(function: Callable[P, Flow[T]]) -> Callable[P, Future[T]]:
    """Turn a generator of futures into a function that returns a future.

    The generator runs at once up to its first unfinished future, then goes on where that future is settled.
    """

    @functools.wraps(function)
    def start(*args: P.args, **kwargs: P.kwargs) -> Future[T]:
        running = _Running(function(*args, **kwargs))
        running(None)
        return running

    return start


class _Gathering(Future[list[T]]):
    """The results of several futures. It is itself the callback of each."""

    __slots__ = ("_members", "_missing")

    def __init__(self, members: list[Future[T]]) -> None:
        super().__init__()
        self._members = members
        self._missing = len(members)

    def __call__(self, member: Future[T]) -> None:
        """Count a member that is done."""
        self._missing -= 1
        if (error := member.exception()) is not None:
            self.fail(error)
        elif not self._missing and not self._is_done:
            self.settle([each.result() for each in self._members])


def gather(futures: Iterable[Future[T]]) -> Future[list[T]]:
    """Return a future of all results, in order; it fails as soon as one fails."""
    members = list(futures)
    if not members:
        return completed([])
    gathering = _Gathering(members)
    for member in members:
        member.add_done_callback(gathering)
    return gathering
