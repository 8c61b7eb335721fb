"""Growth: each row at a size, at ten and at a hundred times as much, and what its figure does meanwhile.

Costs are cpu, of the service's process or of the client's, since time depends on everything else that a machine does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import attrs

from benchmarks.bare import Bare
from benchmarks.bench import Bench
from benchmarks.crowd import conversations_path
from benchmarks.figures import Growth, Row
from benchmarks.processes import Service, python, service
from benchmarks.seed import seed_messages
from benchmarks.worker import cpu_seconds, resident_kib

COLUMNS = {"1x": "1 x", "10x": "10 x", "100x": "100 x"}
CONSTANT, LINEAR = "constant", "linear"
PARTS = 10
"""Members of a conversation in which clients chat."""
OBJECTS = 3
"""Objects of a conversation; each takes a request to open."""
LIMIT = 250
"""Requests a second that a limited service allows."""


def rows(most: str, what: str, sizes: tuple[int, ...], *names: tuple[str, str]) -> list[Row]:
    """Rows that should grow no faster than `most`: their names end with the sizes."""
    amounts = " / ".join(f"{size:,}" for size in sizes)
    growth = Growth(most, sizes)  # type: ignore[arg-type]
    return [Row(f"{name}, {amounts} {what}", unit, [growth]) for name, unit in names]


@attrs.frozen
class Probe:
    """Costs of a service for one request after another, by somebody who is in the conversation."""

    service: Service
    identity: str
    sid: str
    requests: int

    @contextmanager
    def connected(self) -> Iterator[tuple[Bare, str]]:
        """A connection, and the path of the conversation."""
        bare = Bare(self.service.twilsock, self.service.token(self.identity))
        try:
            yield bare, f"{conversations_path(bare)}/{self.sid}"
        finally:
            bare.close()

    def cost(self, verb: str, path: str, body: object = None) -> float:
        """Microseconds of the service's cpu for one request; a `{}` in the path is the conversation's."""
        with self.connected() as (bare, conversation):
            ask = (verb, path.format(conversation), body)
            bare.pipeline([ask] * 5, 1)
            used = cpu_seconds(self.service.pid)
            answers = bare.pipeline([ask] * self.requests, 1)
            spent = cpu_seconds(self.service.pid) - used
        refused = [status for status, _ in answers if status >= 300]
        if refused:
            raise RuntimeError(f"{verb} {path}: {refused[0]}")
        return spent / self.requests * 1e6

    def send(self) -> float:
        """The cost of a message."""
        return self.cost("POST", "{}/Messages", {"body": "hello", "attributes": "{}"})

    def come_and_go(self) -> float:
        """The cost of somebody who is added and removed."""
        with self.connected() as (bare, conversation):
            people = f"{conversation}/Participants"
            both = [("POST", people, {"identity": "carol"}), ("DELETE", f"{people}/carol", None)]
            bare.pipeline(both, 1)
            used = cpu_seconds(self.service.pid)
            answers = bare.pipeline(both * (self.requests // 2), 1)
        if any(status >= 300 for status, _ in answers):
            raise RuntimeError("a participant could not be added or removed")
        return (cpu_seconds(self.service.pid) - used) / (self.requests // 2) * 1e6

    @property
    def place(self) -> dict[str, Any]:
        """Where a worker connects to, as whom, and the conversation."""
        return {"token": self.service.token(self.identity), "url": self.service.url, "sid": self.sid}

    def conversations(self) -> str:
        """The path of all conversations."""
        with self.connected() as (_, conversation):
            return conversation.rsplit("/", 1)[0]

    def own_conversations(self) -> str:
        """The path of one's own conversations."""
        with self.connected() as (bare, _):
            return str(urlsplit(bare.get("/Client/v2/Configuration")["links"]["my_conversations"]).path)


