"""``/_local/token?identity=``: access tokens for web apps under development.

A token makes its holder any user, so the endpoint is off by default and answers this machine only: peers on loopback that use
a loopback name (a name that an attacker points to loopback is none), not through a proxy, from no page but those named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from twilio_conversations.errors import InvalidArgumentError
from twilio_conversations.server.addresses import peer_address
from twilio_conversations.server.calls import Response
from twilio_conversations.server.domain import limits
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.http import plain as web
from twilio_conversations.util import logs

_log = logs.logger(__name__)

PATH = "/_local/token"
_METHODS = ["GET", "OPTIONS"]
_LOOPBACK_HOST = re.compile(r"(?:(?:[a-z0-9-]+\.)*localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
_ORIGIN = re.compile(r"(https?)://((?:[a-z0-9.\-_]{1,255}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?)/?", re.IGNORECASE)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_MAX_WARNINGS = 20


class TokenEndpoint:
    """The token endpoint. `mint` creates a token for an identity; pages of `origins` may request one."""

    def __init__(self, mint: Callable[[str], str], origins: Iterable[str]) -> None:
        self._mint = mint
        self._origins = frozenset(origins)
        self._warned: set[str] = set()

    def routes(self) -> list[Route]:
        """Return the route, for the application."""
        cors = Middleware(CORSMiddleware, allow_origins=sorted(self._origins), allow_methods=["GET"], allow_headers=["*"])
        return [Route(PATH, self._answer, methods=_METHODS, middleware=[cors])]

    async def _answer(self, request: Request) -> HttpResponse:
        try:
            if request.method != "GET":
                raise Refusal(20004)
            self._admit(request)
            identity = limits.identity(request.query_params.get("identity"))
        except Refusal as error:
            return web.answer(Response.error(error))
        token = self._mint(identity)
        if _wants_json(request):
            return JSONResponse({"identity": identity, "token": token}, headers=_HEADERS)
        return PlainTextResponse(token, headers=_HEADERS)

    def _admit(self, request: Request) -> None:
        """Raise `Refusal` 20403, with the reason, unless the request is allowed."""
        peer = peer_address(request)
        if peer is None or not peer.is_loopback:
            raise Refusal(20403, "Tokens are for programs on the machine of the service")
        if not _LOOPBACK_HOST.fullmatch(request.headers.get("host", "")):
            raise Refusal(20403, "Tokens are there by the names of loopback only, such as http://localhost")
        if any(name == "forwarded" or name.startswith(("x-forwarded-", "x-real-ip")) for name in request.headers):
            raise Refusal(20403, "Tokens are not for those who come through a proxy")
        origin = request.headers.get("origin")
        if origin is None and request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise Refusal(20403, "Pages ask for tokens with CORS")
        if origin is not None and origin not in self._origins:
            self._warn(origin)
            raise Refusal(20403, "Tokens are not for pages of this origin; start the service with --allow-origin")

    def _warn(self, origin: str) -> None:
        if origin not in self._warned and len(self._warned) < _MAX_WARNINGS:
            self._warned.add(origin)
            _log.warning("a page of %.200r asked for a token and got none; --allow-origin names those that do", origin)


def closed() -> list[Route]:
    """Return the route of the closed endpoint: its refusal names the options that open it."""

    async def refuse(_request: Request) -> HttpResponse:
        hint = "There is no token endpoint; start the service with --token-endpoint and --allow-origin to have one"
        return web.answer(Response.error(Refusal(20404, hint)))

    return [Route(PATH, refuse, methods=_METHODS, middleware=[Middleware(web.ANY_PAGE)])]


def page_origin(text: str) -> str:
    """Return an origin as browsers send it.

    Raises:
        InvalidArgumentError: it is not ``http(s)://host[:port]``. ``*`` and ``null`` are no origins.
    """
    found = _ORIGIN.fullmatch(text.strip())
    if found is None:
        raise InvalidArgumentError(f"an origin must be like http://localhost:3000, not {text!r}")
    scheme, host = found[1].lower(), found[2].lower()
    return f"{scheme}://{host.removesuffix(_DEFAULT_PORTS[scheme])}"


def _wants_json(request: Request) -> bool:
    """Return whether to answer JSON: ``format=json``, or ``Accept`` has JSON only (axios prefers JSON and accepts text)."""
    accepted = request.headers.get("accept", "")
    only_json = "application/json" in accepted and "text/plain" not in accepted and "*/*" not in accepted
    return request.query_params.get("format", "json" if only_json else "text") == "json"
