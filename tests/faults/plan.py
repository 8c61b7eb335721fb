"""Plans of what happens to a connection, as values drawn from a seed.

Connection number n of a seed always gets the same plan, whatever the threads do: each plan has a random generator of its own,
made from the seed, the kind of thing that is drawn, and the number.
"""

from __future__ import annotations

import enum
import os
import random
from collections.abc import Mapping

import attrs

from benchmarks.support.line import STRAIGHT, Line
from benchmarks.support.relay import Direction

Range = tuple[float, float]
"""Least and most."""


def fresh_seed() -> int:
    """The seed of `FAULT_SEED`, which repeats a run; else a new one."""
    given = os.environ.get("FAULT_SEED")
    return int(given) if given else random.randrange(2**32)


def generator(seed: int, kind: str, number: int) -> random.Random:
    """The source of everything that is drawn for one thing of a kind."""
    return random.Random(f"{seed} {kind} {number}")


class Ending(enum.Enum):
    """How a connection ends for its two sides."""

    RESET = "reset"  # RST to both
    FIN = "fin"  # an orderly end to both
    HALF_CLOSE_UP = "half_close_up"  # the service receives the end of the client's half; the other half stays open
    HALF_CLOSE_DOWN = "half_close_down"  # the client receives the end of the service's half
    BLACK_HOLE = "black_hole"  # neither side receives anything any more
    LATE = "late"  # RST to the client; its last bytes, and then the end, reach the service after those of its successor


@attrs.frozen
class Stall:
    """After `after` bytes of one direction nothing passes in either for `seconds`; then what was sent meanwhile arrives."""

    direction: Direction
    after: int
    seconds: float


@attrs.frozen
class Plan:
    """One connection's.

    Attributes:
        line: how its bytes travel.
        stall: a pause.
        cut_at: it ends after so many bytes of a direction, or
        commands: when the answer of so many commands has come from the service, and has not gone on.
        ending: how it ends.
        late: with `Ending.LATE`, how many seconds later the service learns of it.
        outage: after its end, so many seconds without new connections, for anybody.
        jitter_seed: what the jitter is drawn from.
    """

    line: Line = STRAIGHT
    stall: Stall | None = None
    cut_at: tuple[Direction, int] | None = None
    commands: int | None = None
    ending: Ending = Ending.RESET
    late: float = 0.0
    outage: float = 0.0
    jitter_seed: int = 0


@attrs.frozen
class Cuts:
    """What plans are drawn from: a connection lives for a random number of bytes, or until the answer of its n-th command.

    Attributes:
        bytes_between: its life in bytes of one direction.
        commands_between: its life in commands.
        unanswered: the share of connections whose life is counted in commands.
        early: the share of connections that die early, at a few bytes of
        early_bytes: which is within the upgrade or the first packets.
        endings: how they end: shares of a whole.
        late: seconds between the two ends of a connection whose end the service learns late.
        stalled: the share of connections that stall for
        stall: seconds.
        outages: the share of connections whose end is followed by an outage of
        outage: seconds.
        slow: the share of connections with a line of
        latency: seconds,
        jitter: seconds, and
        bandwidth: bytes a second.
    """

    bytes_between: tuple[int, int] = (4_000, 120_000)
    commands_between: tuple[int, int] = (1, 20)
    unanswered: float = 0.5
    early: float = 0.0
    early_bytes: tuple[int, int] = (1, 2_500)
    endings: Mapping[Ending, float] = attrs.field(factory=lambda: {Ending.RESET: 1.0})
    late: Range = (0.05, 0.6)
    stalled: float = 0.0
    stall: Range = (0.05, 0.4)
    outages: float = 0.0
    outage: Range = (0.1, 1.0)
    slow: float = 0.0
    latency: Range = (0.001, 0.03)
    jitter: Range = (0.0, 0.02)
    bandwidth: Range = (100_000, 1_000_000)

    def draw(self, seed: int, number: int) -> Plan:
        """The plan of connection `number`."""
        chance = generator(seed, "connection", number)
        cut_at, commands = self._life(chance)
        ending = chance.choices(list(self.endings), list(self.endings.values()))[0]
        if commands is not None and ending is Ending.HALF_CLOSE_UP:
            ending = Ending.HALF_CLOSE_DOWN  # the answer cannot be kept from a half that stays open
        return Plan(
            self._line(chance) if chance.random() < self.slow else Line(),
            self._stall(chance) if chance.random() < self.stalled else None,
            cut_at,
            commands,
            ending,
            chance.uniform(*self.late),
            chance.uniform(*self.outage) if chance.random() < self.outages else 0.0,
            chance.randrange(2**32),
        )

    def _life(self, chance: random.Random) -> tuple[tuple[Direction, int] | None, int | None]:
        if chance.random() < self.early:
            return (chance.choice(list(Direction)), chance.randint(*self.early_bytes)), None
        if chance.random() < self.unanswered:
            return None, chance.randint(*self.commands_between)
        return (chance.choice(list(Direction)), chance.randint(*self.bytes_between)), None

    def _line(self, chance: random.Random) -> Line:
        return Line(chance.uniform(*self.latency), chance.uniform(*self.jitter), chance.uniform(*self.bandwidth))

    def _stall(self, chance: random.Random) -> Stall:
        return Stall(chance.choice(list(Direction)), chance.randint(*self.early_bytes) * 4, chance.uniform(*self.stall))


@attrs.frozen
class Script:
    """In the place of `Cuts`: plans that were written down; connections beyond them live undisturbed."""

    plans: Mapping[int, Plan]

    @classmethod
    def of(cls, *plans: Plan) -> Script:
        """The plans of the first connections."""
        return cls(dict(enumerate(plans, 1)))

    def draw(self, _seed: int, number: int) -> Plan:
        """The plan of connection `number`."""
        return self.plans.get(number, Plan())
