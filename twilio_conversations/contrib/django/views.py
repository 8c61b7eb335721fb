"""Access tokens for the pages of a logged-in user."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from twilio_conversations.contrib.django import settings


@never_cache
@require_http_methods(["GET", "POST"])
@csrf_protect
def token(request: HttpRequest) -> JsonResponse:
    """Return ``{"identity", "token"}`` for the user of the session: 401 without one, 403 where the user has no identity.

    A POST needs Django's CSRF token. No response is cached.
    """
    user: Any = getattr(request, "user", None)  # there is none without Django's authentication
    if user is None or not user.is_authenticated:
        return _refused(HTTPStatus.UNAUTHORIZED, "log in first")
    chosen = settings.current()
    try:
        identity = chosen.identity_of(user)
    except PermissionDenied:
        identity = None
    if not identity:
        return _refused(HTTPStatus.FORBIDDEN, "this user may not use conversations")
    return JsonResponse({"identity": identity, "token": chosen.token_for(identity)})


def _refused(status: HTTPStatus, why: str) -> JsonResponse:
    return JsonResponse({"error": why}, status=status)
