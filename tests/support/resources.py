"""Threads and file descriptors of a process, and of the clients in it."""

from __future__ import annotations

import contextlib
import os
import threading

_CLIENT_THREADS = (*(f"conversations-{kind}-" for kind in ("io", "events", "connect", "token")), "conversations-log")


def own_threads() -> list[str]:
    """The names of the clients' threads that run now."""
    return sorted(thread.name for thread in threading.enumerate() if thread.name.startswith(_CLIENT_THREADS))


def descriptors(pid: int | str = "self") -> int:
    """Open file descriptors of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def sockets() -> set[str]:
    """The sockets of this process, under the system's names. (A count is disturbed by those of others, which end meanwhile.)"""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # it was the directory's own
            found.add(os.readlink(f"/proc/self/fd/{number}"))
    return {name for name in found if name.startswith("socket:")}


def tasks(pid: int | str = "self") -> int:
    """Threads of a process, as the kernel counts them."""
    return len(os.listdir(f"/proc/{pid}/task"))
