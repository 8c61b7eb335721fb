"""Loggers whose records cannot harm the thread that logs."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.patience import LONG_PATIENCE, PATIENCE
from twilio_conversations.util import logs
from twilio_conversations.util.futures import Deadline, Role, SharedFuture, mark_thread, wait

NAME = "twilio_conversations.anything"
LIMIT = PATIENCE


class Program(logging.Handler):
    """A handler of the program's: keeps the records, and does with each whatever `what` does."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []
        self.threads: list[str] = []
        self.what: Callable[[logging.LogRecord], object] = lambda record: None

    def emit(self, record: logging.LogRecord) -> None:
        self.threads.append(threading.current_thread().name)
        self.records.append(record)
        self.what(record)

    @property
    def messages(self) -> list[str]:
        return [record.getMessage() for record in self.records]


@pytest.fixture
def program() -> Iterator[Program]:
    """The program's handler, with DEBUG for everything of ours; what it raises is expected."""
    handler, ours = Program(), logging.getLogger("twilio_conversations")
    before = ours.level
    ours.addHandler(handler)
    ours.setLevel(logging.DEBUG)
    yield handler
    handler.what = lambda record: None
    assert logs.flush(LIMIT)
    ours.removeHandler(handler)
    ours.setLevel(before)
    logs._reported.clear()


def on_thread(role: Role | None, what: Callable[[], object], name: str = "ours") -> list[BaseException]:
    """Run `what` on a thread of that role; return what came out of it."""
    raised: list[BaseException] = []

    def run() -> None:
        mark_thread(role)
        try:
            what()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, name=name)
    thread.start()
    thread.join(LIMIT)
    assert not thread.is_alive()
    return raised


def raising(error: BaseException) -> Callable[[object], Any]:
    """Return what raises that, whatever it is given."""

    def what(_: object) -> Any:
        raise error

    return what


@pytest.mark.parametrize("role", [Role.IO, Role.CONNECT, Role.TOKEN])
def test_our_threads_run_nothing_of_the_program(program: Program, role: Role) -> None:
    """Their records come on another thread, in order, with what is true of the thread that logged."""
    log, before = logs.logger(NAME), time.time()
    gate = threading.Event()
    program.what = lambda record: gate.wait(LIMIT)

    def run() -> None:
        log.warning("first %s", 1)
        log.debug("second")
        try:
            raise ValueError("wrong")
        except ValueError:
            log.exception("third")

    assert on_thread(role, run, "its name") == []
    after = time.time()
    gate.set()
    assert logs.flush(LIMIT)

    assert program.messages == ["first 1", "second", "third"]
    assert set(program.threads) == {"conversations-log"}
    first, _, third = program.records
    assert {record.threadName for record in program.records} == {"its name"}
    assert before <= first.created <= third.created <= after
    assert 0 <= first.msecs < 1000
    assert (first.name, first.levelname, first.module, first.funcName) == (NAME, "WARNING", "test_logs", "run")
    assert third.exc_info is not None
    assert str(third.exc_info[1]) == "wrong"


@pytest.mark.parametrize("role", [None, Role.EVENTS])
def test_other_threads_pass_their_records_on_at_once(program: Program, role: Role | None) -> None:
    """So that what the program keeps for a thread (a context, a request) is there."""
    on_thread(role, lambda: logs.logger(NAME).info("hello"), "its name")
    assert (program.messages, program.threads) == (["hello"], ["its name"])


@pytest.mark.parametrize("role", [*Role, None])
def test_what_a_handler_raises_stays_outside(program: Program, role: Role | None, capfd: pytest.CaptureFixture[str]) -> None:
    """It is printed once for each place, as `logging` does it, and never reaches the code that logs."""
    program.what = raising(LookupError("no request here"))
    log = logs.logger(NAME)
    assert on_thread(role, lambda: [log.warning("careful") for _ in range(3)]) == []
    assert logs.flush(LIMIT)
    assert capfd.readouterr().err.count("LookupError: no request here") == (0 if role is Role.LOG else 1)


