"""The peer of `SyncClient` in these tests: Sync's rules (`protocol/sync.md` 8) in memory, on a clock that the test moves.

Nothing here is ours to test: it stands for the service and for the tunnel to it. Requests wait in `requests` until they are
executed and delivered, notifications in `outbox`, so that a test can hold, repeat, reorder or lose each of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import attrs

from twilio_conversations.errors import TransportUnavailableError
from twilio_conversations.util.flows import Future
from twilio_conversations.util.futures import Deadline
from twilio_conversations.wire.window import Lane

BASE = "http://sync.test"
PREFIX = {"document": "ET", "list": "ES", "map": "MP"}
COLLECTION = {"Documents": "document", "Lists": "list", "Maps": "map"}
LIVE = "com.twilio.rtd.cds."
REPLAY = "twilio.sync.event"


@attrs.frozen
class Answer:
    """An HTTP answer."""

    code: int
    body: Any = None
    http_headers: dict[str, str] = attrs.Factory(dict)

    def json(self) -> Any:
        return json.loads(json.dumps(self.body))


@attrs.define(eq=False)
class Pending:
    """A request on its way, and its answer on the way back."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any
    idempotent: bool
    future: Future[Answer]
    answer: Answer | None = None

    @property
    def is_poke(self) -> bool:
        return self.path == "/v4/Subscriptions"


@attrs.define
class Stored:
    """One Sync object with its journal."""

    kind: str
    name: str
    sid: str
    head: int
    data: Any = None
    items: dict[Any, dict[str, Any]] = attrs.Factory(dict)
    journal: list[tuple[str, dict[str, Any]]] = attrs.Factory(list)
    next_index: int = 0


