"""Looks whether the data directory is still there: open files outlive it, and whatever is written then is lost."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from twilio_conversations.server.start_errors import DataDirectoryError

INTERVAL = 1.0
"""Seconds between two looks."""


class DataWatch:
    """Looks at one file of the data directory from time to time. Lives on the event loop."""

    def __init__(self, path: Path, on_lost: Callable[[DataDirectoryError], None]) -> None:
        """`path` is there now; `on_lost` is called once when it no longer is, or is another file."""
        self._path = path
        self._on_lost = on_lost
        self._facts = path.stat()
        self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._look)

    def stop(self) -> None:
        """Stop."""
        self._timer.cancel()

    def _look(self) -> None:
        try:
            is_there = os.path.samestat(self._path.stat(), self._facts)
        except (FileNotFoundError, NotADirectoryError):
            is_there = False
        except OSError:
            is_there = True  # whoever reads or writes meets the same trouble, and says so
        if is_there:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._look)
            return
        self._on_lost(
            DataDirectoryError(
                f"the data directory {self._path.parent} was removed or replaced while the service ran: what is written now would"
                " be lost, so the service ends"
            )
        )
