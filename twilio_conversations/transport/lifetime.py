"""Life of a client: whether it is open, closed or failed, and why."""

from __future__ import annotations

import threading

from twilio_conversations.errors import ClientClosedError, ConversationsError
from twilio_conversations.util.futures import Deadline


class Lifetime:
    """The life of one client, for any thread. It ends once: by `close`, by `fail`, or in a forked child.

    Attributes:
        cause: the error of the end; `None` while the client is open.
        deadline: until which the threads are waited for; `None` before `close`.
        forked: whether this is a forked child.
    """

    def __init__(self) -> None:
        self.cause: ConversationsError | None = None
        self.deadline: Deadline | None = None
        self.forked: bool = False
        self._lock = threading.Lock()

    @property
    def failed(self) -> bool:
        """Whether the client ended though nobody closed it."""
        return self.cause is not None and not isinstance(self.cause, ClientClosedError)

    def check(self) -> None:
        """Raise the cause if the client has ended."""
        if (cause := self.cause) is not None:
            raise cause.again()

    def close(self, limit: float) -> bool:
        """Close within `limit` seconds; return `False` if that was begun before: the first limit stays."""
        with self._lock:
            if self.deadline is not None:
                return False
            self.deadline = Deadline(limit)
            if self.cause is None:
                self.cause = ClientClosedError("the client was closed")
            return True

    def fail(self, cause: ConversationsError) -> bool:
        """End because of `cause`; return `False` if the client has failed before: the first cause stays."""
        with self._lock:
            if self.failed:
                return False
            self.cause = cause
            return True

    def forget_in_child(self, why: ConversationsError) -> None:
        """End in a forked child, without the lock, which another thread may have held."""
        self._lock = threading.Lock()
        self.cause, self.deadline, self.forked = why, Deadline(0.0), True
