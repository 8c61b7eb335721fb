"""The window of requests under way: by itself, and in a session with a service that limits their rate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.driven import Driven, submission
from twilio_conversations.errors import RequestTimeoutError
from twilio_conversations.wire.inflight import SUSPECT_AFTER
from twilio_conversations.wire.packets import Reply, RestCall, Status
from twilio_conversations.wire.window import (
    LARGEST,
    LONGEST_PAUSE,
    PAUSE,
    QUICK_GROWTH,
    SMALLEST,
    START,
    STEADY,
    TRIALS,
    Lane,
    Window,
)

OK = Status(200, "OK")
TOO_MANY = Status(429, "TOO MANY REQUESTS")
MOST = START + START // 4
"""Commands that may be under way at first."""


def answer(id_: str = "", code: int = 200, **headers: str) -> Reply:
    """An answer of the service, with headers by their names with underscores."""
    return Reply(id_, OK, Status(code), {name.replace("_", "-"): value for name, value in headers.items()})


def written(driven: Driven) -> list[str]:
    """The names of the requests that were sent, in order."""
    return [packet.id for packet in driven.sent if isinstance(packet, RestCall)]


def full(lane: Lane) -> Driven:
    """A session with as many requests under way as a lane may have, named by numbers."""
    driven = Driven()
    driven.up()
    for number in range(MOST):
        if driven.session.requests.window.admits(lane, driven.session.requests.written):
            driven.do(driven.session.submit(submission(str(number), lane=lane), driven.now))
    return driven


def submit(driven: Driven, name: str, lane: Lane, seconds: float = 1000.0, cuts: int = 0) -> None:
    """Hand a request to the session."""
    driven.do(driven.session.submit(submission(name, driven.now + seconds, lane=lane, cuts=cuts), driven.now))


# -- the window by itself ----------------------------------------------------------------------------------------------


def test_refusals_shrink_and_pause() -> None:
    """Once for all that were under way together; the pause is as long as the service asks, and not longer than the longest."""
    window = Window()
    window.answered(answer(code=429, retry_after="1"), 0.0, 10.0)
    window.answered(answer(code=429, retry_after="0.5"), 0.0, 10.1)
    assert (window.size, window.resumes_at) == (START // 2, 11.0)
    assert not window.admits(Lane.COMMAND, 0)
    window.resume(10.9)
    assert not window.admits(Lane.COMMAND, 0)
    window.resume(11.0)
    assert window.admits(Lane.READ, START // 2 - 1)
    assert not window.admits(Lane.READ, START // 2)
    window.answered(answer(), 11.0, 11.5)
    window.answered(answer(code=503, retry_after="3600"), 11.0, 12.0)
    assert (window.size, window.resumes_at) == (START // 4, 12.0 + LONGEST_PAUSE)
    window.resume(13.0)
    assert window.resumes_at == 12.0 + LONGEST_PAUSE


@pytest.mark.parametrize("asked", ["", "0", "-3", "nan", "inf", "soon", "Fri, 31 Dec 1999 23:59:59 GMT"])
def test_refusal_without_a_readable_time(asked: str) -> None:
    """One pauses for a moment."""
    window = Window()
    window.answered(answer(code=429, retry_after=asked), 0.0, 10.0)
    assert window.resumes_at == 10.0 + PAUSE


def test_refusal_by_the_tunnel() -> None:
    """A status of the frame itself counts like one of the service."""
    window = Window()
    window.answered(Reply("a", TOO_MANY), 0.0, 10.0)
    assert (window.size, window.resumes_at) == (START // 2, 10.0 + PAUSE)


def test_what_is_no_refusal() -> None:
    """A broken service and a command that fails are answers like others."""
    window = Window()
    for code in (503, 500, 404, 409):
        window.answered(answer(code=code), 0.0, 10.0)
    assert (window.size, window.resumes_at) == (START + 3, None)


def test_a_few_requests_try_after_a_pause() -> None:
    """As many in each pause, until one that was written since is answered; a refusal pauses again, and does not shrink."""
    window = Window()
    window.answered(answer(code=429), 0.0, 10.0)
    window.resume(now := 10.0 + PAUSE)
    for _ in range(2):  # nothing is answered
        for _ in range(TRIALS):
            assert window.admits(Lane.READ, 0)
            window.wrote(now)
        assert not window.admits(Lane.COMMAND, 0)
        assert window.resumes_at == now + PAUSE
        window.resume(now := now + PAUSE)
    window.answered(answer(code=429, retry_after="1"), 10.0 + PAUSE, now)
    window.answered(answer(), 10.0 + PAUSE, now)  # older than the refusal
    assert (window.size, window.resumes_at) == (START // 2, now + 1.0)
    window.resume(now := now + 1.0)
    for _ in range(TRIALS):
        window.wrote(now)
    window.answered(answer(), 10.0, now)  # of before the pause
    assert not window.admits(Lane.READ, 0)
    window.answered(answer(), now, now)
    for _ in range(START // 2):
        assert window.admits(Lane.READ, 0)
        window.wrote(now)


def test_growth_after_a_steady_time() -> None:
    """By one for each windowful of answers, up to the largest."""
    window = Window()
    window.answered(answer(code=429), 0.0, 0.0)
    window.resume(steady := PAUSE + STEADY)
    for _ in range(1000):
        window.answered(answer(), 0.0, steady - 0.01)
    assert window.size == START // 2
    for _ in range(START // 2):
        window.answered(answer(), 0.0, steady)
    assert window.size == START // 2 + 1
    for _ in range(LARGEST * LARGEST):
        window.answered(answer(), 0.0, steady)
    assert window.size == LARGEST


def test_growth_before_the_first_refusal() -> None:
    """By one for each answer up to a bound, then by one for each windowful; never quickly again after a refusal."""
    window = Window()
    for _ in range(QUICK_GROWTH - START):
        window.answered(answer(), 0.0, 0.0)
    assert window.size == QUICK_GROWTH
    for _ in range(QUICK_GROWTH - 1):
        window.answered(answer(), 0.0, 0.0)
    assert window.size == QUICK_GROWTH
    window.answered(answer(), 0.0, 0.0)
    assert window.size == QUICK_GROWTH + 1
    window.answered(answer(code=429), 0.0, 1.0)
    for _ in range(10):
        window.answered(answer(), 0.0, 10.0)
    assert window.size == START // 2


def test_reads_leave_room_for_commands() -> None:
    """A quarter of the window beside it, at least one request."""
    window = Window()
    assert [window.admits(Lane.READ, under_way) for under_way in (99, 100)] == [True, False]
    assert [window.admits(Lane.COMMAND, under_way) for under_way in (100, 124, 125)] == [True, True, False]
    for number in range(20):
        window.answered(answer(code=429), number, number)
    window.resume(100.0)
    assert window.size == SMALLEST
    assert [window.admits(Lane.READ, under_way) for under_way in (3, 4)] == [True, False]
    assert [window.admits(Lane.COMMAND, under_way) for under_way in (4, 5)] == [True, False]


@given(
    rate=st.integers(20, 1000),
    round_trip=st.floats(0.001, 0.5),
    says=st.sampled_from(["1", "0.25", ""]),
    count=st.integers(100, 3000),
)
def test_any_rate(rate: int, round_trip: float, says: str, count: int) -> None:
    """Whatever the service lets through, everything is answered, with few refusals, and without long stands."""
    window, now, allowance, waiting, refusals = Window(), 0.0, float(rate), count, 0
    under_way: list[float] = []  # when each was written
    while waiting or under_way:
        window.resume(now)
        while waiting and window.admits(Lane.READ, len(under_way)):
            waiting -= 1
            under_way.append(now)
            window.wrote(now)
        moments = (*(written_at + round_trip for written_at in under_way[:1]), window.resumes_at)
        due = min(moment for moment in moments if moment is not None)
        allowance, now = min(float(rate), allowance + (due - now) * rate), due
        while under_way and under_way[0] + round_trip <= now:
            written_at = under_way.pop(0)
            passes = allowance >= 1
            allowance -= passes
            refusals += not passes
            waiting += not passes
            reply = answer() if passes else answer(code=429, retry_after=says)
            window.answered(reply, written_at, now)
        assert SMALLEST <= window.size <= LARGEST
    assert refusals <= QUICK_GROWTH + START + SMALLEST * now / (PAUSE + round_trip)


# -- in a session ------------------------------------------------------------------------------------------------------


def test_what_has_no_room_waits_for_an_answer() -> None:
    """Each answer makes room for one; one whose time is over before its turn is never written."""
    driven = full(Lane.COMMAND)
    for name in ("a", "b", "c"):
        submit(driven, name, Lane.COMMAND, PAUSE / 2 if name == "b" else 1000.0)
    assert (len(written(driven)), driven.session.requests.queued) == (MOST, 3)
    driven.receive(answer("0", code=429))
    driven.advance(PAUSE)
    for number in range(1, MOST - START // 2 - START // 8 + 1):
        assert written(driven)[MOST:] == []
        driven.receive(answer(str(number)))
    assert written(driven)[MOST:] == ["a"]
    driven.receive(answer("a"))
    assert written(driven)[MOST:] == ["a", "c"]


def test_commands_go_first() -> None:
    """A command finds room that reads leave; beyond that it is the first of what waits."""
    driven = full(Lane.READ)
    submit(driven, "read", Lane.READ)
    for number in range(START // 4):
        submit(driven, f"command {number}", Lane.COMMAND)
    count = len(written(driven))
    assert count == MOST
    submit(driven, "next", Lane.COMMAND)
    driven.receive(answer("0"))
    assert written(driven)[count:] == ["next"]
    for number in range(1, START // 4 + 2):
        driven.receive(answer(str(number)))
    assert written(driven)[count:] == ["next", "read"]


def test_a_pause_ends_by_itself() -> None:
    """Nothing is written in it, and then everything that waited, the program's first."""
    driven = Driven()
    driven.up()
    submit(driven, "first", Lane.READ)
    driven.receive(answer("first", code=429, retry_after="2"))
    submit(driven, "read", Lane.READ)
    submit(driven, "command", Lane.COMMAND)
    driven.advance(1.9)
    assert written(driven) == ["first"]
    driven.advance(0.1)
    assert written(driven) == ["first", "command", "read"]
    assert driven.session.next_deadline() == driven.now + 998.0


