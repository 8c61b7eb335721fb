"""A service, people in a conversation, and their media traffic led to where a test can see and decide it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from tests.media.http_service import HttpService
from tests.support.patience import PATIENCE
from twilio_conversations import Client, Conversation
from twilio_conversations.server import LocalServer


@pytest.fixture
def alice(service: LocalServer, fresh: Callable[[str], str]) -> Iterator[Client]:
    """One ready client."""
    with Client(service.token(fresh("alice")), endpoint=service.url) as client:
        yield client.wait_until_ready(PATIENCE)


@pytest.fixture
def bob(service: LocalServer, fresh: Callable[[str], str]) -> Iterator[Client]:
    """Another one."""
    with Client(service.token(fresh("bob")), endpoint=service.url) as client:
        yield client.wait_until_ready(PATIENCE)


@pytest.fixture
def room(alice: Client) -> Conversation:
    """A conversation that alice is in."""
    return alice.create_conversation().join()


def lead_media_to(client: Client, service: HttpService) -> None:
    """Have the client take that service for the media service; everything else stays with the real one."""
    runtime = client._core.runtime
    url = f"{service.url}/Media"
    links = runtime.configuration.links
    known = {**links.known, "media_service": url, "media_set_service": f"{url}Set"}
    runtime.known_configuration = attrs.evolve(runtime.configuration, links=attrs.evolve(links, known=known))


def limited(client: Client, **limits: Any) -> None:
    """Have the client believe in other limits."""
    runtime = client._core.runtime
    configuration = runtime.configuration
    runtime.known_configuration = attrs.evolve(configuration, limits=attrs.evolve(configuration.limits, **limits))
