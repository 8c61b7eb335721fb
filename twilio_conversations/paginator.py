"""Pages: what is on one, and the way to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from twilio_conversations.errors import PageUnavailableError

T = TypeVar("T")
Turn = Callable[[float | None], "Paginator[T]"]


class Paginator(Generic[T]):
    """One page. It never changes; `next_page` and `prev_page` give others.

    Attributes:
        items: what is on this page.
    """

    def __init__(self, items: Sequence[T], next_page: Turn[T] | None, prev_page: Turn[T] | None) -> None:
        self.items = list(items)
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
        """The page after this one. `timeout` is in seconds.

        Raises:
            PageUnavailableError: this is the last one.
        """
        if self._next is None:
            raise PageUnavailableError("there is no next page")
        return self._next(timeout)

    def prev_page(self, *, timeout: float | None = None) -> Paginator[T]:
        """The page before this one. `timeout` is in seconds.

        Raises:
            PageUnavailableError: this is the first one.
        """
        if self._prev is None:
            raise PageUnavailableError("there is no previous page")
        return self._prev(timeout)

    def pages(self, *, timeout: float | None = None) -> Iterator[Paginator[T]]:
        """This page and all that follow it, fetched as they are asked for; `timeout` is per page, in seconds."""
        page = self
        while True:
            yield page
            if not page.has_next_page:
                return
            page = page.next_page(timeout=timeout)

    def iter_all(self, *, timeout: float | None = None) -> Iterator[T]:
        """The items of this page and of all that follow it."""
        for page in self.pages(timeout=timeout):
            yield from page.items

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"<Paginator: {len(self.items)} items, next: {self.has_next_page}, previous: {self.has_prev_page}>"
