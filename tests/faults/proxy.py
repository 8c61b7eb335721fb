"""A proxy that misbehaves as networks do: cuts, delays, stalls and half closes, from a printed seed.

Two kinds of cuts matter to a client that sends commands, and both are counted:

- at a random byte of either direction, so in the middle of anything;
- when the answer to a command has come from the service and has not gone on to the client. The command has then certainly
  been carried out, the client certainly does not know, and its resend must not do it twice.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter

import attrs

from tests.faults.observer import Observer, Packet
from tests.faults.relay import Direction, Flow, Link, Relay


class DelayProxy(Relay):
    """Every byte takes `delay` seconds each way: the round trip is twice that."""

    def __init__(self, target: tuple[str, int], *, delay: float = 0.0) -> None:
        super().__init__(target)
        self.delay = delay
        self._in_flight: Counter[int] = Counter()

    def received(self, link: Link, flow: Flow, data: bytes) -> None:
        self.carry(flow, data)

    def carry(self, flow: Flow, data: bytes) -> None:
        """Send bytes on their way, now or after the delay."""
        if not self.delay and not self.holds(flow):
            flow.push(data)
            return
        self._in_flight[id(flow)] += 1

        def arrive() -> None:
            self._in_flight[id(flow)] -= 1
            flow.push(data)

        self.later(time.monotonic() + self.delay, arrive)

    def holds(self, flow: Flow) -> bool:
        return self._in_flight[id(flow)] > 0

    def closed(self, link: Link) -> None:
        for flow in link.flows:
            self._in_flight.pop(id(flow), None)


@attrs.frozen
class Cuts:
    """How often to cut: a connection lives for a random number of bytes in `bytes_between`, or until the answer of its
    n-th command, n from `commands_between`; which of the two is drawn for each connection with chance `unanswered`."""

    bytes_between: tuple[int, int] = (4_000, 120_000)
    commands_between: tuple[int, int] = (1, 20)
    unanswered: float = 0.5


@attrs.define(eq=False)
class Plan:
    """What will happen to one connection, and what has passed through it."""

    up_seen: Observer = attrs.field(factory=Observer)
    down_seen: Observer = attrs.field(factory=Observer)
    unanswered: set[str] = attrs.field(factory=set)
    cut_at: tuple[Direction, int] | None = None
    commands_left: int | None = None
    victim: str | None = None


class FaultProxy(DelayProxy):
    """See the module. Without `cuts` it only delays and does what its methods are told."""

    def __init__(self, target: tuple[str, int], *, seed: int | None = None, cuts: Cuts | None = None, delay: float = 0.0) -> None:
        super().__init__(target, delay=delay)
        self.seed = random.randrange(2**32) if seed is None else seed
        self.counts: Counter[str] = Counter()  # commands, cuts, cuts_at_bytes, cuts_before_answer, refused
        self._random = random.Random(self.seed)
        self._cuts = cuts
        self._plans: dict[int, Plan] = {}
        self._refusing = False
        self._stalling = False
        print(f"fault proxy: seed {self.seed}")

    # orders, from any thread

    def cut_all(self) -> int:
        """Reset every connection now; how many there were."""

        def cut() -> int:
            links = list(self.links)
            for link in links:
                self._cut(link, "cuts_on_order")
            return len(links)

        return self.call(cut)

    def pause_cuts(self) -> None:
        """No cuts of the plan from here on, also on connections that are open."""

        def pause() -> None:
            self._cuts = None
            for plan in self._plans.values():
                plan.cut_at = plan.commands_left = plan.victim = None

        self.call(pause)

    def refuse(self, refusing: bool = True) -> None:
        """Reset new connections as soon as they are made."""
        self.call(lambda: setattr(self, "_refusing", refusing))

    def stall(self) -> None:
        """A black hole: connections stay open, new ones are accepted, and no byte passes in either direction."""
        self._set_stalled(True)

    def resume(self) -> None:
        """End the stall; what was sent meanwhile arrives."""
        self._set_stalled(False)

    def half_close(self, direction: Direction) -> None:
        """End one direction of every connection (FIN), leaving the other one open."""

        def close() -> None:
            for link in list(self.links):
                flow = link.up if direction is Direction.UP else link.down
                flow.end_seen = True
                self._pass_on_ends(link)

        self.call(close)

    def _set_stalled(self, stalled: bool) -> None:
        def apply() -> None:
            self._stalling = stalled
            for link in self.links:
                for flow in link.flows:
                    flow.stalled = stalled

        self.call(apply)

    # the policy, on the relay's thread

    def opened(self, link: Link) -> None:
        if self._refusing:
            self.counts["refused"] += 1
            self.reset(link)
            return
        for flow in link.flows:
            flow.stalled = self._stalling
        if self._cuts is not None:
            self._plans[link.number] = self._draw(self._cuts)

    def _draw(self, cuts: Cuts) -> Plan:
        if self._random.random() < cuts.unanswered:
            return Plan(commands_left=self._random.randint(*cuts.commands_between))
        return Plan(cut_at=(self._random.choice(list(Direction)), self._random.randint(*cuts.bytes_between)))

    def received(self, link: Link, flow: Flow, data: bytes) -> None:
        plan = self._plans.get(link.number)
        if plan is None:
            self.carry(flow, data)
        elif flow.direction is Direction.UP:
            for packet in plan.up_seen.feed(data):
                self._note_request(plan, packet)
            self._carry_to_cut(link, flow, plan, data)
        else:
            for packet in plan.down_seen.feed(data):
                if packet.method == "reply":
                    plan.unanswered.discard(packet.id)
                    if packet.id == plan.victim:
                        self._cut(link, "cuts_before_answer")
                        return
            self._carry_to_cut(link, flow, plan, data)

    def _note_request(self, plan: Plan, packet: Packet) -> None:
        if packet.method != "message" or not packet.is_command:
            return
        self.counts["commands"] += 1
        plan.unanswered.add(packet.id)
        if plan.commands_left is not None and plan.victim is None:
            plan.commands_left -= 1
            if plan.commands_left <= 0:
                plan.victim = packet.id

    def _carry_to_cut(self, link: Link, flow: Flow, plan: Plan, data: bytes) -> None:
        if plan.cut_at is None or plan.cut_at[0] is not flow.direction or plan.cut_at[1] > len(data):
            if plan.cut_at is not None and plan.cut_at[0] is flow.direction:
                plan.cut_at = (flow.direction, plan.cut_at[1] - len(data))
            self.carry(flow, data)
            return
        if not self.holds(flow):  # bytes still under way are before these, and are lost with the connection
            flow.push(data[: plan.cut_at[1]])
            with contextlib.suppress(OSError):
                flow.write()
        self._cut(link, "cuts_at_bytes")

    def _cut(self, link: Link, kind: str) -> None:
        plan = self._plans.get(link.number)
        self.counts["cuts"] += 1
        self.counts[kind] += 1
        if plan is not None and plan.unanswered:
            self.counts["cuts_with_command_open"] += 1
        self.reset(link)

    def closed(self, link: Link) -> None:
        super().closed(link)
        self._plans.pop(link.number, None)
