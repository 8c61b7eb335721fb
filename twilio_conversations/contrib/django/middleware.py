"""Errors of conversations as HTTP responses: for a whole site as middleware, for one view as a decorator."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, TypeVar, cast

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import decorator_from_middleware

from twilio_conversations import (
    ConflictError,
    ConversationsError,
    ForbiddenError,
    InitializationError,
    InvalidArgumentError,
    NoDescriptorError,
    NotFoundError,
    NoThreadError,
    ReplyError,
    RequestTimeoutError,
    RequestTooLargeError,
    ServiceError,
    ThrottledError,
    TransportUnavailableError,
)
from twilio_conversations.util import logs

_View = TypeVar("_View", bound=Callable[..., Any])

STATUS: Final[dict[type[ConversationsError], HTTPStatus]] = {
    NotFoundError: HTTPStatus.NOT_FOUND,
    ForbiddenError: HTTPStatus.FORBIDDEN,
    ConflictError: HTTPStatus.CONFLICT,
    RequestTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    RequestTimeoutError: HTTPStatus.GATEWAY_TIMEOUT,
    ThrottledError: HTTPStatus.SERVICE_UNAVAILABLE,
    TransportUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    InitializationError: HTTPStatus.SERVICE_UNAVAILABLE,
    NoThreadError: HTTPStatus.SERVICE_UNAVAILABLE,
    NoDescriptorError: HTTPStatus.SERVICE_UNAVAILABLE,
    ReplyError: HTTPStatus.BAD_GATEWAY,
    ServiceError: HTTPStatus.BAD_GATEWAY,
}
"""Status for each kind of error; the first one that fits counts. Others are mistakes of the program: they stay exceptions."""
RETRY_AFTER: Final = 5
"""Seconds that a 503 names."""
_log = logs.logger(__name__)


def status_of(error: ConversationsError) -> HTTPStatus | None:
    """Return the status of the response to an error; `None` where the error is a mistake of the program."""
    if isinstance(error, InvalidArgumentError):
        return None
    return next((status for kind, status in STATUS.items() if isinstance(error, kind)), None)


class ConversationsErrorsMiddleware:
    """Middleware that responds to errors of conversations which a view has raised.

    404 and 403 are Django's own, with the pages of the site. The others have a short text, as JSON where the request prefers
    that, and never the error's own words, which may contain names. Errors of the service and of the connection are logged.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the response of the view, or of `process_exception`."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Return the response to an error of conversations.

        Raises:
            Http404: what was asked for does not exist.
            PermissionDenied: this identity may not do that.
        """
        status = status_of(exception) if isinstance(exception, ConversationsError) else None
        if status is None:
            return None
        if status is HTTPStatus.NOT_FOUND:
            raise Http404(str(exception)) from exception
        if status is HTTPStatus.FORBIDDEN:
            raise PermissionDenied(str(exception)) from exception
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.error("%s %s: %s", request.method, request.path, exception, exc_info=exception)
        return _response(request, status)


def conversations_errors(view: _View) -> _View:
    """Do for one view, as its decorator, what `ConversationsErrorsMiddleware` does for a site."""
    return cast(_View, _decorate(view))


_decorate = decorator_from_middleware(ConversationsErrorsMiddleware)


def _response(request: HttpRequest, status: HTTPStatus) -> HttpResponse:
    headers = {"Retry-After": str(RETRY_AFTER)} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
    if request.get_preferred_type(["application/json", "text/html"]) == "text/html":
        return HttpResponse(status.phrase, status=status, headers=headers, content_type="text/plain")
    return JsonResponse({"error": status.phrase}, status=status, headers=headers)
