"""Random histories of real clients and a real service: in the end everybody knows the same, and was told each thing once.

`HISTORIES` in the environment says how many the long run plays; it tells how far it is. With two cores, in each of two shells::

    HISTORIES=5000 pytest tests/histories -m long -s -o faulthandler_timeout=0

The seed is printed, and `STORY_SEED` plays the same steps again; since real threads and sockets take part, they need not go the
same way again.
"""

from __future__ import annotations

import os
import random
import sys
import time

import pytest

from tests.histories import verdict
from tests.histories.commands import COMMANDS, OFTEN, ORDERED_STATUS, Act, Sent
from tests.histories.stage import PEOPLE, REPLAY_LIMIT, Stage
from tests.support.patience import PATIENCE
from tests.support.stories import Moves, tell

IN_CI = 50
STEPS = 16
EVERY = 100
WAIT = PATIENCE

EVERYTHING = OFTEN + tuple(name for name in COMMANDS if name not in OFTEN)
TROUBLE = (
    "cut", "cut", "offload", "lose an answer", "refuse", "refuse connections", "cut in the middle", "hold events",
    "release events", "interrupt replays",
)  # fmt: skip
LIMITS = (0, 1, 2, REPLAY_LIMIT)
RESTARTS = 0.01
"""Share of the steps that stop and start the service, which takes a while."""
COMPACTED = 0.25
"""Share of the histories in which the log is compacted while they last."""

MOVES: Moves = {
    "act": lambda rng: {
        "person": rng.randrange(len(PEOPLE)),
        "name": rng.choice(EVERYTHING),
        "room": rng.choice([0, 0, 0, 1, 2]),
        "number": rng.randrange(12),
        "wait": rng.random() < 0.4,
    },
    "meanwhile": lambda rng: {
        "person": rng.randrange(len(PEOPLE)),
        "names": (rng.choice(EVERYTHING), rng.choice(EVERYTHING)),
        "number": rng.randrange(12),
    },
    "trouble": lambda rng: {
        "kind": "restart" if rng.random() < RESTARTS * 3 else rng.choice(TROUBLE),
        "person": rng.randrange(len(PEOPLE)),
        "number": rng.randrange(12),
    },
}


class Theatre:
    """Gives each history a stage: the one before, unless that history went wrong."""

    def __init__(self, *, announce: bool) -> None:
        self.played = 0
        self._stage: Stage | None = None
        self._announce = announce
        self._began = time.monotonic()

    def stage(self) -> Stage:
        """An empty stage."""
        if self._stage is None:
            self._stage = Stage()
        return self._stage

    def played_well(self, stage: Stage) -> None:
        """The history is over; the next one finds an empty stage."""
        stage.begin_anew()
        self.played += 1
        if self._announce and self.played % EVERY == 0:
            took = time.monotonic() - self._began
            print(f"{self.played} histories, {took / self.played:.3f} s each", file=sys.__stderr__, flush=True)

    def close(self) -> None:
        """Leave nothing behind."""
        stage, self._stage = self._stage, None
        if stage is not None:
            stage.close()


class History:
    """Three people, their clients, and whatever can happen to them."""

    def __init__(self, theatre: Theatre, rng: random.Random) -> None:
        self.theatre = theatre
        self.stage = theatre.stage()
        self.confirmed: list[Sent] = []
        try:
            if rng.random() < COMPACTED:
                self.stage.retain(rng.choice([0, 2]))
            for person, name in enumerate(("create", "send", "send")):
                self.act(max(0, person - 1), name, 0, 7, wait=True)
        except BaseException:
            theatre.close()
            raise

    def allows(self, move: str) -> bool:
        return True

    def look(self) -> None:
        """Nothing: only when all is quiet does everybody know the same."""

    def act(self, person: int, name: str, room: int, number: int, wait: bool) -> None:
        """Somebody does something; what follows waits for it or happens meanwhile."""
        somebody = self.stage.people[person]

        def act() -> None:
            rooms = self.stage.rooms
            Act(somebody, rooms[room % len(rooms)] if rooms else "", number, self.confirmed).run(name)

        doing = somebody.do(act)
        if wait:
            doing.result(WAIT)

    def meanwhile(self, person: int, names: tuple[str, str], number: int) -> None:
        """Two people do something in one conversation at the same time."""
        for place, name in enumerate(names):
            self.act((person + place) % len(PEOPLE), name, 0, number, wait=False)

    def trouble(self, kind: str, person: int, number: int) -> None:
        """The network or the service makes trouble, for one person or for all."""
        faults, identity = self.stage.server.faults, PEOPLE[person]
        whom = None if number % 3 == 0 else identity
        match kind:
            case "cut":
                faults.drop(whom)
            case "offload":
                faults.offload(whom, reconnect_min_ms=20)
            case "lose an answer":
                faults.lose_answers(1, identity=identity)
            case "refuse":
                faults.refuse(1, status=ORDERED_STATUS, retry_after=0.02, identity=identity)
            case "refuse connections":
                faults.refuse_connections(1, identity=whom, reconnect_min_ms=20)
            case "cut in the middle":
                faults.delay(0.03, 1, identity=identity)
                self.act(person, "send", 0, 1, wait=False)
                faults.drop(identity)
            case "hold events":
                faults.hold_events(whom)
            case "release events":
                faults.release_events(whom)
            case "interrupt replays":
                self.stage.server.configure(replay_limit=LIMITS[number % 4])
            case "restart":
                self.stage.restart()

    def teardown(self) -> None:
        """Let it end, and compare everything."""
        try:
            self.stage.heal()
            verdict.check(self.stage, self.confirmed)
            self.theatre.played_well(self.stage)
        except BaseException:
            self.theatre.close()
            raise


def play(count: int, *, announce: bool) -> None:
    """Play so many histories."""
    theatre = Theatre(announce=announce)
    try:
        tell(lambda rng: History(theatre, rng), MOVES, count=count, steps=STEPS, shorten_for=120)
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