def test_what_a_filter_raises_stays_outside(program: Program, capfd: pytest.CaptureFixture[str]) -> None:
    """Filters of handlers run outside of what `logging` itself guards."""
    program.addFilter(raising(LookupError("a context variable")))
    assert on_thread(Role.EVENTS, lambda: logs.logger(NAME).warning("careful")) == []
    assert "a context variable" in capfd.readouterr().err
    assert program.records == []


def test_what_a_record_factory_raises_stays_outside(program: Program) -> None:
    """The program may have put its own in the place of `LogRecord`."""
    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(raising(LookupError("no factory")))
    try:
        for role in (None, Role.IO, Role.EVENTS):
            assert on_thread(role, lambda: logs.logger(NAME).warning("careful")) == []
        assert logs.flush(LIMIT)
    finally:
        logging.setLogRecordFactory(before)
    assert program.records == []


@pytest.mark.parametrize("stderr", [None, "closed"])
def test_nowhere_to_print_is_no_trouble(program: Program, monkeypatch: pytest.MonkeyPatch, stderr: str | None) -> None:
    """Programs without a console have no stderr."""
    program.what = raising(LookupError("no request here"))
    with open(os.devnull, "w") as closed:
        monkeypatch.setattr(sys, "stderr", closed if stderr else None)
    assert on_thread(Role.IO, lambda: logs.logger(NAME).warning("careful")) == []
    assert on_thread(None, lambda: logs.logger(NAME).warning("careful")) == []
    assert logs.flush(LIMIT)


def test_what_is_no_exception_is_meant_for_the_programs_threads_only(program: Program) -> None:
    """Ctrl-C or a timeout of gevent's may come while a record is written; our threads outlive a handler that exits."""
    program.what = raising(KeyboardInterrupt())
    (raised,) = on_thread(None, lambda: logs.logger(NAME).warning("careful"))
    assert isinstance(raised, KeyboardInterrupt)
    for error in (KeyboardInterrupt(), SystemExit(3), GeneratorExit()):
        program.what = raising(error)
        for role in (Role.EVENTS, Role.IO):
            assert on_thread(role, lambda: logs.logger(NAME).warning("careful")) == []
        assert logs.flush(LIMIT)
    assert on_thread(None, lambda: logs.flush(LIMIT)) == []


def test_a_level_that_is_no_number_stays_outside(program: Program, capfd: pytest.CaptureFixture[str]) -> None:
    """Who sets the attribute by hand can set anything."""
    odd = logging.getLogger(f"{NAME}.odd")
    odd.level = "DEBUG"  # type: ignore[assignment]
    try:
        assert on_thread(Role.IO, lambda: logs.logger(odd.name).warning("careful")) == []
        assert logs.flush(LIMIT)
    finally:
        odd.setLevel(logging.NOTSET)
    assert "TypeError" in capfd.readouterr().err
    assert program.records == []


def test_levels_are_those_of_logging(program: Program) -> None:
    """The level of the next logger above that has one, `logging.disable` and `disabled` count."""
    log, ours = logs.logger(NAME), logging.getLogger(NAME)
    ours.setLevel(logging.WARNING)
    try:
        assert [log.is_enabled_for(level) for level in (logging.INFO, logging.WARNING)] == [False, True]
        logging.disable(logging.ERROR)
        assert [log.is_enabled_for(level) for level in (logging.ERROR, logging.CRITICAL)] == [False, True]
        logging.disable(logging.NOTSET)
        ours.disabled = True
        assert not log.is_enabled_for(logging.CRITICAL)
    finally:
        logging.disable(logging.NOTSET)
        ours.disabled = False
        ours.setLevel(logging.NOTSET)
    assert log.is_enabled_for(logging.DEBUG)


