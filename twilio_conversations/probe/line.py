"""A bare connection of one user: requests that are sent exactly once, and notifications as they arrive."""

from __future__ import annotations

import functools
import itertools
import json
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar
from urllib.parse import quote

import attrs

from twilio_conversations.enums import ConnectionState
from twilio_conversations.errors import ConnectionErrorInfo, ConversationsError, InitializationError
from twilio_conversations.options import Options
from twilio_conversations.probe.outcomes import Stopped, Unsettled
from twilio_conversations.sync.changes import Kind, Page
from twilio_conversations.sync.pokes import Poke, Subscription
from twilio_conversations.sync.resources import Resources, RootState
from twilio_conversations.transport.connection import Connection
from twilio_conversations.transport.token_source import TokenSource
from twilio_conversations.transport.tunnel import MUTATION_HEADER, Tunnel
from twilio_conversations.util import urls
from twilio_conversations.util.flows import flow
from twilio_conversations.util.futures import Deadline, SharedFuture, wait
from twilio_conversations.util.json import whole_number
from twilio_conversations.values.configuration import Configuration
from twilio_conversations.wire.message_types import REPLAY, SYNC
from twilio_conversations.wire.packets import Reply

T = TypeVar("T")
ESTABLISHED: Final = "subscription_established"
FAILED: Final = "subscription_failed"
_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json; charset=utf-8"
_SID_FIELDS: Final = ("object_sid", "map_sid", "list_sid", "document_sid")
_correlation_ids = itertools.count(1)


@attrs.frozen
class SyncEvent:
    """One event of a Sync object.

    Attributes:
        type: such as ``map_item_updated``.
        sid: the object.
        id: its event id, if it has one.
        correlation_id: poke that it answers.
        replayed: whether it came as one of the past.
        body: as received.
    """

    type: str
    sid: str
    id: int | None
    correlation_id: Any
    replayed: bool
    body: dict[str, Any]


