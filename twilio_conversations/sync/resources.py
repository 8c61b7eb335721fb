"""Sync's HTTP resources: requests with its headers in, JSON or typed errors out."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from typing import Any, Literal, Protocol

import attrs

from twilio_conversations._version import __version__
from twilio_conversations.errors import ProtocolError, ServiceError, SyncError
from twilio_conversations.sync.changes import Item, Key, Kind, Page
from twilio_conversations.sync.replica import parse_key
from twilio_conversations.transport.retries import retry_after
from twilio_conversations.util.flows import Flow, Future, flow
from twilio_conversations.util.futures import Deadline
from twilio_conversations.util.json import whole_number
from twilio_conversations.util.urls import join, link, with_query
from twilio_conversations.wire.window import Lane

_COLLECTIONS: dict[Kind, str] = {"document": "Documents", "list": "Lists", "map": "Maps"}

_CLIENT_INFO = json.dumps(
    {
        "sdk": "python",
        "sdkVer": __version__,
        "os": platform.system(),
        "osVer": platform.release(),
        "pl": platform.python_implementation(),
        "plVer": platform.python_version(),
    }
)


class Answer(Protocol):
    """An HTTP answer, whatever its status."""

    @property
    def code(self) -> int:
        """HTTP status."""
        ...

    @property
    def http_headers(self) -> Mapping[str, str]:
        """Headers, by lower-case names."""
        ...

    def json(self) -> Any:
        """Return the decoded body."""
        ...


class Request(Protocol):
    """The tunnel's door: sends one request, and if it is `idempotent` again after cuts, 429 and 502 to 504."""

    def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        deadline: Deadline,
        idempotent: bool,
        lane: Lane,
    ) -> Future[Any]:
        """Return a future of the `Answer`."""
        ...


@attrs.frozen
class RootState:
    """Answer of an open: the object and, for documents, its contents."""

    sid: str
    unique_name: str | None
    items_url: str
    last_event_id: int
    data: Any
    items: tuple[Item, ...] | None


class Resources:
    """Sync's REST resources over the tunnel.

    Raises (through the futures):
        SyncError: the service answered with an error status.
        ProtocolError: it answered with something that is not a Sync resource.
        TransportUnavailableError, RequestTimeoutError: no answer within the time limit.
    """

    def __init__(self, request: Request, base_url: str, timeout: float) -> None:
        self._request = request
        self._base_url = base_url
        self._timeout = timeout

    @flow
    def root(self, kind: Kind, name: str, include_items: bool = False) -> Flow[RootState]:
        """``GET /v3/Documents|Lists|Maps/{sid or unique name}``."""
        url = join(self._base_url, "v3", _COLLECTIONS[kind], name)
        if include_items:
            url = with_query(url, [("Include", "items")])
        answer = yield self._send("GET", url, b"", Lane.READ)
        return _root(kind, _accepted(answer, f"open {kind} {name!r}"), include_items)

    def page(
        self,
        kind: Literal["list", "map"],
        items_url: str,
        start: Key | None,
        size: int,
        order: str,
        bounds: str,
    ) -> Flow[Page]:
        """``GET {links.items}`` from `start` in `order`."""
        query: list[tuple[str, str | int | None]] = [("HideExpired", "true"), ("PageSize", size), ("Order", order)]
        if start is not None:
            query += [("From", start), ("Bounds", "exclusive" if bounds == "exclusive" else None)]
        answer = yield self._send("GET", with_query(items_url, query), b"", Lane.COMMAND)
        page = _page(kind, _accepted(answer, f"read {kind}"))
        if bounds == "exclusive" and start is not None:
            # Said again here: `Bounds` is documented, but the official clients do without it.
            page = attrs.evolve(page, items=tuple(item for item in page.items if item.key != start))
        return page

    def item(self, kind: Literal["list", "map"], items_url: str, key: Key) -> Flow[Page]:
        """``GET {links.items}?Key=`` or ``Index=``: a page of one item or none."""
        name = "Index" if kind == "list" else "Key"
        url = with_query(items_url, [("HideExpired", "true"), (name, key)])
        answer = yield self._send("GET", url, b"", Lane.COMMAND)
        return _page(kind, _accepted(answer, f"read {kind} item"))

    def poke(self, body: dict[str, Any]) -> Future[Answer]:
        """``POST /v4/Subscriptions``: the answer as it is. Never sent again with an old body: a newer poke is built instead."""
        url = join(self._base_url, "v4", "Subscriptions")
        return self._send("POST", url, json.dumps(body, separators=(",", ":")).encode(), Lane.COMMAND)

    def _send(self, method: str, url: str, body: bytes, lane: Lane) -> Future[Answer]:
        headers = {
            "Content-Type": "application/json",
            "Twilio-Sync-Client-Info": _CLIENT_INFO,
            "Twilio-Request-Id": f"RQ{os.urandom(16).hex()}",
        }
        deadline = Deadline(self._timeout)
        return self._request(method, url, headers=headers, body=body, deadline=deadline, idempotent=method == "GET", lane=lane)