def messages(bench: Bench) -> list[Row]:
    """Many messages in one conversation."""
    sizes = bench.settings.grown_messages
    constant = [("cpu of a send", "us"), ("cpu of the conversation by REST", "us"), ("cpu of its newest page", "us")]
    constant += [("cpu of its oldest page", "us"), ("client's cpu to open it", "ms")]
    send, read, newest, oldest, opened = rows(CONSTANT, "messages", sizes, *constant)
    linear = [("client's cpu to read all", "ms"), ("service's memory", "MiB"), ("start to ready", "ms")]
    walked, memory, started = rows(LINEAR, "messages", sizes, *linear)
    rounds, requests = bench.settings.growth_rounds, bench.settings.grown_requests
    with TemporaryDirectory() as data, python("benchmarks.growing") as worker:
        with Service(Path(data)) as one:
            (sid,) = one.seed(room("alice"))
        for column, size in zip(COLUMNS, sizes, strict=False):
            bench.tell(f"messages: {size:,}")
            with Service(Path(data)) as one:
                fill(one, sid, size)
                memory.add(column, resident_kib(str(one.pid)) / 1024)
            began = time.monotonic()
            with Service(Path(data)) as one:
                started.add(column, (time.monotonic() - began) * 1000)
                probe = Probe(one, "alice", sid, requests)
                for _ in range(rounds):
                    read.add(column, probe.cost("GET", "{}"))
                    newest.add(column, probe.cost("GET", f"/v3/Lists/{sid}.messages/Items?Order=desc&PageSize=100"))
                    oldest.add(column, probe.cost("GET", f"/v3/Lists/{sid}.messages/Items?Order=asc&PageSize=100"))
                    opened.add(column, worker.ask("open_conversation", **probe.place)["cpu"] * 1000)
                    walked.add(column, worker.ask("walk", timeout=300, **probe.place)["cpu"] * 1000)
                    send.add(column, probe.send())
    return [send, read, newest, oldest, opened, walked, memory, started]


def fill(one: Service, sid: str, size: int) -> None:
    """Send messages into Alice's conversation until there are so many."""
    token = one.token("alice")
    bare = Bare(one.twilsock, token)
    there = bare.get(f"{conversations_path(bare)}/{sid}")["messages_count"]
    bare.close()
    seed_messages(one.twilsock, token, sid, size - there)


def room(*identities: str, **more: object) -> Mapping[str, object]:
    """A conversation as a seed."""
    return {"participants": [{"identity": identity} for identity in identities], "friendly_name": "one of many", **more}


def conversations(bench: Bench) -> list[Row]:
    """Many conversations at the service, of many users; the one who asks has ten."""
    sizes = bench.settings.grown_conversations
    constant = [("cpu of a send", "us"), ("cpu of a new conversation", "us"), ("cpu of a page of one's own", "us")]
    send, create, page, opened = rows(CONSTANT, "conversations", sizes, *constant, ("service's cpu of a client's start", "ms"))
    linear = [("service's memory", "MiB"), ("start to ready", "ms"), ("cpu of a reset", "ms")]
    memory, started, emptied = rows(LINEAR, "conversations", sizes, *linear)
    with python("benchmarks.growing") as worker:
        for column, size in zip(COLUMNS, sizes, strict=False):
            bench.tell(f"conversations: {size:,}")
            with TemporaryDirectory() as data:
                with Service(Path(data)) as one:
                    (sid, *_) = one.seed(*[room("alice", "bob")] * 10)
                    one.seed(*(room(f"user {number // 500}", f"friend {number // 500}") for number in range(size)))
                    memory.add(column, resident_kib(str(one.pid)) / 1024)
                began = time.monotonic()
                with Service(Path(data)) as one:
                    started.add(column, (time.monotonic() - began) * 1000)
                    probe = Probe(one, "alice", sid, bench.settings.grown_requests)
                    for _ in range(bench.settings.growth_rounds):
                        page.add(column, probe.cost("GET", f"{probe.own_conversations()}?PageSize=100"))
                        send.add(column, probe.send())
                        create.add(column, probe.cost("POST", probe.conversations(), {"friendly_name": "new"}))
                        used = cpu_seconds(one.pid)
                        worker.ask("list_all", **probe.place)
                        opened.add(column, (cpu_seconds(one.pid) - used) * 1000)
                    used = cpu_seconds(one.pid)
                    one.control("reset")
                    emptied.add(column, (cpu_seconds(one.pid) - used) * 1000)
    return [send, create, page, opened, memory, started, emptied]


