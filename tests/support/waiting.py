"""Waiting for what other threads or processes make true."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from tests.support.patience import PATIENCE


def until(condition: Callable[[], Any], what: str, timeout: float = PATIENCE) -> None:
    """Wait for what other threads or processes will make true."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"not within {timeout:g} s: {what}"
        threading.Event().wait(0.01)
