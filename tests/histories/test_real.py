"""Random histories of real clients and a real service: in the end everybody knows the same, and was told each thing once.

`HISTORIES` in the environment says how many the long run plays; it tells how far it is. With two cores, in two shells::

    HISTORIES=5000 pytest tests/histories -m long -s --hypothesis-seed=1
    HISTORIES=5000 pytest tests/histories -m long -s --hypothesis-seed=2

A history that goes wrong is printed step by step. Real threads and sockets took part, so the same steps need not go wrong again.
"""

from __future__ import annotations

import os
import sys
import time

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from tests.histories import verdict
from tests.histories.commands import EVERYTHING, ORDERED_STATUS, Act, Sent
from tests.histories.stage import PEOPLE, Stage

IN_CI = 50
STEPS = 16
EVERY = 100
who = st.integers(0, len(PEOPLE) - 1)
numbers = st.integers(0, 11)


class Theatre:
    """Gives each history a stage: the one before, unless that history went wrong."""

    def __init__(self, announce: bool) -> None:
        self.stage: Stage | None = None
        self.played = 0
        self._announce = announce
        self._began = time.monotonic()

    def empty_stage(self) -> Stage:
        if self.stage is None:
            self.stage = Stage()
        return self.stage

    def played_well(self) -> None:
        assert self.stage is not None
        self.stage.begin_anew()
        self.played += 1
        if self._announce and self.played % EVERY == 0:
            took = time.monotonic() - self._began
            print(f"{self.played} histories, {took / self.played:.3f} s each", file=sys.__stderr__, flush=True)

    def close(self) -> None:
        stage, self.stage = self.stage, None
        if stage is not None:
            stage.close()


class History(RuleBasedStateMachine):
    """Three people, their clients, and whatever can happen to them."""

    def __init__(self, theatre: Theatre) -> None:
        super().__init__()
        self.theatre = theatre
        self.stage = theatre.empty_stage()
        self.confirmed: list[Sent] = []
        self.log: list[str] = []
        self.well = False
        self._act(0, "create", 0, 5, wait=True)

    def _note(self, text: str) -> None:
        self.log.append(text)

    def _act(self, person: int, name: str, room: int, number: int, *, wait: bool) -> None:
        somebody = self.stage.people[person]
        self._note(f"{somebody.identity}: {name}, room {room}, {number}{'' if wait else ', meanwhile'}")

        def act() -> None:
            rooms = self.stage.rooms
            Act(somebody, rooms[room % len(rooms)] if rooms else "", number, self.confirmed).run(name)

        doing = somebody.do(act)
        if wait:
            doing.result(30)

    @rule(person=who, name=st.sampled_from(EVERYTHING), room=st.integers(0, 2), number=numbers, wait=st.booleans())
    def act(self, person: int, name: str, room: int, number: int, wait: bool) -> None:
        """Somebody does something; what follows waits for it or happens meanwhile."""
        self._act(person, name, room, number, wait=wait)

    @rule(pair=st.permutations(range(len(PEOPLE))), names=st.tuples(*[st.sampled_from(EVERYTHING)] * 2), number=numbers)
    def at_once(self, pair: list[int], names: tuple[str, str], number: int) -> None:
        """Two people do something in one conversation at the same time."""
        for person, name in zip(pair, names, strict=False):
            self._act(person, name, 0, number, wait=False)

    @rule(person=st.none() | who)
    def cut(self, person: int | None) -> None:
        """Connections end without a word."""
        self._note(f"cut {'all' if person is None else PEOPLE[person]}")
        self.stage.server.faults.drop(None if person is None else PEOPLE[person])

    @rule(person=st.none() | who)
    def offload(self, person: int | None) -> None:
        """The service sends connections elsewhere."""
        self._note(f"offload {'all' if person is None else PEOPLE[person]}")
        self.stage.server.faults.offload(None if person is None else PEOPLE[person], reconnect_min_ms=20)

    @rule(person=who, fault=st.sampled_from(["lose", "refuse", "delay and cut", "refuse connections"]))
    def spoil(self, person: int, fault: str) -> None:
        """The next command is carried out but not answered, refused for now, or cut in its middle."""
        faults, identity = self.stage.server.faults, PEOPLE[person]
        self._note(f"{fault} for {identity}")
        if fault == "lose":
            faults.lose_answers(1, identity=identity)
        elif fault == "refuse":
            faults.refuse(1, status=ORDERED_STATUS, retry_after=0.02, identity=identity)
        elif fault == "refuse connections":
            faults.refuse_connections(1, identity=identity, reconnect_min_ms=20)
        else:
            faults.delay(0.03, 1, identity=identity)
            self._act(person, "send", 0, 1, wait=False)
            faults.drop(identity)

    @rule(person=who, hold=st.booleans())
    def events(self, person: int, hold: bool) -> None:
        """Events are held back, or let go."""
        self._note(f"{'hold' if hold else 'release'} {PEOPLE[person]}'s events")
        faults = self.stage.server.faults
        (faults.hold_events if hold else faults.release_events)(PEOPLE[person])

    @rule(limit=st.sampled_from([0, 1, 2, 10_000]))
    def replay(self, limit: int) -> None:
        """Replays are interrupted after so many events."""
        self._note(f"replay limit {limit}")
        self.stage.server.configure(replay_limit=limit)

    @rule(retained=st.sampled_from([0, 3]))
    def retain(self, retained: int) -> None:
        """The log is compacted."""
        self._note(f"retain {retained} events")
        self.stage.retain(retained)

    @rule(chance=st.integers(0, 9))
    def restart(self, chance: int) -> None:
        """The service is stopped and started again; seldom, since it takes a while."""
        if chance == 7:
            self._note("restart")
            self.stage.restart()

    def teardown(self) -> None:
        try:
            self._note("heal")
            self.stage.heal()
            verdict.check(self.stage, self.confirmed)
            self.theatre.played_well()
        except BaseException as error:
            error.add_note("history:\n  " + "\n  ".join(self.log))
            self.theatre.close()
            raise


def play(count: int, *, announce: bool) -> None:
    """Play so many histories."""
    theatre = Theatre(announce)
    pace = settings(
        max_examples=count,
        stateful_step_count=STEPS,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
        database=None,
    )
    try:
        run_state_machine_as_test(lambda: History(theatre), settings=pace)
    finally:
        theatre.close()
    if announce:
        print(f"{theatre.played} histories played", file=sys.__stderr__, flush=True)


@pytest.mark.timeout(600)
def test_histories() -> None:
    """Whatever three people and the network do: clients and service agree, and every event came once and in order."""
    play(IN_CI, announce=False)


@pytest.mark.long
@pytest.mark.timeout(0)
def test_very_many_histories() -> None:
    """The same, as often as `HISTORIES` says."""
    play(int(os.environ.get("HISTORIES", "10000")), announce=True)
