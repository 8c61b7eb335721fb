"""What the service and the socket said, as causes and errors."""

from __future__ import annotations

import pytest

from twilio_conversations.errors import TransportUnavailableError
from twilio_conversations.wire.failures import Cause, ConnectRefusedError
from twilio_conversations.wire.packets import BackoffHint, Reply, Status


@pytest.mark.parametrize(("seconds", "hint"), [(2.5, BackoffHint(2500)), (0.0, None)])
def test_who_refuses_to_connect_may_ask_to_stay_away(seconds: float, hint: BackoffHint | None) -> None:
    """The status of plain HTTP is the connection's; `Retry-After` counts as a back-off hint does."""
    cause = Cause.of_socket(ConnectRefusedError("the service is full", 503, seconds))
    assert cause.info(terminal=False).http_status_code == 503
    assert (cause.message, cause.hint) == ("Socket error: the service is full", hint)


def test_an_unreachable_service_is_no_refusal_of_a_token() -> None:
    """Who waits for a token to be accepted may try again: nothing was sent."""
    error = Cause.of_socket("reset", 1006).refusal()
    assert isinstance(error, TransportUnavailableError)
    assert (error.retryable, error.sent, str(error)) == (True, False, "Socket error: reset")


def test_a_refusal_with_a_body_that_is_not_json_has_no_hint() -> None:
    """What the status says counts all the same."""
    cause = Cause.of_reply(Reply("TM1", Status(429, "X", None, 51202), body=b"<html>"))
    assert (cause.hint, cause.codes) == (None, (429, 51202))
