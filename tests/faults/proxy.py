"""A proxy with the faults of networks, by plans drawn from a seed (`tests.faults.plan`) and by its methods.

Two kinds of cuts matter to a client that sends commands, and both are counted:

- at a random byte of either direction, so in the middle of anything;
- when the answer to a command has come from the service and has not gone on to the client. The command has then certainly
  been carried out, the client certainly does not know, and its resend must not do it twice.
"""

from __future__ import annotations

import contextlib
import random
import socket
import time
from collections import Counter

import attrs

from benchmarks.support.line import STRAIGHT, DelayProxy, Road
from benchmarks.support.observer import Observer, Packet
from benchmarks.support.relay import Direction, Flow, Link
from tests.faults.plan import Cuts, Ending, Plan, Script, fresh_seed

GOODBYE = 1.0  # seconds in which the service may read what came late


@attrs.define(eq=False)
class Course:
    """State of one connection: its plan, and the bytes that have passed."""

    plan: Plan
    bytes_left: int | None
    commands_left: int | None
    stall_in: int | None
    victim: str | None = None
    up_seen: Observer = attrs.field(factory=Observer)
    down_seen: Observer = attrs.field(factory=Observer)
    unanswered: set[str] = attrs.field(factory=set)

    @classmethod
    def of(cls, plan: Plan) -> Course:
        stall_in = None if plan.stall is None else plan.stall.after
        return cls(plan, None if plan.cut_at is None else plan.cut_at[1], plan.commands, stall_in)

    def go_on_for_ever(self) -> None:
        """Discard the planned end."""
        self.bytes_left = self.commands_left = self.stall_in = self.victim = None


