"""Futures that must end with the connection, however it ends."""

from __future__ import annotations

import itertools
from typing import Any, Protocol

from twilio_conversations.errors import ConversationsError
from twilio_conversations.util.flows import Future


class Receiver(Protocol):
    """Receiver of the outcome of something pending, such as a future of either kind."""

    def settle(self, value: Any, /) -> object:
        """Receive the result."""
        ...

    def fail(self, error: BaseException, /) -> object:
        """Receive the error."""
        ...

    def done(self) -> bool:
        """Return whether there is an outcome, from here or from elsewhere."""
        ...


class Pending:
    """Futures, and other receivers of an outcome, by key.

    Usable from any thread without a lock: an outcome is received on the thread that removes the receiver. Receivers that are not
    for any thread, such as the futures of flows, are added by the io thread alone.
    """

    def __init__(self) -> None:
        self._futures: dict[str, Receiver] = {}
        self._numbers = itertools.count()
        self._over: ConversationsError | None = None

    def __len__(self) -> int:
        return len(self._futures)

    @property
    def waiting(self) -> int:
        """Number of those that are not done; some stay here after they were settled elsewhere."""
        return sum(not future.done() for future in list(self._futures.values()))

    def add(self, future: Receiver, key: str | None = None) -> str:
        """Keep a future, under a key of its own if none is given."""
        key = key or f"own-{next(self._numbers)}"
        self._futures[key] = future
        # Stored before the check: whatever `end` does meanwhile, one of the two finds it.
        if self._over is not None:
            self.fail(key, self._over.again())
        return key

    def settle(self, key: str, value: Any) -> None:
        """Complete a future; nothing happens if that was done before."""
        if (future := self._futures.pop(key, None)) is not None:
            future.settle(value)

    def fail(self, key: str, error: BaseException) -> None:
        """Fail a future; nothing happens if that was done before."""
        if (future := self._futures.pop(key, None)) is not None:
            future.fail(error)

    def finish(self, key: str, done: Future[Any]) -> None:
        """Complete or fail a future as another one that is done; nothing happens if that was done before."""
        if (error := done.exception()) is not None:
            self.fail(key, error)
        else:
            self.settle(key, done.result())

    def end(self, why: ConversationsError) -> None:
        """Fail all futures, and those that are added from now on."""
        self._over = why
        while self._futures:
            for key in list(self._futures):
                self.fail(key, why.again())

    def end_in_child(self, why: ConversationsError) -> None:
        """Fail what is added in a forked child. Earlier futures stay as they are: other threads may have held their locks."""
        self._over = why
        self._futures = {}
