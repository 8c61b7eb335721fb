"""Sync over REST: opening objects and reading their items. Clients only read; every change is a command of the client API."""

from __future__ import annotations

import base64
import json
from typing import ClassVar
from urllib.parse import quote

import attrs
from sqlalchemy import bindparam, select

from twilio_conversations.server.api.routing import ANY, Route
from twilio_conversations.server.calls import Caller, Request, Response
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.settings import LiveSettings
from twilio_conversations.server.storage.database import Connection
from twilio_conversations.server.storage.rows import SyncItem
from twilio_conversations.server.storage.statements import Query
from twilio_conversations.server.storage.tables import sync_items
from twilio_conversations.server.sync.objects import COLLECTIONS, Entity, SyncObjects
from twilio_conversations.server.sync.projection import INDEX_DIGITS, LIST, MAP, index_key
from twilio_conversations.server.text import is_text

DEFAULT_PAGE, MAX_PAGE = 50, 100
ASC, DESC = "asc", "desc"
_OBJECT = "/v3/{collection}/{object}"
_KINDS = {collection: kind for kind, collection in COLLECTIONS.items()}

_KEY = sync_items.c.key
_ITEMS = select(sync_items).where(sync_items.c.entity_sid == bindparam("of")).limit(bindparam("limit"))
_COMPARE = {
    (ASC, "inclusive"): _KEY >= bindparam("start"),
    (ASC, "exclusive"): _KEY > bindparam("start"),
    (DESC, "inclusive"): _KEY <= bindparam("start"),
    (DESC, "exclusive"): _KEY < bindparam("start"),
}
_ORDER = {ASC: _KEY.asc(), DESC: _KEY.desc()}
_SORTED = {order: _ITEMS.order_by(_ORDER[order]) for order in (ASC, DESC)}
_ALL_FROM = {order: Query(SyncItem, statement) for order, statement in _SORTED.items()}
_FROM = {case: Query(SyncItem, _SORTED[case[0]].where(condition)) for case, condition in _COMPARE.items()}
_ONE = Query(SyncItem, _ITEMS.where(_KEY == bindparam("start")))
_OPPOSITE = {ASC: DESC, DESC: ASC}


@attrs.frozen
class PageQuery:
    """A page: at most `size` items in `order`, from `start` on (`None`: from the edge).

    A `backwards` page ends before `start`: it is read in the opposite direction and reversed.
    """

    order: str = ASC
    size: int = DEFAULT_PAGE
    start: str | None = None
    bounds: str = "inclusive"
    backwards: bool = False

    def token(self) -> str:
        """Return the query as an opaque page token."""
        return base64.urlsafe_b64encode(json.dumps(attrs.astuple(self)).encode()).decode()

    @classmethod
    def from_token(cls, token: str) -> PageQuery:
        """Return the query in a page token. Raises `Refusal` 20001."""
        try:
            order, size, start, bounds, backwards = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
        except (ValueError, TypeError, RecursionError) as error:
            raise Refusal(20001, "Invalid PageToken") from error
        known = (order, bounds) in _COMPARE if isinstance(order, str) and isinstance(bounds, str) else False
        if not known or type(size) is not int or not 0 < size <= MAX_PAGE or not is_text(start):
            raise Refusal(20001, "Invalid PageToken")
        return cls(order, size, start, bounds, bool(backwards))


