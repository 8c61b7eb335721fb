"""Rows of programs: several threads that send at once, an import, and a script that sends one message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from benchmarks.bench import Bench
from benchmarks.figures import Aim, Row
from benchmarks.processes import Child
from benchmarks.programs import BARE_MESSAGE, IMPORT, LIBRARIES, ONE_MESSAGE, programs
from benchmarks.seed import seed_conversations

SENDERS: Final = 16
IMPORTS: Final[Mapping[str, str]] = {"ours": IMPORT, "libraries": LIBRARIES}
SCRIPTS: Final[Mapping[str, str]] = {"ours": ONE_MESSAGE, "bare": BARE_MESSAGE}


def send_together(bench: Bench) -> list[Row]:
    """Messages that several threads (or tasks) of one client send at the same time."""
    row = Row(f"{SENDERS} threads sending", "per second", [Aim("at least", 2.5, "official")])
    place = bench.place("crowd", count=bench.settings.sends, senders=SENDERS)
    place["sid"] = seed_conversations(place["twilsock"], place["token"], "crowd", 1)[0]

    def measure(client: str, worker: Child) -> None:
        row.add(client, SENDERS * bench.settings.sends / worker.ask("send_together", timeout=120, **place)["seconds"])

    bench.alternate([row], ("ours", "official", "bare"), measure)
    return [row]


def short_programs(bench: Bench) -> list[Row]:
    """The import beside that of the libraries alone, and a script that sends one message, each a whole process."""
    imports = Row("import, with the start of Python", "ms", [Aim("at most", 1.5, "libraries")])
    script = Row("script that sends one message and exits", "ms", [Aim("at most", 200)])
    place = bench.place("script")
    sid = seed_conversations(place["twilsock"], place["token"], "script", 1)[0]
    with programs() as run:

        def measure(client: str, worker: Child) -> None:
            del worker
            if client in IMPORTS:
                imports.add(client, run.seconds(IMPORTS[client]) * 1000)
            if client in SCRIPTS:
                arguments = (place["token"], place["url"], place["twilsock"], sid)
                script.add(client, run.seconds(SCRIPTS[client], arguments) * 1000)

        bench.alternate([imports, script], ("ours", "libraries", "bare"), measure)
    return [imports, script]


PROGRAM_ROWS: Final[Mapping[str, Callable[[Bench], list[Row]]]] = {"send_together": send_together, "programs": short_programs}
