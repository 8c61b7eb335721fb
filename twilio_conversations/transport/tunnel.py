"""HTTP inside the WebSocket: `Tunnel.request` returns a future, `TunnelAdapter` carries a requests session over it."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import attrs
import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from twilio_conversations.errors import ConversationsError, ReplyError, RequestTimeoutError, TransportUnavailableError
from twilio_conversations.options import Options
from twilio_conversations.transport.commands import DOUBTFUL, LOOK_AFTER, Look
from twilio_conversations.transport.connection import Connection
from twilio_conversations.transport.retries import RESENDS, TEMPORARY, retry_after
from twilio_conversations.util import checks
from twilio_conversations.util.flows import Future
from twilio_conversations.util.futures import Deadline, refuse_to_wait
from twilio_conversations.wire.backoff import Backoff
from twilio_conversations.wire.http_request import HttpRequest
from twilio_conversations.wire.packets import Reply
from twilio_conversations.wire.window import Lane

SCHEME: Final = "http+twilsock://"
"""Prefix of URLs that a session with a `TunnelAdapter` sends through the websocket; the rest is as in ``https://``."""

MUTATION_HEADER: Final = "X-Twilio-Mutation-Id"
MOST_CUTS: Final = 5
"""Connections in a row that may end while a request is under way; then it is not sent again."""

IN_PROGRESS: Final = 20409
"""Code of a 409 that says: the same mutation is being worked on."""


class Tunnel:
    """Sends REST calls through a connection: `request` for flows on the io thread, `call` for any other thread."""

    def __init__(self, connection: Connection, options: Options) -> None:
        self._connection = connection
        self._options = options
        self._waiting = 0
        self._count = threading.Lock()

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        deadline: Deadline | None = None,
        idempotent: bool = False,
        lane: Lane = Lane.COMMAND,
    ) -> Future[Reply]:
        """Send a call; return the future of its answer, whatever the status.

        An idempotent one is sent again after cuts, 429, 502 to 504 and 409 with code 20409, with growing delays and never
        earlier than ``Retry-After`` asks, as long as the deadline allows; then the last answer or error is the outcome.

        Args:
            method: such as ``GET``.
            url: complete, percent-encoded; it is passed on without a change.
            headers: only ``Content-Type``, ``X-Twilio-*`` and ``Twilio-*`` are carried.
            body: bytes.
            deadline: covers queue, flight and repetitions; the default time limit if not given.
            idempotent: whether sending it twice is the same as sending it once.
            lane: who waits for it; the program's own requests are sent first.

        The future fails with `RequestTimeoutError`, `TransportUnavailableError`, `ReplyError`, `ProtocolError` or
        `ClientClosedError`, whose `sent` is whether any attempt had been written, and whose `attempts` is their number.
        """
        deadline = deadline or Deadline(self._options.default_timeout)
        return self._exchange(method, url, headers, body, deadline, idempotent, lane).begin()

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        deadline: Deadline,
        idempotent: bool = False,
        look: Look | None = None,
    ) -> Reply:
        """Send as `request` does, and wait: raise the error that the future would fail with.

        `look` looks for the effect of a command before it is sent again, if the options want that.

        Raises:
            TransportUnavailableError: `Options.max_pending_requests` callers wait already.
        """
        what = f"{method} {url}"
        refuse_to_wait(what)
        self._take_place()
        try:
            exchange = self._exchange(method, url, headers, body, deadline, idempotent, Lane.COMMAND, look)
            try:
                return self._connection.wait(self._connection.run(exchange.begin), deadline, what)
            except RequestTimeoutError as error:
                if error.attempts is None:  # the caller's clock was faster than the io thread's
                    error.sent, error.attempts = exchange.sent, exchange.attempts
                raise
        finally:
            self._leave_place()

    def _take_place(self) -> None:
        """Take one of the places for callers that wait."""
        self._connection.lifetime.check()  # before the lock, which a forked child may have inherited held
        with self._count:
            if self._waiting >= (most := self._options.max_pending_requests):
                raise TransportUnavailableError(
                    f"too many requests are waiting (max_pending_requests is {most})", sent=False, retryable=True
                )
            self._waiting += 1

    def _leave_place(self) -> None:
        with self._count:
            self._waiting -= 1

    def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | Iterable[tuple[str, str]],
        body: bytes,
        deadline: Deadline,
        idempotent: bool,
        lane: Lane,
        look: Look | None = None,
    ) -> _Exchange:
        request = HttpRequest.from_url(method, url, carried(headers), body)
        resend = self._options.resend
        repeated_in_doubt = idempotent and (resend != "never" or MUTATION_HEADER not in request.headers)
        look = look if resend == "look" else None
        return _Exchange(self._connection, request, deadline, lane, idempotent, repeated_in_doubt, look)