class SyncApi:
    """The API below ``/v3/Documents``, ``/v3/Lists`` and ``/v3/Maps`` (`COLLECTIONS`)."""

    def __init__(self, reader: Connection, objects: SyncObjects, settings: LiveSettings) -> None:
        self._reader = reader
        self._objects = objects
        self._settings = settings

    def _root(self, caller: Caller, request: Request, collection: str, reference: str) -> Response:
        entity = self._open(caller, collection, reference)
        if entity.kind == MAP and request.query.get("Include") == "items":
            return Response(200, self._root_with_items(entity, caller.addresses.sync))
        return Response(200, self._objects.root(entity, caller.addresses.sync))

    def _items(self, caller: Caller, request: Request, collection: str, reference: str) -> Response:
        entity = self._open(caller, collection, reference, LIST, MAP)
        return Response(200, self._page(entity, caller.addresses.sync, request))

    def _one(self, caller: Caller, _request: Request, collection: str, reference: str, key: str) -> Response:
        entity = self._open(caller, collection, reference, LIST, MAP)
        rows = self._reader.all(_ONE, of=entity.sid, start=_position(entity, key), limit=1)
        if not rows:
            raise Refusal(20404)
        return Response(200, self._item(entity, caller.addresses.sync, rows[0]).encode())

    def _context(self, caller: Caller, _request: Request, collection: str, reference: str) -> Response:
        self._open(caller, collection, reference, LIST)
        return Response.json(200, {"data": {}, "last_event_id": -1})

    def _refuse(self, _caller: Caller, _request: Request, collection: str, *_rest: str) -> Response:
        raise Refusal(54007, "Clients only read Sync objects") if collection in _KINDS else Refusal(20404)

    def _open(self, caller: Caller, collection: str, reference: str, *kinds: str) -> Entity:
        """Return the object, if the caller may read it and its kind is one of `kinds` (any, if empty)."""
        if collection not in _KINDS:
            raise Refusal(20404)
        entity = self._objects.open(caller, _KINDS[collection], reference)
        if kinds and entity.kind not in kinds:
            raise Refusal(20404)
        return entity

    def _root_with_items(self, entity: Entity, base_url: str) -> bytes:
        """Return a root with its items. They may be newer than the root, never older: replayed events are recognised."""
        root = self._objects.root(entity, base_url)
        rows = self._reader.all(_ALL_FROM[ASC], of=entity.sid, limit=self._settings.current.included_items)
        items = ",".join(self._item(entity, base_url, row) for row in rows)
        return root[:-1] + f',"items":[{items}]}}'.encode()

    def _page(self, entity: Entity, base_url: str, request: Request) -> bytes:
        for name in ("Key", "Index"):
            if name in request.query:
                rows = self._reader.all(_ONE, of=entity.sid, start=_position(entity, request.query[name]), limit=1)
                return self._encode_page(entity, base_url, rows, None, None)
        query = _query(entity, request)
        with self._reader.snapshot():
            rows, more_ahead = self._fetch(entity, query)
            more_behind = query.start is not None and self._any_behind(entity, query, rows)
        if query.backwards:
            rows.reverse()
            more_ahead, more_behind = more_behind, more_ahead
        following = PageQuery(query.order, query.size, rows[-1].key, "exclusive") if rows else None
        preceding = PageQuery(query.order, query.size, rows[0].key if rows else query.start, "exclusive", backwards=True)
        return self._encode_page(
            entity,
            base_url,
            rows,
            preceding.token() if more_behind else None,
            following.token() if more_ahead and following else None,
        )

    def _fetch(self, entity: Entity, query: PageQuery) -> tuple[list[SyncItem], bool]:
        """Return the rows in reading direction, and whether there are more."""
        direction = _OPPOSITE[query.order] if query.backwards else query.order
        if query.start is None:
            rows = self._reader.all(_ALL_FROM[direction], of=entity.sid, limit=query.size + 1)
        else:
            statement = _FROM[direction, query.bounds]
            rows = self._reader.all(statement, of=entity.sid, start=query.start, limit=query.size + 1)
        return rows[: query.size], len(rows) > query.size

    def _any_behind(self, entity: Entity, query: PageQuery, rows: list[SyncItem]) -> bool:
        """Return whether there are items on the other side of the start."""
        direction = query.order if query.backwards else _OPPOSITE[query.order]
        bounds, edge = ("exclusive", rows[0].key) if rows else ("inclusive", query.start)
        return bool(self._reader.all(_FROM[direction, bounds], of=entity.sid, start=edge, limit=1))

    def _encode_page(
        self, entity: Entity, base_url: str, rows: list[SyncItem], previous: str | None, following: str | None
    ) -> bytes:
        items = ",".join(self._item(entity, base_url, row) for row in rows)
        meta = json.dumps({"previous_token": previous, "next_token": following, "direct_token": True, "encode_token": False})
        return f'{{"items":[{items}],"meta":{meta}}}'.encode()

    def _item(self, entity: Entity, base_url: str, row: SyncItem) -> str:
        if entity.kind == LIST:
            name, key = f'"index":{int(row.key)}', str(int(row.key))
        else:
            name, key = f'"key":{json.dumps(row.key)}', quote(row.key, safe="")
        url = json.dumps(f"{base_url}{entity.path()}/Items/{key}")
        return (
            f'{{{name},{self._objects.belonging},"{entity.kind}_sid":"{entity.sid}","url":{url},"revision":"{row.event_id:x}",'
            f'"last_event_id":{row.event_id},"data":{row.data},"date_created":"{row.date_created}",'
            f'"date_updated":"{row.date_updated}","date_expires":null,"created_by":"system"}}'
        )

    ROUTES: ClassVar[tuple[Route, ...]] = (
        Route("GET", _OBJECT, _root),
        Route("GET", f"{_OBJECT}/Items", _items),
        Route("GET", f"{_OBJECT}/Items/{{key}}", _one),
        Route("GET", f"{_OBJECT}/Context", _context),
        Route(ANY, _OBJECT, _refuse),
        Route(ANY, f"{_OBJECT}/Items", _refuse),
        Route(ANY, f"{_OBJECT}/Items/{{key}}", _refuse),
        Route(ANY, f"{_OBJECT}/Context", _refuse),
    )


def _query(entity: Entity, request: Request) -> PageQuery:
    """Read the query parameters; ``PageToken`` replaces all others."""
    if "PageToken" in request.query:
        return PageQuery.from_token(request.query["PageToken"])
    order = request.query.get("Order", ASC).lower()
    bounds = request.query.get("Bounds", "inclusive").lower()
    if (order, bounds) not in _COMPARE:
        raise Refusal(20001, "Invalid 'Order' or 'Bounds' query parameter")
    start = request.query.get("From")
    return PageQuery(order, _page_size(request), None if start is None else _position(entity, start), bounds)


def _page_size(request: Request) -> int:
    text = request.query.get("PageSize", str(DEFAULT_PAGE))
    if not (text.isascii() and text.isdigit()) or int(text[:9]) == 0:
        raise Refusal(54454)
    return min(int(text[:9]), MAX_PAGE)


def _position(entity: Entity, text: str) -> str:
    """Return the stored key of a key or an index; an index may lie beyond all items, a negative one before all."""
    if entity.kind != LIST:
        return text
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise Refusal(20001, "A list index is a number")
    if text.startswith("-"):
        return ""
    return index_key(min(int(digits[: INDEX_DIGITS + 1]), 10**INDEX_DIGITS - 1))
