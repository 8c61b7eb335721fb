"""One Sync object as its users see it, and what they share of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

import attrs

from twilio_conversations.errors import UnsupportedOperationError
from twilio_conversations.sync.changes import Bounds, Change, Item, Key, Kind, Page
from twilio_conversations.sync.pokes import Subscription, SubscriptionPhase
from twilio_conversations.sync.purpose import Purpose
from twilio_conversations.sync.replica import CollectionReplica, DocumentReplica, ItemAction
from twilio_conversations.sync.resources import Resources, RootState
from twilio_conversations.util.flows import Flow

Listener = Callable[["Handle", Change], None]
"""Called on the io thread with every change, in order; it must not block."""

FIRST_PATIENCE, LAST_PATIENCE = 5.0, 600.0
"""How long a gap in the ids may stay open before the service is asked to replay it (doubled each time that did not help)."""


EarlyEvent = tuple[dict[str, Any], ItemAction]


class SyncObject:
    """The part of an object that all its handles share."""

    __slots__ = (
        "aliases",
        "early",
        "handles",
        "held_by",
        "items_url",
        "kind",
        "muted",
        "patience",
        "replica",
        "sid",
        "subscription",
        "unique_name",
    )

    def __init__(self, kind: Kind, state: RootState, purpose: Purpose) -> None:
        self.kind = kind
        self.sid: str = state.sid
        self.unique_name: str | None = state.unique_name
        self.items_url: str = state.items_url
        self.replica: DocumentReplica | CollectionReplica = (
            DocumentReplica(state.data, state.last_event_id)
            if kind == "document"
            else CollectionReplica(kind, state.last_event_id)
        )
        self.subscription: Subscription = Subscription(state.sid, kind, lambda: self.replica.cursor, purpose=purpose)
        self.handles: tuple[Handle, ...] = ()
        self.aliases: set[str] = set()
        self.early: list[EarlyEvent] = []  # live events that came before the replay that ends below them
        self.held_by: set[Handle] = set()
        self.muted: bool = False  # events are dropped: held, or released and not replayed yet
        self.patience: float = FIRST_PATIENCE


class HandleOwner(Protocol):
    """Interface of the client for its handles."""

    resources: Resources

    def detach(self, entity: Handle) -> None:
        """Detach a closed handle."""
        ...

    def is_catching_up(self, root: SyncObject) -> bool:
        """Return whether the service has yet to replay what it has of an object."""
        ...


class Handle:
    """A handle on one Sync object; use it on the io thread only.

    Several handles may share one object. The object is followed until the last of them is closed.
    """

    __slots__ = ("_items", "_owner", "listener", "open", "root")

    def __init__(self, owner: HandleOwner, root: SyncObject, listener: Listener, items: tuple[Item, ...] = ()) -> None:
        self._owner = owner
        self.open: bool = True
        """Whether changes still reach the listener: `False` after `close()` and once the object is removed."""
        self._items = items
        self.root: SyncObject = root
        self.listener: Listener = listener

    def __repr__(self) -> str:
        return f"<{self.kind} {self.sid} {self.unique_name!r}{'' if self.open else ' closed'}>"

    @property
    def sid(self) -> str:
        """Sid of the object, ``ET``, ``ES`` or ``MP``."""
        return self.root.sid

    @property
    def unique_name(self) -> str | None:
        """Unique name, if the service told one."""
        return self.root.unique_name

    @property
    def kind(self) -> Kind:
        """``document``, ``list`` or ``map``."""
        return self.root.kind

    @property
    def data(self) -> Any:
        """Current contents of a document; `None` for others. Do not change it."""
        replica = self.root.replica
        return replica.data if isinstance(replica, DocumentReplica) else None

    @property
    def event_id(self) -> int:
        """Id of the change from which the service would replay; for a document, of the change that `data` is the state after."""
        return self.root.replica.cursor

    def take_items(self) -> tuple[Item, ...]:
        """Return the items of a map as it was opened with `include_items`, once: from then on they are whoever took them's."""
        items, self._items = self._items, ()
        return items

    @property
    def established(self) -> bool:
        """Whether the service has confirmed that it sends every change."""
        return self.root.subscription.phase is SubscriptionPhase.ESTABLISHED

    @property
    def is_catching_up(self) -> bool:
        """Whether the service has yet to replay what it has; it never does while it has no room for the object."""
        return self._owner.is_catching_up(self.root)

    def close(self) -> None:
        """Stop listening. The last handle's close ends the subscription. Calling it again does nothing."""
        if self.open:
            self.open = False
            self._owner.detach(self)

    def ended(self) -> None:
        """Report the removal of the object; no event follows."""
        self.open = False

    def page(
        self,
        *,
        start: Key | None = None,
        size: int = 50,
        order: Literal["asc", "desc"] = "asc",
        bounds: Bounds = "inclusive",
    ) -> Flow[Page]:
        """Read one page from the service; announces nothing.

        Args:
            start: key or index to begin at; it need not exist. `None` for the first in query order.
            size: items wanted; the service gives at most 100.
            order: ``asc`` or ``desc``.
            bounds: whether the item at `start` itself belongs to the page.

        Raises:
            SyncError, TransportUnavailableError, RequestTimeoutError: it cannot be read.
        """
        kind = self.kind
        if kind == "document":
            raise UnsupportedOperationError("a document has no items")
        return (yield from self._fetch(self._owner.resources.page(kind, self.root.items_url, start, size, order, bounds)))

    def item(self, key: Key) -> Flow[Item | None]:
        """Read one item from the service; `None` if there is none. Fails as `page` does."""
        kind = self.kind
        if kind == "document":
            raise UnsupportedOperationError("a document has no items")
        page = yield from self._fetch(self._owner.resources.item(kind, self.root.items_url, key))
        return page.items[0] if page.items else None

    def _fetch(self, request: Flow[Page]) -> Flow[Page]:
        replica = self.root.replica
        assert isinstance(replica, CollectionReplica)
        number = replica.begin_fetch()
        items: tuple[Item, ...] = ()
        try:
            page = yield from request
            items = page.items
        finally:
            items = replica.end_fetch(number, items)
        return attrs.evolve(page, items=items)
