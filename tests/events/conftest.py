"""Clients of a local service, closed when the test is over, and a dispatcher without a client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.events.dispatching import LIMIT
from tests.support.clients import connect, line, own, pair, shared
from twilio_conversations.events.dispatcher import Dispatcher
from twilio_conversations.util.futures import Deadline

__all__ = ["connect", "line", "own", "pair", "shared"]


@pytest.fixture
def dispatcher() -> Iterator[Dispatcher]:
    """Return a dispatcher whose thread is not started yet."""
    one = Dispatcher("test", LIMIT)
    yield one
    one.close()
    one.join(Deadline(10))
