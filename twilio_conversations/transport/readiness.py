"""Readiness of a client, and the waits of its callers: they end, with the cause, when nothing more can come of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

from twilio_conversations.errors import ConversationsError, NotReadyError, RequestTimeoutError
from twilio_conversations.transport.lifetime import Lifetime
from twilio_conversations.util.futures import Deadline, SharedFuture, refuse_to_wait, wait

T = TypeVar("T")
_READY: Final[SharedFuture[None]] = SharedFuture()
_READY.settle(None)


class Readiness:
    """Readiness of one client: not ready yet, ready, refused until another token comes, or ended with its lifetime.

    It is set by the io thread; callers wait on other threads.
    """

    def __init__(self, lifetime: Lifetime, trouble: Callable[[], str | None]) -> None:
        """`trouble` returns what keeps the connection away; it is put into the errors of time limits."""
        self.started = False
        self._lifetime = lifetime
        self._trouble = trouble
        self._ready: SharedFuture[None] = SharedFuture()
        self._refusal: ConversationsError | None = None
        self._waits: dict[SharedFuture[Any], SharedFuture[Any]] = {}  # what is waited for -> what its callers wait on
        self._lock = threading.Lock()

    @property
    def cause(self) -> ConversationsError | None:
        """Error for waiting calls if the client has ended; `None` otherwise."""
        return self._lifetime.cause or self._refusal

    @property
    def is_ready(self) -> bool:
        """Whether calls need neither wait for the start nor fail."""
        return self.cause is None and self._ready.done()

    def check(self) -> None:
        """Raise the error for waiting calls if the client has ended."""
        if (cause := self.cause) is not None:
            raise cause.again()

    def check_started(self) -> None:
        """Raise `NotReadyError` if nothing has been started: then nothing is carried out."""
        if not self.started:
            raise NotReadyError("call connect() first: the client was made with auto_connect=False")

    # -- set by the io thread -----------------------------------------------------------------------------------------

    def ready(self) -> None:
        """Mark the start as successful."""
        self._ready.settle(None)
        self._ready = _READY  # the same for all clients: one of its own takes a kilobyte

    def refuse(self, cause: ConversationsError) -> None:
        """Fail every wait, and those that begin before another token comes."""
        self._refusal = cause
        self._fail_waits(cause)

    def begin_again(self) -> None:
        """Accept waits again."""
        self._refusal = None

    def end(self) -> None:
        """Fail every wait after the end of the lifetime."""
        if (cause := self._lifetime.cause) is not None:
            self._fail_waits(cause)

    def _fail_waits(self, cause: ConversationsError) -> None:
        with self._lock:  # whoever begins to wait looks at the cause under the lock: afterwards nobody waits any more
            waits, self._waits = self._waits, {}
        for waiting in waits.values():
            waiting.fail(cause.again())

    def forget_in_child(self) -> None:
        """Forget the waits in a forked child. Other threads may have held the lock."""
        self._lock = threading.Lock()
        self._waits = {}

    # -- callers wait -------------------------------------------------------------------------------------------------

    def await_ready(self, deadline: Deadline, what: str) -> Deadline:
        """Wait until the client is ready, and return the same deadline for what is to be done then.

        Raises:
            NotReadyError: `connect` was not called.
            InitializationError: the client was refused, or its token has ended.
            ClientClosedError: it was closed.
            RequestTimeoutError: the deadline passed; nothing was sent.
        """
        self.check()
        self.check_started()
        refuse_to_wait(what)
        try:
            self.wait(self._ready, deadline, what)
        except RequestTimeoutError as error:
            error.sent = False
            raise
        return deadline

    def wait(self, future: SharedFuture[T], deadline: Deadline, what: str) -> T:
        """Wait as `futures.wait` does; raise the cause if the client ends meanwhile, or has ended."""
        self.check()
        if future.done():
            return wait(future, deadline, what, self._trouble)
        refuse_to_wait(what)
        return wait(self._watched(future), deadline, what, self._trouble)

    def _watched(self, future: SharedFuture[T]) -> SharedFuture[T]:
        """Return a future that ends as `future` does, or with the client; one for all callers."""
        with self._lock:
            self.check()
            waiting = self._waits.get(future)
            if waiting is not None:
                return waiting
            waiting = self._waits[future] = SharedFuture()
        future.add_done_callback(self._done)
        return waiting

    def _done(self, future: SharedFuture[Any]) -> None:
        with self._lock:
            waiting = self._waits.pop(future, None)
        if waiting is None:
            return
        if (error := future.exception()) is not None:
            waiting.fail(error)
        else:
            waiting.settle(future.result())
