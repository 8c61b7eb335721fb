"""The control plane over HTTP: ``/_local/<operation>``, with the API key.

The key's sid and secret, which are in ``credentials.json`` of the data directory, are user and password of basic
authentication. These operations read and delete everything, so access from the same machine is not enough; nor is that of a page
in a browser that stores the key.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from twilio_conversations.server.calls import Response
from twilio_conversations.server.control.operations import Control
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.fault_orders import Kind
from twilio_conversations.server.faults import Faults
from twilio_conversations.server.http import plain as web
from twilio_conversations.server.storage.credentials import Credentials


class FaultyHttp:
    """Faults of plain HTTP requests, except those to the control plane."""

    def __init__(self, app: ASGIApp, faults: Callable[[], Faults]) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, delay or pass on a request."""
        if scope["type"] == "http" and not scope["path"].startswith(web.LOCAL):
            fault = self._faults().met_by(None, scope["method"], scope["path"], over_http=True)
            if fault is not None and fault.kind is Kind.REFUSE:
                await web.answer(fault.refusal())(scope, receive, send)
                return
            if fault is not None:
                await asyncio.sleep(fault.seconds)
        await self._app(scope, receive, send)


class ControlApi:
    """The routes of the control plane."""

    def __init__(self, control: Callable[[], Control], credentials: Credentials) -> None:
        self._control = control
        self._credentials = credentials

    def routes(self) -> list[Route]:
        """Return the routes; they go before those for all paths."""
        return [Route("/_local/{operation}", self._answer, methods=["GET", "POST", "DELETE"])]

    async def _answer(self, request: Request) -> HttpResponse:
        try:
            if "origin" in request.headers:
                raise Refusal(20403, "Web pages may not use the control plane")
            self._authenticate(request.headers.get("authorization", ""))
            body = dict(request.query_params) | await web.json_body(request)
            outcome = await self._control().perform(request.method, request.path_params["operation"], body)
        except Refusal as error:
            return web.answer(Response.error(error))
        return JSONResponse(outcome)

    def _authenticate(self, header: str) -> None:
        scheme, _, value = header.partition(" ")
        try:
            given = base64.b64decode(value, validate=True) if scheme.lower() == "basic" else b""
        except ValueError:
            given = b""
        expected = f"{self._credentials.api_key_sid}:{self._credentials.api_key_secret}".encode()
        if not hmac.compare_digest(given, expected):
            raise Refusal(20003)
