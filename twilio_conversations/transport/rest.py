"""Commands and queries of the Conversations REST API: blocking, typed errors, never done twice."""

from __future__ import annotations

import contextlib
import functools
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote, urljoin

import requests

from twilio_conversations.errors import InvalidArgumentError, ProtocolError, RestError
from twilio_conversations.options import Options
from twilio_conversations.transport.commands import TREATMENTS, CommandKind, Look
from twilio_conversations.transport.plain_requests import PlainSession
from twilio_conversations.transport.tunnel import MUTATION_HEADER, SCHEME, Tunnel, TunnelAdapter
from twilio_conversations.util import urls
from twilio_conversations.util.futures import Deadline
from twilio_conversations.wire.frame import json_bytes
from twilio_conversations.wire.packets import Reply

if TYPE_CHECKING:
    from requests.structures import CaseInsensitiveDict

_JSON: Final = "application/json; charset=utf-8"
_FORM: Final = "application/x-www-form-urlencoded"
_MUTATION_CONFLICT: Final = 202
_NOT_FOUND: Final = 404


class Rest:
    """Blocking calls through a tunnel, for the program's threads and for handlers.

    URLs are complete and percent-encoded (`twilio_conversations.util.urls` builds them). Every method takes `timeout` in seconds,
    which covers queueing, flight and resends; `None` is the client's default; `post` also takes a deadline. Every method raises:

    * `RestError` (`RestNotFoundError`, `ForbiddenError`, `ConflictError`, `ThrottledError`): the service refused;
    * `RequestTimeoutError`, `TransportUnavailableError`, `ReplyError`: there was no answer; `sent` is whether the service may
      have acted all the same;
    * `ProtocolError`: the answer made no sense; `ClientClosedError`: the client was closed;
    * `WrongThreadError`: called on a thread that must not wait.
    """

    def __init__(self, tunnel: Tunnel, options: Options) -> None:
        self._options = options
        self._tunnel = tunnel

    @functools.cached_property
    def _session(self) -> _PrivateSession:
        return _PrivateSession(TunnelAdapter(self._tunnel))

    def get(self, url: str, *, timeout: float | None = None) -> Any:
        """GET; return the decoded answer. Repeated as needed."""
        deadline = self._deadline(timeout)
        return _content(url, self._send("GET", url, {"Content-Type": _JSON}, b"", deadline))

    def post(
        self,
        url: str,
        body: Any,
        command: CommandKind,
        *,
        timeout: Deadline | float | None = None,
        mutation_id: str | None = None,
        look: Look | None = None,
        done: Callable[[RestError], Any] = lambda refusal: None,
    ) -> Any:
        """POST JSON; return the decoded answer, or the resource that it points to.

        All attempts carry the same mutation id; `mutation_id` lets the caller keep it over calls. `commands.TREATMENTS` has the
        treatment of a command in doubt: `look` looks for its effect, and `done` returns the result, or raises the refusal, where
        a refusal shows that an earlier attempt was carried out.
        """
        deadline = self._deadline(timeout)
        try:
            answer = self._send("POST", url, _mutation_headers(mutation_id), json_bytes(body), deadline, command, look)
        except _DoneAlreadyError as already:
            return done(already.refusal)
        if answer.code == _MUTATION_CONFLICT and (found := _resource_url(url, answer)) is not None:
            return _content(found, self._send("GET", found, {"Content-Type": _JSON}, b"", deadline))
        return _content(url, answer)

    def delete(
        self,
        url: str,
        command: CommandKind,
        *,
        body: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        mutation_id: str | None = None,
    ) -> None:
        """DELETE, seldom with a JSON body. It also succeeds if an earlier attempt has done it already."""
        deadline = self._deadline(timeout)
        with contextlib.suppress(_DoneAlreadyError):
            answer = self._send("DELETE", url, _mutation_headers(mutation_id), json_bytes(body or {}), deadline, command)
            if answer.code == _MUTATION_CONFLICT and (found := _resource_url(url, answer)) is not None:
                self._send("GET", found, {"Content-Type": _JSON}, b"", deadline, gone_is_fine=True)

    def post_form(self, url: str, fields: Mapping[str, str], *, timeout: float | None = None) -> Any:
        """POST a form; return the decoded answer. Never repeated: it is for what is worth nothing later, such as typing."""
        form = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in fields.items())
        return _content(url, self._send("POST", url, {"Content-Type": _FORM}, form.encode(), self._deadline(timeout)))

    def _deadline(self, timeout: Deadline | float | None) -> Deadline:
        if isinstance(timeout, Deadline):
            return timeout
        return Deadline(self._options.default_timeout if timeout is None else timeout)

    def _send(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes,
        deadline: Deadline,
        command: CommandKind | None = None,
        look: Look | None = None,
        *,
        gone_is_fine: bool = False,
    ) -> Reply:
        # The adapter accepts the call's deadline, and leaves the reply in `raw`.
        answer = cast(Reply, self._session.send(_prepared(method, url, headers, body, look), timeout=deadline).raw)
        if not answer.ok and not (gone_is_fine and answer.code == _NOT_FOUND):
            refusal = RestError.from_answer(
                f"{method} {url}", answer.code, error_body(answer), request_id=answer.request_id, attempts=answer.attempts
            )
            if answer.in_doubt and command is not None and {refusal.status, refusal.code} & TREATMENTS[command].done_by:
                raise _DoneAlreadyError(cast(RestError, refusal))
            raise refusal
        return answer


