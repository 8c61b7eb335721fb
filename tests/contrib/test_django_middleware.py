"""Errors of a view become responses that keep what they know to themselves."""

from __future__ import annotations

import pytest
from django.test import Client, override_settings

MIDDLEWARE = "twilio_conversations.contrib.django.middleware.ConversationsErrorsMiddleware"


@pytest.mark.parametrize("by", ["fails", "fails-decorated"])
@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("missing", 404),
        ("forbidden", 403),
        ("conflict", 409),
        ("large", 413),
        ("late", 504),
        ("throttled", 503),
        ("away", 503),
        ("rejected", 503),
        ("service", 502),
        ("token", 500),
        ("closed", 500),
        ("other", 500),
    ],
)
def test_errors_become_responses(by: str, name: str, status: int) -> None:
    """By middleware or by decorator; mistakes of the program stay exceptions; no text of an error reaches the visitor."""
    with override_settings(MIDDLEWARE=[MIDDLEWARE] if by == "fails" else []):
        response = Client(raise_request_exception=False).get(f"/{by}/{name}/")
    assert response.status_code == status
    assert b"CH1" not in response.content
    assert ("Retry-After" in response) == (status == 503)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "application/json"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/plain"),
    ],
)
def test_the_form_of_a_response(accept: str | None, content_type: str) -> None:
    """Programs get JSON, browsers get text."""
    response = Client().get("/fails-decorated/late/", headers={"accept": accept} if accept else {})
    assert response["Content-Type"].partition(";")[0] == content_type
    assert b"Gateway Timeout" in response.content
