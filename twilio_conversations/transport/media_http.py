"""Plain HTTP with the media service and its storage, over the program's session.

Content is streamed, requests are repeated when that can help, and ended by a deadline or by another thread.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urljoin, urlsplit

import attrs
import requests
import urllib3

from twilio_conversations.errors import (
    ClientClosedError,
    ConversationsError,
    MediaError,
    ProtocolError,
    RequestTimeoutError,
    ServiceError,
    TransportUnavailableError,
)
from twilio_conversations.options import Options
from twilio_conversations.transport import bare_requests
from twilio_conversations.transport.diagnosis import caused_by, in_words
from twilio_conversations.transport.link_secrecy import without_queries, without_url
from twilio_conversations.transport.plain_requests import PlainAdapter, PlainSession
from twilio_conversations.transport.retries import RESENDS, retry_after
from twilio_conversations.transport.route import ProxyRoute
from twilio_conversations.util import json_text, logs, urls
from twilio_conversations.util.futures import Deadline, refuse_to_wait
from twilio_conversations.wire.backoff import Backoff

T = TypeVar("T")

_log = logs.logger(__name__)

MOST_ATTEMPTS: Final = 8
"""How often one request is sent at most; where there is a deadline it usually comes first."""

TOKEN_HEADER: Final = "X-Twilio-Token"
_LARGEST_JSON: Final = 4 * 1024 * 1024
_PIECE: Final = 64 * 1024
_MOST_REDIRECTS: Final = 5
_MOST_CONNECTIONS: Final = 64
"""Connections to one host that are kept open: as many threads may move media at once without making and dropping some."""
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_UNAUTHORISED: Final = 401
_SHORTEST_WAIT: Final = 0.001
_PROXY_FAULTS = (requests.exceptions.ProxyError, requests.exceptions.InvalidSchema, requests.exceptions.InvalidProxyURL)
_HOPELESS = (requests.exceptions.SSLError, requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)


class Transfer:
    """A call to the media service under way, with its deadline; it can be stopped. Usable from any thread."""

    def __init__(self, deadline: Deadline, on_stop: Callable[[BaseException], object] = lambda error: None) -> None:
        """`on_stop` is called at once when the transfer is stopped; the request under way notices a little later."""
        self.deadline = deadline
        self._on_stop = on_stop
        self._stopped = threading.Event()
        self._error: BaseException | None = None

    def stop(self, error: BaseException) -> None:
        """Stop the transfer; the thread that works on it gets `error`."""
        if self._error is None:
            self._error = error
            self._stopped.set()
            self._on_stop(error)

    def check(self) -> None:
        """Raise the error if the transfer was stopped or its time is over."""
        if self._error is not None:
            raise self._error
        if self.deadline.passed:
            raise RequestTimeoutError("the media service: not done within the time limit", retryable=True)

    def pause(self, seconds: float) -> None:
        """Wait, unless stopped."""
        self._stopped.wait(seconds)
        self.check()


@attrs.frozen
class MediaRequest:
    """One request, which may be sent several times.

    Attributes:
        authorised: the token goes with it, as long as it stays with the origin of `url`.
        body: bytes, or a function that makes a body for each attempt.
    """

    method: str
    url: str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict)
    authorised: bool = False
    body: bytes | Callable[[], UploadBody] | None = attrs.field(default=None, repr=False)

    def __str__(self) -> str:
        # A temporary link gives access to the content: its query is not shown.
        return f"{self.method} {self.url.partition('?')[0]}"


class Content(Protocol):
    """Content of known size, which can be read from the start for each attempt."""

    @property
    def size(self) -> int:
        """Number of bytes."""
        ...

    def chunks(self) -> Iterator[bytes]:
        """Yield all bytes, a piece at a time."""
        ...


class UploadBody:
    """Content as a body that requests streams. It has a length, so that it is not sent chunked."""

    def __init__(self, content: Content, transfer: Transfer, on_sent: Callable[[int], object]) -> None:
        """`on_sent` receives the number of bytes sent, after each piece."""
        self._content = content
        self._transfer = transfer
        self._on_sent = on_sent
        self.error: Exception | None = None

    def __len__(self) -> int:
        return self._content.size

    def __iter__(self) -> Iterator[bytes]:
        sent = 0
        try:
            for chunk in self._content.chunks():
                self._transfer.check()
                yield chunk
                sent += len(chunk)
                self._on_sent(sent)
        except Exception as error:
            # urllib3 takes some of these for faults of the connection: keep the original error.
            self.error = error
            raise


class MediaHttp:
    """Requests over the program's session, or over a private one. Usable from any thread; methods block."""

    def __init__(self, options: Options, session: requests.Session | None, token: Callable[[], str]) -> None:
        """`token` returns the access token in use, or raises the cause of the client's end."""
        self._options = options
        self._own = session is None
        self._session = _own_session() if session is None else session
        self._token = token
        self._running: dict[int, Transfer] = {}
        self._over: BaseException | None = None

    def begin(self, transfer: Transfer, what: str) -> None:
        """Have a transfer stopped if the client ends before `end`.

        Raises:
            ClientClosedError: the client has ended.
            WrongThreadError: called on a thread that must not wait.
        """
        refuse_to_wait(what)
        self._token()  # raises once the client is over, and in a forked child
        # Stored before the check: whatever `close` does meanwhile, one of the two finds it.
        self._running[id(transfer)] = transfer
        if self._over is not None:
            self.end(transfer)
            raise self._over

    @property
    def running(self) -> int:
        """Number of transfers under way."""
        return len(self._running)

    def end(self, transfer: Transfer) -> None:
        """Record that a transfer is over."""
        self._running.pop(id(transfer), None)

    @contextlib.contextmanager
    def transfer(self, deadline: Deadline, what: str) -> Iterator[Transfer]:
        """Provide a transfer for as long as the block runs."""
        transfer = Transfer(deadline)
        self.begin(transfer, what)
        try:
            yield transfer
        finally:
            self.end(transfer)

    def close(self, error: BaseException | None = None) -> None:
        """Stop everything under way. A session of the program's stays open."""
        self._over = error or ClientClosedError("the client was closed")
        for transfer in list(self._running.values()):
            transfer.stop(self._over)
        if self._own:
            self._session.close()

    # -- requests -----------------------------------------------------------------------------------------------------

    def get_json(self, url: str, transfer: Transfer) -> Any:
        """GET with the token; return the decoded answer."""
        return self._json(MediaRequest("GET", url, authorised=True), transfer)

    def post_json(self, url: str, body: Any, transfer: Transfer) -> Any:
        """POST JSON with the token; return the decoded answer. Only for requests that may be repeated."""
        headers = {"Content-Type": "application/json"}
        return self._json(MediaRequest("POST", url, headers, True, json.dumps(body).encode()), transfer)

    def upload(self, url: str, content_type: str, content: Content, transfer: Transfer, on_sent: Callable[[int], object]) -> Any:
        """POST content with the token; return the decoded answer. It may be repeated: content without a message is never seen."""

        def body() -> UploadBody:
            return UploadBody(content, transfer, on_sent)

        streamed = body if content.size else b""  # requests would send a stream of nothing chunked
        return self._json(MediaRequest("POST", url, {"Content-Type": content_type}, True, streamed), transfer)

    def get_content(self, url: str, transfer: Transfer, *, start: int = 0, authorised: bool = False) -> requests.Response:
        """GET content, from byte `start` on; return the answer, whose body is still to be read."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        return self._send(MediaRequest("GET", url, headers, authorised), transfer, lambda response: response)

    def _json(self, request: MediaRequest, transfer: Transfer) -> Any:
        def take(response: requests.Response) -> Any:
            with response:
                return _decoded(request, response, transfer)

        return self._send(request, transfer, take)

    def _send(self, request: MediaRequest, transfer: Transfer, take: Callable[[requests.Response], T]) -> T:
        """Return the result of `take` for the first 2xx answer, whose body is still to be read.

        After broken connections, 429 and 502 to 504 the request is sent again, with growing delays and never earlier than
        ``Retry-After`` asks, as long as the deadline allows.

        Raises:
            MediaError: the service returned an error.
            TransportUnavailableError: there was no answer.
            RequestTimeoutError: the deadline passed.
        """
        backoff, attempts = Backoff(RESENDS), 0
        while True:
            transfer.check()
            attempts += 1
            asked, broken = 0.0, None
            try:
                response, renewed = self._attempt(request, transfer)
                if 200 <= response.status_code < 300:
                    return take(response)
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                broken = error  # which names the URL, so nothing is raised while it is being handled
            if broken is not None:
                transfer.check()
                failure = self._no_answer(request, broken, attempts)
            else:
                asked = retry_after(response.headers)
                failure = _refusal(self._told(request, response.url), response, transfer, attempts)
                if renewed and attempts < MOST_ATTEMPTS:
                    continue
            delay = max(asked, backoff.next_delay())
            remaining = transfer.deadline.remaining()
            if not failure.retryable or attempts >= MOST_ATTEMPTS or (remaining is not None and delay >= remaining):
                raise failure
            _log.info("%s: once more in %.1f s: %s", request, delay, failure)
            transfer.pause(delay)

    def _attempt(self, request: MediaRequest, transfer: Transfer) -> tuple[requests.Response, bool]:
        """Return one answer, and whether it refused a token that has been replaced meanwhile. Only GETs follow redirects."""
        url, token = request.url, self._token()
        for _ in range(_MOST_REDIRECTS):
            headers = {"Accept-Encoding": "identity", **request.headers}  # positions mean the same on both sides, sizes too
            if request.authorised and same_origin(url, request.url):
                headers[TOKEN_HEADER] = token
            response = self._exchange(request, url, headers, transfer)
            target = response.headers.get("Location") if response.status_code in _REDIRECTS else None
            if target is None or request.method != "GET":
                renewed = response.status_code == _UNAUTHORISED and self._token() != token
                return response, renewed
            response.close()
            url = _joined(url, target)
        raise requests.exceptions.InvalidURL("too many redirects")

    def _exchange(self, request: MediaRequest, url: str, headers: dict[str, str], transfer: Transfer) -> requests.Response:
        body = request.body() if callable(request.body) else request.body
        remaining = transfer.deadline.remaining()
        most = float("inf") if remaining is None else max(_SHORTEST_WAIT, remaining)
        timeout = min(self._options.connect_timeout, most), min(self._options.default_timeout, most)
        try:
            known = request.authorised and same_origin(url, request.url)
            return bare_requests.send(self._session, request.method, url, headers, body, timeout=timeout, known=known)
        except requests.RequestException:
            if isinstance(body, UploadBody) and body.error is not None:
                raise body.error from None
            raise

    # -- what went wrong ----------------------------------------------------------------------------------------------

    def _no_answer(self, request: MediaRequest, error: Exception, attempts: int) -> ConversationsError:
        asked = getattr(getattr(error, "request", None), "url", None) or request.url  # by a redirect it may be another
        peer, proxy = urlsplit(asked).netloc.rpartition("@")[2], ProxyRoute.find(asked, self._session).proxy_name
        if proxy is not None:
            peer = proxy if caused_by(error, _PROXY_FAULTS) else f"{peer}, through {proxy},"
        failure = TransportUnavailableError(
            f"{request}: {without_queries(in_words(error, peer))}",
            attempts=attempts,
            retryable=not caused_by(error, _HOPELESS),
        )
        failure.__cause__ = without_url(error)
        return failure

    def _told(self, request: MediaRequest, url: str) -> str:
        """Return a description of a refusal and its sender: without TLS the answer may be a proxy's."""
        proxy = ProxyRoute.find(url, self._session).proxy_name if url.startswith("http:") else None
        return f"{request}" if proxy is None else f"{request} through {proxy}"