class _Exchange:
    """One call and its attempts, on the io thread. It receives the outcome of each attempt."""

    __slots__ = (
        "_backoff",
        "_connection",
        "_cuts",
        "_deadline",
        "_idempotent",
        "_in_doubt",
        "_lane",
        "_latest",
        "_look",
        "_repeated_in_doubt",
        "_request",
        "_result",
        "_sent",
        "attempts",
    )

    def __init__(
        self,
        connection: Connection,
        request: HttpRequest,
        deadline: Deadline,
        lane: Lane,
        idempotent: bool,
        repeated_in_doubt: bool,
        look: Look | None,
    ) -> None:
        self._result: Future[Reply] = Future()
        self._connection = connection
        self._request = request
        self._deadline = deadline
        self._idempotent = idempotent
        self._lane = lane
        self._repeated_in_doubt = repeated_in_doubt
        self._look = look
        self._in_doubt = look is not None and look.in_doubt
        self._backoff: Backoff | None = None
        self.attempts = 0
        self._cuts = 0
        self._sent = self._in_doubt
        self._latest: str | None = None

    @property
    def sent(self) -> bool:
        """Whether any attempt has been written, as far as is known; for any thread."""
        return self._sent or (self._latest is not None and self._connection.has_written(self._latest))

    def begin(self) -> Future[Reply]:
        """Send; a command that an earlier call has left in doubt is looked for first. Return the future of the answer."""
        if self._in_doubt:
            self._connection.sleep(0.0).add_done_callback(self._on_slept)
        else:
            self._send()
        return self._result

    def _send(self) -> None:
        self.attempts += 1
        self._latest = self._connection.send(self._request, self._deadline, self, cuts=self._cuts, lane=self._lane)

    def done(self) -> bool:
        """Return whether there is an answer or an error."""
        return self._result.done()

    def settle(self, reply: Reply) -> None:
        """Receive the answer to an attempt."""
        if self.attempts > 1 or self._in_doubt:
            reply = self._known(reply)
        self._sent = True
        self._cuts = 0
        again = self._idempotent and (reply.code in TEMPORARY or _in_progress(reply))
        if again and reply.code in DOUBTFUL:
            self._doubt()
            again = self._repeated_in_doubt
        if not again or not self._try_later(retry_after(reply.http_headers)):
            self._result.settle(reply)

    def fail(self, error: BaseException) -> None:
        """Receive the error of an attempt."""
        if not isinstance(error, ConversationsError):
            self._result.fail(error)
            return
        self._sent = self._sent or bool(error.sent)
        if error.sent and (isinstance(error, TransportUnavailableError) or error.status in DOUBTFUL):
            self._doubt()
        error = self._blamed(error)
        error.sent, error.attempts = self._sent, self.attempts
        may_be_repeated = not self._sent or (self._repeated_in_doubt if self._in_doubt else self._idempotent)
        again = isinstance(error, TransportUnavailableError | ReplyError) and error.retryable and may_be_repeated
        if not again or not self._try_later(0.0):
            self._result.fail(error)

    def _known(self, reply: Reply) -> Reply:
        return attrs.evolve(reply, attempts=self.attempts, in_doubt=self._in_doubt)

    def _doubt(self) -> None:
        self._in_doubt = True
        if self._look is not None:
            self._look.doubt()

    def _blamed(self, error: ConversationsError) -> ConversationsError:
        """Count a connection that ended by itself under this request; return the error of the request after too many."""
        if not (isinstance(error, TransportUnavailableError) and error.sent and error.status is None):
            return error
        self._cuts += 1
        if self._cuts < MOST_CUTS:
            return error
        return TransportUnavailableError(
            f"{self._cuts} connections in a row ended while this request was under way, so it may be what ends them; it is not"
            f" sent again. The last one: {error.message}"
        )

    def _try_later(self, asked: float) -> bool:
        """Send again after a delay, unless the deadline comes first."""
        if self._backoff is None:
            self._backoff = Backoff(RESENDS)
        delay = max(asked, self._backoff.next_delay(), LOOK_AFTER if self._is_looked_for else 0.0)
        remaining = self._deadline.remaining()
        if remaining is not None and delay >= remaining:
            return False
        self._connection.sleep(delay).add_done_callback(self._on_slept)
        return True

    @property
    def _is_looked_for(self) -> bool:
        return self._look is not None and self._in_doubt

    def _on_slept(self, future: Future[None]) -> None:
        if (error := future.exception()) is not None:
            self._result.fail(error)
        elif self._look is not None and self._in_doubt:
            self._look.look().add_done_callback(self._on_looked)
        else:
            self._send()

    def _on_looked(self, future: Future[Reply | None]) -> None:
        error = future.exception()
        if isinstance(error, ConversationsError):
            error.sent, error.attempts = True, self.attempts
        if error is not None:
            self._result.fail(error)
        elif (found := future.result()) is not None:
            self._result.settle(self._known(found))
        else:
            self._send()


