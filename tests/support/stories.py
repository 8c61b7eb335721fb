"""Random histories of a state machine ("stories"), drawn from a seed: a hundredth of the cost of hypothesis's state machines.

Each story is drawn as a whole before its steps run, so that one that fails can be shortened by leaving out steps. The seed is
printed; `STORY_SEED` in the environment repeats the same stories.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

Step = tuple[str, dict[str, Any]]
Moves = Mapping[str, Callable[[random.Random], dict[str, Any]]]
"""Methods of a machine that a step may call, each with a function that draws its arguments."""


class Machine(Protocol):
    """The state machine that stories run on: a method for each move, and these."""

    def allows(self, move: str) -> bool:
        """Return whether this step is possible now; otherwise it is skipped."""
        ...

    def look(self) -> None:
        """Assert what must hold after every step."""
        ...

    def teardown(self) -> None:
        """Assert what must hold in the end."""
        ...

    def abandon(self) -> None:
        """Leave nothing behind for the next story, after a failure."""
        ...


def run_stories(
    make: Callable[[random.Random], Machine], moves: Moves, *, count: int, steps: int, shorten_for: float = 30.0
) -> None:
    """Run `count` stories of `steps` steps; the first that fails is shortened and raised with its steps.

    Args:
        make: returns a new machine; its argument is a random generator for what differs between machines.
        moves: the steps that are possible.
        count: number of stories.
        steps: number of steps of each.
        shorten_for: seconds after which no further attempt is made.
    """
    seed = int(os.environ.get("STORY_SEED", random.randrange(2**32)))
    print(f"stories: seed {seed}")
    names = tuple(moves)
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        story = [(name, moves[name](rng)) for name in rng.choices(names, k=steps)]
        birth = rng.random()
        if (failure := _failure(make, birth, story)) is not None:
            raise _shortened(make, birth, story, failure, f"story {number} of seed {seed}", shorten_for)


def _failure(make: Callable[[random.Random], Machine], birth: float, story: Sequence[Step]) -> BaseException | None:
    machine = None
    try:
        machine = make(random.Random(birth))
        for name, arguments in story:
            if machine.allows(name):
                getattr(machine, name)(**arguments)
                machine.look()
        machine.teardown()
    except Exception as error:
        if machine is not None:
            machine.abandon()
        return error
    return None


def _shortened(
    make: Callable[[random.Random], Machine],
    birth: float,
    story: list[Step],
    failure: BaseException,
    name: str,
    seconds: float,
) -> BaseException:
    first = failure
    end = time.monotonic() + seconds
    shorter = True
    while shorter:
        shorter = False
        for where in reversed(range(len(story))):
            if time.monotonic() > end:
                break
            attempt = story[:where] + story[where + 1 :]
            found = _failure(make, birth, attempt)
            if type(found) is type(failure):
                story, failure, shorter = attempt, found, True
    lines = [f"  {move}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})" for move, arguments in story]
    failure.add_note(f"{name}, shortened:\n" + "\n".join(lines))
    if failure is not first:
        failure.__cause__ = first
    return failure
