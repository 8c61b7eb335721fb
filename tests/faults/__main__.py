"""The fault laboratory as a command.

    python -m tests.faults --minutes 10 --seed 1             # four clients of ours send while connections are cut
    python -m tests.faults --minutes 10 --seed 1 --kills     # the service is killed meanwhile, too
    python -m tests.faults --minutes 10 --seed 1 --client ours --client official          # one after the other, side by side
    python -m tests.faults --minutes 10 --seed 1 --service drawn --service ids-ignored    # on two kinds of service
    python -m tests.faults kills --cycles 200 --seed 1       # `kill -9` on the service under load, the database checked

Seeds repeat the plan: what happens to connection number n, and which fault of the service comes as the n-th. They do not
repeat the timing of threads and kernel.

The service (`--service`) has contrary settings that are drawn from the seed, other ones every few seconds
(`tests/support/contrary.py`), and further faults such as an error in place of the answer to a command that was carried out
(`drawn`); or such ones, and ignores repeated mutation ids throughout (`ids-ignored`); or its default settings (`default`). The
table has a column for each client and service.

How it is counted: a message is *lost* if its send was acknowledged and the database does not hold it; *missed*, once for each
client, if the database holds it and the client never announced it, though it had a minute for it after the last fault;
*doubled* if it is kept or announced twice; *out of order* if a sender's messages are kept in another order than they were
sent, or announced after later ones; *invented* if what was announced is not kept.

A send that ended with an error is *raised*; its outcome is unknown to whoever sent it, and *of them kept* says how many were
in the database all the same. Nobody repeats a raised send. The official SDK does not resend over a new connection: it
rejects, and leaves the rest to the application, so what it raises is no loss, but work for others. Nothing in it notices a
black hole, and it receives nothing from then on (`--without black_hole` leaves these out). Its tokens do not expire here,
since it has no token provider to ask.

The exit code is 1 if anything of ours was lost, missed, doubled, out of order, invented, raised, hung or logged as an error,
and 0 for the official client, which is only measured.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from pathlib import Path
from typing import Any

import attrs
import click

from tests.faults import kills as kill_cycles
from tests.faults import laboratory, report
from tests.faults.laboratory import Figures
from tests.faults.plan import Ending, fresh_seed
from tests.faults.service_faults import SERVICES

_seed_option = click.option("--seed", type=int, default=None, help="Repeats a plan. Default: a new one, or FAULT_SEED.")
_json_option = click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures.")


def finish(runs: list[Figures], json_path: Path | None) -> None:
    """Show, write, and end the process accordingly."""
    report.show(runs)
    if json_path is not None:
        report.write(runs, json_path)
    sys.exit(0 if all(run.clean or run.client == "official" for run in runs) else 1)


@click.group(invoke_without_command=True, help=__doc__.replace("\n\n    python", "\n\n\b\n    python") if __doc__ else None)
@click.option("--minutes", type=float, default=1.0, show_default=True)
@_seed_option
@click.option(
    "--client",
    "clients",
    type=click.Choice(["ours", "official"]),
    multiple=True,
    default=["ours"],
    show_default=True,
    help="May be repeated.",
)
@click.option(
    "--service",
    "services",
    type=click.Choice(list(SERVICES)),
    multiple=True,
    default=["drawn"],
    show_default=True,
    help="May be repeated.",
)
@click.option("--kills", is_flag=True, help="Kill the service now and then, too.")
@click.option("--rate", type=float, default=laboratory.RATE, show_default=True, help="Messages a second of each sender, at most.")
@click.option("--without", type=click.Choice([one.value for one in Ending]), multiple=True, help="No connection ends like this.")
@_json_option
@click.pass_context
def main(
    context: click.Context,
    minutes: float,
    seed: int | None,
    clients: tuple[str, ...],
    services: tuple[str, ...],
    kills: bool,
    rate: float,
    without: tuple[str, ...],
    json_path: Path | None,
) -> None:
    """Run the laboratory; a subcommand does something else."""
    if context.invoked_subcommand is not None:
        return
    seed = fresh_seed() if seed is None else seed
    endings = {ending: share for ending, share in laboratory.DEFAULT_CUTS.endings.items() if ending.value not in without}
    cuts = attrs.evolve(laboratory.DEFAULT_CUTS, endings=endings)
    print(f"seed {seed}")
    runs = []
    for service, client in itertools.product(services, clients):
        options: dict[str, Any] = {"client": client, "service": service, "kills": kills, "rate": rate, "cuts": cuts}
        with tempfile.TemporaryDirectory(prefix="laboratory-") as data:
            runs.append(laboratory.run(Path(data), seconds=minutes * 60, seed=seed, **options))
    finish(runs, json_path)


@main.command()
@click.option("--cycles", type=int, default=200, show_default=True)
@_seed_option
@_json_option
def kills(cycles: int, seed: int | None, json_path: Path | None) -> None:
    """Kill the service under load, check its database, start it again."""
    seed = fresh_seed() if seed is None else seed
    print(f"seed {seed}")
    with tempfile.TemporaryDirectory(prefix="laboratory-") as data:
        finish([kill_cycles.run(Path(data), cycles=cycles, seed=seed)], json_path)


if __name__ == "__main__":
    main(prog_name="python -m tests.faults")