def _accepted(answer: Answer, what: str) -> Any:
    """Return the decoded body of an answer, or raise its refusal."""
    if not 200 <= answer.code < 300:
        raise refusal(answer, what)
    return content(answer)


def content(answer: Answer) -> Any:
    """Return the decoded body; an empty or unreadable one reads as `None`."""
    try:
        return answer.json()
    except (ValueError, ProtocolError):
        return None


def refusal(answer: Answer, what: str) -> ServiceError:
    """Return the error for an answer."""
    return SyncError.from_answer(what, answer.code, content(answer), request_id=answer.http_headers.get("twilio-request-id"))


def patience(answer: Answer) -> float:
    """Seconds that the service asks to wait; 0 if it does not say. An hour at most."""
    return min(retry_after(answer.http_headers), 3600.0)


def _root(kind: Kind, body: Any, include_items: bool) -> RootState:
    if not isinstance(body, dict) or not isinstance(body.get("sid"), str):
        raise ProtocolError(f"the answer is not a Sync {kind}")
    links = body.get("links")
    items_url = links.get("items") if isinstance(links, dict) else None
    items: tuple[Item, ...] | None = None
    if kind == "document":
        if "data" not in body:
            raise ProtocolError("a Sync document without data")
    else:
        items_url = link(items_url, f"the link to the items of a Sync {kind}")
        if include_items:
            items = _items(kind, body.get("items") or ())
    last_event_id = whole_number(body.get("last_event_id"))
    name = body.get("unique_name")
    return RootState(
        sid=body["sid"],
        unique_name=name if isinstance(name, str) else None,
        items_url=items_url if isinstance(items_url, str) else "",
        # Without an id everything is replayed: late, but nothing is lost.
        last_event_id=-1 if last_event_id is None else last_event_id,
        data=body.get("data"),
        items=items,
    )


def _page(kind: Literal["list", "map"], body: Any) -> Page:
    meta = body.get("meta") if isinstance(body, dict) else None
    if not isinstance(meta, dict):
        raise ProtocolError(f"the answer is not a page of a Sync {kind}")
    return Page(
        items=_items(kind, body.get("items") or ()),
        has_next=meta.get("next_token") is not None,
        has_previous=meta.get("previous_token") is not None,
    )


def _items(kind: Literal["list", "map"], values: Any) -> tuple[Item, ...]:
    if not isinstance(values, list | tuple) or not all(isinstance(value, dict) for value in values):
        raise ProtocolError(f"malformed items of a Sync {kind}")
    field = "index" if kind == "list" else "key"
    return tuple(
        Item(
            key=parse_key(value.get(field), kind),
            data=value.get("data"),
            event_id=-1 if (event_id := whole_number(value.get("last_event_id"))) is None else event_id,
            date_updated=date if isinstance(date := value.get("date_updated"), str) else None,
        )
        for value in values
    )