def test_a_time_limit_passes_in_the_queue() -> None:
    """The error says that nothing was sent, and does not speak of the connection."""
    driven = full(Lane.COMMAND)
    submit(driven, "late", Lane.READ, seconds=5)
    driven.advance(5)
    error = driven.settled["late"]
    assert isinstance(error, RequestTimeoutError)
    assert not error.sent
    assert str(error) == "the request was not sent within the time limit"


def test_a_queue_outlives_its_connection() -> None:
    """Requests without room are written by the next connection, which has as much room as the former one."""
    driven = full(Lane.COMMAND)
    submit(driven, "suspect", Lane.READ, cuts=SUSPECT_AFTER)
    submit(driven, "read", Lane.READ)
    driven.receive(answer("0", code=429))
    driven.lose("cut")
    assert driven.session.requests.written == 0
    driven.advance(120)
    driven.establish()
    assert written(driven)[MOST:] == ["suspect", "read"]
    assert driven.session.requests.window.size == START // 2


def test_the_end_fails_what_had_no_room() -> None:
    """Queued requests of every lane are settled."""
    driven = full(Lane.COMMAND)
    submit(driven, "read", Lane.READ)
    submit(driven, "command", Lane.COMMAND)
    driven.do(driven.session.close(driven.now))
    assert not driven.settled["read"].sent
    assert not driven.settled["command"].sent
    assert len(driven.settled) == MOST + 2