def _joined(url: str, target: str) -> str:
    """Return the target of a redirect."""
    try:
        joined = urljoin(url, target)
    except ValueError:
        joined = ""
    return urls.link(joined, "the target of a redirect")


def _own_session() -> requests.Session:
    session = PlainSession()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for prefix in list(session.adapters):
        session.mount(prefix, PlainAdapter(pool_maxsize=_MOST_CONNECTIONS))
    return session


def same_origin(one: str, other: str) -> bool:
    """Return whether two URLs have one origin, so that credentials for one may be sent to the other."""
    return _origin(one) == _origin(other)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def some(response: requests.Response, most: int) -> bytes:
    """Return the next bytes of a body, as soon as there are any and as they were sent; none at its end.

    Reading full pieces could be delayed by a peer that sends byte by byte, and unpacking could be flooded.
    """
    read = getattr(response.raw, "read1", response.raw.read)  # urllib3 1 has no other
    return read(most, decode_content=False)


def _body(response: requests.Response, transfer: Transfer, most: int) -> bytes:
    """Return the body, or so much of it that it is more than `most`."""
    pieces, size = [], 0
    while size <= most and (piece := some(response, _PIECE)):
        transfer.check()
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def _decoded(request: MediaRequest, response: requests.Response, transfer: Transfer) -> Any:
    """Return the JSON in an answer."""
    body = _body(response, transfer, _LARGEST_JSON)
    if len(body) > _LARGEST_JSON:
        raise ProtocolError(f"{request}: the answer is too long", status=response.status_code, sent=True)
    try:
        return json_text.loads(body.decode())
    except ValueError as error:
        raise ProtocolError(f"{request}: the answer is not JSON", status=response.status_code, sent=True) from error


def _refusal(what: str, response: requests.Response, transfer: Transfer, attempts: int) -> ServiceError:
    """Return the error for an answer, and close the answer. Its body is read only within the time that is left."""
    body: Any = None
    with response, contextlib.suppress(urllib3.exceptions.HTTPError, OSError, RequestTimeoutError):
        text = _body(response, transfer, _PIECE)
        try:
            body = json_text.loads(text.decode())
        except ValueError:
            body = text.decode(errors="replace")
    request_id = response.headers.get("Twilio-Request-Id")
    return MediaError.from_answer(what, response.status_code, body, request_id=request_id, attempts=attempts)
