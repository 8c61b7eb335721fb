"""Futures, deadlines and the one function that waits."""

from __future__ import annotations

import threading

import pytest

from tests.support.patience import PATIENCE
from tests.support.stopwatch import within
from twilio_conversations.errors import RequestTimeoutError
from twilio_conversations.util.futures import (
    Deadline,
    Flow,
    Future,
    Role,
    completed,
    current_role,
    fail,
    failed,
    flow,
    gather,
    mark_thread,
    settle,
    wait,
)


def in_role(role: Role, what: Future[int]) -> BaseException | None:
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
    error = in_role(role, Future())

    assert isinstance(error, RuntimeError)
    assert "the call" in str(error)


def test_handlers_may_wait() -> None:
    """On the events thread waiting is allowed and ends with its deadline."""
    assert isinstance(in_role(Role.EVENTS, Future()), RequestTimeoutError)


@pytest.mark.parametrize("role", list(Role))
def test_what_is_done_can_be_taken_anywhere(role: Role) -> None:
    """A finished future needs no waiting."""
    assert in_role(role, completed(1)) is None


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

    with pytest.raises(RequestTimeoutError) as caught:
        wait(failed(error), Deadline(PATIENCE), "the call")
    assert caught.value is error


def test_gather_keeps_the_order_and_fails_with_the_first_failure() -> None:
    """Results come in the order of the futures, whoever was done first."""
    first: Future[int] = Future()
    second: Future[int] = Future()
    both = gather([first, second])
    second.set_result(2)
    first.set_result(1)

    assert both.result(0) == [1, 2]
    assert gather([]).result(0) == []
    with pytest.raises(ZeroDivisionError):
        gather([Future(), failed(ZeroDivisionError())]).result(0)


def test_a_flow_reads_from_top_to_bottom() -> None:
    """A flow goes on where its futures are settled, with their results and their errors."""
    one: Future[int] = Future()
    two: Future[int] = Future()

    @flow
    def work() -> Flow[str]:
        got = yield one
        try:
            yield two
        except ValueError as error:
            return f"{got} then {error}"
        return "no error"

    result = work()
    assert not result.done()
    one.set_result(1)
    two.set_exception(ValueError("wrong"))

    assert result.result(0) == "1 then wrong"


def test_a_flow_of_many_finished_futures_does_not_recurse() -> None:
    """Ten thousand steps that need no waiting are a loop, not a stack."""

    @flow
    def work() -> Flow[int]:
        total = 0
        for number in range(10_000):
            total += yield completed(number)
        return total

    assert work().result(0) == sum(range(10_000))


def test_a_flow_that_raises_fails_its_future() -> None:
    """Whatever a step raises is the outcome."""

    @flow
    def work() -> Flow[None]:
        yield completed(None)
        raise KeyError("missing")

    with pytest.raises(KeyError):
        work().result(0)


def test_the_first_to_settle_wins() -> None:
    """Settling twice is harmless and says who was first."""
    future: Future[int] = Future()

    assert settle(future, 1)
    assert not settle(future, 2)
    assert not fail(future, ValueError())
    assert future.result(0) == 1


def test_waiting_ends_on_the_callers_clock() -> None:
    """The deadline holds although nobody settles the future."""
    with within(2), pytest.raises(RequestTimeoutError, match="the call"):
        wait(Future(), Deadline(0.05), "the call")
