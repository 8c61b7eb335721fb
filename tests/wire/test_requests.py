"""The requests of one client: what is kept of them."""

from __future__ import annotations

from twilio_conversations.wire.inflight import Requests, Submission


def test_deadlines_of_answered_requests_do_not_pile_up() -> None:
    """One that is open for long, with the earliest deadline, does not keep those behind it."""
    requests = Requests()
    requests.write(Submission("patient", b"", 10.0), 0.0)
    for number in range(100_000):
        requests.write(Submission(str(number), b"", 3600.0 + number), 0.0)
        requests.answered(str(number))
        assert requests.next_deadline() == 10.0

    assert len(requests._deadlines) < 1000
    assert requests.take_expired(10.0) == [("patient", True)]
    assert requests.next_deadline() is None
