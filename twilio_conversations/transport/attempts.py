"""Attempts of one client to open a socket: at most one is wanted, and the outcome of any other is discarded."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

import requests

from twilio_conversations.errors import NoThreadError
from twilio_conversations.transport.connect import Attempt


class Attempts:
    """Begins attempts, each on a thread of its own, and reports the wanted one when it is done. Lives on the io thread.

    Its thread keeps an attempt alive; of one that is over nothing is kept, also while the connection is idle.
    """

    def __init__(
        self,
        url: str,
        http_session: requests.Session | None,
        timeout: float,
        name: str,
        post: Callable[[Callable[[], object]], None],
        on_done: Callable[[Attempt], None],
    ) -> None:
        """Make no attempt yet.

        Args:
            url: the address of the service.
            http_session: the caller's, asked for proxies and certificates at each attempt.
            timeout: seconds that an attempt may take.
            name: ends the names of the threads.
            post: runs a function on the io thread.
            on_done: receives the wanted attempt when its socket is open or has failed, on the io thread.
        """
        self._url = url
        self._http_session = http_session
        self._timeout = timeout
        self._name = name
        self._post = post
        self._on_done = on_done
        self._wanted: Attempt | None = None
        self._latest: weakref.ref[Attempt] | None = None
        self._thread: weakref.ref[threading.Thread] | None = None  # of the latest one

    @property
    def under_way(self) -> bool:
        """Whether an attempt is wanted and not done."""
        return self._wanted is not None

    def begin(self, generation: int) -> None:
        """Open a socket.

        Raises:
            NoThreadError: the system has no thread for it now.
        """
        attempt = Attempt(generation, self._url, self._http_session, self._timeout, self._on_thread_done)
        self._wanted, self._latest = attempt, weakref.ref(attempt)
        try:
            self._thread = weakref.ref(attempt.start(f"conversations-connect-{self._name}"))
        except NoThreadError:
            self._wanted = None
            raise

    def abandon(self) -> None:
        """Discard the outcome of the attempt that is wanted, if there is one."""
        attempt, self._wanted = self._wanted, None
        if attempt is not None:
            attempt.abandon()

    def join(self, timeout: float) -> None:
        """Wait for the latest thread, at most `timeout` seconds."""
        if self._thread is not None and (thread := self._thread()) is not None:
            thread.join(timeout)

    def close_in_child(self) -> None:
        """Close the child's copies of the descriptors after a fork."""
        if self._latest is not None and (latest := self._latest()) is not None:
            latest.close_in_child()

    def _on_thread_done(self, attempt: Attempt) -> None:
        """Pass on the outcome from the connecting thread."""
        self._post(lambda: self._take(attempt))

    def _take(self, attempt: Attempt) -> None:
        if attempt is self._wanted:
            self._wanted = None
            self._on_done(attempt)
