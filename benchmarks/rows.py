"""The clients' rows, measured round by round, alternating between the clients."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

from benchmarks.bench import Bench, start
from benchmarks.figures import Aim, Row
from benchmarks.processes import Child, Failed, Service, python
from benchmarks.script import CONVERSATION, IDENTITY
from benchmarks.seed import seed_conversations, seed_messages

CLIENTS = {
    "ours": "ours",
    "official": "official SDK 3.0.1",
    "bare": "bare loop, acknowledging",
    "bare_silent": "bare loop, no acks",
    "bare_following": "bare loop, following",
    "libraries": "the five libraries",
}
ROUND_TRIP = 0.05


def start_up(bench: Bench) -> list[Row]:
    """Constructor to `initialized`, for a user with a single conversation."""
    row = Row("constructor to initialized", "ms", [Aim("at most", 0.5, "official")])
    place = bench.place("starter")

    def measure(client: str, worker: Child) -> None:
        row.add(client, worker.ask("start_up", **place)["seconds"] * 1000)

    bench.alternate([row], ("ours", "official", "bare"), measure)
    return [row]


def list_loaded(bench: Bench) -> list[Row]:
    """All conversations listed and alive, at no delay and at a round trip of 50 ms; and nearly as many as a user may have."""
    count, most = bench.settings.conversations, bench.settings.most_conversations
    for number in {count, most}:
        token = bench.service.token(lister(number))
        seed_conversations(bench.service.twilsock, token, lister(number), number)
    return [
        *_list_of(bench, count, 0.0, 0.2),
        *_list_of(bench, count, ROUND_TRIP, 0.35),
        *_list_of(bench, most, 0.0, 0.2, cpu=0.15),
    ]


def lister(count: int) -> str:
    """The user who has so many conversations."""
    return f"lister of {count}"


def _list_of(bench: Bench, count: int, round_trip: float, aim: float, cpu: float | None = None) -> list[Row]:
    what = f"list of {count} loaded, {round_trip * 1000:.0f} ms round trip"
    time = Row(what, "ms", [Aim("at most", aim, "official")])
    used = Row(f"cpu of {what}", "ms", [Aim("at most", cpu, "official")] if cpu else [])
    place = bench.place(lister(count))
    with delayed(bench.service, round_trip) as address:

        def measure(client: str, worker: Child) -> None:
            answer = worker.ask("list", timeout=120, **{**place, **address})
            if answer["conversations"] != count:
                raise Failed(f"{answer['conversations']} of {count} conversations")
            time.add(client, answer["seconds"] * 1000)
            used.add(client, answer["cpu"] * 1000)

        bench.alternate([time, used], ("ours", "official", "bare"), measure)
    return [time, used]


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
    speed = Row("message_added", "per second", [Aim("at least", 0.85, "bare"), Aim("at least", 13, "official")])
    cpu = Row("cpu of one message_added", "us", [Aim("at most", 1.2, "bare")])
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

        bench.alternate([speed, cpu], ("ours", "official", "bare", "bare_silent"), measure)
    return [speed, cpu]


def send_message(bench: Bench) -> list[Row]:
    """`send_message` until it returns, one after the other."""
    middle = Row("send_message round trip, p50", "ms", [Aim("at most", 0.5, "official")])
    slow = Row("send_message round trip, p99", "ms")
    cpu = Row("cpu of one send_message", "us")
    place = bench.place("sender", count=bench.settings.sends)
    place["sid"] = seed_conversations(place["twilsock"], place["token"], "sender", 1)[0]

    def measure(client: str, worker: Child) -> None:
        answer = worker.ask("send", timeout=120, follow=client == "bare_following", **place)
        middle.add(client, answer["p50"] * 1000)
        slow.add(client, answer["p99"] * 1000)
        if "cpu" in answer:
            cpu.add(client, answer["cpu"] / bench.settings.sends * 1e6)

    bench.alternate([middle, slow, cpu], ("ours", "official", "bare", "bare_following"), measure)
    own = middle.less("own part of a send: p50 less the bare loop's", "bare", Aim("at most", 0.25))
    return [middle, slow, cpu, own, middle.less("the same, less that of a loop that receives the message too", "bare_following")]


def history(bench: Bench) -> list[Row]:
    """All messages of a conversation, read by pages of 100 from the newest to the oldest."""
    row = Row("history walked", "messages per second", [Aim("at least", 15, "official")])
    count = bench.settings.history
    place = bench.place("historian")
    place["sid"] = seed_conversations(place["twilsock"], place["token"], "historian", 1)[0]
    seed_messages(place["twilsock"], place["token"], place["sid"], count)

    def measure(client: str, worker: Child) -> None:
        answer = worker.ask("history", timeout=120, **place)
        if answer["messages"] != count:
            raise Failed(f"{answer['messages']} of {count} messages")
        row.add(client, count / answer["seconds"])

    bench.alternate([row], ("ours", "official", "bare"), measure)
    return [row]


def idle(bench: Bench) -> list[Row]:
    """What one more client costs while nothing happens."""
    memory = Row("memory of a further idle client", "KiB", [Aim("at most", 90)])
    running = Row("threads of a further idle client", "count", [Aim("at most", 2)])
    place = bench.place("idler", count=bench.settings.idle_clients)

    def measure(client: str, worker: Child) -> None:
        del worker  # a fresh process: a used one has free memory that would hide what a client takes
        with start(client) as fresh:
            answer = fresh.ask("idle", timeout=120, **place)
        memory.add(client, answer["kib"])
        running.add(client, answer["threads"])

    bench.alternate([memory, running], ("ours", "official", "bare"), measure)
    return [memory, running]


ROWS: Mapping[str, Callable[[Bench], list[Row]]] = {
    "start_up": start_up,
    "list": list_loaded,
    "events": events,
    "send": send_message,
    "history": history,
    "idle": idle,
}