def test_what_waits_is_bounded_and_what_is_discarded_is_counted(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """Warnings are kept where a flood of DEBUG has no room any more; a line says how many are missing, and where."""
    monkeypatch.setattr(logs, "LIMIT", 5)
    log, entered, gate = logs.logger(NAME), threading.Event(), threading.Event()

    def stand_still(record: logging.LogRecord) -> None:
        entered.set()
        gate.wait(LIMIT)

    program.what = stand_still
    on_thread(Role.IO, lambda: log.debug("first"))
    assert entered.wait(LIMIT)
    on_thread(Role.IO, lambda: [log.debug("flood %d", number) for number in range(8)])
    on_thread(Role.IO, lambda: log.warning("careful"))
    gate.set()
    assert logs.flush(LIMIT)
    lost = "3 records were discarded: the program's log handlers are too slow for them"
    assert program.messages == ["first", *(f"flood {number}" for number in range(5)), lost, "careful"]


def test_the_thread_ends_when_nothing_is_left(program: Program) -> None:
    """`flush` returns after that, so that whoever closes a client leaves no thread behind."""
    for number in range(3):
        on_thread(Role.IO, lambda number=number: logs.logger(NAME).info("%d", number))
        assert logs.flush(LIMIT)
        assert not [thread for thread in threading.enumerate() if thread.name == "conversations-log"]
    assert program.messages == ["0", "1", "2"]


def test_flushing_ends_in_time(program: Program) -> None:
    """A handler that blocks for ever holds up nobody else."""
    gate = threading.Event()
    program.what = lambda record: gate.wait(LIMIT)
    on_thread(Role.IO, lambda: logs.logger(NAME).info("x"))
    began = time.monotonic()
    assert not logs.flush(0.05)
    assert time.monotonic() - began < LIMIT / 2
    gate.set()


def test_without_a_thread_the_records_come_with_the_next_flush(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no thread to give, nothing is lost and nothing is raised."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "conversations-log":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert on_thread(Role.IO, lambda: [logs.logger(NAME).info("x") for _ in range(2)]) == []
    assert program.messages == []
    assert logs.flush(LIMIT)
    assert program.messages == ["x", "x"]
    assert program.threads == [threading.current_thread().name] * 2


def test_a_record_does_not_bring_about_itself(program: Program) -> None:
    """What arises while a record is passed on comes later, and what arises over that is discarded."""
    log = logs.logger(NAME)
    program.what = lambda record: log.info("about %s", record.getMessage())
    log.info("this")
    assert logs.flush(LIMIT)
    assert program.messages == ["this", "about this"]


def test_no_handler_waits_on_the_thread_for_records(program: Program) -> None:
    """A call that blocks is refused there, in words that say what to do."""
    raised: list[BaseException] = []

    def block(record: logging.LogRecord) -> None:
        try:
            wait(SharedFuture(), Deadline(LIMIT), "send_message()")
        except RuntimeError as error:
            raised.append(error)

    program.what = block
    on_thread(Role.IO, lambda: logs.logger(NAME).info("x"))
    assert logs.flush(LIMIT)
    assert "QueueHandler" in str(raised[0])
    assert "send_message()" in str(raised[0])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_child_begins_anew(tmp_path: object) -> None:
    """The parent's records are the parent's, and its thread and lock are not there."""
    code = """
import logging, os, sys, threading, warnings
from twilio_conversations.util.futures import Role, mark_thread
from twilio_conversations.util import logs
warnings.simplefilter("ignore")
gate, entered, parent = threading.Event(), threading.Event(), os.getpid()
class Slow(logging.Handler):
    def emit(self, record):
        entered.set()
        if os.getpid() == parent:
            gate.wait(30)
        os.write(1, f"{'parent' if os.getpid() == parent else 'child'} {record.getMessage()}\\n".encode())
logging.getLogger("twilio_conversations").addHandler(Slow())
mark_thread(Role.IO)
log = logs.logger("twilio_conversations.x")
log.warning("one")
log.warning("two")
assert entered.wait(30)
pid = os.fork()
mark_thread(Role.IO)
if not pid:
    log.warning("three")
    mark_thread(None)
    assert logs.flush(30)
    os._exit(0)
mark_thread(None)
assert os.waitpid(pid, 0)[1] == 0
gate.set()
assert logs.flush(30)
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=LONG_PATIENCE, check=True)
    assert answer.stdout.splitlines() == ["child three", "parent one", "parent two"], answer.stderr
