"""`kill -9` on the service, again and again, while several clients send; the clients come back by themselves each time."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from tests.faults.counting import count_faults
from tests.faults.database import integrity, kept_messages
from tests.faults.laboratory import Figures, catch_up, members_of, set_up
from tests.faults.logs import LogWatch
from tests.faults.members import Sender, sending, stop
from tests.faults.plan import generator
from tests.support.service_process import ServiceProcess
from tests.support.waiting import until

LONGEST_WAIT = 0.05  # seconds between everybody having got on and the kill: a few messages' time


def run(data: Path, *, cycles: int, seed: int) -> Figures:
    """Kill and restart until so many kills left a send unanswered; count at the end, and check the database each time."""
    with ServiceProcess(data) as served:
        sids = set_up(served)
        start = time.monotonic()
        with LogWatch() as watch, members_of("ours", served, served.url, sids) as members, sending(members, sids) as senders:
            damage: list[str] = []
            kills = unanswered = 0
            while unanswered < cycles:
                kills += 1
                unanswered += kill(served, senders, generator(seed, "kill", kills).uniform(0.0, LONGEST_WAIT))
                if (state := integrity(data)) != "ok":
                    damage.append(f"after kill {kills}: {state}")
                served.start()
            hung = stop(senders)
            catch_up(members, lambda: kept_messages(data))
            return Figures(
                "ours",
                "default",
                seed,
                time.monotonic() - start,
                count_faults(
                    kept_messages(data), {one.name: one.sends for one in senders}, {m.identity: m.seen for m in members}
                ),
                kills,
                {"kills": kills, "kills_with_a_send_unanswered": unanswered, "damaged_databases": len(damage)},
                sum(member.connection.reconnects for member in members),
                max(member.connection.longest_outage for member in members),
                damage + watch.complaints + served.crashes(),
                hung,
            )


def kill(served: ServiceProcess, senders: list[Sender], wait: float) -> bool:
    """Kill once every sender got something through since the last time; return whether a message stayed unanswered."""
    before = [sender.acknowledged for sender in senders]
    until(
        lambda: all(sender.acknowledged > had + 2 for sender, had in zip(senders, before, strict=True)),
        "every sender got on after the last kill",
        60,
    )
    threading.Event().wait(wait)
    at_the_kill = {sender.under_way for sender in senders}
    served.kill()
    return bool({sender.under_way for sender in senders} & at_the_kill - {None})
