"""Exit and fork of the process, for the owners of threads. One hook each, over weak references."""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from contextlib import AbstractContextManager
from typing import Final, Protocol

from twilio_conversations.util import logs
from twilio_conversations.util.futures import mark_thread

_log = logs.logger(__name__)

EXIT_LIMIT: Final = 2.0
"""Seconds that all clients together may hold up the end of the process."""


class Owner(Protocol):
    """An owner of threads and descriptors."""

    def begin_close(self) -> None:
        """Begin to close, and return at once."""

    def join(self, timeout: float) -> None:
        """Wait until it is closed, at most `timeout` seconds."""

    def forget_in_child(self) -> None:
        """Close the descriptors in a forked child, without locks, threads or bytes to a peer."""


_owners: weakref.WeakSet[Owner] = weakref.WeakSet()
_lock = threading.RLock()
"""Held by whoever forks. Reentrant, as a signal handler may fork wherever the main thread is."""

_hooked = False


def register(owner: Owner) -> None:
    """Have `owner` closed at exit and cut off in forked children, for as long as it lives."""
    global _hooked
    with _lock:
        _owners.add(owner)
        if _hooked:
            return
        _hooked = True
    atexit.register(_close_all)
    if hasattr(os, "register_at_fork"):
        # A fork while another thread holds the lock, or changes the set, would leave the child with neither.
        os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_forget_all)


def no_fork() -> AbstractContextManager[object]:
    """Return a context manager in which other threads do not fork, for a descriptor that is not in its owner's hands yet.

    Forks wait for the end of the block: it does not block, and calls nothing of the program's.
    """
    return _lock


def unregister(owner: Owner) -> None:
    """Forget `owner`, which is closed."""
    with _lock:
        _owners.discard(owner)


def _close_all() -> None:
    with _lock:
        owners = list(_owners)
    for owner in owners:
        owner.begin_close()
    end = time.monotonic() + EXIT_LIMIT
    for owner in owners:
        owner.join(max(0.0, end - time.monotonic()))
    logs.flush(max(0.0, end - time.monotonic()))


def _forget_all() -> None:
    mark_thread(None)  # a handler may have forked: in the child its thread is the program's
    owners = list(_owners)
    _owners.clear()
    _lock.release()
    for owner in owners:
        try:
            owner.forget_in_child()
        except Exception:
            _log.exception("a client of the parent process could not be forgotten")
