"""Faults of the service, drawn from a seed and ordered through its control plane, and kills of its process."""

from __future__ import annotations

import functools
import random
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import attrs
import requests

from tests.faults.plan import generator
from tests.support.contrary import AT_START, CONTRARY, IDS_IGNORED, defaults, draw_settings
from tests.support.patience import PATIENCE
from tests.support.service_process import ServiceProcess
from twilio_conversations.server.http.replies import TUNNEL_TOO_MANY
from twilio_conversations.server.storage.credentials import load_or_create

KILL = "kill"
CONFIGURE = "configure"
MESSAGES = "/Messages$"
USUAL_KINDS = ("drop", "lose_answers", "hold_events", "offload", "refuse", "refuse_connections", "delay")
CONTRARY_KINDS = (CONFIGURE, "fail_answers", "delay_answers", "refuse_tersely", "refuse_without_code")
TERSE: Final = (
    {"status": 429, "code": TUNNEL_TOO_MANY, "refused_by": "tunnel"},
    {"status": 503, "code": 0, "content_type": "text/plain"},
)
"""Refusals that are not the service's own."""
FAULTS: Final = MappingProxyType({"refuse_tersely": "refuse", "refuse_without_code": "refuse_connections"})
"""Kinds of orders that have another name at the service."""
SHARE = 0.2
"""Probability of each contrary setting, each time that settings are drawn."""
WITHOUT = frozenset({"websocket_pings"})
"""Not drawn: on a service without pongs, silence is tolerated for a minute, which is as long as a message may take here."""


@attrs.frozen
class Service:
    """Properties of the service of a run: whether contrary settings are drawn, and those that hold throughout."""

    title: str
    is_drawn: bool = True
    fixed: Mapping[str, Any] = attrs.field(factory=dict)

    def settings(self, seed: int, number: int, *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
        """Return the settings number `number` of a seed, those that differ from run to run included."""
        drawn = (
            draw_settings(generator(seed, "settings", number), share=SHARE, without=WITHOUT | without) if self.is_drawn else {}
        )
        return {**defaults(CONTRARY), **drawn, **self.fixed}


SERVICES: Final[Mapping[str, Service]] = MappingProxyType(
    {
        "default": Service("service with default settings", is_drawn=False),
        "drawn": Service("service with drawn settings"),
        "ids-ignored": Service("service that ignores mutation ids", fixed=IDS_IGNORED),
    }
)


@attrs.frozen
class Order:
    """One fault: its fields as the control plane takes them, and for one that must be taken back, the seconds it lasts."""

    kind: str
    fields: dict[str, Any] = attrs.field(factory=dict)
    lasts: float | None = None


def draw(
    seed: int, number: int, identities: list[str], *, tokens: bool, kills: bool, service: Service = SERVICES["default"]
) -> tuple[float, Order]:
    """Order number `number` of a seed, and the seconds to wait before it."""
    chance = generator(seed, "service", number)
    pause = chance.uniform(0.2, 1.6)
    kinds = [*USUAL_KINDS, *["expire_tokens"] * tokens]
    if service.is_drawn:
        kinds += [kind for kind in CONTRARY_KINDS if tokens or kind != "refuse_without_code"]
    kind = chance.choice(kinds)
    if kills and number % 10 == 9:
        kind = KILL
    who = chance.choice([*identities, None])
    if kind == CONFIGURE:
        return pause, Order(kind, service.settings(seed, number, without=AT_START))
    lasts = chance.uniform(0.1, 0.8) if kind == "hold_events" else None
    return pause, Order(kind, {"identity": who, **_details(kind, chance)}, lasts)


def _details(kind: str, chance: random.Random) -> dict[str, Any]:
    match kind:
        case "lose_answers":
            return {"count": chance.randint(1, 3), "path": MESSAGES}
        case "refuse":
            wait = chance.choice([None, 0.1])
            return {"count": chance.randint(1, 5), "status": chance.choice([429, 503]), "retry_after": wait, "path": MESSAGES}
        case "refuse_connections":
            return {"count": chance.randint(1, 3), "reconnect_min_ms": chance.randint(20, 200)}
        case "offload":
            return {"reconnect_min_ms": chance.randint(20, 200)}
        case "delay":
            return {"count": chance.randint(1, 5), "seconds": chance.uniform(0.01, 0.5), "path": MESSAGES}
        case "fail_answers":
            words = chance.choice(["application/json", "text/plain"])
            return {
                "count": chance.randint(1, 3),
                "status": chance.choice([502, 503, 504]),
                "content_type": words,
                "path": MESSAGES,
            }
        case "delay_answers":
            return {"count": chance.randint(1, 3), "seconds": chance.uniform(0.1, 2.0), "path": MESSAGES}
        case "refuse_tersely":
            return {"count": chance.randint(1, 5), **chance.choice(TERSE)}
        case "refuse_without_code":
            return {"count": 1, "status": chance.choice([401, 403]), "code": 0}
    return {}


class ControlPlane:
    """Client of the control plane of a service in another process."""

    def __init__(self, url: str, data: Path) -> None:
        credentials = load_or_create(data)
        self._session = requests.Session()
        self._session.auth = (credentials.api_key_sid, credentials.api_key_secret)
        self._url = f"{url}/_local"

    def order(self, kind: str, **fields: Any) -> None:
        """Order a fault."""
        self._session.post(f"{self._url}/faults", json={"kind": kind, **fields}, timeout=PATIENCE).raise_for_status()

    def clear(self) -> None:
        """Remove all faults."""
        self._session.delete(f"{self._url}/faults", timeout=PATIENCE).raise_for_status()

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Change settings of the service."""
        self._session.post(f"{self._url}/config", json=dict(settings), timeout=PATIENCE).raise_for_status()


class ServiceFaults:
    """A thread that carries out one order after the other."""

    def __init__(
        self, served: ServiceProcess, seed: int, identities: list[str], *, tokens: bool, kills: bool, service: Service
    ) -> None:
        """`tokens`: whether tokens may expire; `kills`: whether the service may be killed, and started again.

        `service`: its settings, those number 0 of the seed to begin with.
        """
        self.counts: Counter[str] = Counter()
        self.failure: BaseException | None = None
        self._served = served
        self._draw = functools.partial(draw, seed, identities=identities, tokens=tokens, kills=kills, service=service)
        self._plane = ControlPlane(served.url, served.data)
        self._settings = service.settings(seed, 0, without=frozenset() if tokens else AT_START)
        self._plane.configure(self._settings)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="service-faults", daemon=True)

    def start(self) -> None:
        """Begin with the orders; the settings are in force before."""
        self._thread.start()

    def _run(self) -> None:
        number = 0
        try:
            while not self._stopping.is_set():
                pause, order = self._draw(number)
                if not self._stopping.wait(pause):
                    self._carry_out(order)
                number += 1
        except BaseException as error:
            self.failure = error

    def _carry_out(self, order: Order) -> None:
        self.counts[order.kind] += 1
        if order.kind == KILL:
            self._served.kill()
            self._served.start()
            self._plane.configure(self._settings)
            return
        if order.kind == CONFIGURE:
            self._settings = order.fields
            self._plane.configure(self._settings)
            return
        self._plane.order(FAULTS.get(order.kind, order.kind), **order.fields)
        if order.lasts is not None:
            self._stopping.wait(order.lasts)
            self._plane.order("release_events", identity=order.fields["identity"])

    def stop(self) -> None:
        """Stop, and remove all faults. Raise what went wrong in the thread."""
        self._stopping.set()
        self._thread.join(60)
        if self.failure is not None:
            raise self.failure
        self._plane.clear()
