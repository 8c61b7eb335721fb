"""Requests that end the connection: too large ones, and those that do it again and again."""

from __future__ import annotations

import pytest

from tests.wire.driven import Driven, submission
from twilio_conversations.errors import RequestTooLargeError, TransportUnavailableError
from twilio_conversations.wire.frame_limit import MESSAGE_TOO_BIG, FrameLimit
from twilio_conversations.wire.inflight import SUSPECT_AFTER
from twilio_conversations.wire.packets import Reply, RestCall, Status

LARGE = b"x" * 1000


def written(driven: Driven) -> list[str]:
    """The names of the requests that were sent, in order."""
    return [packet.id for packet in driven.sent if isinstance(packet, RestCall)]


def answer(driven: Driven, id_: str) -> None:
    """The service answers a request."""
    driven.receive(Reply(id_, Status(200, "OK"), Status(200, "OK"), {}, b""))


def reconnect(driven: Driven) -> None:
    """The back-off is over, and the service is there."""
    driven.advance(120)
    driven.establish()


def test_the_largest_request_fails_when_the_peer_says_too_big() -> None:
    """It is not to be sent again; what was under way beside it is."""
    driven = Driven()
    driven.up()
    driven.submit("small")
    driven.submit("large", body=LARGE)
    driven.lose("closed with 1009 message too big", MESSAGE_TOO_BIG)

    error = driven.settled["large"]
    size = len(submission("large", body=LARGE).data)
    assert isinstance(error, RequestTooLargeError)
    assert (error.size, error.limit, error.sent, error.retryable, error.status) == (size, None, True, False, 413)
    assert str(size) in str(error)
    assert isinstance(driven.settled["small"], TransportUnavailableError)
    assert driven.settled["small"].retryable


def test_what_is_known_to_be_too_large_is_not_sent() -> None:
    """Neither while there is a connection nor without one; what is smaller passes."""
    driven = Driven()
    driven.up()
    driven.submit("large", body=LARGE)
    driven.lose("closed with 1009", MESSAGE_TOO_BIG)
    driven.submit("offline", body=LARGE)
    reconnect(driven)
    driven.submit("online", body=LARGE)
    driven.submit("smaller", body=LARGE[:-10])

    assert [driven.settled[name].sent for name in ("offline", "online")] == [False, False]
    assert written(driven) == ["large", "smaller"]


def test_the_limit_that_the_peer_names_counts() -> None:
    """Everything above it fails at once, written or queued; the error names both sizes."""
    driven = Driven()
    driven.up()
    limit = len(submission("a", body=b"x" * 500).data)
    for name in ("a", "b", "c"):
        driven.submit(name, body=b"x" * {"a": 500, "b": 600, "c": 700}[name])
    size = len(submission("c", body=b"x" * 700).data)
    driven.lose(f"closed with 1009 frame with {size} bytes exceeds limit of {limit} bytes", MESSAGE_TOO_BIG)

    assert isinstance(driven.settled["a"], TransportUnavailableError)
    errors = [driven.settled[name] for name in ("b", "c")]
    assert [(error.size, error.limit) for error in errors] == [(size - 100, limit), (size, limit)]
    assert f"{size} bytes as a frame, and the service takes {limit} at most" in str(errors[1])


def test_a_queue_of_before_the_limit_was_known() -> None:
    """A suspect that waited is looked at again before it is written."""
    driven = Driven()
    driven.up()
    driven.submit("first", body=LARGE, cuts=SUSPECT_AFTER)
    driven.submit("second", body=LARGE, cuts=SUSPECT_AFTER)
    driven.lose("closed with 1009", MESSAGE_TOO_BIG)
    reconnect(driven)

    assert isinstance(driven.settled["second"], RequestTooLargeError)
    assert written(driven) == ["first"]


def test_too_big_without_a_request() -> None:
    """A peer that says so of something else is lost like any other."""
    driven = Driven()
    driven.up()
    driven.lose("closed with 1009", MESSAGE_TOO_BIG)
    reconnect(driven)
    driven.submit("large", body=LARGE)

    assert driven.settled == {}
    assert written(driven) == ["large"]


def test_suspects_go_one_at_a_time() -> None:
    """Others do not wait for them; the next one goes when the one before is over, however that came."""
    driven = Driven()
    driven.up()
    for name in ("a", "b", "c", "d"):
        driven.submit(name, cuts=SUSPECT_AFTER, seconds={"b": 5, "c": 10}.get(name, 1000))
    driven.submit("free", cuts=SUSPECT_AFTER - 1)
    assert written(driven) == ["a", "free"]
    answer(driven, "a")
    assert written(driven) == ["a", "free", "b"]
    driven.advance(5)
    assert written(driven) == ["a", "free", "b", "c"]
    driven.advance(5)
    assert written(driven) == ["a", "free", "b", "c", "d"]


def test_only_the_suspect_under_way_is_cut() -> None:
    """Those behind it wait over the reconnect: the next end of the connection does not count against them."""
    driven = Driven()
    driven.up()
    driven.submit("poison", cuts=SUSPECT_AFTER)
    driven.submit("innocent", cuts=SUSPECT_AFTER)
    driven.lose()
    assert set(driven.settled) == {"poison"}
    reconnect(driven)
    assert written(driven) == ["poison", "innocent"]


@pytest.mark.parametrize(
    ("reason", "limit"),
    [
        ("frame with 1100533 bytes exceeds limit of 1048576 bytes", 1048576),
        ("over size limit (1100533 > 1048576 bytes)", 1048576),
        ("Binary message too large: 1,100,533 > 65,536", 65536),
        ("Max payload size exceeded", None),
        ("limit of 9999999 bytes", None),  # that was not it
        ("limit of 0", None),
        ("", None),
    ],
)
def test_limits_in_words(reason: str, limit: int | None) -> None:
    """The words of several servers; whatever they say, the frame that was refused is refused from now on."""
    known = FrameLimit()
    assert known.refusal(1_100_533, sent=False) is None
    known.learn(reason, 1_100_533)
    error = known.refusal(1_100_533, sent=False)
    assert error is not None
    assert (error.size, error.limit) == (1_100_533, limit)
    assert known.refusal(65_536, sent=False) is None
