"""A run: its settings, the service, and the workers that take turns."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from benchmarks.figures import Row
from benchmarks.processes import Child, Failed, Service, missing_official, official, python


@attrs.frozen(kw_only=True)
class Settings:
    """How long to measure."""

    rounds: int = 7
    conversations: int = 500
    most_conversations: int = 990
    messages: int = 10_000
    messages_official: int = 1_500
    sends: int = 200
    history: int = 5_000
    idle_clients: int = 50
    followers: int = 100
    deliveries: int = 200
    commands: int = 1_000
    senders: int = 64
    connections: int = 1_000
    growth_rounds: int = 3
    grown_requests: int = 200
    grown_messages: tuple[int, ...] = (1_000, 10_000, 100_000)
    grown_conversations: tuple[int, ...] = (100, 1_000, 10_000)
    grown_participants: tuple[int, ...] = (10, 100, 1_000)
    grown_clients: tuple[int, ...] = (10, 100, 1_000)
    limited: tuple[int, ...] = (10, 100, 900)

    @classmethod
    def quick(cls) -> Settings:
        """A run of about a minute, for a look."""
        small = cls(rounds=2, conversations=50, most_conversations=100, messages=2_000, messages_official=300)
        small = attrs.evolve(small, sends=50, history=500, idle_clients=10)
        small = attrs.evolve(small, followers=20, deliveries=50, commands=200, connections=100)
        small = attrs.evolve(small, growth_rounds=1, grown_requests=50, grown_messages=(100, 1_000), limited=(10, 50))
        return attrs.evolve(small, grown_conversations=(10, 100), grown_participants=(10, 100), grown_clients=(10, 50))


@attrs.frozen
class Bench:
    """Everything that a row needs: the running service and a worker for each client; what an absent one needs."""

    settings: Settings
    service: Service
    workers: Mapping[str, Child]
    absent: Mapping[str, str]
    tell: Callable[[str], None] = print

    def place(self, identity: str, **more: Any) -> dict[str, Any]:
        """Where a worker connects to, and as whom."""
        return {"token": self.service.token(identity), "url": self.service.url, "twilsock": self.service.twilsock, **more}

    def alternate(self, rows: Sequence[Row], clients: tuple[str, ...], measure: Callable[[str, Child], None]) -> None:
        """All rounds, the clients taking turns; each round begins with another one. One that fails once is left out then."""
        first = rows[0]
        absent = {client: self.absent[client] for client in clients if client in self.absent}
        failures: dict[str, str] = {}
        for row in rows:
            row.needs |= absent
        for number in range(self.settings.rounds):
            start = number % len(clients)
            for client in clients[start:] + clients[:start]:
                if client in absent or client in failures:
                    continue
                self.tell(f"{first.name}: round {number + 1}, {client}")
                try:
                    measure(client, self.workers[client])
                except (Failed, OSError) as failure:
                    failures[client] = str(failure)
        for row in rows:
            row.failures |= failures


def start(client: str) -> Child:
    """A fresh process of a client's worker."""
    return official() if client == "official" else python({"ours": "benchmarks.ours", "bare": "benchmarks.floors"}[client])


@contextlib.contextmanager
def workers(names: Sequence[str]) -> Iterator[tuple[dict[str, Child], dict[str, str]]]:
    """A worker for each of some clients that can take part, and what the others need for it."""
    absent = {}
    if "official" in names and (need := missing_official()) is not None:
        absent["official"] = need
    with contextlib.ExitStack() as stack:
        running = {name: stack.enter_context(start(name)) for name in names if name not in absent}
        if "bare" in running:
            running["bare_silent"] = running["bare_following"] = running["libraries"] = running["bare"]
        yield running, absent
