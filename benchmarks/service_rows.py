"""The service's rows: what it delivers, carries out and occupies, with connections that cost their own process little."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from benchmarks.bare import Bare
from benchmarks.bench import Bench
from benchmarks.crowd import conversations_path
from benchmarks.figures import Row
from benchmarks.processes import Child, python, service
from benchmarks.worker import cpu_seconds, resident_kib

COLUMNS = {"service": "local service"}
IN_FLIGHT = 16


def members(count: int) -> list[str]:
    """Identities of the participants of a conversation."""
    return [f"member {number}" for number in range(count)]


def room(count: int) -> Mapping[str, object]:
    """A conversation with so many participants, as a seed."""
    return {"participants": [{"identity": identity} for identity in members(count)]}


def rounds(bench: Bench, row: Row, measure: Callable[[], None]) -> None:
    """Measure in all rounds."""
    for number in range(bench.settings.rounds):
        bench.tell(f"{row.name}: round {number + 1}")
        measure()


def deliveries(bench: Bench) -> list[Row]:
    """Messages into a conversation that many follow: each is two frames for everybody, its own and the conversation's."""
    count, followers = bench.settings.deliveries, bench.settings.followers
    speed = Row(f"acknowledged deliveries to {followers} clients", "per second")
    cpu = Row("cpu of one of these deliveries", "us")
    (sid,) = bench.service.seed(room(followers))
    tokens = bench.service.tokens(*members(followers))
    with python("benchmarks.crowd") as crowd:
        crowd.ask("connect", twilsock=bench.service.twilsock, tokens=tokens)
        crowd.ask("follow", sid=sid)
        sender = Bare(bench.service.twilsock, tokens[0])
        path = f"{conversations_path(sender)}/{sid}/Messages"

        def measure() -> None:
            used, began = cpu_seconds(bench.service.pid), time.monotonic()
            crowd.tell("collect", messages=count)
            sender.pipeline((("POST", path, {"body": "one of many"}) for _ in range(count)), IN_FLIGHT)
            answer = crowd.read(120)
            speed.add("service", answer["deliveries"] / (answer["finished"] - began))
            cpu.add("service", (cpu_seconds(bench.service.pid) - used) / answer["deliveries"] * 1e6)

        rounds(bench, speed, measure)
        sender.close()
    return [speed, cpu]


def commands(bench: Bench) -> list[Row]:
    """Messages that nobody follows, by one sender and by many at once, each after the answer to its own last one."""
    return [row for senders in (1, bench.settings.senders) for row in _commands(bench, senders)]


def _commands(bench: Bench, senders: int) -> list[Row]:
    speed = Row(f"commands with {senders} sender{'s' * (senders > 1)}", "per second")
    cpu = Row(f"cpu of a command, {senders} sender{'s' * (senders > 1)}", "us")
    count = bench.settings.commands
    (sid,) = bench.service.seed(room(senders))
    with python("benchmarks.crowd") as crowd:
        crowd.ask("connect", twilsock=bench.service.twilsock, tokens=bench.service.tokens(*members(senders)))

        def measure() -> None:
            used = cpu_seconds(bench.service.pid)
            speed.add("service", count / crowd.ask("send", sid=sid, count=count)["seconds"])
            cpu.add("service", (cpu_seconds(bench.service.pid) - used) / count * 1e6)

        rounds(bench, speed, measure)
    return [speed, cpu]


def start(bench: Bench) -> list[Row]:
    """From the command to the line that names the service's address, with a directory of its own; and a reset."""
    started = Row("start to ready", "ms")
    cpu = Row("cpu of a start", "ms")
    emptied = Row("reset, of 100 conversations with 10 messages each", "ms")
    full = [{"messages": [{"body": f"message {number}"} for number in range(10)]}] * 100

    def measure() -> None:
        began = time.monotonic()
        with service() as fresh:
            started.add("service", (time.monotonic() - began) * 1000)
            cpu.add("service", cpu_seconds(fresh.pid) * 1000)
            fresh.seed(*full)
            began = time.monotonic()
            fresh.control("reset")
            emptied.add("service", (time.monotonic() - began) * 1000)

    rounds(bench, started, measure)
    return [started, cpu, emptied]


def connections(bench: Bench) -> list[Row]:
    """Memory of connections of different users that do nothing, at a service of its own."""
    count = bench.settings.connections
    row = Row(f"memory of each of {count:,} idle connections", "KiB")
    opened = Row("cpu of opening one of them", "us")

    def measure() -> None:
        with service() as fresh, python("benchmarks.crowd") as crowd:
            connect(crowd, fresh.twilsock, fresh.tokens("first"))
            before, used = resident_kib(str(fresh.pid)), cpu_seconds(fresh.pid)
            connect(crowd, fresh.twilsock, fresh.tokens(*members(count)))
            row.add("service", (resident_kib(str(fresh.pid)) - before) / count)
            opened.add("service", (cpu_seconds(fresh.pid) - used) / count * 1e6)

    rounds(bench, row, measure)
    return [row, opened]


def connect(crowd: Child, twilsock: str, tokens: list[str]) -> None:
    """Connect somebody with each token."""
    crowd.ask("connect", timeout=120, twilsock=twilsock, tokens=tokens)


ROWS: Mapping[str, Callable[[Bench], list[Row]]] = {
    "deliveries": deliveries,
    "commands": commands,
    "start": start,
    "connections": connections,
}
