"""The view that issues tokens: to the user of the session, and to nobody else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, JsonResponse
from django.middleware.csrf import get_token
from django.test import RequestFactory, override_settings

from tests.contrib.conftest import setting
from tests.support.patience import PATIENCE
from twilio_conversations import Client
from twilio_conversations.contrib.django.views import token
from twilio_conversations.server import LocalServer


def nobody(user: User) -> str:
    """A site's function that refuses."""
    raise PermissionDenied(f"not {user}")


def answer(user: Any, method: str = "get", **changes: Any) -> JsonResponse:
    """Return the response to a request of a user."""
    request: HttpRequest = getattr(RequestFactory(enforce_csrf_checks=True), method)("/token/", **changes)
    request.user = user
    return token(request)


def test_the_token_of_a_user_connects(site: LocalServer, fresh: Any) -> None:
    """It is for the user's name, may not be cached, and the service accepts it."""
    name = fresh("alice")
    response = answer(User(username=name))
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    assert "private" in response["Cache-Control"]
    body = json.loads(response.content)
    assert body["identity"] == name
    with Client(body["token"], endpoint=site.url) as client:
        assert client.wait_until_ready(PATIENCE).identity == name


@pytest.mark.parametrize(
    ("user", "identity", "status"),
    [
        (AnonymousUser(), None, 401),
        (None, None, 401),
        (User(username="a"), nobody, 403),
        (User(username="a"), lambda user: "", 403),
        (User(username="a"), lambda user: None, 403),
        (User(pk=7), lambda user: f"user-{user.pk}", 200),
    ],
)
def test_who_gets_a_token(service: LocalServer, user: Any, identity: Any, status: int) -> None:
    """A user of the session to whom the site's function gives an identity."""
    with override_settings(TWILIO_CONVERSATIONS=setting(service, IDENTITY=identity)):
        response = answer(user)
    assert response.status_code == status
    assert (b'"token"' in response.content) == (status == 200)
    assert "no-store" in response["Cache-Control"]


@pytest.mark.usefixtures("site")
def test_a_post_needs_the_token_of_the_form() -> None:
    """Without Django's CSRF token it is refused; other methods do not exist."""
    user = User(username="a")
    assert answer(user, "post").status_code == 403
    page = RequestFactory().get("/")
    secret = get_token(page)
    request = RequestFactory(enforce_csrf_checks=True).post("/", headers={"x-csrftoken": secret})
    request.COOKIES["csrftoken"] = page.META["CSRF_COOKIE"]
    request.user = user
    assert token(request).status_code == 200
    assert answer(user, "delete").status_code == 405