class Service:
    """Stored objects, the subscriptions of one connection, and what is on the wire."""

    def __init__(self) -> None:
        self.objects: dict[str, Stored] = {}
        self.subscribed: dict[str, None] = {}
        self.requests: list[Pending] = []
        self.outbox: list[tuple[str, Any]] = []
        self.history: list[Pending] = []
        self.faults: list[Answer | Exception] = []  # instead of the next answers
        self.chunk: int | None = None  # replay at most so many events, then interrupt
        self.compacts: str | None = None  # replay "newest": one event of each item; "history": also the one that added it
        self.silent = False  # accept pokes and never confirm
        self.events_first = False
        self.poke_answer: dict[str, Any] = {"max_batch_size": 1000, "estimated_delivery_in_ms": 10000}
        self.forbidden: dict[str, dict[str, Any] | None] = {}  # sid -> error of its subscription

    # Objects

    def create(self, kind: str, name: str, data: Any = None) -> Stored:
        sid = f"{PREFIX[kind]}{len(self.objects):032x}"
        stored = Stored(kind, name, sid, head=0 if kind == "document" else -1, data=data)
        self.objects[sid] = stored
        return stored

    def find(self, kind: str, key: str) -> Stored | None:
        return next((s for s in self.objects.values() if s.kind == kind and key in (s.sid, s.name)), None)

    def set(self, document: Stored, data: Any) -> None:
        document.data = data
        self._journal(document, "document_updated", {"document_data": data})

    def add(self, collection: Stored, data: Any, key: str | None = None) -> Any:
        if collection.kind == "list":
            key_value: Any = collection.next_index
            collection.next_index += 1
        else:
            key_value = key
        self._write(collection, key_value, data, "item_added")
        return key_value

    def update(self, collection: Stored, key: Any, data: Any) -> None:
        self._write(collection, key, data, "item_updated")

    def remove(self, collection: Stored, key: Any) -> None:
        item = collection.items.pop(key)
        self._journal(collection, f"{collection.kind}_item_removed", {_key_field(collection): key, "item_data": item["data"]})

    def delete(self, stored: Stored) -> None:
        """The object itself goes."""
        del self.objects[stored.sid]
        if self.subscribed.pop(stored.sid, 0) is None:
            self._send(LIVE + stored.kind, f"{stored.kind}_removed", {f"{stored.kind}_sid": stored.sid})

    def _write(self, collection: Stored, key: Any, data: Any, what: str) -> None:
        event = {_key_field(collection): key, "item_data": data, "date_created": f"t{collection.head + 1}"}
        self._journal(collection, f"{collection.kind}_{what}", event)
        collection.items[key] = {"data": data, "last_event_id": collection.head, "date_updated": f"t{collection.head}"}

    def _journal(self, stored: Stored, event_type: str, event: dict[str, Any]) -> None:
        stored.head += 1
        full = {"id": stored.head, f"{stored.kind}_sid": stored.sid, **event}
        stored.journal.append((event_type, full))
        if stored.sid in self.subscribed:
            self._send(LIVE + stored.kind, event_type, full)

    def _send(self, message_type: str, event_type: str, event: dict[str, Any], **top: Any) -> None:
        payload = {"event_type": event_type, "event_protocol_version": 4, "events": [event], **top}
        self.outbox.append((message_type, json.loads(json.dumps(payload))))

    # The wire

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, deadline: Deadline, idempotent: bool, lane: Lane
    ) -> Future[Answer]:
        """What the tunnel offers to `SyncClient`."""
        parts = urlsplit(url)
        query = dict(pair.split("=", 1) for pair in parts.query.split("&") if pair)
        pending = Pending(
            method,
            parts.path,
            {name: unquote(value) for name, value in query.items()},
            headers,
            json.loads(body) if body else None,
            idempotent,
            Future(),
        )
        self.requests.append(pending)
        self.history.append(pending)
        return pending.future

    def execute(self, pending: Pending) -> None:
        """Do what a request asks; the answer still has to be delivered."""
        if self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, Exception):
                pending.future.fail(fault)
                self.requests.remove(pending)
                return
            pending.answer = fault
        elif pending.is_poke:
            pending.answer = Answer(202, dict(self.poke_answer))
            self._confirm(pending.body)
        else:
            pending.answer = self._read(pending)

    def deliver(self, pending: Pending) -> None:
        self.requests.remove(pending)
        assert pending.answer is not None
        pending.future.settle(pending.answer)

    def cut(self) -> None:
        """The connection breaks: what is on the wire is lost, as the tunnel tells it."""
        self.subscribed.clear()
        self.outbox.clear()
        for pending in list(self.requests):
            pending.answer = None
            if not pending.idempotent:
                self.requests.remove(pending)
                pending.future.fail(TransportUnavailableError("cut", sent=True))

    @property
    def pokes(self) -> list[dict[str, Any]]:
        return [pending.body for pending in self.history if pending.is_poke]

    # Subscriptions

    def _confirm(self, body: dict[str, Any]) -> None:
        if self.silent:
            return
        for wanted in body["requests"]:
            if body["action"] == "establish":
                self._establish(wanted, body["correlation_id"])
            else:
                self.subscribed.pop(wanted["object_sid"], None)
                self._about(wanted, "subscription_canceled", body["correlation_id"])

    def _establish(self, wanted: dict[str, Any], correlation: int) -> None:
        sid = wanted["object_sid"]
        stored = self.objects.get(sid)
        if sid in self.forbidden:
            error = self.forbidden[sid]
            self._about(wanted, "subscription_failed", correlation, **({} if error is None else {"error": error}))
            return
        if stored is None or stored.kind != wanted["object_type"]:
            gone = {"status": 404, "code": 54100, "message": "not found"}
            self._about(wanted, "subscription_failed", correlation, error=gone)
            return
        missed = [entry for entry in stored.journal if entry[1]["id"] > wanted["last_event_id"]]
        if self.compacts:
            missed = _compacted(stored, missed, keep_added=self.compacts == "history")
        status = "completed"
        if self.chunk is not None and len(missed) > self.chunk:
            missed, status = missed[: self.chunk], "interrupted"
            self.subscribed.pop(sid, None)
        else:
            self.subscribed[sid] = None
        for event_type, event in missed:
            self._send(REPLAY, event_type, event, correlation_id=correlation)
        self._about(wanted, "subscription_established", correlation, replay_status=status, last_event_id=stored.head)

    def _about(self, wanted: dict[str, Any], event_type: str, correlation: int | None, **facts: Any) -> None:
        event = {"object_sid": wanted["object_sid"], "object_type": wanted["object_type"], **facts}
        top = {} if correlation is None else {"correlation_id": correlation}
        self._send(REPLAY, event_type, event, **top)

    def cancel(self, stored: Stored) -> None:
        """The service ends a subscription by itself."""
        self.subscribed.pop(stored.sid, None)
        self._about({"object_sid": stored.sid, "object_type": stored.kind}, "subscription_canceled", None)

    # Reading

    def _read(self, pending: Pending) -> Answer:
        _, _, collection, key, *rest = pending.path.split("/")
        stored = self.find(COLLECTION[collection], unquote(key))
        if stored is None:
            return Answer(404, {"status": 404, "code": 54300, "message": "Unique name not found"})
        if rest == ["Items"]:
            return Answer(200, _page(stored, pending.query))
        root = {
            "sid": stored.sid,
            "unique_name": stored.name,
            "url": f"{BASE}/v3/{collection}/{stored.sid}",
            "revision": "0",
            "last_event_id": stored.head,
        }
        if stored.kind == "document":
            root["data"] = stored.data
        else:
            root["links"] = {"items": f"{BASE}/v3/{collection}/{stored.sid}/Items"}
        if pending.query.get("Include") == "items":
            root["items"] = [_item(stored, key) for key in sorted(stored.items)]
        return Answer(200, root)


