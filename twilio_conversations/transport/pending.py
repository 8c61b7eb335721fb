"""Futures that must end with the connection, however it ends."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Protocol

from twilio_conversations.errors import ConversationsError
from twilio_conversations.util.flows import Future
from twilio_conversations.wire.packets import Reply


class Settleable(Protocol):
    """A future of either kind."""

    def settle(self, value: Any, /) -> bool:
        """Set the result."""
        ...

    def fail(self, error: BaseException, /) -> bool:
        """Set the error."""
        ...


class PendingReply(Future[Reply]):
    """Future answer to one request. `id` names the request."""

    __slots__ = ("_take_back", "id")

    def __init__(self, id_: str, take_back: Callable[[str], object]) -> None:
        """`take_back` receives the id of a request that is cancelled."""
        super().__init__()
        self.id = id_
        self._take_back = take_back

    def cancel(self) -> bool:
        """Take the request back, unless it is answered."""
        if not super().cancel():
            return False
        self._take_back(self.id)
        return True


class Pending:
    """Futures by key. Usable from any thread without a lock: a future is settled by the thread that removes it.

    Those of flows belong to the io thread; it alone may add them.
    """

    def __init__(self) -> None:
        self._futures: dict[str, Settleable] = {}
        self._numbers = itertools.count()
        self._over: ConversationsError | None = None

    def __len__(self) -> int:
        return len(self._futures)

    def add(self, future: Settleable, key: str | None = None) -> str:
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

    def forget(self, key: str) -> bool:
        """Remove a future that was settled elsewhere; return whether it was still here."""
        return self._futures.pop(key, None) is not None

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
