"""Plain HTTP requests and answers, between Starlette's terms and ours."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response as HttpResponse

from twilio_conversations.server.errors import ServiceError
from twilio_conversations.server.http import JSON, Request, Response, split_path

MAX_BODY = 1024 * 1024
_CODES = {404: 20404, 405: 20004}


async def decoded(request: HttpRequest) -> Request:
    """The request as if it had come through the tunnel. Raises `ServiceError` 20413."""
    raw_path = request.scope.get("raw_path", b"").decode("latin-1").partition("?")[0]
    body = await _body(request)
    return Request(request.method, split_path(raw_path), dict(request.query_params), dict(request.headers), body)


async def json_body(request: HttpRequest) -> dict[str, Any]:
    """The JSON object in the body. Raises `ServiceError` 20001 or 20413."""
    return (await decoded(request)).json()


def answer(response: Response) -> HttpResponse:
    """Our answer as Starlette's."""
    media_type = JSON if response.body else None
    return HttpResponse(response.body, response.status, dict(response.headers), media_type)


async def refusal(_request: HttpRequest, error: Exception) -> HttpResponse:
    """What Starlette refuses, and whatever else goes wrong, told as Twilio tells errors."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    return answer(Response.error(ServiceError(_CODES.get(status, 20001 if status < 500 else 20500))))


async def _body(request: HttpRequest) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                raise ServiceError(20413)
    except ClientDisconnect:
        raise ServiceError(20408) from None  # nobody reads it
    return bytes(body)
