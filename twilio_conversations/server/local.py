"""`LocalServer`: a Conversations service of one's own, in this process."""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from twilio_conversations.errors import InvalidArgumentError, RequestTimeoutError
from twilio_conversations.server.addresses import AddressBook, public_base, trusted_network
from twilio_conversations.server.app import App
from twilio_conversations.server.control.methods import Controls
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.http import certificates
from twilio_conversations.server.http.certificates import Certificate
from twilio_conversations.server.http.listener import listen
from twilio_conversations.server.http.token_endpoint import page_origin
from twilio_conversations.server.settings import Settings
from twilio_conversations.server.start_errors import LocalServerError, storage
from twilio_conversations.server.storage.credentials import Credentials, load_or_create
from twilio_conversations.server.storage.database import Lock
from twilio_conversations.server.uvicorn_server import Server
from twilio_conversations.util import checks, logs
from twilio_conversations.util.futures import Role, mark_thread
from twilio_conversations.util.json import dumps

_log = logs.logger(__name__)

START_TIMEOUT = 15.0
STOP_TIMEOUT = 15.0
LOG_TIMEOUT = 2.0
CONTROL_TIMEOUT = 30.0
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class LocalServer(Controls):
    """A local Conversations service on one port, run by a background thread of this process.

    Args:
        data_dir: directory for conversations and secrets; `None` is a temporary directory until `stop`.
        port: the port, 0 for a free one. After `stop` and `start` it stays the same.
        host: the address to listen on. Other addresses than loopback give access to others; a warning is logged.
        durable: survive a power cut, not only the end of the process; commands are slower.
        tls: serve HTTPS and WSS, with a certificate for loopback, `host` and ``*.us1.twilio.com`` that is created at first use
            and stored in the data directory. Clients trust it by `ca_file`.
        public_url: address of the service in links, such as ``https://chat.example.com``; by default that of the request.
        trusted_proxies: addresses or networks of proxies whose ``X-Forwarded-Proto`` and ``X-Forwarded-Host`` are used in links.
        token_endpoint: answer ``GET /_local/token?identity=`` for programs on this machine.
        allowed_origins: origins of pages that may use the token endpoint, such as ``http://localhost:3000``.
        settings: settings at the start and after `reset`, as for `configure`.

    Raises:
        InvalidArgumentError: a URL, address, origin or setting is invalid, or origins are given without a token endpoint.

    Use it as a context manager, or call `start` and `stop`; both may be called again.
    """

    def __init__(
        self,
        data_dir: str | Path | None = None,
        port: int = 0,
        host: str = "127.0.0.1",
        *,
        durable: bool = False,
        tls: bool = False,
        public_url: str | None = None,
        trusted_proxies: str | Iterable[str] = (),
        token_endpoint: bool = False,
        allowed_origins: str | Iterable[str] = (),
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        origins = tuple(page_origin(origin) for origin in _several(allowed_origins))
        if origins and not token_endpoint:
            raise InvalidArgumentError("allowed_origins are those of the token endpoint, which was not asked for")
        self._token_origins = origins if token_endpoint else None
        self._tls = tls
        self._public_url = None if public_url is None else public_base(public_url)
        self._trusted = tuple(trusted_network(proxy) for proxy in _several(trusted_proxies))
        self._wanted_dir = None if data_dir is None else checks.path(data_dir, "data_dir")
        self._port = port
        self._host = checks.text(host, "host")
        self._durable = durable
        self._settings = _settings({} if settings is None else settings)
        self._data_dir: Path | None = None
        self._credentials: Credentials | None = None
        self._certificate: Certificate | None = None
        self._lock: Lock | None = None
        self._server: Server | None = None
        self._app: App | None = None
        self._thread: threading.Thread | None = None
        self._failure: LocalServerError | None = None

    @property
    def port(self) -> int:
        """The port; for port 0, the actual port after `start`."""
        return self._port

    @property
    def is_running(self) -> bool:
        """Whether the service is running: started, and neither stopped nor failed since."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def failure(self) -> LocalServerError | None:
        """Error that stopped the service; `None` while it is running, and after `stop`."""
        return self._failure

    def __repr__(self) -> str:
        running = self._thread is not None and self._thread.is_alive()
        return f"<LocalServer port {self._port} {'running' if running else 'stopped'}>"

    @property
    def url(self) -> str:
        """Base URL of the service, such as ``http://127.0.0.1:8089``: the `endpoint` of a client."""
        return f"http{self._secure}://{self._address()}"

    @property
    def twilsock(self) -> str:
        """URL of the WebSocket."""
        return f"ws{self._secure}://{self._address()}/v3/wsconnect"

    @property
    def ca_file(self) -> str:
        """Path of the certificate authority of a service with ``tls=True``, for `verify` of a `requests.Session`.

        Raises:
            LocalServerError: the service has not been started, or does not use TLS.
        """
        return str(self.certificate.authority)

    @property
    def certificate(self) -> Certificate:
        """Certificate of a service with ``tls=True``: its files, and its pin for Chromium.

        Raises:
            LocalServerError: the service has not been started, or does not use TLS.
        """
        if self._certificate is None:
            raise LocalServerError("start the service with tls=True first: its certificate is made then")
        return self._certificate

    def token(self, identity: str, ttl: float = 3600) -> str:
        """Return an access token for `identity`, valid for `ttl` seconds.

        Raises:
            LocalServerError: the service has not been started.
        """
        return self.credentials.mint(identity, ttl)

    @property
    def credentials(self) -> Credentials:
        """Account, service and API key, for programs that create tokens themselves.

        Raises:
            LocalServerError: the service has not been started.
        """
        if self._credentials is None:
            raise LocalServerError("start the service first: its secrets are made then")
        return self._credentials

    @property
    def api_key(self) -> tuple[str, str]:
        """Sid and secret: user and password for the control plane over HTTP (``/_local/...``).

        Raises:
            LocalServerError: the service has not been started.
        """
        return self.credentials.api_key_sid, self.credentials.api_key_secret

    def perform(self, method: str, operation: str, body: dict[str, Any]) -> Any:
        """Execute an operation of the control plane and return its JSON (`twilio_conversations.server.control.operations`).

        Raises:
            InvalidArgumentError: the operation is invalid; the message has the reason.
            LocalServerError: the service is not running.
            RequestTimeoutError: it takes longer than `CONTROL_TIMEOUT`.
        """
        if self._app is None or not self.is_running:
            raise self._failure or LocalServerError("start the service first")
        if operation != "seed":  # which looks at its data itself, and takes what YAML gives
            dumps(body, operation)
        outcome = asyncio.run_coroutine_threadsafe(self._app.control().perform(method, operation, body), self._app.loop)
        try:
            return outcome.result(CONTROL_TIMEOUT)
        except Refusal as error:
            raise InvalidArgumentError(f"{error.message} ({error.code})") from error
        except TimeoutError as error:
            raise RequestTimeoutError(f"{method} {operation} took longer than {CONTROL_TIMEOUT:.0f} s") from error

    def start(self) -> LocalServer:
        """Start the service, and return when it accepts requests. Does nothing if already started.

        Raises:
            InvalidArgumentError: the port is not between 0 and 65535.
            AddressError: the port is in use or not allowed.
            DataDirectoryInUseError: another service is using the data directory.
            DataDirectoryError: the data directory is full, damaged, not writable, or of a newer version.
            LocalServerError: it did not start in time.
        """
        if self._thread is not None:
            return self
        if self._host not in LOOPBACK:
            _log.warning("listening on %s: whoever reaches this address can connect with a token", self._host)
        try:
            with storage(self._wanted_dir or Path(tempfile.gettempdir())):
                self._prepare()
        except BaseException:
            self._clean_up()
            raise
        return self

    def stop(self) -> None:
        """Close all connections, finish the commands under way and stop. Does nothing if not started."""
        if self._thread is None or self._server is None:
            return
        self._server.should_exit = True
        self._thread.join(STOP_TIMEOUT)
        if self._thread.is_alive():
            _log.warning("the local service is still stopping after %.0f s", STOP_TIMEOUT)
        self._clean_up()
        self._failure = None
        logs.flush(LOG_TIMEOUT)

    def __enter__(self) -> LocalServer:
        return self.start()

    def __exit__(self, _type: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None) -> None:
        self.stop()

    def _prepare(self) -> None:
        directory = self._wanted_dir or Path(tempfile.mkdtemp(prefix="twilio-conversations-"))
        self._data_dir = directory
        self._credentials = load_or_create(directory)
        self._lock = Lock(directory)
        if self._tls:
            self._certificate = certificates.load_or_create(directory, self._host)
        listener = listen(self._host, self._port)
        self._port = listener.getsockname()[1]
        addresses = AddressBook(self.url, self._public_url, self._trusted)
        self._app = App(
            directory,
            self._credentials,
            addresses,
            token_origins=self._token_origins,
            durable=self._durable,
            settings=self._settings,
        )
        self._server = Server(self._app, self._certificate)
        self._failure = None
        self._thread = threading.Thread(target=self._run, args=(self._server, listener), name="conversations-server", daemon=True)
        self._thread.start()
        self._wait_until_ready(self._server, self._thread)

    def _run(self, server: Server, listener: socket.socket) -> None:
        mark_thread(Role.SERVICE)
        try:
            server.run(sockets=[listener])
        except BaseException as error:
            server.fail(error)
        finally:
            listener.close()
            if server.started and server.failure is not None:
                self._failure = _failed(server.failure)

    def _wait_until_ready(self, server: Server, thread: threading.Thread) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not server.started:
            if not thread.is_alive():
                if server.failure is not None:
                    raise server.failure
                raise LocalServerError("the local service could not start; the log has the reason")
            if time.monotonic() > deadline:
                server.should_exit = True
                raise LocalServerError(f"the local service did not start within {START_TIMEOUT:.0f} s")
            thread.join(0.005)

    def _clean_up(self) -> None:
        if self._lock is not None:
            self._lock.release()
        if self._wanted_dir is None and self._data_dir is not None:
            shutil.rmtree(self._data_dir, ignore_errors=True)
        self._lock = self._server = self._app = self._thread = self._data_dir = self._credentials = self._certificate = None

    @property
    def _secure(self) -> str:
        return "s" if self._tls else ""

    def _address(self) -> str:
        return f"[{self._host}]:{self._port}" if ":" in self._host else f"{self._host}:{self._port}"


def _settings(given: Mapping[str, Any]) -> Settings:
    try:
        return Settings().changed(checks.instance(Mapping, given, "settings"))  # type: ignore[type-abstract]
    except Refusal as error:
        raise InvalidArgumentError(error.message) from error


def _several(values: str | Iterable[str]) -> Iterable[str]:
    return [values] if isinstance(values, str) else values


def _failed(error: BaseException) -> LocalServerError:
    """Return the error of a running service that failed, and log it."""
    told = error if isinstance(error, LocalServerError) else LocalServerError(f"the local service failed: {error!r}")
    _log.error("%s", told)
    return told
