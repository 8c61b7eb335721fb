"""Generated requests over the whole service, over plain HTTP and through the tunnel: it refuses, and never fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.security.hostile import attacks
from tests.security.target import TEMPLATES, Target

FEW, MANY = 300, 4_000


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A service with a victim and an attacker."""
    with Target(tmp_path_factory.mktemp("target")) as one:
        yield one


def attack_it(target: Target, door: str, examples: int) -> None:
    """So many generated requests by a door."""
    statuses: Counter[int] = Counter()

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def run(data: st.DataObject) -> None:
        attack = data.draw(attacks(TEMPLATES, target.names))
        statuses[target.check(attack, door)] += 1

    target.hang_up()
    run()
    target.verify()
    print(f"{door}: {dict(sorted(statuses.items()))}")
    assert {200, 400, 404} <= set(statuses)


@pytest.mark.parametrize("door", ["http", "tunnel"])
def test_generated_requests(target: Target, door: str) -> None:
    """Errors are told as Twilio tells them, nothing is a fault of the service, and nobody else's data change."""
    attack_it(target, door, FEW)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("door", ["http", "tunnel"])
def test_many_generated_requests(target: Target, door: str) -> None:
    """The same with more of them."""
    attack_it(target, door, MANY)