class Line:
    """A connection without a client around it. It listens to itself; use it as a context manager."""

    def __init__(self, options: Options, token: str, stop: threading.Event) -> None:
        """Start connecting. `stop` ends all waits for events, and nothing more is sent then."""
        self._options = options
        self._stop = stop
        self._changed = threading.Condition()
        self._events: list[SyncEvent] = []
        self._denied: ConnectionErrorInfo | None = None
        self._connected = False
        self._body: Any = None
        self.connection: Connection = Connection(options, TokenSource(token, options), self)
        self.tunnel: Tunnel = Tunnel(self.connection, options)
        self.sync: Resources = Resources(self.tunnel.request, options.endpoints.sync, options.default_timeout)
        self.connection.start()

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    # -- requests -----------------------------------------------------------------------------------------------------

    def ready(self, deadline: Deadline) -> Line:
        """Wait for the connection, and return this line.

        Raises:
            InitializationError: the service has refused it.
        """
        self.until(lambda: self._connected or self._denied is not None, deadline)
        if self._denied is not None:
            raise InitializationError(self._denied)
        return self

    def send(
        self, method: str, url: str, body: Any = None, *, deadline: Deadline, mutation_id: str | None = None, form: bool = False
    ) -> Reply:
        """Send a request exactly once, and return the answer whatever its status."""
        return self.wait(self.begin(method, url, body, deadline=deadline, mutation_id=mutation_id, form=form), deadline)

    def begin(
        self,
        method: str,
        url: str,
        body: Any = None,
        *,
        deadline: Deadline,
        mutation_id: str | None = None,
        form: bool = False,
        insist: bool = False,
    ) -> SharedFuture[Reply]:
        """Send a request; `insist` has it sent again after cuts and when the service is busy.

        Raises:
            Stopped: the run was interrupted, so nothing more is sent.
        """
        if self._stop.is_set():
            raise Stopped
        headers = {"Content-Type": _FORM if form else _JSON}
        if method != "GET" and not form:
            headers[MUTATION_HEADER] = mutation_id or str(uuid.uuid4())
        content = _encoded(body, form)
        return self.connection.run(
            lambda: self.tunnel.request(method, url, headers=headers, body=content, deadline=deadline, idempotent=insist)
        )

    def do(self, method: str, url: str, body: Any = None, *, deadline: Deadline) -> Any:
        """Send a request until it is answered, and return the decoded answer.

        Raises:
            Unsettled: it was refused.
        """
        answer = self.wait(self.begin(method, url, body, deadline=deadline, insist=True), deadline)
        return accepted(answer, method)

    def wait(self, future: SharedFuture[T], deadline: Deadline) -> T:
        """Return the result of a request. An interruption does not end this wait: the answer names what was made."""
        return wait(future, deadline, "a request of the probe", lambda: self.connection.trouble)

    def configuration(self, deadline: Deadline) -> tuple[Any, Configuration]:
        """Return the service's configuration, as received and as read."""
        if self._body is None:
            url = urls.join(self._options.endpoints.api, "Client", "v2", "Configuration")
            self._body = self.do("GET", url, deadline=deadline)
        return self._body, Configuration.parse(self._body)

    # -- Sync ---------------------------------------------------------------------------------------------------------

    def root(self, kind: Kind, name: str, deadline: Deadline, *, items: bool = False) -> RootState:
        """Return a Sync object's root."""
        return self.wait(self.connection.run(lambda: self.sync.root(kind, name, items)), deadline)

    def page(self, items_url: str, size: int, deadline: Deadline) -> Page:
        """Return the first page of a map's items."""
        page = functools.partial(flow(self.sync.page), "map", items_url, None, size, "asc", "inclusive")
        return self.wait(self.connection.run(page), deadline)

    def poke(self, objects: Iterable[tuple[str, Kind, int]], deadline: Deadline) -> int:
        """Ask for subscriptions, each from a cursor; return the correlation id."""
        number = next(_correlation_ids)
        wanted = [Subscription(sid, kind, lambda cursor=cursor: cursor) for sid, kind, cursor in objects]  # type: ignore[misc]
        body = Poke.establish(number, wanted, 0.0, because_of_ttl=False).body
        answer = self.wait(self.connection.run(lambda: self.sync.poke(body)), deadline)
        if not 200 <= answer.code < 300:
            raise Unsettled(f"a request for subscriptions was answered {answer.code}")
        return number

    def subscribe(self, sid: str, kind: Kind, cursor: int, deadline: Deadline) -> SyncEvent:
        """Subscribe to one object, and return the confirmation."""
        number = self.poke([(sid, kind, cursor)], deadline)
        (outcome,) = self.outcomes(number, 1, deadline)
        if outcome.type == FAILED:
            raise Unsettled("a subscription was refused")
        return outcome

    def outcomes(self, correlation_id: int, count: int, deadline: Deadline) -> list[SyncEvent]:
        """Wait for the outcomes of `count` subscriptions of one request."""

        def found() -> list[SyncEvent]:
            ends = (ESTABLISHED, FAILED)
            return [event for event in self._events if event.type in ends and event.correlation_id == correlation_id]

        self.until(lambda: len(found()) >= count, deadline)
        if len(outcomes := found()) < count:
            raise Unsettled(f"{len(outcomes)} of {count} subscriptions were answered")
        return outcomes

    def events(self, sid: str) -> list[SyncEvent]:
        """Return the events of an object so far, in the order of their arrival, without those about subscriptions."""
        with self._changed:
            return [event for event in self._events if event.sid == sid and event.type not in (ESTABLISHED, FAILED)]

    def until(self, condition: Callable[[], bool], deadline: Deadline) -> None:
        """Wait for a condition that notifications make true; return at the deadline all the same."""
        with self._changed:
            while not condition() and not deadline.passed:
                if self._stop.is_set():
                    raise Stopped
                self._changed.wait(deadline.slice())

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    # -- the connection's listener, on the io thread --------------------------------------------------------------------

    def on_state(self, state: ConnectionState, before: ConnectionState) -> None:
        """Ignore it."""

    def on_connected(self, resumed: bool) -> None:
        """Note that requests can be sent."""
        self._connected = True
        self._wake()

    def on_disconnected(self) -> None:
        """Ignore it: the connection returns by itself."""

    def on_notification(self, message_type: str, payload: Any) -> None:
        """Keep Sync's events."""
        if message_type in SYNC and isinstance(payload, dict):
            with self._changed:
                self._events += _events(message_type == REPLAY, payload)
                self._changed.notify_all()

    def on_connection_error(self, info: ConnectionErrorInfo) -> None:
        """Note a refusal that is final."""
        if info.terminal:
            self._denied = info
            self._wake()

    def on_token(self, token: str) -> None:
        """Ignore it."""

    def on_token_about_to_expire(self) -> None:
        """Ignore it."""

    def on_token_expired(self) -> None:
        """Ignore it."""

    def on_forked(self, why: ConversationsError) -> None:
        """Ignore it: a child has no probe."""

    def on_failed(self, cause: ConversationsError) -> None:
        """Wake whoever waits: what is pending fails."""
        self._wake()


def accepted(answer: Reply, what: str) -> Any:
    """Return the decoded answer; raise `Unsettled` if it is a refusal."""
    if not answer.ok:
        raise Unsettled(f"a {what} was answered {answer.code}")
    return answer.json()


def _encoded(body: Any, form: bool) -> bytes:
    if form:
        return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in body.items()).encode()
    return b"" if body is None else json.dumps(body).encode()


def _events(replayed: bool, payload: dict[str, Any]) -> Iterator[SyncEvent]:
    events = payload.get("events")
    for body in events if isinstance(events, list) else [payload.get("event")]:
        if isinstance(body, dict):
            sid = next((body[name] for name in _SID_FIELDS if isinstance(body.get(name), str)), "")
            type_ = str(payload.get("event_type"))
            yield SyncEvent(type_, sid, whole_number(body.get("id")), payload.get("correlation_id"), replayed, body)


def until_passed(seconds: float, stop: threading.Event) -> None:
    """Wait some seconds; raise `Stopped` when the run is interrupted."""
    if stop.wait(seconds):
        raise Stopped
