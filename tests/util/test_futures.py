"""Deadlines, roles of threads and the one function that waits."""

from __future__ import annotations

import threading
from concurrent.futures import InvalidStateError, ThreadPoolExecutor

import pytest

from tests.support.patience import PATIENCE
from tests.support.stopwatch import within
from twilio_conversations.errors import RequestTimeoutError
from twilio_conversations.util.futures import Deadline, Role, SharedFuture, current_role, mark_thread, wait


def in_role(role: Role, what: SharedFuture[int]) -> BaseException | None:
    """What waiting raises on a thread with that role."""
    outcome: list[BaseException] = []

    def run() -> None:
        mark_thread(role)
        try:
            wait(what, Deadline(0.1), "the call")
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(PATIENCE)
    return outcome[0] if outcome else None


@pytest.mark.parametrize("role", [Role.IO, Role.TOKEN])
def test_waiting_on_a_thread_that_must_not_wait_is_an_error_in_words(role: Role) -> None:
    """On the io and token threads `wait` raises at once and names the call."""
    error = in_role(role, SharedFuture())

    assert isinstance(error, RuntimeError)
    assert "the call" in str(error)


def test_handlers_may_wait() -> None:
    """On the events thread waiting is allowed and ends with its deadline."""
    assert isinstance(in_role(Role.EVENTS, SharedFuture()), RequestTimeoutError)


@pytest.mark.parametrize("role", list(Role))
def test_what_is_done_can_be_taken_anywhere(role: Role) -> None:
    """A finished future needs no waiting."""
    done: SharedFuture[int] = SharedFuture()
    done.settle(1)
    assert in_role(role, done) is None


def test_the_callers_own_threads_have_no_role() -> None:
    """Only the client's threads are marked."""
    assert current_role() is None


def test_a_deadline_counts_down_and_no_limit_is_none() -> None:
    """A deadline never goes below zero."""
    deadline = Deadline(0.0)

    assert deadline.passed
    assert deadline.remaining() == 0.0
    assert Deadline(None).remaining() is None
    assert not Deadline(None).passed


def test_a_timeout_of_the_work_itself_is_passed_on() -> None:
    """An error that the future failed with is not mistaken for the end of the wait."""
    error = RequestTimeoutError("inner", sent=True)
    failed: SharedFuture[None] = SharedFuture()
    failed.fail(error)

    with pytest.raises(RequestTimeoutError) as caught:
        wait(failed, Deadline(PATIENCE), "the call")
    assert caught.value is error


def test_the_first_to_settle_wins() -> None:
    """Settling twice is harmless and says who was first."""
    future: SharedFuture[int] = SharedFuture()

    assert future.settle(1)
    assert not future.settle(2)
    assert not future.fail(ValueError())
    assert future.result() == 1


def test_all_who_wait_are_woken() -> None:
    """Each passes on what it was woken by; one that was woken and never did so holds the others up for a moment only."""
    future: SharedFuture[int] = SharedFuture()
    with ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(wait, future, Deadline(PATIENCE), "the call") for _ in range(3)]
        future.settle(1)
        assert [one.result(PATIENCE) for one in waiting] == [1, 1, 1]
        future._latch.acquire()  # as by a thread that was interrupted between two steps
        assert wait(future, Deadline(PATIENCE), "the call") == 1


def test_callbacks_run_once_whenever_they_are_added() -> None:
    """Before the end by who settles it, after it at once; also those that a callback adds."""
    future: SharedFuture[int] = SharedFuture()
    seen: list[str] = []
    future.add_done_callback(lambda done: seen.append(f"before {done.result()}"))
    future.add_done_callback(lambda done: done.add_done_callback(lambda _: seen.append("nested")))
    assert not seen
    future.settle(1)
    future.add_done_callback(lambda _: seen.append("after"))
    assert seen == ["before 1", "nested", "after"]


def test_one_of_many_settles_it_while_callbacks_are_added() -> None:
    """Whatever threads do at the same time: there is one outcome, and each callback is called once."""
    with ThreadPoolExecutor(4) as threads:
        for _ in range(200):
            future: SharedFuture[int] = SharedFuture()
            seen: list[int] = []
            adding = [threads.submit(future.add_done_callback, lambda done, seen=seen: seen.append(done.result())) for _ in "ab"]
            settling = [threads.submit(future.settle, number) for number in range(2)]
            won = [one.result(PATIENCE) for one in settling]
            assert [one.result(PATIENCE) for one in adding] == [None, None]
            assert sorted(won) == [False, True]
            assert seen == [won.index(True)] * 2


def test_what_is_not_done_has_no_outcome() -> None:
    """Asking for it is an error, not a wait."""
    future: SharedFuture[int] = SharedFuture()
    with pytest.raises(InvalidStateError):
        future.result()
    with pytest.raises(InvalidStateError):
        future.exception()


def test_waiting_ends_on_the_callers_clock() -> None:
    """The deadline holds although nobody settles the future."""
    with within(2), pytest.raises(RequestTimeoutError, match="the call"):
        wait(SharedFuture(), Deadline(0.05), "the call")
