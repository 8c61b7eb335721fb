"""Counting the rounds of a conversation between a client and a service.

The service's bytes are held until the client has been quiet and every question of its has been answered (or, for one that is
never answered, until nothing came for `UNANSWERED`): then the client has asked all that it can ask with what it knows. The client
is in this process: as long as that or the service's computes, or waits for a processor, it is not quiet. Releasing what is held
is one round. On a network with a long round trip, the time a client needs is about its number of rounds times the round trip,
however fast the machine is.
"""

from __future__ import annotations

import os
import select
import threading

import attrs

from benchmarks.support.observer import Observer, Packet
from benchmarks.support.relay import Direction, Flow, Link, Relay
from tests.support.stopwatch import Stopwatch, computing

UNANSWERED = 5.0


@attrs.frozen
class Round:
    """One release: what it carried, in words."""

    kinds: tuple[str, ...]

    @property
    def poke_only(self) -> bool:
        """Only answers to pokes, what the service says of subscriptions, and nothing that a client waits for."""
        return bool(self.kinds) and all(kind in ("poke", "subscription", "courtesy") for kind in self.kinds)


@attrs.define(eq=False)
class Held:
    """The service's bytes of one connection that wait for silence."""

    data: bytearray = attrs.field(factory=bytearray)
    kinds: list[str] = attrs.field(factory=list)
    open_questions: dict[str, str] = attrs.field(factory=dict)
    up_seen: Observer = attrs.field(factory=Observer)
    down_seen: Observer = attrs.field(factory=Observer)
    silence: Stopwatch = attrs.field(factory=Stopwatch)


class LockstepProxy(Relay):
    """Holds the service's bytes until `quiet` seconds of the client's silence; `rounds` lists the releases so far."""

    def __init__(self, target: tuple[str, int], *, quiet: float = 0.03, service: int | None = None) -> None:
        """`service` is the id of the service's process, if that is not this one."""
        super().__init__(target)
        self._processes: tuple[int, ...] = (os.getpid(),) if service is None else (os.getpid(), service)
        self.quiet = quiet
        self.rounds: list[Round] = []
        self._held: dict[int, Held] = {}

    @property
    def counted(self) -> int:
        """Rounds that carried more than pokes."""
        return sum(not one.poke_only for one in self.rounds)

    @property
    def pokes(self) -> int:
        """Rounds that carried only pokes and their subscription messages."""
        return sum(one.poke_only for one in self.rounds)

    def opened(self, link: Link) -> None:
        self._held[link.number] = Held()

    def closed(self, link: Link) -> None:
        self._held.pop(link.number, None)

    def holds(self, flow: Flow) -> bool:
        return flow.direction is Direction.DOWN and any(self._held[link.number].data for link in self.links if link.down is flow)

    def received(self, link: Link, flow: Flow, data: bytes) -> None:
        held = self._held[link.number]
        held.silence = Stopwatch()
        if flow.direction is Direction.UP:
            for packet in held.up_seen.feed(data):
                if (asked := question(packet)) is not None:
                    held.open_questions[packet.id] = asked
            flow.push(data)
            return
        was_upgraded = held.down_seen.position > 0
        held.data += data
        held.kinds += [answer(packet, held.open_questions) for packet in held.down_seen.feed(data)]
        if not was_upgraded and held.down_seen.position > 0:
            held.kinds.insert(0, "upgrade")

    def idle(self, now: float) -> float | None:
        waiting = []
        for link in self.links:
            held = self._held[link.number]
            if not held.data:
                continue
            left = self._left(link, held)
            if left <= 0:
                self._release(link, held)
            else:
                waiting.append(now + left)
        return min(waiting, default=None)

    def _left(self, link: Link, held: Held) -> float:
        """Seconds of silence that are still needed."""
        unread = select.select([flow.source for flow in link.flows if not flow.end_seen], [], [], 0)[0]
        if unread or any(computing(pid, beside=threading.get_native_id()) for pid in self._processes):
            return self.quiet
        return (UNANSWERED if held.open_questions else self.quiet) - held.silence.waited

    def _release(self, link: Link, held: Held) -> None:
        link.down.push(bytes(held.data))
        self.rounds.append(Round(tuple(held.kinds)))
        held.data.clear()
        held.kinds.clear()


def question(packet: Packet) -> str | None:
    """What a client's packet asks for, in a word or as verb and path; None where no answer is owed."""
    if packet.request is None:
        return packet.method if packet.method in ("init", "update") else None
    verb, path = packet.request
    return "poke" if path.endswith("/Subscriptions") else f"{verb} {path}"


def answer(packet: Packet, open_questions: dict[str, str]) -> str:
    """What a service's packet is: the question that it answers, or the kind of event."""
    if packet.method == "reply":
        return open_questions.pop(packet.id, "courtesy")
    body = packet.json()
    event = str(body.get("event_type")) if isinstance(body, dict) else packet.method
    return "subscription" if event.startswith("subscription_") else event
