"""Worker threads: bounded, fair, and gone when they are stopped."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable

import pytest

from tests.support.patience import PATIENCE
from tests.support.waiting import until
from twilio_conversations.bot.workers import Workers, living
from twilio_conversations.util.futures import Deadline, SharedFuture, wait

Calls = list[Callable[[], object]]


def workers_of(limit: int, dialogues: int, calls: Calls | None = None) -> Workers:
    """Return workers; what they want to be called after a while is added to `calls`."""
    later: Calls = [] if calls is None else calls
    return Workers(limit, dialogues, lambda seconds, call: later.append(call))


def refused(thread: threading.Thread) -> None:
    """Start no thread, as a system that has none."""
    raise RuntimeError("can't start new thread")


def threads() -> int:
    """Return the number of worker threads."""
    return len([one for one in threading.enumerate() if one.name.startswith("conversations-bot")])


def test_no_more_than_the_limit_run_at_once() -> None:
    """Twenty turns on three threads, which are started when they are needed."""
    workers, gate, lock = workers_of(3, 0), threading.Semaphore(0), threading.Lock()
    running, most, ended = 0, 0, 0

    def turn() -> bool:
        nonlocal running, most, ended
        with lock:
            running += 1
            most = max(most, running)
        assert gate.acquire(timeout=PATIENCE)
        with lock:
            running, ended = running - 1, ended + 1
        return False

    assert threads() == 0
    for _ in range(20):
        workers.add(turn)
    until(lambda: running == 3, "three run")
    assert threads() == 3
    for number in range(20):
        gate.release()
        until(lambda number=number: ended > number, "the next has ended")
    assert most == 3
    assert workers.stop(PATIENCE)
    assert threads() == 0


def test_turns_take_turns() -> None:
    """Those that have more to do come again after all others."""
    workers, order, done = workers_of(1, 0), list[str](), threading.Event()
    begun, go_on = threading.Event(), threading.Event()
    left = {"a": 3, "b": 3, "c": 1}

    def first() -> bool:
        begun.set()
        return not go_on.wait(PATIENCE)

    def turn(name: str) -> bool:
        order.append(name)
        left[name] -= 1
        if not any(left.values()):
            done.set()
        return left[name] > 0

    workers.add(first)
    assert begun.wait(PATIENCE)
    for name in left:
        workers.add(lambda name=name: turn(name))
    go_on.set()
    assert done.wait(PATIENCE)
    assert "".join(order) == "abcabab"
    assert workers.stop(PATIENCE)


def test_who_waits_leaves_a_place() -> None:
    """A thread that is away does not count, up to the number that may be; the surplus ends afterwards."""
    workers, back = workers_of(1, 2), threading.Event()
    away = threading.Semaphore(0)

    def dialogue() -> bool:
        with workers.away(SharedFuture()):
            away.release()
            assert back.wait(PATIENCE)
        return False

    for _ in range(3):
        workers.add(dialogue)
    for _ in range(3):
        assert away.acquire(timeout=PATIENCE)
    ran = threading.Event()
    workers.add(lambda: bool(ran.set()))
    assert threads() == 3
    assert not ran.is_set()
    back.set()
    assert ran.wait(PATIENCE)
    for _ in range(5):
        again = threading.Event()
        workers.add(lambda again=again: bool(again.set()))
        assert again.wait(PATIENCE)
    assert threads() <= 3
    assert workers.stop(PATIENCE)
    assert threads() == 0


def test_a_turn_that_outlives_the_stop() -> None:
    """`stop` returns when its time is over; what waits is not begun."""
    workers, begun, go_on, other = workers_of(1, 0), threading.Event(), threading.Event(), threading.Event()

    def endless() -> bool:
        begun.set()
        return go_on.wait(PATIENCE)

    workers.add(endless)
    workers.add(lambda: bool(other.set()))
    assert begun.wait(PATIENCE)
    assert not workers.stop(0.01)
    go_on.set()
    assert workers.stop(PATIENCE)
    workers.add(lambda: bool(other.set()))
    assert not other.is_set()
    assert threads() == 0


def test_a_turn_waits_for_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no thread, turns wait until it has one, and run once each."""
    calls: Calls = []
    workers, order = workers_of(1, 0, calls), list[str]()

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        workers.add(lambda: bool(order.append("a")))
        workers.add(lambda: bool(order.append("b")))
        (call,) = calls
        calls.clear()
        call()
        (call,) = calls
    call()
    until(lambda: len(order) == 2, "both have run")
    assert workers.stop(PATIENCE)
    assert "".join(order) == "ab"


