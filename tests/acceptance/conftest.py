"""The services that the acceptance tests talk to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.resources import own_threads
from tests.support.service_process import ServiceProcess
from tests.support.waiting import until
from twilio_conversations.server import LocalServer


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    """A service inside this process."""
    with LocalServer() as one:
        yield one


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """A service in a process of its own."""
    data: Path = tmp_path_factory.mktemp("service")
    with ServiceProcess(data) as one:
        yield one


@pytest.fixture(autouse=True)
def no_thread_survives() -> Iterator[None]:
    """Whatever a test did with clients: when it is over, none of their threads is left."""
    yield
    until(lambda: not own_threads(), f"threads gone, still there: {own_threads()}", 5)
