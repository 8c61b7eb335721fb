"""What the tests of the state layers share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.state.driven import Driven


@pytest.fixture(scope="package", autouse=True)
def quick_collections() -> Iterator[None]:
    """What was imported is not looked through whenever a test collects garbage."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def alice() -> Iterator[Driven]:
    """Alice's client without sockets; not started yet."""
    with Driven() as driven:
        yield driven
