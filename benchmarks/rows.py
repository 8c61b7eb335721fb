"""What is measured, round by round, alternating between the clients."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs

from benchmarks.processes import Child, Failed, Service, missing_official, official, python
from benchmarks.report import Aim, Row
from benchmarks.script import CONVERSATION, IDENTITY
from benchmarks.seed import seed_conversations

ROUND_TRIP = 0.05


@attrs.frozen(kw_only=True)
class Settings:
    """How long to measure."""

    rounds: int = 5
    conversations: int = 500
    messages: int = 10_000
    messages_official: int = 1_500
    sends: int = 200
    idle_clients: int = 50

    @classmethod
    def quick(cls) -> Settings:
        """A run of about a minute, for a look."""
        return cls(rounds=2, conversations=100, messages=3_000, messages_official=400, sends=50, idle_clients=10)


@attrs.frozen
class Bench:
    """Everything that a row needs: the running service and a worker for each client."""

    settings: Settings
    service: Service
    workers: Mapping[str, Child]
    absent: Mapping[str, str]
    tell: Callable[[str], None] = print

    def place(self, identity: str, **more: Any) -> dict[str, Any]:
        """Where a worker connects to, and as whom."""
        return {"token": self.service.token(identity), "url": self.service.url, "twilsock": self.service.twilsock, **more}

    def alternate(self, row: Row, clients: tuple[str, ...], measure: Callable[[str, Child], None]) -> None:
        """All rounds, the clients taking turns; a client that fails once is left out from then on."""
        for client in clients:
            if client in self.absent:
                row.failures[client] = self.absent[client]
        for number in range(self.settings.rounds):
            for client in clients:
                if client in row.failures:
                    continue
                self.tell(f"{row.name}: round {number + 1}, {client}")
                try:
                    measure(client, self.workers[client])
                except (Failed, OSError) as failure:
                    row.failures[client] = str(failure)


@contextlib.contextmanager
def workers() -> Iterator[tuple[dict[str, Child], dict[str, str]]]:
    """A worker for each client that can take part, and why the others cannot."""
    absent = {}
    with contextlib.ExitStack() as stack:
        running = {
            "ours": stack.enter_context(python("benchmarks.ours")),
            "bare": stack.enter_context(python("benchmarks.bare")),
        }
        running["bare_silent"] = running["libraries"] = running["bare"]
        if (reason := missing_official()) is None:
            running["official"] = stack.enter_context(official())
        else:
            absent["official"] = reason
        yield running, absent


def start_up(bench: Bench) -> list[Row]:
    """Constructor to `initialized`, for a user with a single conversation."""
    row = Row("constructor to initialized", "ms")
    place = bench.place("starter")

    def measure(client: str, worker: Child) -> None:
        row.add(client, worker.ask("start_up", **place)["seconds"] * 1000)

    bench.alternate(row, ("ours", "official"), measure)
    return [row]


def list_loaded(bench: Bench) -> list[Row]:
    """All conversations listed and alive, at no delay and at a round trip of 50 ms."""
    count = bench.settings.conversations
    place = bench.place("lister")
    seed_conversations(place["twilsock"], place["token"], "lister", count)
    rows = []
    for round_trip, factor in ((0.0, 0.25), (ROUND_TRIP, 0.5)):
        row = Row(f"list of {count} loaded, {round_trip * 1000:.0f} ms round trip", "ms", [Aim("at most", factor, "official")])
        with delayed(bench.service, round_trip) as address:

            def measure(client: str, worker: Child, row: Row = row, address: Mapping[str, str] = address) -> None:
                answer = worker.ask("list", timeout=120, **{**place, **address})
                if answer["conversations"] != count:
                    raise Failed(f"{answer['conversations']} of {count} conversations")
                row.add(client, answer["seconds"] * 1000)

            bench.alternate(row, ("ours", "official"), measure)
        rows.append(row)
    return rows


@contextlib.contextmanager
def delayed(service: Service, round_trip: float) -> Iterator[Mapping[str, str]]:
    """The service's address, behind a delay if there is one."""
    if not round_trip:
        yield {"url": service.url, "twilsock": service.twilsock}
        return
    with python("benchmarks.delay", str(urlsplit(service.url).port), str(round_trip / 2)) as proxy:
        yield proxy.read()


def events(bench: Bench) -> list[Row]:
    """`message_added`, from a scripted service that is never the brake."""
    aims = [Aim("at least", 0.7, "bare"), Aim("at least", 15, "official")]
    speed = Row("message_added", "per second", aims)
    cpu = Row("cpu of one message_added", "us")
    token = bench.service.token(IDENTITY)
    with python("benchmarks.blaster") as blaster:
        place = {**blaster.read(), "token": token, "sid": CONVERSATION}

        def measure(client: str, worker: Child) -> None:
            count = bench.settings.messages_official if client == "official" else bench.settings.messages
            acknowledge = client != "bare_silent"
            worker.ask("open_feed", **place, wanted=count)
            blaster.ask("ready", count=count)
            blaster.tell("blast", count=count, acknowledged=acknowledge)
            answer = worker.ask("collect", timeout=150, count=count, acknowledge=acknowledge)
            started = blaster.read(150)["started"]
            if answer.get("disordered"):
                raise Failed(f"{answer['disordered']} messages out of order")
            speed.add(client, count / (answer["finished"] - started))
            cpu.add(client, answer["cpu"] / count * 1e6)

        bench.alternate(speed, ("ours", "official", "bare", "bare_silent"), measure)
    cpu.failures.update(speed.failures)
    return [speed, cpu]


def send_message(bench: Bench) -> list[Row]:
    """`send_message` until it returns, one after the other."""
    row = Row("send_message round trip, p50", "ms", [Aim("at most", 0.5, "official")])
    place = bench.place("sender", count=bench.settings.sends)
    place["sid"] = seed_conversations(place["twilsock"], place["token"], "sender", 1)[0]

    def measure(client: str, worker: Child) -> None:
        row.add(client, worker.ask("send", timeout=120, **place)["p50"] * 1000)

    bench.alternate(row, ("ours", "official", "bare"), measure)
    return [row]


def idle(bench: Bench) -> list[Row]:
    """What one more client costs while nothing happens."""
    memory = Row("memory of a further idle client", "KiB", [Aim("at most", 90)])
    running = Row("threads of a further idle client", "count", [Aim("at most", 2)])
    place = bench.place("idler", count=bench.settings.idle_clients)

    def measure(client: str, worker: Child) -> None:
        del worker  # a fresh process: a used one has free memory that would hide what a client takes
        with python("benchmarks.ours") if client == "ours" else official() as fresh:
            answer = fresh.ask("idle", timeout=120, **place)
        memory.add(client, answer["kib"])
        running.add(client, answer["threads"])

    bench.alternate(memory, ("ours", "official"), measure)
    running.failures.update(memory.failures)
    return [memory, running]


ROWS = {"start_up": start_up, "list": list_loaded, "events": events, "send": send_message, "idle": idle}
