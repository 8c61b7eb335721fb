"""The official SDK as a fixture: installed when first needed, one Node process per version."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.interop.official import HERE, WAIT, Driver, Official
from tests.support import official_sdk

if TYPE_CHECKING:
    from tests.interop.ours import Ours

VERSIONS = ("3.0.1", "2.2.0")
"""Both ends: every test runs with these."""
BETWEEN = ("2.7.0", "2.6.5")
"""The last ones of the second generation: what is marked `every_version` runs with these too."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is interop."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.interop)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each pinned version in turn, as `version`; those in between for the tests that ask for them."""
    if "version" in metafunc.fixturenames:
        between = BETWEEN if metafunc.definition.get_closest_marker("every_version") else ()
        metafunc.parametrize("version", (*VERSIONS, *between))


@pytest.fixture(scope="session")
def official_packages() -> None:
    """The pinned versions of the official SDK, in tests/interop/node_modules."""
    official_sdk.install()


@pytest.fixture(scope="session")
def driver_of(official_packages: None) -> Iterator[Callable[[str], Driver]]:
    """Returns the running driver of a version, started at first use."""
    drivers: dict[str, Driver] = {}

    def get(version: str) -> Driver:
        if version not in drivers:
            drivers[version] = Driver(f"conversations-{version}")
        return drivers[version]

    yield get
    for driver in drivers.values():
        driver.close()


@pytest.fixture
def official(version: str, driver_of: Callable[[str], Driver], service: Any) -> Iterator[Callable[..., Official]]:
    """Returns a maker of connected official clients: `official("alice-1")`; they are shut down after the test.

    Keyword arguments: `token` and `url` instead of the service's own, `wait=False` not to wait for `initialized`,
    `options` for the SDK's constructor.
    """
    driver = driver_of(version)
    made: list[Official] = []

    def make(
        identity: str,
        *,
        token: str | None = None,
        url: str | None = None,
        wait: bool = True,
        options: dict[str, Any] | None = None,
    ) -> Official:
        start = driver.connect if wait else driver.start
        made.append(start(identity, token or service.token(identity), url or service.url, options))
        return made[-1]

    yield make
    problems = driver.problems_of(made)
    driver.shutdown(made)
    driver.problems.clear()  # what a client says while it is being shut down is nobody's business
    assert not problems, f"promises rejected with nobody listening: {problems}"


@pytest.fixture
def ours(service: Any) -> Iterator[Callable[..., Ours]]:
    """Returns a maker of ready clients of ours, with the same calls: `ours("bob-1")`; closed after the test.

    Further keyword arguments go to `Client`.
    """
    made: list[Ours] = []

    def make(identity: str, *, token: str | None = None, url: str | None = None, **options: Any) -> Ours:
        from tests.interop.ours import Ours
        from twilio_conversations import Client

        client = Client(token or service.token(identity), endpoint=url or service.url, **options)
        made.append(Ours(client, identity))
        client.wait_until_ready(timeout=WAIT)
        return made[-1]

    yield make
    for one in made:
        one.client.close()
    problems = [seen.data for one in made for seen in one.events("error")]
    assert not problems, f"errors that no call reported: {problems}"
