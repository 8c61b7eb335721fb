"""Clients of a local service, closed when the test is over."""

from __future__ import annotations

import pytest

from tests.support.clients import Connect, Fresh, connect, line, own, pair, shared
from twilio_conversations import Client

__all__ = ["connect", "line", "own", "pair", "shared"]


@pytest.fixture
def alice(connect: Connect, fresh: Fresh) -> Client:
    """One ready client."""
    return connect(fresh("alice"))