def test_a_thread_that_waits_for_an_answer_runs_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no other thread, it is asked again, too."""
    calls: Calls = []
    workers, away, back, ran = workers_of(1, 1, calls), threading.Event(), threading.Event(), threading.Event()

    def dialogue() -> bool:
        with workers.away(SharedFuture()):
            away.set()
            assert back.wait(PATIENCE)
        return False

    workers.add(dialogue)
    assert away.wait(PATIENCE)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        workers.add(lambda: bool(ran.set()))
    (call,) = calls
    call()
    assert ran.wait(PATIENCE)
    back.set()
    assert workers.stop(PATIENCE)


def test_nothing_is_under_way_after_the_stop() -> None:
    """A turn that fails while the bot stops promises another one, which never comes."""
    workers = workers_of(1, 0)
    workers.promise()
    assert list(workers.under_way()) == ["1 handlers of a bot"]
    assert workers.stop(PATIENCE)
    workers.promise()
    assert list(workers.under_way()) == []


def test_a_promise_that_is_kept_after_the_stop() -> None:
    """Nothing is under way, neither more nor less than that."""
    workers = workers_of(1, 0)
    workers.promise()
    assert workers.stop(PATIENCE)
    workers.keep_promise(lambda: False)
    assert list(workers.under_way()) == []


def test_a_surplus_thread_leaves_its_turn_to_one_that_sleeps() -> None:
    """Back from an answer a thread may be one too many: what follows in its conversation is done by the other, which is idle."""
    workers, answer, followed = workers_of(1, 1), SharedFuture[None](), threading.Event()
    turns = 0

    def asks() -> bool:
        nonlocal turns
        turns += 1
        if turns == 1:
            with workers.away(answer):
                wait(answer, Deadline(PATIENCE), "the answer")
            return True
        followed.set()
        return False

    workers.add(asks)
    until(lambda: workers._away == 1, "the first thread waits for its answer")
    workers.add(lambda: False)
    until(lambda: workers._idle == 1, "the second one has nothing to do")
    answer.settle(None)
    assert followed.wait(PATIENCE)
    assert workers.stop(PATIENCE)


def test_a_thread_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """What its start raises besides the lack of threads is raised to the caller; the next turn gets a thread."""
    workers, ran = workers_of(1, 0), threading.Event()

    def broken(thread: threading.Thread) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", broken)
        with pytest.raises(KeyboardInterrupt):
            workers.add(lambda: False)
    workers.add(lambda: bool(ran.set()))
    assert ran.wait(PATIENCE)
    assert workers.stop(PATIENCE)


def test_no_thread_is_asked_for_after_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system has threads again when the bot has ended."""
    calls: Calls = []
    workers = workers_of(1, 0, calls)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        workers.add(lambda: False)
    assert workers.stop(PATIENCE)
    (call,) = calls
    call()
    assert threads() == 0


def test_a_turn_that_raises_ends_its_thread_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns catch what handlers raise; all else is reported as Python reports it, and another thread takes over what waits."""
    reported: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: reported.append(args.exc_value))
    workers, go_on = workers_of(1, 0), threading.Event()
    ran = [threading.Event(), threading.Event()]

    def turn() -> bool:
        assert go_on.wait(PATIENCE)
        raise MemoryError

    workers.add(turn)
    workers.add(lambda: bool(ran[0].set()))
    go_on.set()
    assert ran[0].wait(PATIENCE)
    workers.add(turn)
    until(lambda: [type(error) for error in reported] == [MemoryError] * 2, "both are reported")
    workers.add(lambda: bool(ran[1].set()))
    assert ran[1].wait(PATIENCE)
    assert workers.stop(PATIENCE)


def test_workers_of_a_process() -> None:
    """All that exist are found, those that are gone are not."""
    workers = workers_of(1, 0)
    assert [one for one in living() if one is workers] == [workers]
    reference = weakref.ref(workers)
    del workers
    gc.collect()
    assert reference() is None
    assert None not in living()
