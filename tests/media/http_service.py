"""A small HTTP service on loopback whose answers a test decides, one after another."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import attrs

from tests.support.patience import PATIENCE

LIMIT = PATIENCE
"""Seconds after which a test gives up waiting for anything."""


@attrs.frozen
class Seen:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = attrs.field(repr=False)

    @property
    def token(self) -> str | None:
        """The access token it carried."""
        return self.headers.get("x-twilio-token")


@attrs.frozen
class Answer:
    """What to do with the next request.

    Attributes:
        cut: close the connection after so many bytes of the body.
        gate: wait for it before the body of the request is read.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    cut: int | None = None
    gate: threading.Event | None = None

    @classmethod
    def json(cls, value: Any, status: int = 200, **headers: str) -> Answer:
        """An answer with JSON in it."""
        return cls(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})


HANG_UP = Answer(cut=-1)
"""Close the connection without a word."""


class HttpService:
    """Answers requests from a list; one that was not expected gets 599."""

    def __init__(self, *script: Answer) -> None:
        self.script = list(script)
        self.seen: list[Seen] = []
        self.arrived = threading.Event()
        """Set when a request's head was read."""
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"service": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(LIMIT)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: Any) -> None:
        """Clients that hang up are nothing to write home about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: HttpService

    def _answer(self) -> None:
        service = self.service
        answer = service.script.pop(0) if service.script else Answer(599)
        service.arrived.set()
        if answer.gate is not None:
            answer.gate.wait(LIMIT)
        try:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        except ConnectionError:
            body = b""
        headers = {name.lower(): value for name, value in self.headers.items()}
        service.seen.append(Seen(self.command, self.path, headers, body))
        if answer.cut == -1:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body if answer.cut is None else answer.body[: answer.cut])
        self.close_connection = answer.cut is not None

    do_GET = do_POST = _answer  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""
