"""Loggers whose records cannot harm the thread that logs.

Filters, handlers, formatters and record factories are the program's code: they may raise, block, or call the client. The io,
connect and token threads, and those of a local service, never run such code, so their records are queued, and a short-lived
daemon thread, ``conversations-log``, passes them to the program in order. Records of all other threads are passed on where they
are logged.
Either way, what the program's code raises goes to stderr, as `logging` itself does it, and never to the code that logged.

A record that arises while another one is passed on (a handler that sends through the client) is queued too, and one that
arises on ``conversations-log`` is discarded: a record cannot bring about itself for ever.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final

import attrs

from twilio_conversations.util.futures import Deadline, Role, current_role, mark_thread

__all__ = ["SafeLogger", "flush", "logger"]

LIMIT: Final = 10_000
"""Records that may wait; twice as many if they are warnings or worse, which a flood of DEBUG must not displace."""

_QUEUED: Final = frozenset({Role.IO, Role.CONNECT, Role.TOKEN, Role.SERVICE})
_NEVER_WAIT: Final = _QUEUED | {Role.LOG}
_MOST_REPORTS: Final = 100
_SLICE: Final = 0.05

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


class _Here(threading.local):
    """Whether this thread is passing on a record."""

    passing = False


_here = _Here()
_effective = logging.Logger.getEffectiveLevel  # not a subclass's own
_reported: set[tuple[type[BaseException], str, int]] = set()


@attrs.define(eq=False)
class _Entry:
    """Data of a log record that is created later, on another thread."""

    logger: logging.Logger
    level: int
    message: str
    args: tuple[object, ...]
    error: ExcInfo | None
    path: str
    line: int
    function: str
    created: float = attrs.field(factory=time.time)
    thread: int = attrs.field(factory=threading.get_ident)
    thread_name: str = attrs.field(factory=lambda: threading.current_thread().name)

    def pass_on(self) -> None:
        """Make the record and hand it to the program's handlers, as `logging.Logger.log` does."""
        logger = self.logger
        record = logger.makeRecord(
            logger.name, self.level, self.path, self.line, self.message, self.args, self.error, self.function
        )
        if self.thread != record.thread:
            record.relativeCreated += (self.created - record.created) * 1000
            record.created = self.created
            record.msecs = float(int((self.created - int(self.created)) * 1000))
            record.thread, record.threadName = self.thread, self.thread_name
        logger.handle(record)


class SafeLogger:
    """Logger of the package's modules; see the module."""

    __slots__ = ("_logger",)

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def is_enabled_for(self, level: int) -> bool:
        """Return whether a record of that level would be made. Takes no lock and runs no code of the program's."""
        logger = self._logger
        return level >= _effective(logger) and not logger.disabled and level > logger.manager.disable

    def debug(self, message: str, *args: object, exc_info: BaseException | None = None) -> None:
        """Log details for whoever looks for a fault."""
        self._log(logging.DEBUG, message, args, exc_info)

    def info(self, message: str, *args: object) -> None:
        """Log what happens in the ordinary course of things."""
        self._log(logging.INFO, message, args, None)

    def warning(self, message: str, *args: object, exc_info: BaseException | None = None) -> None:
        """Log a trouble that may pass."""
        self._log(logging.WARNING, message, args, exc_info)

    def error(self, message: str, *args: object, exc_info: BaseException | None = None) -> None:
        """Log a failure."""
        self._log(logging.ERROR, message, args, exc_info)

    def exception(self, message: str, *args: object) -> None:
        """Log a failure with the exception that is being handled."""
        self._log(logging.ERROR, message, args, sys.exception())

    def critical(self, message: str, *args: object, exc_info: BaseException | None = None) -> None:
        """Log a failure after which the client cannot go on."""
        self._log(logging.CRITICAL, message, args, exc_info)

    def _log(self, level: int, message: str, args: tuple[object, ...], error: BaseException | None) -> None:
        try:
            if not self.is_enabled_for(level) or (role := current_role()) is Role.LOG:
                return
            frame = sys._getframe(2)  # noqa: SLF001 - documented; what `inspect` offers is far slower
            code = frame.f_code
            exc_info: ExcInfo | None = None if error is None else (type(error), error, error.__traceback__)
            entry = _Entry(self._logger, level, message, args, exc_info, code.co_filename, frame.f_lineno, code.co_name)
        except Exception as fault:  # a level of the program's that is no number
            _outlet.put(logging.ERROR, functools.partial(_report, fault))
            return
        if role in _QUEUED or _here.passing:
            _outlet.put(level, functools.partial(_pass_on, entry))
        else:
            _pass_on(entry)


