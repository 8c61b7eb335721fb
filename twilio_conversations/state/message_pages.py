"""Pages of a conversation's messages: for the program, and in place of events that do not come."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

from twilio_conversations.enums import Direction
from twilio_conversations.errors import ProtocolError
from twilio_conversations.models.message import Message
from twilio_conversations.models.pages import Paginator
from twilio_conversations.sync.changes import Bounds, Item
from twilio_conversations.util.flows import Flow, Future, flow
from twilio_conversations.values.message import MessageData

if TYPE_CHECKING:
    from twilio_conversations.runtime import Runtime
    from twilio_conversations.sync.client import Handle

MOST_PER_REQUEST: Final = 100
_FEW: Final = 10
"""Messages that are asked for first where hardly any are expected."""
Order = Literal["asc", "desc"]


@attrs.frozen
class _Slice:
    """Consecutive messages, oldest first, and whether there are others on both sides."""

    messages: list[Message]
    has_older: bool
    has_newer: bool


class MessagePages:
    """The pages of one conversation's messages, as the program reads them."""

    def __init__(self, runtime: Runtime, opened: Callable[[], Future[Handle]], show: Callable[[Item], Message | None]) -> None:
        """`opened` returns the Sync list, opening it if need be; `show` returns the live message of an item, `None` for a
        malformed one."""
        self._runtime = runtime
        self._opened = opened
        self._show = show

    def get_page(self, size: int, anchor: int | None, direction: Direction, timeout: float | None) -> Paginator[Message]:
        """Return one page from `anchor` on, inclusive."""
        order: Order = "desc" if direction is Direction.BACKWARDS else "asc"
        return self._page(lambda: self._read(anchor, size, order, inclusive=True), size, timeout)

    def _page(self, read: Callable[[], Future[_Slice]], size: int, timeout: float | None) -> Paginator[Message]:
        part = self._runtime.run(read, self._runtime.deadline(timeout), "get_messages()")
        if not part.messages:
            return Paginator([], None, None)
        oldest, newest = part.messages[0].index, part.messages[-1].index

        def turn(start: int, order: Order) -> Callable[[float | None], Paginator[Message]]:
            return lambda limit: self._page(lambda: self._read(start, size, order, inclusive=False), size, limit)

        newer = turn(newest, "asc") if part.has_newer else None
        older = turn(oldest, "desc") if part.has_older else None
        return Paginator(part.messages, newer, older)

    @flow
    def _read(self, start: int | None, size: int, order: Order, *, inclusive: bool) -> Flow[_Slice]:
        """Up to `size` messages from `start`, in as many requests as the service's largest page makes necessary."""
        entity: Handle = yield self._opened()
        messages: list[Message] = []
        before = after = False
        first = True
        while True:
            wanted = min(size - len(messages), MOST_PER_REQUEST)
            bounds: Bounds = "inclusive" if inclusive else "exclusive"
            page: Any = yield from entity.page(start=start, size=wanted, order=order, bounds=bounds)
            before = before or (first and page.has_previous)
            after = page.has_next
            messages += [message for message in map(self._show, page.items[:wanted]) if message is not None]
            if not after or len(messages) >= size or not page.items:
                break
            start, inclusive, first = page.items[-1].key, False, False
        if order == "desc":
            return _Slice(messages[::-1], has_older=after, has_newer=before)
        return _Slice(messages, has_older=before, has_newer=after)

    def walk(self, *, newest_first: bool, after: int | None, limit: int | None) -> Iterator[Message]:
        """Return the messages one after another, a page at a time."""
        left = -1 if limit is None else limit
        if newest_first:
            page = self.get_page(MOST_PER_REQUEST, None, Direction.BACKWARDS, None)
        else:
            page = self.get_page(MOST_PER_REQUEST, 0 if after is None else after + 1, Direction.FORWARD, None)
        while left != 0:
            for message in reversed(page.items) if newest_first else page.items:
                yield message
                left -= 1
                if left == 0:
                    return
            if not (page.has_prev_page if newest_first else page.has_next_page):
                return
            page = page.prev_page() if newest_first else page.next_page()

    def newest_index(self, timeout: float | None) -> int | None:
        """Index of the newest message, `None` when there is none."""
        page = self.get_page(1, None, Direction.BACKWARDS, timeout)
        return page.items[-1].index if page.items else None


def messages_since(entity: Handle, moment: dt.datetime) -> Flow[list[Item]]:
    """Read the messages written at `moment` or later, oldest first."""
    found: list[Item] = []
    start: Any = None
    while True:
        if start is None:
            page = yield from entity.page(size=_FEW, order="desc")
        else:
            page = yield from entity.page(start=start, size=MOST_PER_REQUEST, order="desc", bounds="exclusive")
        found += [item for item in page.items if _written_since(item, moment)]
        if not page.has_next or not page.items or page.items[-1] not in found[-1:] or page.items[-1].key == start:
            return found[::-1]
        start = page.items[-1].key


def messages_after(entity: Handle, newest: int | None) -> Flow[list[Item]]:
    """Read the messages above an index, oldest first; `None` where it is not known: then there are none to be read."""
    found: list[Item] = []
    while newest is not None:
        page: Any = yield from entity.page(start=newest, size=MOST_PER_REQUEST, bounds="exclusive")
        newer = [item for item in page.items if item.key > newest]
        found += newer
        newest = newer[-1].key if page.has_next and newer else None
    return found


def _written_since(item: Item, moment: dt.datetime) -> bool:
    try:
        written = MessageData.parse(item.data).date_created
    except ProtocolError:
        return False
    return written is not None and written >= moment