def _compacted(stored: Stored, missed: list[tuple[str, dict[str, Any]]], *, keep_added: bool) -> list[tuple[str, dict[str, Any]]]:
    """The newest event of each item (of a document: of all), and that which added it; or one that says both."""
    added, newest = {}, {}
    for event_type, event in missed:
        key = None if stored.kind == "document" else event[_key_field(stored)]
        newest[key] = (event_type, event)
        if event_type.endswith("item_added"):
            added[key] = (event_type, event)
        elif event_type.endswith("item_removed"):
            added.pop(key, None)
    kept = {event["id"]: (event_type, event) for event_type, event in newest.values()}
    for key, (event_type, event) in added.items():
        if keep_added:
            kept[event["id"]] = (event_type, event)
        else:
            kept[newest[key][1]["id"]] = (event_type, newest[key][1])
    return [kept[id_] for id_ in sorted(kept)]


def _key_field(stored: Stored) -> str:
    return "item_index" if stored.kind == "list" else "item_key"


def _item(stored: Stored, key: Any) -> dict[str, Any]:
    return {"index" if stored.kind == "list" else "key": key, **stored.items[key]}


def _page(stored: Stored, query: dict[str, str]) -> dict[str, Any]:
    single = query.get("Index") or query.get("Key")
    if single is not None:
        key = int(single) if stored.kind == "list" else single
        items = [_item(stored, key)] if key in stored.items else []
        return {"items": items, "meta": {"next_token": None, "previous_token": None}}
    descending = query.get("Order") == "desc"
    keys = sorted(stored.items, reverse=descending)
    begin = 0
    if "From" in query:
        start: Any = int(query["From"]) if stored.kind == "list" else query["From"]
        begin = sum(1 for key in keys if (key > start if descending else key < start))
        if query.get("Bounds") == "exclusive" and start in stored.items:
            begin += 1
    end = begin + min(int(query.get("PageSize", 50)), 100)
    return {
        "items": [_item(stored, key) for key in keys[begin:end]],
        "meta": {"next_token": "n" if end < len(keys) else None, "previous_token": "p" if begin else None},
    }