class _Outlet:
    """The queue of what is to be done with records, and the thread that empties it and ends when nothing is left."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start from an empty state; after a fork the records are the parent's, and another thread may have held the lock."""
        self._lock = threading.RLock()  # a finalizer may log while its thread holds it
        self._waiting: deque[Callable[[], None]] = deque()
        self._discarded = 0
        self._running = False
        self._thread: threading.Thread | None = None

    def put(self, level: int, item: Callable[[], None]) -> None:
        """Queue what is to be done with a record of that level, or discard and count it where too many wait."""
        with self._lock:
            if len(self._waiting) >= (LIMIT if level < logging.WARNING else 2 * LIMIT):
                self._discarded += 1
            else:
                self._report_gap()
                self._waiting.append(item)
            self._start()

    def flush(self, timeout: float) -> bool:
        """Wait until all records that wait now are passed on, at most `timeout` seconds; return whether they are."""
        if current_role() in _NEVER_WAIT:
            return False
        deadline = Deadline(timeout)
        reached = threading.Event()
        with self._lock:
            if self._waiting:
                self._start()
            running, thread = self._running, self._thread
            if running:
                self._waiting.append(reached.set)
        if not running:
            self._drain(deadline)  # there is no thread to be had
        elif not reached.wait(deadline.remaining()):
            return False
        while thread is not None and thread.is_alive() and not self._waiting and not deadline.passed:
            thread.join(min(_SLICE, deadline.remaining() or 0.0))
        return running or not self._waiting

    def _start(self) -> None:
        if self._running:
            return
        self._running = True
        self._thread = threading.Thread(target=self._run, name="conversations-log", daemon=True)
        try:
            self._thread.start()
        except (RuntimeError, MemoryError):  # none to be had now: the next record tries again, and so does `flush`
            self._running, self._thread = False, None

    def _run(self) -> None:
        mark_thread(Role.LOG)
        while (item := self._take()) is not None:
            item()

    def _drain(self, deadline: Deadline) -> None:
        """Pass on what waits on the calling thread."""
        role = current_role()
        mark_thread(Role.LOG)
        try:
            while not deadline.passed and (item := self._take()) is not None:
                item()
        finally:
            mark_thread(role)

    def _take(self) -> Callable[[], None] | None:
        with self._lock:
            if not self._waiting:
                self._report_gap()
            if self._waiting:
                return self._waiting.popleft()
            self._running = False
            return None

    def _report_gap(self) -> None:
        """Queue a line about the records that were discarded, at the place where they are missing."""
        count, self._discarded = self._discarded, 0
        if count:
            text = "%d records were discarded: the program's log handlers are too slow for them"
            own = logging.getLogger(__name__)
            entry = _Entry(own, logging.WARNING, text, (count,), None, __file__, 0, "_report_gap")
            self._waiting.append(functools.partial(_pass_on, entry))


def logger(name: str) -> SafeLogger:
    """Return the safe logger of that name; the level and the handlers are those of `logging.getLogger`."""
    return SafeLogger(name)


def flush(timeout: float) -> bool:
    """Wait until all records that wait now are passed on, at most `timeout` seconds; return whether they are."""
    return _outlet.flush(timeout)


def _pass_on(entry: _Entry) -> None:
    """Pass a record to the program. Only on threads of the program's own does anything come out of it: what is no
    `Exception` (Ctrl-C, a timeout of gevent's) is meant for them."""
    before, _here.passing = _here.passing, True
    try:
        entry.pass_on()
    except Exception as error:
        _report(error)
    except BaseException as error:
        if current_role() is None:
            raise
        _report(error)
    finally:
        _here.passing = before


def _report(error: BaseException) -> None:
    """Print what a filter, a handler or a factory raised, once for each place, unless `logging.raiseExceptions` is off."""
    try:
        last = error.__traceback__
        while last is not None and last.tb_next is not None:
            last = last.tb_next
        place = (type(error), last.tb_frame.f_code.co_filename if last else "", last.tb_lineno if last else 0)
        if not logging.raiseExceptions or place in _reported or len(_reported) >= _MOST_REPORTS:
            return
        _reported.add(place)
        text = "--- Logging error: what the program attached to `logging` raised (reported once) ---\n"
        sys.stderr.write(text + "".join(traceback.format_exception(error)))
    except Exception:  # the program's too: no stderr, a closed one, a stream that logs
        pass
    except BaseException:
        if current_role() is None:
            raise


def _reset_in_child() -> None:
    mark_thread(None)  # a handler may have forked: in the child its thread is the program's
    _outlet.reset()


_outlet = _Outlet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_in_child)