class TunnelAdapter(BaseAdapter):
    """Transport of a `requests.Session` through a tunnel: mount it at `SCHEME`. It waits, and raises this package's errors."""

    def __init__(self, tunnel: Tunnel) -> None:
        super().__init__()
        self._tunnel = tunnel

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send a prepared request and wait for its answer.

        `timeout` is seconds or a `Deadline`; the attribute `look` of the request may be a `Look`. A request that reads, or that
        carries a mutation id, is sent again as `Tunnel.request` describes; others never are.
        """
        deadline = timeout if isinstance(timeout, Deadline) else Deadline(timeout)
        method, url, body = request.method or "GET", request.url or "", request.body or b""
        reply = self._tunnel.call(
            method,
            "https://" + url.removeprefix(SCHEME),
            headers=request.headers,
            body=body.encode() if isinstance(body, str) else body,
            deadline=deadline,
            idempotent=method == "GET" or MUTATION_HEADER in request.headers,
            look=getattr(request, "look", None),
        )
        return _Response(reply, request)

    def close(self) -> None:
        """Do nothing: the connection belongs to the client."""


class _Response(requests.Response):
    """A reply as requests has it. Commands take the reply itself, from `raw`; the rest is made when somebody asks for it."""

    def __init__(self, reply: Reply, request: requests.PreparedRequest) -> None:
        self.raw = reply
        self.request = request

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "status_code" in self.__dict__:
            raise AttributeError(name)
        self._complete(cast(Reply, self.raw), self.request)
        return getattr(self, name)

    def _complete(self, reply: Reply, request: requests.PreparedRequest) -> None:
        super().__init__()
        status = reply.http_status or reply.status
        self.status_code = status.code
        self.reason = status.description or status.status
        self.headers = CaseInsensitiveDict(reply.http_headers)
        self.url = request.url or ""
        self.request = request
        self.encoding = "utf-8"
        self._content = reply.body  # requests has no public way to make a response of bytes
        self._content_consumed = True
        self.raw = reply


def carried(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the headers that go into a frame; all others concern the program and its HTTP library only.

    Raises:
        ArgumentTypeError: a value is not text, over which the service would end the connection.
    """
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return {name: checks.text(value, name) for name, value in pairs if _is_carried(name)}


@functools.lru_cache(maxsize=256)
def _is_carried(name: str) -> bool:
    return name.lower().startswith(("content-type", "x-twilio-", "twilio-"))


def _in_progress(reply: Reply) -> bool:
    if reply.code != 409:
        return False
    try:
        body = reply.json()
    except ConversationsError:
        return False
    return isinstance(body, dict) and body.get("code") == IN_PROGRESS
