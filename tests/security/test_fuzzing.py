"""Generated requests over the whole service, over plain HTTP and through the tunnel: it refuses, and never fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.routing import Route

from tests.security.hostile import Attack, attacks
from tests.security.target import TEMPLATES, Target
from twilio_conversations.server.api.routing import ANY

FEW, MANY = 200, 4_000


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A service with a victim and an attacker."""
    with Target(tmp_path_factory.mktemp("target")) as one:
        yield one


def attack_it(target: Target, door: str, examples: int) -> set[int]:
    """So many generated requests by a door; the statuses that they were answered with."""
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
    return set(statuses)


@pytest.mark.parametrize("door", ["http", "tunnel"])
def test_generated_requests(target: Target, door: str) -> None:
    """Errors are told as Twilio tells them, nothing is a fault of the service, and nobody else's data change."""
    for status, attack in (
        (200, Attack("GET", "/Client/v2/Configuration", "", {}, b"")),
        (400, Attack("POST", f"/Client/v2/Services/{target.service_sid}/Conversations", "", {}, b"[]")),
        (404, Attack("GET", "/v3/Documents/ET0", "", {}, b"")),
    ):
        assert target.check(attack, door) == status  # a short run may generate none of a kind
    attack_it(target, door, FEW)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("door", ["http", "tunnel"])
def test_many_generated_requests(target: Target, door: str) -> None:
    """The same with more of them, of which some are right."""
    assert {200, 400, 404} <= attack_it(target, door, MANY)


def test_every_route_is_attacked(target: Target) -> None:
    """No route of the service, in the tunnel's table or over HTTP alone, is without a template here."""
    app = target.server._app
    assert app is not None
    tunnelled = [(route.method, route.template) for route in app.service.routes.routes if route.method != ANY]
    plain = [
        (method, route.path)
        for route in app.asgi().routes
        if isinstance(route, Route) and ":path}" not in route.path
        for method in route.methods or ()
        if method != "HEAD"
    ]
    assert len(tunnelled) > 20
    assert len(plain) > 5
    attacked = [(template.method, template.path.split("/")) for template in TEMPLATES]
    missing = [
        (method, path)
        for method, path in tunnelled + plain
        if not any(method == known and same(path.split("/"), parts) for known, parts in attacked)
    ]
    assert [route for route in missing if not route[1].startswith("/_local/")] == []


def same(route: list[str], template: list[str]) -> bool:
    """Whether a template asks for what answers at a route: segments are equal, or the route has a parameter there."""
    pairs = zip(route, template, strict=False)
    return len(route) == len(template) and all(one == other or one.startswith("{") for one, other in pairs)