def participants(bench: Bench) -> list[Row]:
    """Many participants in one conversation."""
    sizes = bench.settings.grown_participants
    send, joined = rows(CONSTANT, "participants", sizes, ("cpu of a send", "us"), ("service's cpu to add and remove one", "us"))
    opened, served = rows(LINEAR, "participants", sizes, ("client's cpu to open it", "ms"), ("service's cpu of that", "ms"))
    with python("benchmarks.growing") as worker:
        for column, size in zip(COLUMNS, sizes, strict=False):
            bench.tell(f"participants: {size:,}")
            with service() as one:
                others = [f"member {number}" for number in range(size - 2)]
                (sid,) = one.seed(room("alice", *others, created_by="alice"))
                probe = Probe(one, "alice", sid, bench.settings.grown_requests)
                for _ in range(bench.settings.growth_rounds):
                    send.add(column, probe.send())
                    joined.add(column, probe.come_and_go())
                    used = cpu_seconds(one.pid)
                    opened.add(column, worker.ask("open_conversation", **probe.place)["cpu"] * 1000)
                    served.add(column, (cpu_seconds(one.pid) - used) * 1000)
    return [send, joined, opened, served]


def clients(bench: Bench) -> list[Row]:
    """Many clients in one process, which chat by tens."""
    sizes = bench.settings.grown_clients
    names = [("client's cpu to connect", "ms"), ("its memory", "KiB"), ("its cpu of a message, to ten clients", "us")]
    cpu, memory, message = rows(CONSTANT, "clients in a process", sizes, *names)
    (served,) = rows(CONSTANT, "clients in a process", sizes, ("service's cpu of such a message", "us"))
    for column, size in zip(COLUMNS, sizes, strict=False):
        bench.tell(f"clients: {size:,}")
        with service() as one, python("benchmarks.growing") as worker:
            names_ = [f"member {number}" for number in range(size)]
            sids = one.seed(*(room(*names_[start : start + PARTS]) for start in range(0, size, PARTS)))
            answer = worker.ask("chat_open", timeout=300, tokens=one.tokens(*names_), url=one.url)
            cpu.add(column, answer["cpu"] * 1000)
            memory.add(column, answer["kib"])
            for _ in range(bench.settings.growth_rounds):
                used = cpu_seconds(one.pid)
                where = [sids[number // PARTS] for number in range(size)]
                wanted = sum(min(PARTS, size - start) ** 2 for start in range(0, size, PARTS))
                answer = worker.ask("chat_talk", timeout=300, sids=where, wanted=wanted)
                message.add(column, answer["cpu"] * 1e6)
                served.add(column, (cpu_seconds(one.pid) - used) / wanted * 1e6)
            worker.ask("chat_close", timeout=300)
    return [cpu, memory, message, served]


def limited(bench: Bench) -> list[Row]:
    """A client of a service that allows a connection so many requests a second."""
    sizes = bench.settings.limited
    what = f"list at {LIMIT} requests a second"
    (over,) = rows(LINEAR, "conversations", sizes, (f"{what}, time beyond what the limit takes", "s"))
    (cpu,) = rows(CONSTANT, "conversations", sizes, (f"{what}, client's cpu for each", "ms"))
    with service() as one, python("benchmarks.growing") as worker:
        for column, size in zip(COLUMNS, sizes, strict=False):
            bench.tell(f"limited: {size:,}")
            one.control("reset")
            one.seed(*[room("alice")] * size)
            one.control("config", requests_per_second=LIMIT)
            for _ in range(bench.settings.growth_rounds):
                answer = worker.ask("list_all", timeout=300, token=one.token("alice"), url=one.url)
                least = max(0.0, (OBJECTS * size + 2) / LIMIT - 1)  # a second's requests may come at once
                over.add(column, answer["seconds"] - least)
                cpu.add(column, answer["cpu"] / size * 1000)
    return [over, cpu]


ROWS: Mapping[str, Callable[[Bench], list[Row]]] = {
    "grown_messages": messages,
    "grown_conversations": conversations,
    "grown_participants": participants,
    "grown_clients": clients,
    "limited": limited,
}
