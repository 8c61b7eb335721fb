"""Threads and file descriptors of a process, and of the clients in it."""

from __future__ import annotations

import os
import threading

_CLIENT_THREADS = (*(f"conversations-{kind}-" for kind in ("io", "events", "connect", "token")), "conversations-log")


def own_threads() -> list[str]:
    """The names of the clients' threads that run now."""
    return sorted(thread.name for thread in threading.enumerate() if thread.name.startswith(_CLIENT_THREADS))


def descriptors(pid: int | str = "self") -> int:
    """Open file descriptors of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def tasks(pid: int | str = "self") -> int:
    """Threads of a process, as the kernel counts them."""
    return len(os.listdir(f"/proc/{pid}/task"))
