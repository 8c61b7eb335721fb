"""Flows and their futures."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Callable
from concurrent.futures import InvalidStateError
from typing import Any

import pytest

from twilio_conversations.errors import ProtocolError
from twilio_conversations.util.flows import Flow, Future, completed, failed, flow, gather


def test_a_future_is_settled_once() -> None:
    """The first result or error stays; later ones change nothing, and each callback is called once."""
    future: Future[int] = Future()
    seen: list[Any] = []
    future.add_done_callback(seen.append)

    assert (future.done(), seen) == (False, [])
    assert future.settle(1)
    assert not future.settle(2)
    assert not future.fail(ValueError())
    assert (future.done(), future.result(), future.exception(), seen) == (True, 1, None, [future])


def test_a_failed_future_raises_its_error() -> None:
    """Each time it is asked; settling it then changes nothing."""
    error = ValueError("wrong")
    future = failed(error)

    for _ in range(2):
        with pytest.raises(ValueError, match="wrong"):
            future.result()
    assert not future.settle(1)
    assert future.exception() is error


@pytest.mark.parametrize("ask", [Future.result, Future.exception])
def test_nothing_waits_here(ask: Callable[[Future[int]], Any]) -> None:
    """What is still to come cannot be taken."""
    with pytest.raises(InvalidStateError):
        ask(Future())


def test_callbacks_are_called_in_order_even_if_one_raises(caplog: pytest.LogCaptureFixture) -> None:
    """What a callback raises is logged; those that are added later are called at once."""
    future: Future[int] = Future()
    seen: list[str] = []

    def fails(_: Future[int]) -> None:
        seen.append("first")
        raise ValueError("a callback")

    with caplog.at_level(logging.ERROR):
        future.add_done_callback(fails)
        future.add_done_callback(lambda _: seen.append("second"))
        future.settle(1)
        future.add_done_callback(fails)

    assert seen == ["first", "second", "first"]
    assert [record.message for record in caplog.records] == ["a callback of a future failed"] * 2


def test_gather_keeps_the_order_and_fails_with_the_first_failure() -> None:
    """Results come in the order of the futures, whoever was done first."""
    first: Future[int] = Future()
    second: Future[int] = Future()
    both = gather([first, second])
    second.settle(2)
    first.settle(1)

    assert both.result() == [1, 2]
    assert gather([]).result() == []
    with pytest.raises(ZeroDivisionError):
        gather([Future(), failed(ZeroDivisionError())]).result()


def test_gather_ignores_what_comes_after_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    """The first error stays, and the others do no harm."""
    members: list[Future[int]] = [Future(), Future(), Future()]
    all_of_them = gather(members)
    first = ValueError("first")
    members[0].fail(first)
    members[1].fail(ValueError("second"))
    members[2].settle(1)

    assert all_of_them.exception() is first
    assert not caplog.records


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
    one.settle(1)
    two.fail(ValueError("wrong"))

    assert result.result() == "1 then wrong"


def test_a_flow_of_many_finished_futures_does_not_recurse() -> None:
    """Ten thousand steps that need no waiting are a loop, not a stack."""

    @flow
    def work() -> Flow[int]:
        total = 0
        for number in range(10_000):
            total += yield completed(number)
        return total

    assert work().result() == sum(range(10_000))


def test_a_flow_that_raises_fails_its_future() -> None:
    """Whatever a step raises is the outcome."""

    @flow
    def work() -> Flow[None]:
        yield completed(None)
        raise KeyError("missing")

    with pytest.raises(KeyError):
        work().result()


def test_a_step_of_one_flow_needs_no_future() -> None:
    """It is a generator; its errors and its result go to the flow that it belongs to."""
    one: Future[int] = Future()

    def step() -> Flow[int]:
        got: int = yield one
        return got + 1

    @flow
    def work() -> Flow[int]:
        return (yield from step()) + 1

    result = work()
    one.settle(1)

    assert result.result() == 3


def test_an_unexpected_error_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Where it was raised, also if nobody takes the result; errors of this package are for whoever asked."""
    coming: Future[int] = Future()

    @flow
    def inner(error: Exception) -> Flow[None]:
        yield coming
        raise error

    @flow
    def outer(error: Exception) -> Flow[None]:
        yield inner(error)

    outer(ValueError("wrong"))
    refused = outer(ProtocolError("refused"))
    coming.settle(1)

    assert isinstance(refused.exception(), ProtocolError)
    assert [(record.message, record.exc_info and record.exc_info[0]) for record in caplog.records] == [
        ("a flow failed", ValueError)
    ]


def test_a_flow_that_waits_for_what_fails_fails_with_it() -> None:
    """It may clean up first."""
    one: Future[int] = Future()
    cleaned: list[bool] = []

    @flow
    def work() -> Flow[None]:
        try:
            yield one
        finally:
            cleaned.append(True)

    result = work()
    error = ValueError("wrong")
    one.fail(error)

    assert result.exception() is error
    assert cleaned == [True]


class Witness:
    """Something that a test can see go."""


def _step(coming: list[Future[Any]], witness: Witness) -> Flow[None]:
    held = witness
    try:
        yield coming.pop()
    finally:
        del held


@pytest.mark.parametrize("error", [None, ValueError("wrong")], ids=["result", "error"])
@pytest.mark.parametrize("depth", [1, 3])
def test_what_a_flow_held_goes_with_it(error: Exception | None, depth: int) -> None:
    """Flows, their frames, their errors and their futures make no cycles, so the collector has nothing to find."""

    def run() -> weakref.ref[Witness]:
        witness, one = Witness(), Future[int]()
        steps = flow(_step)
        result: Future[Any] = one
        for _ in range(depth):
            result = steps([result], witness)
        if error is None:
            one.settle(1)
        else:
            one.fail(ValueError("wrong"))
        assert result.done()
        return weakref.ref(witness)

    gc.collect()
    gc.disable()
    try:
        gone = run()
        assert gone() is None
        assert gc.collect() == 0
    finally:
        gc.enable()
