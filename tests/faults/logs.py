"""Collect errors and tracebacks that the client logs during a run."""

from __future__ import annotations

import logging
import threading
from typing import Self

from twilio_conversations.util import logs


class LogWatch(logging.Handler):
    """Collector of what our client logs as an error or with a traceback, and of what ends a thread; use it in a ``with``."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.complaints: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR or record.exc_info:
            self.complaints.append(logging.Formatter().format(record))

    def __enter__(self) -> Self:
        self._hook = threading.excepthook
        threading.excepthook = lambda args: self.complaints.append(f"{args.thread}: {args.exc_value!r}")
        logging.getLogger("twilio_conversations").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logs.flush(10)
        logging.getLogger("twilio_conversations").removeHandler(self)
        threading.excepthook = self._hook
