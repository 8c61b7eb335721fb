"""uvicorn, started and stopped together with the service, with limits on each peer."""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import Callable

import uvicorn

from twilio_conversations.server.app import App
from twilio_conversations.server.http.certificates import Certificate
from twilio_conversations.server.http.listener import quiet_when_exhausted
from twilio_conversations.server.http.uvicorn_protocols import Protocols, chosen

MAX_HEAD = 16 * 1024
"""Most bytes of a request line with its headers."""
MAX_FRAME = 1024 * 1024
"""Largest websocket message that is accepted, in bytes."""
TLS_END_TIME = 2.0
"""Seconds for a peer to confirm the end of TLS."""
PING_INTERVAL, PING_TIMEOUT = 20.0, 20.0


class Server(uvicorn.Server):
    """uvicorn that starts the service before it accepts connections, and stops accepting before it ends them."""

    def __init__(self, app: App, certificate: Certificate | None) -> None:
        self._protocols = chosen()
        super().__init__(_config(app, certificate, self._protocols))
        self._app = app
        self.failure: BaseException | None = None

    def fail(self, error: BaseException) -> None:
        """Stop because of an error; the first one is the reason."""
        self.failure = self.failure or error
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the data, then accept connections. An error is stored in `failure`."""
        asyncio.get_running_loop().set_exception_handler(quiet_when_exhausted)
        try:
            await self._app.open(self.fail)
        except Exception as error:
            self.fail(error)
            return
        try:
            if self._protocols is None:
                await super().startup(sockets)
            else:
                await super().startup(sockets=[])
                self.servers += [await self._accept(one, self._protocols) for one in sockets or ()]
        except BaseException:
            await self._app.close()
            raise

    async def _accept(self, listener: socket.socket, protocols: Protocols) -> asyncio.Server:
        """Accept connections: uvicorn has no settings for the time that TLS may take."""
        config, state = self.config, self.lifespan.state
        make: Callable[..., asyncio.Protocol] = protocols.http
        handshake, end = (None, None) if config.ssl is None else (protocols.head_time, TLS_END_TIME)
        return await asyncio.get_running_loop().create_server(
            functools.partial(make, config=config, server_state=self.server_state, app_state=state),
            sock=listener,
            backlog=config.backlog,
            ssl=config.ssl,
            ssl_handshake_timeout=handshake,
            ssl_shutdown_timeout=end,
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End all connections, and accept no others."""
        self._app.service.admission.close()
        await super().shutdown(sockets)
        await self._app.close()


def _config(app: App, certificate: Certificate | None, protocols: Protocols | None) -> uvicorn.Config:
    return uvicorn.Config(
        app.asgi(),
        loop="asyncio",  # other implementations do not call `Listener.accept`
        log_config=None,
        access_log=False,
        lifespan="on",
        http="auto" if protocols is None else protocols.http,
        h11_max_incomplete_event_size=MAX_HEAD,
        ws="auto" if protocols is None else protocols.websocket,
        ws_max_size=MAX_FRAME,
        ws_ping_interval=PING_INTERVAL,
        ws_ping_timeout=PING_TIMEOUT,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=3,
        proxy_headers=False,  # uvicorn would trust every peer on loopback, or a list in the environment; see `AddressBook`
        ssl_context_factory=None if certificate is None else lambda *_: certificate.context(),
    )
