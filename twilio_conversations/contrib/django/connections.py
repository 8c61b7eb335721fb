"""Database connections of threads that serve no request, which Django does not look after."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from django.db import close_old_connections


@contextlib.contextmanager
def fresh_connections() -> Iterator[None]:
    """Close database connections that are broken or too old, before and after the ``with`` block, as around a request."""
    close_old_connections()
    try:
        yield
    finally:
        close_old_connections()
