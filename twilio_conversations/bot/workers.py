"""Worker threads of a bot: a bounded number, each for one turn at a time."""

from __future__ import annotations

import functools
import itertools
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from twilio_conversations.errors import NoThreadError
from twilio_conversations.util import logs
from twilio_conversations.util.futures import Deadline, SharedFuture
from twilio_conversations.util.os_errors import start_thread

_log = logs.logger(__name__)
_NO_THREAD: Final = 5.0
"""Seconds until the system is asked again for a thread, where it had none and a turn has nobody to run it."""

Turn = Callable[[], bool]
"""A piece of work; returns whether there is more of it, which then comes after all that waits."""

_living: Final[weakref.WeakValueDictionary[int, Workers]] = weakref.WeakValueDictionary()
_made = itertools.count(1)


def living() -> list[Workers]:
    """Return the workers of all bots of this process."""
    return [workers for reference in _living.valuerefs() if (workers := reference()) is not None]


class Workers:
    """Threads that run turns, in the order in which they were added.

    Up to `limit` turns run at once. Besides, up to `dialogues` threads may wait for an answer (`away`) without counting.
    Threads are started when they are needed, are daemons, and end with `stop`.
    """

    def __init__(self, limit: int, dialogues: int, later: Callable[[float, Callable[[], object]], None]) -> None:
        """`later` runs a function after some seconds."""
        self._limit = limit
        self._dialogues = dialogues
        self._later = later
        self._changed = threading.Condition()
        self._ready: deque[Turn] = deque()
        self._threads: set[threading.Thread] = set()
        self._numbers = itertools.count(1)
        self._idle = 0
        self._away = 0
        self._stopping = False
        self._promised = 0
        self._asks_again = False  # for a thread, after a while
        self._waits: dict[threading.Thread, SharedFuture[Any]] = {}
        self.taken: int = 0
        """Number of turns that have begun."""
        _living[next(_made)] = self

    def under_way(self) -> Iterator[str]:
        """Yield what is under way, in words; a thread that waits for an answer is not, before there is one."""
        with self._changed:
            waiting = sum(not answer.done() for answer in self._waits.values())
            running = len(self._threads) - self._idle - waiting
            if running or self._ready or self._promised:
                yield f"{running + len(self._ready) + self._promised} handlers of a bot"

    def promise(self) -> None:
        """Note that a turn will be added by `keep_promise`, after a while."""
        with self._changed:
            self._promised += not self._stopping

    def keep_promise(self, turn: Turn) -> None:
        """Have a turn run that was promised."""
        with self._changed:
            if not self._stopping:  # none is promised after the stop
                self._promised -= 1
            self._add(turn)

    def add(self, turn: Turn) -> None:
        """Have `turn` run, after what waits already; where the system has no thread for it, once there is one."""
        with self._changed:
            self._add(turn)

    def _add(self, turn: Turn) -> None:
        if not self._stopping:
            self._ready.append(turn)
            self._call_one()

    @contextmanager
    def away(self, until: SharedFuture[Any]) -> Iterator[None]:
        """Leave the place of the calling thread to another turn while the block waits for `until`.

        When too many wait already, the thread keeps its place: turns are then held up, and threads stay bounded.
        """
        with self._changed:
            self._waits[threading.current_thread()] = until
            leaves = self._away < self._dialogues
            if leaves:
                self._away += 1
                if self._ready:
                    self._call_one()
        try:
            yield
        finally:
            with self._changed:
                self._away -= leaves
                del self._waits[threading.current_thread()]

    def stop(self, timeout: float) -> bool:
        """Run no further turn; wait for those that run, at most `timeout` seconds. Return whether they have ended."""
        deadline = Deadline(timeout)
        with self._changed:
            self._stopping = True
            self._ready.clear()
            self._promised = 0
            self._changed.notify_all()
            running = self._threads - {threading.current_thread()}
        for thread in running:
            thread.join(deadline.remaining())
        return not any(thread.is_alive() for thread in running)

    @property
    def _surplus(self) -> bool:
        """Whether there are more threads than may run turns."""
        return len(self._threads) - self._away > self._limit

    def _call_one(self) -> None:
        """Wake a thread, or start one, for a turn that is ready; the caller holds the lock."""
        if self._idle >= len(self._ready):
            self._changed.notify()
        elif len(self._threads) - self._away < self._limit:
            thread = threading.Thread(target=self._work, name=f"conversations-bot-{next(self._numbers)}", daemon=True)
            self._threads.add(thread)
            try:
                start_thread(thread)
            except BaseException as error:
                self._threads.discard(thread)
                if not isinstance(error, NoThreadError):
                    raise
                if len(self._threads) == self._away and not self._asks_again:
                    self._asks_again = True
                    self._later(_NO_THREAD, functools.partial(self._ask_again, error))

    def _ask_again(self, error: NoThreadError) -> None:
        """Ask for the threads once more that there were none for."""
        _log.error("%s; trying again now", error)
        with self._changed:
            self._asks_again = False
            if not self._stopping:
                for _ in range(len(self._ready)):
                    self._call_one()

    def _work(self) -> None:
        try:
            while (turn := self._take()) is not None:
                if turn():
                    with self._changed:
                        if not self._stopping:
                            self._ready.append(turn)
                del turn
        except BaseException:
            with self._changed:
                self._threads.discard(threading.current_thread())
                if self._ready:
                    self._call_one()
            raise

    def _take(self) -> Turn | None:
        """Return the next turn, waiting for one; `None` when this thread is to end."""
        with self._changed:
            while not self._stopping and not self._surplus:
                if self._ready:
                    self.taken += 1
                    return self._ready.popleft()
                self._idle += 1
                self._changed.wait()
                self._idle -= 1
            self._threads.discard(threading.current_thread())  # with the decision: of a surplus of one, one ends
            if self._ready:
                self._changed.notify()  # what this thread has left may have found the others asleep
            return None
