"""Items and changes of a Sync object, as values."""

from __future__ import annotations

from typing import Any, Final, Literal

import attrs

from twilio_conversations.errors import ConversationsError
from twilio_conversations.util.values import value

Kind = Literal["document", "list", "map"]
Bounds = Literal["inclusive", "exclusive"]
Key = str | int


@attrs.frozen
class Item:
    """One element of a list or map.

    Attributes:
        key: index in a list, key in a map.
        data: the value; treat it as immutable.
        event_id: id of the change that this is the state after; a greater one is newer.
        date_updated: ISO-8601 text of that change, if the service said it.
    """

    key: Key
    data: Any
    event_id: int
    date_updated: str | None = None


@attrs.frozen
class Page:
    """One page of items, straight from the service.

    Attributes:
        items: in query order; what was removed while the request was under way is left out.
        has_next: whether something follows in query order.
        has_previous: whether something precedes in query order.
    """

    items: tuple[Item, ...]
    has_next: bool
    has_previous: bool


@value
class DocumentUpdated:
    """The document has new contents (all of them)."""

    data: Any
    event_id: int


@value
class ItemAdded:
    """An item was created, whether or not a page has included it before; `event_id` shows which data is newer."""

    key: Key
    data: Any
    event_id: int
    date_updated: str | None = None


@value
class ItemUpdated:
    """An item changed; it may be one that the listener has not seen yet."""

    key: Key
    data: Any
    event_id: int
    date_updated: str | None = None


@value
class ItemRemoved:
    """An item is gone; `data` is its last value, if the service sent it."""

    key: Key
    data: Any
    event_id: int


ItemChange = ItemAdded | ItemUpdated | ItemRemoved
ITEM_CHANGES: Final = (ItemAdded, ItemUpdated, ItemRemoved)
"""The same for `isinstance`, on the path of every event."""


@attrs.frozen
class EntityRemoved:
    """The object itself is gone, or no longer visible; nothing follows."""


@attrs.frozen
class EntityFailed:
    """The service refuses to send events of the object.

    Attributes:
        error: what it said.
        will_retry: asked again after a while; otherwise only after a new token or a new connection.
    """

    error: ConversationsError
    will_retry: bool


@attrs.frozen
class Resynced:
    """Changes were made that no event reports; whoever shows items should read its pages again.

    Attributes:
        event_id: id up to which events are missing; those behind it come.
        is_certain: `False` where there may have been no such changes: a replay began behind the id that was asked for.
        is_restart: whether the service restarted its event ids, so that ids known so far do not apply.
        known_to: id up to which no event was missing before.
    """

    event_id: int
    is_certain: bool = True
    is_restart: bool = False
    known_to: int = -1


@attrs.frozen
class Established:
    """The service has replayed what it has, and sends every change from now on."""


Change = DocumentUpdated | ItemChange | EntityRemoved | EntityFailed | Resynced | Established
