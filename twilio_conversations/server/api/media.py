"""The media service over plain HTTP: uploads, descriptions, and content by temporary links."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import BaseRoute, Route

from twilio_conversations.server.addresses import Addresses
from twilio_conversations.server.api.media_library import MediaLibrary
from twilio_conversations.server.api.media_links import PATH
from twilio_conversations.server.api.media_upload import Description, receive
from twilio_conversations.server.auth import Grant
from twilio_conversations.server.calls import Caller, Response
from twilio_conversations.server.domain import media as rules
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.http import plain as web
from twilio_conversations.server.settings import LiveSettings
from twilio_conversations.server.storage.media_files import Incoming
from twilio_conversations.server.storage.writer import Command, Transaction

BASE = "/v1/Services/{service_sid}/Media"
MAX_SET = 1_000
CLIENT_CLOSED_REQUEST = 499

Endpoint = Callable[[Request], Awaitable[HttpResponse]]


class Host(Protocol):
    """The service as the media API uses it."""

    settings: LiveSettings
    media: MediaLibrary

    def verify(self, token: str) -> Grant:
        """Return the grant of a token. Raises `Refusal`."""

    async def execute(self, command: Command) -> Response:
        """Execute a command and return its answer."""


class MediaApi:
    """The media API. `service` and `addresses` are called for each request."""

    def __init__(self, service: Callable[[], Host], addresses: Callable[[Request], Addresses]) -> None:
        self._service = service
        self._addresses = addresses

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            _route(BASE, self._upload, "POST"),
            _route(BASE + "Set", self._describe_several, "POST"),
            _route(BASE + "/{sid}", self._describe, "GET"),
            _route(BASE + "/{sid}/Content", self._content, "GET"),
            _route(PATH + "/{sid}", self._linked_content, "GET"),
        ]

    async def _upload(self, request: Request) -> HttpResponse:
        caller = self._caller(request)
        category = rules.category(request.query_params.get("Category"))
        service = self._service()
        limit = service.settings.current.media_attachment_size_limit_in_mb * rules.MEGABYTE
        incoming = service.media.files.begin()
        try:
            description = await receive(request, incoming, limit)
            await asyncio.to_thread(incoming.keep)
        except BaseException:
            incoming.discard()
            raise
        answer = await service.execute(self._creation(caller, category, incoming, description))
        if answer.status >= 400:
            incoming.discard()
        return web.answer(answer)

    def _creation(self, caller: Caller, category: str, incoming: Incoming, description: Description) -> Command:
        media = self._service().media

        def command(tx: Transaction) -> Response:
            rules.drop_abandoned(tx)
            row = rules.create(
                tx,
                incoming.sid,
                caller.identity,
                category=category,
                content_type=description.content_type,
                filename=description.filename,
                size=incoming.size,
                multipart=description.multipart,
            )
            return Response.json(201, media.record(row, caller.addresses.media))

        return command

    async def _describe(self, request: Request) -> HttpResponse:
        caller, media = self._caller(request), self._service().media
        row = media.visible(caller, request.path_params["sid"])
        return web.answer(Response.json(200, media.record(row, caller.addresses.media)))

    async def _describe_several(self, request: Request) -> HttpResponse:
        caller = self._caller(request)
        body = Response.json(200, [self._set_entry(caller, sid) for sid in _wanted(await web.json_body(request))])
        return web.answer(body)

    def _set_entry(self, caller: Caller, sid: str) -> dict[str, Any]:
        media = self._service().media
        try:
            return {"code": 200, "media_record": media.record(media.visible(caller, sid), caller.addresses.media)}
        except Refusal as error:
            return {"code": error.status, "media_record": {"sid": sid}}

    async def _content(self, request: Request) -> HttpResponse:
        media = self._service().media
        row = media.visible(self._caller(request), request.path_params["sid"])
        return FileResponse(media.path(row), headers=content_headers(row.content_type, row.filename))

    async def _linked_content(self, request: Request) -> HttpResponse:
        media, query = self._service().media, request.query_params
        row = media.linked(request.path_params["sid"], query.get("Expires", ""), query.get("Signature", ""))
        return FileResponse(media.path(row), headers=content_headers(row.content_type, row.filename))

    def _caller(self, request: Request) -> Caller:
        """Return the caller. Raises the refusal of the token, and 20404 for another service's media."""
        service = self._service()
        grant = service.verify(request.headers.get("x-twilio-token", ""))
        if request.path_params["service_sid"] != service.media.service_sid:
            raise Refusal(20404)
        return Caller(grant.identity, self._addresses(request))


def content_headers(content_type: str, filename: str | None) -> dict[str, str]:
    """Return headers for uploaded bytes: saved under a harmless name, never executed by a browser."""
    headers = {
        "content-type": content_type,
        "content-disposition": "attachment",
        "content-security-policy": "sandbox; default-src 'none'",
        "x-content-type-options": "nosniff",
        "cache-control": "private, no-store",
    }
    # The last part of a path, without control characters: it becomes a file name on somebody's disk.
    name = "".join(letter for letter in (filename or "").replace("\\", "/").rpartition("/")[2] if letter.isprintable())
    name = name.strip(" .")
    if name:
        plain = "".join(letter if letter.isascii() and letter not in '"%' else "_" for letter in name)
        headers["content-disposition"] = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    return headers


def _wanted(body: dict[str, Any]) -> list[str]:
    """Return the requested sids of a media set. Raises 20001 or 50510."""
    entries = body.get("list")
    if body.get("command") != "get" or not isinstance(entries, list) or len(entries) > MAX_SET:
        raise Refusal(20001, "The body must be a 'get' command with a list")
    sids = [entry.get("media_sid") if isinstance(entry, dict) else None for entry in entries]
    if not all(isinstance(sid, str) for sid in sids):
        raise Refusal(50510)
    return [str(sid) for sid in sids]


def _route(path: str, endpoint: Endpoint, method: str) -> Route:
    async def guarded(request: Request) -> HttpResponse:
        try:
            return await endpoint(request)
        except Refusal as error:
            return web.answer(Response.error(error))
        except ClientDisconnect:
            return HttpResponse(status_code=CLIENT_CLOSED_REQUEST)  # the answer has no reader

    return Route(path, guarded, methods=[method])
