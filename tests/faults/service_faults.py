"""Faults of the service, drawn from a seed and ordered through its control plane, and kills of its process."""

from __future__ import annotations

import functools
import random
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import attrs
import requests

from tests.faults.plan import generator
from tests.support.service_process import ServiceProcess
from twilio_conversations.server.storage.credentials import load_or_create

KILL = "kill"
MESSAGES = "/Messages$"


@attrs.frozen
class Order:
    """One fault: its fields as the control plane takes them, and for one that must be taken back, the seconds it lasts."""

    kind: str
    fields: dict[str, Any] = attrs.field(factory=dict)
    lasts: float | None = None


def draw(seed: int, number: int, identities: list[str], *, tokens: bool, kills: bool) -> tuple[float, Order]:
    """Order number `number` of a seed, and the seconds to wait before it."""
    chance = generator(seed, "service", number)
    pause = chance.uniform(0.2, 1.6)
    kinds = ["drop", "lose_answers", "hold_events", "offload", "refuse", "refuse_connections", "delay"]
    kind = chance.choice(kinds + ["expire_tokens"] * tokens)
    if kills and number % 10 == 9:
        kind = KILL
    who = chance.choice([*identities, None])
    return pause, Order(
        kind, {"identity": who, **_details(kind, chance)}, chance.uniform(0.1, 0.8) if kind == "hold_events" else None
    )


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
    return {}


class ControlPlane:
    """Client of the control plane of a service in another process."""

    def __init__(self, url: str, data: Path) -> None:
        credentials = load_or_create(data)
        self._session = requests.Session()
        self._session.auth = (credentials.api_key_sid, credentials.api_key_secret)
        self._url = f"{url}/_local/faults"

    def order(self, kind: str, **fields: Any) -> None:
        """Order a fault."""
        self._session.post(self._url, json={"kind": kind, **fields}, timeout=10).raise_for_status()

    def clear(self) -> None:
        """Remove all faults."""
        self._session.delete(self._url, timeout=10).raise_for_status()


class ServiceFaults:
    """A thread that carries out one order after the other."""

    def __init__(self, served: ServiceProcess, seed: int, identities: list[str], *, tokens: bool, kills: bool) -> None:
        """`tokens`: whether tokens may expire; `kills`: whether the service may be killed, and started again."""
        self.counts: Counter[str] = Counter()
        self.failure: BaseException | None = None
        self._served = served
        self._draw = functools.partial(draw, seed, identities=identities, tokens=tokens, kills=kills)
        self._plane = ControlPlane(served.url, served.data)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="service-faults", daemon=True)
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
            return
        self._plane.order(order.kind, **order.fields)
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
