"""The stopwatch of the tests: it counts waiting, whatever else the machine does."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.support.patience import PATIENCE
from tests.support.stopwatch import Stopwatch, busy, computing, within
from tests.support.waiting import until

WAITING = """
import threading
from tests.support.stopwatch import Stopwatch, within

watch = Stopwatch()
threading.Event().wait(0.3)
print(watch.waited)
with within(0.1):
    threading.Event().wait(0.3)
"""


def test_waiting_is_counted() -> None:
    """In a process that has nothing else to do: what other threads compute in the meantime would be taken off."""
    process = subprocess.run([sys.executable, "-c", WAITING], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert float(process.stdout) >= 0.2, process.stderr
    assert "AssertionError: waited" in process.stderr


@pytest.mark.skipif(busy() == 0, reason="this kernel does not tell how long threads wait for a processor")
def test_computing_is_not_counted() -> None:
    """A second of it, in this process or in one that it waits for."""
    with within(0.5):
        until = time.thread_time() + 1
        while time.thread_time() < until:
            sum(range(1000))
    code = "import time\nwhile time.process_time() < 2: sum(range(1000))\nprint(flush=True)\ninput()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    watch = Stopwatch(process.pid)
    assert process.stdout is not None
    assert process.stdout.readline() == "\n"
    watch.look()
    process.communicate("\n", PATIENCE)
    assert watch.waited < 1.5


def test_a_process_that_waits_for_a_processor_computes() -> None:
    """From the moment on at which it wants one; one that waits for a line does not."""
    code = "input()\nprint(flush=True)\nwhile True: sum(range(1000))"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        until(lambda: not computing(process.pid), "it waits for a line")
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "\n"
        assert all(computing(process.pid) for _ in range(10))
        process.kill()
