"""The Python workers' side of the lines of JSON."""

from __future__ import annotations

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


def resident_kib() -> float:
    """This process's memory, KiB."""
    return _status("VmRSS")


def threads() -> int:
    """This process's threads, as the kernel counts them."""
    return int(_status("Threads"))


def _status(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return float(line.split()[1])
    raise LookupError(field)