class FaultProxy(DelayProxy):
    """See the module. Without `cuts` only its methods cause faults."""

    def __init__(
        self, target: tuple[str, int], *, seed: int | None = None, cuts: Cuts | Script | None = None, delay: float = 0.0
    ) -> None:
        super().__init__(target, delay=delay)
        self.seed = fresh_seed() if seed is None else seed
        self.counts: Counter[str] = Counter()  # commands, refused, outages, stalls, cuts: by cause, by ending
        self._cuts = cuts
        self._courses: dict[int, Course] = {}
        self._refusing = False
        self._refusing_until = 0.0
        self._stalling = False
        self._ghosts: set[socket.socket] = set()
        print(f"fault proxy: seed {self.seed}")

    # orders, from any thread

    def cut_all(self) -> int:
        """Reset every connection now; return their number."""

        def cut() -> int:
            links = list(self.links)
            for link in links:
                self._count_cut(link, "cuts_on_order")
                self.reset(link)
            return len(links)

        return self.call(cut)

    def pause_cuts(self) -> None:
        """Discard all plans, also those of connections that are open."""

        def pause() -> None:
            self._cuts = None
            self._refusing_until = 0.0
            for course in self._courses.values():
                course.go_on_for_ever()

        self.call(pause)

    def refuse(self, refusing: bool = True) -> None:
        """Reset new connections as soon as they are made."""
        self.call(lambda: setattr(self, "_refusing", refusing))

    def stall(self) -> None:
        """Become a black hole: connections stay open, new ones are accepted, and no byte passes in either direction."""
        self._set_stalled(True)

    def resume(self) -> None:
        """End the stall; what was sent meanwhile arrives."""
        self._set_stalled(False)

    def half_close(self, direction: Direction) -> None:
        """End one direction of every connection (FIN), leaving the other one open."""

        def close() -> None:
            for link in list(self.links):
                self._end_flows(link, direction)

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
        if self._refusing or time.monotonic() < self._refusing_until:
            self.counts["refused"] += 1
            self.reset(link)
            return
        for flow in link.flows:
            flow.stalled = self._stalling
        if self._cuts is not None:
            self._courses[link.number] = Course.of(self._cuts.draw(self.seed, link.number))

    def road(self, link: Link) -> Road:
        course = self._courses.get(link.number)
        if course is None or course.plan.line == STRAIGHT:
            return super().road(link)
        return Road(course.plan.line, random.Random(course.plan.jitter_seed))

    def received(self, link: Link, flow: Flow, data: bytes) -> None:
        course = self._courses.get(link.number)
        if course is None:
            self.carry(link, flow, data)
            return
        self._stall_on_plan(link, flow, course, len(data))
        if flow.direction is Direction.UP:
            for packet in course.up_seen.feed(data):
                self._note_request(course, packet)
            if course.victim is not None and course.plan.ending is Ending.LATE:
                self._cut(link, course, "cuts_before_answer", Direction.UP, data)
                return
        else:
            for packet in course.down_seen.feed(data):
                if packet.method == "reply":
                    course.unanswered.discard(packet.id)
                    if packet.id == course.victim:
                        self._cut(link, course, "cuts_before_answer", Direction.DOWN, b"")
                        return
        self._carry_to_cut(link, flow, course, data)

    def _note_request(self, course: Course, packet: Packet) -> None:
        if packet.method != "message" or not packet.is_command:
            return
        self.counts["commands"] += 1
        course.unanswered.add(packet.id)
        if course.commands_left is not None and course.victim is None:
            course.commands_left -= 1
            if course.commands_left <= 0:
                course.victim = packet.id

    def _carry_to_cut(self, link: Link, flow: Flow, course: Course, data: bytes) -> None:
        if course.bytes_left is None or course.plan.cut_at is None or course.plan.cut_at[0] is not flow.direction:
            self.carry(link, flow, data)
        elif course.bytes_left > len(data):
            course.bytes_left -= len(data)
            self.carry(link, flow, data)
        else:
            self._cut(link, course, "cuts_at_bytes", flow.direction, data[: course.bytes_left], data[course.bytes_left :])

    def _stall_on_plan(self, link: Link, flow: Flow, course: Course, size: int) -> None:
        stall = course.plan.stall
        if stall is None or course.stall_in is None or stall.direction is not flow.direction:
            return
        course.stall_in -= size
        if course.stall_in > 0:
            return
        course.stall_in = None
        self.counts["stalls"] += 1

        def set_stalled(stalled: bool) -> None:
            for each in link.flows:
                each.stalled = stalled

        set_stalled(True)
        self.later(time.monotonic() + stall.seconds, lambda: set_stalled(self._stalling))

    # ends

    def _cut(self, link: Link, course: Course, cause: str, direction: Direction, last: bytes, beyond: bytes = b"") -> None:
        """End a connection as planned: of one direction, `last` is what may still go its way, `beyond` is past the end."""
        self._count_cut(link, cause)
        self.counts[f"ended_by_{course.plan.ending.value}"] += 1
        if course.plan.outage:
            self.counts["outages"] += 1
            self._refusing_until = max(self._refusing_until, time.monotonic() + course.plan.outage)
        course.go_on_for_ever()
        flow = link.up if direction is Direction.UP else link.down
        match course.plan.ending:
            case Ending.RESET:
                self._write_last(flow, last)
                self.reset(link)
            case Ending.FIN:
                self.carry(link, flow, last)
                self._end_flows(link, *Direction)
            case Ending.HALF_CLOSE_UP | Ending.HALF_CLOSE_DOWN as ending:
                ended = Direction.UP if ending is Ending.HALF_CLOSE_UP else Direction.DOWN
                self.carry(link, flow, last if ended is direction else last + beyond)
                self._end_flows(link, ended)
            case Ending.BLACK_HOLE:
                self._write_last(flow, last)
                self.forget(link)
            case Ending.LATE:
                self._end_late(link, last if direction is Direction.UP else b"", course.plan.late)

    def _count_cut(self, link: Link, cause: str) -> None:
        course = self._courses.get(link.number)
        self.counts["cuts"] += 1
        self.counts[cause] += 1
        if course is not None and course.unanswered:
            self.counts["cuts_with_command_open"] += 1

    def _write_last(self, flow: Flow, last: bytes) -> None:
        """What can go at once goes; bytes that are still under way would be before these, and all are lost together."""
        if not self.holds(flow):
            flow.push(last)
            with contextlib.suppress(OSError):
                flow.write()

    def _end_flows(self, link: Link, *directions: Direction) -> None:
        for flow in link.flows:
            flow.end_seen = flow.end_seen or flow.direction in directions
        self._pass_on_ends(link)

    def _end_late(self, link: Link, last: bytes, seconds: float) -> None:
        """Reset the client's side now. Its last bytes, and then its end, reach the service later."""
        data = self.unsent(link.up) + last
        ghost = link.service.dup()  # keeps the connection open when the link's own socket is closed
        self._ghosts.add(ghost)
        self.reset(link, link.client)

        def speak() -> None:
            with contextlib.suppress(OSError):
                ghost.send(data)
                ghost.shutdown(socket.SHUT_WR)
            self.counts["late_arrivals"] += 1
            self.later(time.monotonic() + GOODBYE, vanish)

        def vanish() -> None:
            self._ghosts.discard(ghost)
            ghost.close()

        self.later(time.monotonic() + seconds, speak)

    def stop(self) -> None:
        super().stop()
        for ghost in self._ghosts:
            ghost.close()

    def closed(self, link: Link) -> None:
        super().closed(link)
        self._courses.pop(link.number, None)
