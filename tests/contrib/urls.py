"""URLs of the project of these tests."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from tests.contrib.failing import ERRORS
from twilio_conversations.contrib.django.middleware import conversations_errors


def fail(request: HttpRequest, name: str) -> HttpResponse:
    """Raise an error."""
    raise ERRORS[name]


urlpatterns = [
    path("conversations/", include("twilio_conversations.contrib.django.urls")),
    path("fails/<name>/", fail),
    path("fails-decorated/<name>/", conversations_errors(fail)),
]
