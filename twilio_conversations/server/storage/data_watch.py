"""Watch of the data directory: open files outlive it, and everything written after its removal is lost."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from twilio_conversations.server.start_errors import DataDirectoryError

INTERVAL = 1.0
"""Seconds between two checks."""


class DataWatch:
    """Watch of one file of the data directory, by a timer of the event loop."""

    def __init__(self, path: Path, on_lost: Callable[[DataDirectoryError], None]) -> None:
        """Watch `path`, which exists now; call `on_lost` once when it is removed or replaced."""
        self._path = path
        self._on_lost = on_lost
        self._facts = path.stat()
        self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._look)

    def stop(self) -> None:
        """Stop watching."""
        self._timer.cancel()

    def _look(self) -> None:
        try:
            is_there = os.path.samestat(self._path.stat(), self._facts)
        except (FileNotFoundError, NotADirectoryError):
            is_there = False
        except OSError:
            is_there = True  # reading and writing fail likewise, and report it
        if is_there:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._look)
            return
        self._on_lost(
            DataDirectoryError(
                f"the data directory {self._path.parent} was removed or replaced while the service ran: what is written now would"
                " be lost, so the service ends"
            )
        )
