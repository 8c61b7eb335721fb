"""The requests of one client: what is kept of them."""

from __future__ import annotations

from twilio_conversations.wire.inflight import Requests, Submission, new_id
from twilio_conversations.wire.packets import Reply


def test_deadlines_of_answered_requests_do_not_pile_up() -> None:
    """One that is open for long, with the earliest deadline, does not keep those behind it."""
    requests = Requests()
    requests.write(Submission("patient", b"", 10.0), 0.0)
    for number in range(100_000):
        requests.write(Submission(str(number), b"", 3600.0 + number), 0.0)
        requests.answered(Reply(str(number)), 0.0)
        assert requests.next_deadline() == 10.0

    assert len(requests._deadlines) < 1000
    assert requests.take_expired(10.0) == [("patient", True)]
    assert requests.next_deadline() is None


def test_a_request_is_queued_or_written_and_never_both() -> None:
    """What was written may have had an effect; what is queued had none."""
    requests = Requests()
    requests.queue(Submission("a", b"", 10.0))
    requests.write(Submission("b", b"12", 10.0), 0.0)
    assert (len(requests), requests.queued, requests.written) == (2, 1, 1)
    assert (requests.has_written("a"), requests.has_written("b")) == (False, True)

    assert [request.id for request in requests.flush(1.0)] == ["a"]
    assert (requests.queued, requests.written) == (0, 2)
    assert requests.take_written() == {"a": 0, "b": 2}
    assert len(requests) == 0


def test_names_of_frames_are_not_used_twice() -> None:
    """Each is Twilio's kind of name, and new."""
    names = {new_id() for _ in range(1000)}
    assert len(names) == 1000
    assert all(name.startswith("TM") for name in names)
