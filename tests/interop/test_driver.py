"""The driver alone, before there is a service: it says what it is, and what goes wrong reaches the test."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.interop.official import Driver, OfficialError, eventually


@pytest.mark.every_version
def test_each_version_is_the_pinned_one(version: str, driver_of: Callable[[str], Driver]) -> None:
    """The folders hold the versions that the tests are named after."""
    driver = driver_of(version)
    official = driver.start("nobody", "not-a-token", "http://127.0.0.1:9")
    assert official.state()["version"] == version
    driver.shutdown([official])


def test_rejected_promise_raises(version: str, driver_of: Callable[[str], Driver]) -> None:
    """A mistake in a call reaches the test as an error with the SDK's own words."""
    driver = driver_of(version)
    official = driver.start("nobody", "not-a-token", "http://127.0.0.1:9")
    with pytest.raises(OfficialError, match="Argument 1"):
        official.call("updateToken", "")
    driver.shutdown([official])
    driver.problems.clear()


def test_an_abandoned_promise_is_laid_to_its_client(version: str, driver_of: Callable[[str], Driver]) -> None:
    """A promise that is rejected with nobody listening counts against the client that made it, and no other."""
    driver = driver_of(version)
    careless, careful = (driver.start("nobody", "not-a-token", "http://127.0.0.1:9") for _ in range(2))
    careless.ask("abandon", message="dropped")
    eventually(lambda: driver.problems_of([careless]), "the problem is known")
    assert [problem.error["message"] for problem in driver.problems_of([careless])] == ["dropped"]
    assert driver.problems_of([careful]) == []
    driver.shutdown([careless, careful])
    driver.problems.clear()
