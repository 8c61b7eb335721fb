"""The Python workers' side of the lines of JSON."""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any


def answer_lines(doings: Mapping[str, Callable[..., Mapping[str, Any]]]) -> None:
    """Do what each line on standard input asks, and answer with one line, until the input ends."""
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = doings[order.pop("do")](**order)
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(dict(answer)), flush=True)


def spread(times: Sequence[float]) -> Mapping[str, float]:
    """The median and the 99th percentile of some times."""
    ordered = sorted(times)
    return {"p50": statistics.median(ordered), "p99": ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))]}


def resident_kib(process: str = "self") -> float:
    """A process's memory, KiB."""
    return _status("VmRSS", process)


def threads() -> int:
    """This process's threads, as the kernel counts them."""
    return int(_status("Threads", "self"))


def cpu_seconds(pid: int) -> float:
    """The time that a process's threads have run."""
    spent = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has just ended
            spent += int((task / "schedstat").read_text().split()[0])
    return spent / 1e9


def _status(field: str, process: str) -> float:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return float(line.split()[1])
    raise LookupError(field)
