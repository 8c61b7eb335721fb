"""Random histories of real clients and a real service: in the end all have the same state, and every event came once.

`HISTORIES` in the environment is the number of histories of the long run, which prints its progress. With two cores, in each
of two shells::

    HISTORIES=5000 pytest tests/histories -m long -s -o faulthandler_timeout=0

The seed is printed, and `STORY_SEED` repeats the same steps; since real threads and sockets take part, the outcome may
differ. `HISTORY_SETTINGS`, a JSON object, gives every history settings of the service, such as ``{"journal_limit": 1}``.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Mapping
from typing import Any

import pytest

from tests.histories import checks
from tests.histories.commands import COMMANDS, OFTEN, ORDERED_STATUS, Action, Sent
from tests.histories.environment import PEOPLE, PROVIDER, REPLAY_LIMIT, Environment
from tests.support.contrary import draw_settings
from tests.support.patience import PATIENCE
from tests.support.stories import Moves, run_stories
from twilio_conversations.server.http.replies import TUNNEL_TOO_MANY

IN_CI = 50
STEPS = 16
EVERY = 100
WAIT = PATIENCE

EVERYTHING = OFTEN + tuple(name for name in COMMANDS if name not in OFTEN)
TROUBLE = (
    "cut", "cut", "offload", "lose an answer", "refuse", "refuse connections", "cut in the middle", "hold events",
    "release events", "interrupt replays", "fail an answer", "delay an answer", "refuse a token", "refuse tersely",
)  # fmt: skip
LIMITS = (0, 1, 2, REPLAY_LIMIT)
RESTARTS = 0.01
"""Share of the steps that stop and start the service, which takes a while."""
COMPACTED = 0.25
"""Share of the histories in which the log is compacted while they last."""
CONTRARY_SHARE = 0.5
"""Share of the histories with contrary settings of the service, each of which is drawn with a probability of"""
SETTING_SHARE = 0.2
RENEWED = 0.05
"""Share of those that have a new service, with users that it does not know."""
FIXED: dict[str, Any] = json.loads(os.environ.get("HISTORY_SETTINGS", "{}"))
"""Contrary settings of all histories, beside those that are drawn."""

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


class Runner:
    """Keeper of the environment from one history to the next; after a failure the next one gets a new environment."""

    def __init__(self, *, announce: bool) -> None:
        self.completed = 0
        self._environment: Environment | None = None
        self._announce = announce
        self._began = time.monotonic()

    def environment(self, settings: Mapping[str, Any], *, is_new: bool) -> Environment:
        """Return an environment without conversations, whose service has these contrary settings."""
        if is_new:
            self.close()
        if self._environment is None:
            self._environment = Environment(settings)
        else:
            self._environment.configure(settings)
        return self._environment

    def succeeded(self, environment: Environment) -> None:
        """Count a history, and prepare the environment for the next one."""
        environment.clear()
        self.completed += 1
        if self._announce and self.completed % EVERY == 0:
            took = time.monotonic() - self._began
            print(f"{self.completed} histories, {took / self.completed:.3f} s each", file=sys.__stderr__, flush=True)

    def close(self) -> None:
        """Close the environment."""
        environment, self._environment = self._environment, None
        if environment is not None:
            environment.close()


class History:
    """One history: what three people do, and the faults of network and service."""

    def __init__(self, runner: Runner, rng: random.Random) -> None:
        self.runner = runner
        settings = (draw_settings(rng, share=SETTING_SHARE) if rng.random() < CONTRARY_SHARE else {}) | FIXED
        self.confirmed: list[Sent] = []
        try:
            self.environment = runner.environment(settings, is_new=bool(settings) and rng.random() < RENEWED)
            if rng.random() < COMPACTED:
                self.environment.retain(rng.choice([0, 2]))
            for person, name in enumerate(("create", "send", "send")):
                self.act(max(0, person - 1), name, 0, 7, wait=True)
        except BaseException as error:
            error.add_note(f"contrary settings: {settings}")
            runner.close()
            raise

    def allows(self, move: str) -> bool:
        return True

    def look(self) -> None:
        """Check nothing: the states are equal only at the end."""

    def act(self, person: int, name: str, room: int, number: int, wait: bool) -> None:
        """Run a command of one person, and wait for it or not."""
        somebody = self.environment.people[person]

        def command() -> None:
            rooms = self.environment.rooms
            Action(somebody, rooms[room % len(rooms)] if rooms else "", number, self.confirmed).run(name)

        doing = somebody.do(command)
        if wait:
            doing.result(WAIT)

    def meanwhile(self, person: int, names: tuple[str, str], number: int) -> None:
        """Run commands of two people in one conversation at the same time."""
        for place, name in enumerate(names):
            self.act((person + place) % len(PEOPLE), name, 0, number, wait=False)

    def trouble(self, kind: str, person: int, number: int) -> None:
        """Cause a fault of network or service, for one person or for all."""
        faults, identity = self.environment.server.faults, PEOPLE[person]
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
            case "fail an answer":
                faults.fail_answers(1, identity=identity, content_type="text/plain" if number % 2 else "application/json")
            case "delay an answer":
                faults.delay_answers(0.02 * number, 1, identity=identity)
            case "refuse a token":
                faults.refuse_connections(1, status=401, code=0, identity=PROVIDER)
                faults.drop(PROVIDER)
            case "refuse tersely":
                faults.refuse(1, status=429, code=TUNNEL_TOO_MANY, refused_by="tunnel", identity=identity)
            case "interrupt replays":
                self.environment.server.configure(replay_limit=LIMITS[number % 4])
            case "restart":
                self.environment.restart()

    def teardown(self) -> None:
        """Wait until every client has caught up, and compare."""
        try:
            self.environment.heal()
            checks.check_history(self.environment, self.confirmed)
            self.runner.succeeded(self.environment)
        except BaseException as error:
            error.add_note(f"contrary settings: {self.environment.settings}")
            raise

    def abandon(self) -> None:
        """Close the environment: the next history has a new one."""
        self.runner.close()


def run_histories(count: int, *, announce: bool) -> None:
    """Run so many histories."""
    runner = Runner(announce=announce)
    try:
        run_stories(lambda rng: History(runner, rng), MOVES, count=count, steps=STEPS, shorten_for=120)
    finally:
        runner.close()
    if announce:
        print(f"{runner.completed} histories played", file=sys.__stderr__, flush=True)


@pytest.mark.timeout(600)
def test_histories() -> None:
    """Whatever three people and the network do: clients and service agree, and every event came once and in order."""
    run_histories(IN_CI, announce=False)


@pytest.mark.long
@pytest.mark.timeout(0)
def test_very_many_histories() -> None:
    """The same with `HISTORIES` histories."""
    run_histories(int(os.environ.get("HISTORIES", "10000")), announce=True)
