"""Measures what code waits for, not how fast the machine is."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import attrs


def busy(pid: int | str = "self") -> float:
    """Seconds that the threads of a process have computed, and waited for a processor; 0 where the kernel does not tell."""
    total = 0
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):  # ended meanwhile
                computed, delayed, _ = Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()
                total += int(computed) + int(delayed)
    return total / 1e9


def computing(pid: int | str = "self", beside: int = 0) -> bool:
    """Whether a thread of a process, other than `beside`, computes now or waits for a processor or a disk.

    How long it has waited so far, the kernel does not tell before it has got one: `busy` lacks that.
    """
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):  # ended meanwhile
                state = Path(f"/proc/{pid}/task/{thread}/stat").read_text().rpartition(")")[2].split()[0]
                if state in "RD" and int(thread) != beside:
                    return True
    return False


@attrs.define
class Stopwatch:
    """Runs from its making on. What a process computes, and what other processes keep it from, is not counted.

    So `waited` says what a promise such as "`close()` returns within two seconds" is about, and a busy machine, or one that
    measures coverage, adds nothing to it.
    """

    pid: int | str = "self"
    _began: float = attrs.field(factory=time.monotonic)
    _busy: float = attrs.field(init=False)
    _most: float = attrs.field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self._busy = busy(self.pid)

    def look(self) -> None:
        """Note how busy the process has been so far; what it is after its end cannot be read."""
        self._most = max(self._most, busy(self.pid) - self._busy)

    @property
    def waited(self) -> float:
        """Seconds so far."""
        self.look()
        return max(0.0, time.monotonic() - self._began - self._most)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """The block may not wait longer than that, nor anything that it waits for in this process."""
    watch = Stopwatch()
    yield
    waited = watch.waited
    assert waited <= seconds, f"waited {waited:.2f} s"
