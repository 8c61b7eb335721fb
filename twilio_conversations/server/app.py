"""The ASGI application: the websocket, the same API over plain HTTP, and start and stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from twilio_conversations.server.addresses import AddressBook
from twilio_conversations.server.api import absent
from twilio_conversations.server.api.media import MediaApi
from twilio_conversations.server.api.representation import Links
from twilio_conversations.server.calls import Caller, Response
from twilio_conversations.server.control.http import ControlApi, FaultyHttp
from twilio_conversations.server.control.operations import Control
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.http import plain as web
from twilio_conversations.server.http import token_endpoint
from twilio_conversations.server.http.admission import ADMISSION
from twilio_conversations.server.http.replies import TOO_MANY
from twilio_conversations.server.http.session import Session
from twilio_conversations.server.http.token_endpoint import TokenEndpoint
from twilio_conversations.server.service import Service
from twilio_conversations.server.settings import Settings
from twilio_conversations.server.start_errors import storage
from twilio_conversations.server.storage.credentials import Credentials
from twilio_conversations.server.storage.data_watch import DataWatch
from twilio_conversations.server.storage.database import DATABASE_FILE


class App:
    """The application of one service. Pages of `token_origins` may request tokens; `None` closes the token endpoint."""

    def __init__(
        self,
        data_dir: Path,
        credentials: Credentials,
        addresses: AddressBook,
        *,
        token_origins: Iterable[str] | None = None,
        durable: bool = False,
        settings: Settings | None = None,
    ) -> None:
        self._data_dir = data_dir
        self._credentials = credentials
        self._addresses = addresses
        self._token_origins = token_origins
        self._durable = durable
        self._settings = settings or Settings()
        self._service: Service | None = None
        self._watch: DataWatch
        self._loop: asyncio.AbstractEventLoop | None = None

    def asgi(self) -> Starlette:
        """Return the application for uvicorn."""
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
        routes = [
            WebSocketRoute("/v3/wsconnect", self._websocket),
            Route("/_local/health", self._health),
            *self._token_routes(),
            *ControlApi(self.control, self._credentials).routes(),
            *MediaApi(lambda: self.service, self._addresses.seen_by).routes(),
            Route("/{path:path}", self._rest, methods=methods),
        ]
        faulty = Middleware(FaultyHttp, faults=lambda: self.service.faults)
        counted = Middleware(web.CountedHttp, activity=lambda: self.service.activity)
        handlers = {HTTPException: web.refusal, Exception: web.refusal}
        middleware = [counted, Middleware(web.OpenToPages, closed=lambda path: self.service.routes.has(path)), faulty]
        return Starlette(routes=routes, lifespan=self._lifespan, middleware=middleware, exception_handlers=handlers)

    def _token_routes(self) -> list[Route]:
        if self._token_origins is None:
            return token_endpoint.closed()
        return TokenEndpoint(self._credentials.mint, self._token_origins).routes()

    @property
    def service(self) -> Service:
        """The running service."""
        if self._service is None:
            raise RuntimeError("the service has not started")
        return self._service

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the service."""
        if self._loop is None:
            raise RuntimeError("the service has not started")
        return self._loop

    def control(self) -> Control:
        """Return the control plane."""
        links = Links(self._addresses.default, self._credentials.account_sid, self._credentials.service_sid)
        return Control(self.service, links)

    async def open(self, on_lost: Callable[[BaseException], None]) -> None:
        """Open the data and start the service; call `on_lost` if the data directory is removed. Raises `LocalServerError`."""
        database = self._data_dir / DATABASE_FILE
        with storage(database):
            service = Service(self._data_dir, self._credentials, self._settings, durable=self._durable)
            await service.start()
        self._service, self._loop = service, asyncio.get_running_loop()
        self._watch = DataWatch(database, on_lost)

    async def close(self) -> None:
        """Finish submitted commands and close the data."""
        self._watch.stop()
        await self.service.stop()

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[dict[str, Any]]:
        yield {ADMISSION: self.service.admission}

    async def _websocket(self, websocket: WebSocket) -> None:
        session = Session(websocket, self.service, self._addresses.seen_by(websocket))
        if not self.service.admission.take_waiting(session):
            await websocket.send_denial_response(web.answer(TOO_MANY))
            return
        self.service.activity.connections.add(session)
        try:
            await session.run()
        finally:
            self.service.activity.connections.discard(session)
            self.service.admission.leave(session)

    async def _health(self, _request: HttpRequest) -> HttpResponse:
        return JSONResponse({"status": "ok", "connections": self.service.connections.count})

    async def _rest(self, request: HttpRequest) -> HttpResponse:
        """Answer the client API over plain HTTP, with a token in ``X-Twilio-Token``."""
        try:
            path = web.segments(request.scope)
            if not self.service.routes.has(path):
                raise absent.refusal(path)
            grant = self.service.verify(request.headers.get("x-twilio-token", ""))
            decoded = await web.decoded(request)
        except Refusal as error:
            return web.answer(Response.error(error))
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        caller = Caller(grant.identity, self._addresses.seen_by(request))
        self.service.ensure_user(grant.identity, lambda: self.service.answer(caller, decoded, _settle(answer)))
        return web.answer(await answer)


def _settle(future: asyncio.Future[Response]) -> Callable[[Response], None]:
    def settle(response: Response) -> None:
        if not future.done():
            future.set_result(response)

    return settle