class _DoneAlreadyError(Exception):
    """A refusal shows that an earlier attempt of a command was carried out."""

    def __init__(self, refusal: RestError) -> None:
        super().__init__(refusal)
        self.refusal = refusal


class _PrivateSession(PlainSession):
    """A session that ignores the environment, keeps nothing between calls and sends into the tunnel only."""

    def __init__(self, adapter: TunnelAdapter) -> None:
        super().__init__()
        self.trust_env = False
        self.adapters.clear()
        self.mount(SCHEME, adapter)
        self._adapter = adapter

    def send(self, request: requests.PreparedRequest, **facts: Any) -> requests.Response:
        """Hand a request to the adapter: proxies, cookies, hooks and redirects have no use in the tunnel."""
        return self._adapter.send(request, **facts)


class _Prepared(requests.PreparedRequest):
    """A request, with what looks for its effect."""

    look: Look | None = None


def _prepared(method: str, url: str, headers: dict[str, str], body: bytes, look: Look | None) -> requests.PreparedRequest:
    """Return a prepared request put together by hand: `Session.prepare_request` costs several times the rest of a call, and
    would re-encode the URL."""
    prepared = _Prepared()
    prepared.look = look
    prepared.method = method
    prepared.url = _tunnelled(url)
    prepared.headers = cast("CaseInsensitiveDict[str]", headers)  # ours, and spelt as the adapter looks for them
    prepared.body = body
    prepared.hooks = {"response": []}
    return prepared


@functools.lru_cache(maxsize=256)
def _tunnelled(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("http", "https"):
        raise InvalidArgumentError(f"not an absolute http(s) URL: {url!r}")
    return SCHEME + rest


def _mutation_headers(mutation_id: str | None) -> dict[str, str]:
    return {"Content-Type": _JSON, MUTATION_HEADER: mutation_id or str(uuid.uuid4())}


def _content(url: str, answer: Reply) -> Any:
    try:
        return answer.json()
    except ProtocolError as error:
        raise ProtocolError(
            f"{url}: the answer is not JSON", status=answer.code, request_id=answer.request_id, sent=True
        ) from error


def error_body(answer: Reply) -> Any:
    """Return the body of an error: usually JSON, but a proxy on the way may answer with anything."""
    try:
        return answer.json()
    except ProtocolError:
        return answer.body.decode(errors="replace")


def _resource_url(url: str, answer: Reply) -> str | None:
    body = error_body(answer)
    found = body.get("resource_url") if isinstance(body, dict) else None
    if not isinstance(found, str) or not found:
        return None
    try:
        joined = urljoin(url, found)
    except ValueError:
        joined = ""
    return urls.link(joined, "resource_url")
