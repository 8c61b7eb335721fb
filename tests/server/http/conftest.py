"""A service that the tests of a module may put under pressure."""

from __future__ import annotations

import pytest

from tests.support.clients import shared
from twilio_conversations.server import LocalServer

__all__ = ["shared"]


@pytest.fixture
def server(shared: LocalServer) -> LocalServer:
    """Return the module's service, with default settings."""
    shared.reset()
    return shared
