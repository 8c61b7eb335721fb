"""Plain HTTP: Starlette's requests and responses as the service's, and back."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response as HttpResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from twilio_conversations.server.activity import Activity
from twilio_conversations.server.calls import Request, Response, split_path
from twilio_conversations.server.errors import Refusal

MAX_BODY = 1024 * 1024
LOCAL = "/_local/"
"""Prefix of the control plane, which no page may use."""
ANY_PAGE = functools.partial(
    CORSMiddleware,
    allow_origins=["*"],
    allow_methods=["GET", "POST", "PUT", "DELETE"],
    allow_headers=["*"],
    expose_headers=["Content-Disposition", "Content-Range", "ETag", "Retry-After"],
)
_CODES = {404: 20404, 405: 20004}


class CountedHttp:
    """Plain HTTP requests as work under way, except those to the control plane."""

    def __init__(self, app: ASGIApp, activity: Callable[[], Activity]) -> None:
        self._app = app
        self._activity = activity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request, and count it until it has been answered."""
        if scope["type"] != "http" or scope["path"].startswith(LOCAL):
            await self._app(scope, receive, send)
            return
        activity = self._activity()
        activity.begin("HTTP request")
        try:
            await self._app(scope, receive, send)
        finally:
            activity.end("HTTP request")


class OpenToPages:
    """CORS for pages of any origin, except for paths that are `closed` and below `LOCAL`.

    Media are open: access is by a token or a link, never by a cookie. Unknown paths are open so that pages can read the refusal.
    """

    def __init__(self, app: ASGIApp, closed: Callable[[Sequence[str]], bool]) -> None:
        self._app = app
        self._open = ANY_PAGE(app)
        self._closed = closed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer preflight requests, and add the CORS headers to every answer."""
        closed = scope["type"] != "http" or scope["path"].startswith(LOCAL) or self._closed(segments(scope))
        await (self._app if closed else self._open)(scope, receive, send)


async def decoded(request: HttpRequest) -> Request:
    """Return the request as if it had come through the tunnel. Raises `Refusal` 20413."""
    body = await _body(request)
    return Request(request.method, segments(request.scope), dict(request.query_params), dict(request.headers), body)


def segments(scope: Scope) -> tuple[str, ...]:
    """Return the decoded segments of a request's path."""
    return split_path(scope.get("raw_path", b"").decode("latin-1").partition("?")[0])


async def json_body(request: HttpRequest) -> dict[str, Any]:
    """Return the JSON object in the body. Raises `Refusal` 20001 or 20413."""
    return (await decoded(request)).json()


def answer(response: Response) -> HttpResponse:
    """Return a response as Starlette's."""
    media_type = response.content_type if response.body else None
    return HttpResponse(response.body, response.status, dict(response.headers), media_type)


async def refusal(_request: HttpRequest, error: Exception) -> HttpResponse:
    """Return an error of Starlette, or any other, as Twilio's error body."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    return answer(Response.error(Refusal(_CODES.get(status, 20001 if status < 500 else 20500))))


async def _body(request: HttpRequest) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                raise Refusal(20413)
    except ClientDisconnect:
        raise Refusal(20408) from None  # the answer has no reader
    return bytes(body)
