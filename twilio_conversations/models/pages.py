"""Pages: items, and access to the next and the previous page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar, cast

import attrs

from twilio_conversations.errors import PageUnavailableError
from twilio_conversations.util.json import parse_text

T = TypeVar("T")
Turn = Callable[[float | None], "Paginator[T]"]


class Paginator(Generic[T]):
    """One page. It never changes; `next_page` and `prev_page` return other pages.

    Attributes:
        items: objects on this page.
    """

    def __init__(self, items: Sequence[T], next_page: Turn[T] | None, prev_page: Turn[T] | None) -> None:
        self.items: list[T] = list(items)
        self._next = next_page
        self._prev = prev_page

    @property
    def has_next_page(self) -> bool:
        """Whether there is a next page; known without a request."""
        return self._next is not None

    @property
    def has_prev_page(self) -> bool:
        """Whether there is a previous page; known without a request."""
        return self._prev is not None

    def next_page(self, *, timeout: float | None = None) -> Paginator[T]:
        """Return the page after this one. `timeout` is in seconds.

        Raises:
            PageUnavailableError: this is the last one.
        """
        if self._next is None:
            raise PageUnavailableError("there is no next page")
        return self._next(timeout)

    def prev_page(self, *, timeout: float | None = None) -> Paginator[T]:
        """Return the page before this one. `timeout` is in seconds.

        Raises:
            PageUnavailableError: this is the first one.
        """
        if self._prev is None:
            raise PageUnavailableError("there is no previous page")
        return self._prev(timeout)

    def pages(self, *, timeout: float | None = None) -> Iterator[Paginator[T]]:
        """Return an iterator over this page and all that follow it, fetched as needed; `timeout` is per page, in seconds."""
        page = self
        while True:
            yield page
            if not page.has_next_page:
                return
            page = page.next_page(timeout=timeout)

    def iter_all(self, *, timeout: float | None = None) -> Iterator[T]:
        """Return an iterator over the items of this page and of all that follow it."""
        for page in self.pages(timeout=timeout):
            yield from page.items

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"<Paginator: {len(self.items)} items, next: {self.has_next_page}, previous: {self.has_prev_page}>"


def page_of(items: Sequence[T], start: int, size: int) -> Paginator[T]:
    """Return the page of a sequence that begins at `start`; its other pages need no request."""

    def turn(to: int) -> Turn[T]:
        return lambda _: page_of(items, to, size)

    return Paginator(
        items[start : start + size],
        turn(start + size) if start + size < len(items) else None,
        turn(max(0, start - size)) if start > 0 else None,
    )


@attrs.frozen
class RestPart(Generic[T]):
    """Result of one request of a listing: items, and the tokens of the parts before and after them."""

    items: Sequence[T]
    next_token: str | None
    previous_token: str | None

    @classmethod
    def parse(cls, body: Any, name: str, read: Callable[[Any], T | None]) -> RestPart[T]:
        """Read ``{<name>: [...], meta: {next_token, previous_token}}``; entries for which `read` returns `None` are left out."""
        known = body if isinstance(body, dict) else {}
        entries, meta = known.get(name), known.get("meta")
        items = [item for item in map(read, entries if isinstance(entries, list) else ()) if item is not None]
        tokens = meta if isinstance(meta, dict) else {}
        return cls(items, parse_text(tokens.get("next_token")) or None, parse_text(tokens.get("previous_token")) or None)


class RestPaginator(Paginator[T]):
    """One page of a REST listing with page tokens."""

    def __init__(self, read: Callable[[str | None, float | None], RestPart[T]], token: str | None, timeout: float | None) -> None:
        """Read the page of `token`, the first for `None`; `read` receives a token and seconds, for this page and for others."""
        part = read(token, timeout)
        super().__init__(part.items, self._turn(read, part.next_token), self._turn(read, part.previous_token))

    @staticmethod
    def _turn(read: Callable[[str | None, float | None], RestPart[T]], token: str | None) -> Turn[T] | None:
        return None if token is None else lambda timeout: RestPaginator(read, token, timeout)

    def next_page(self, *, timeout: float | None = None) -> RestPaginator[T]:
        """Return the page after this one; see `Paginator.next_page`."""
        return cast("RestPaginator[T]", super().next_page(timeout=timeout))

    def prev_page(self, *, timeout: float | None = None) -> RestPaginator[T]:
        """Return the page before this one; see `Paginator.prev_page`."""
        return cast("RestPaginator[T]", super().prev_page(timeout=timeout))
