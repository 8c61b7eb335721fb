"""A run: four clients in a few shared conversations, all sending, while connections are cut and the service has faults."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from tests.faults.counting import Counts, Kept, count_faults
from tests.faults.database import kept_messages
from tests.faults.logs import LogWatch
from tests.faults.members import OFFICIAL_PACKAGE, Member, OfficialMember, OurMember, sending, stop
from tests.faults.plan import Cuts, Ending
from tests.faults.proxy import FaultProxy
from tests.faults.service_faults import SERVICES, ServiceFaults
from tests.interop.official import Driver
from tests.support.patience import PATIENCE
from tests.support.service_process import ServiceProcess
from twilio_conversations import Client
from twilio_conversations.server.storage.credentials import load_or_create

IDENTITIES = ["alice", "bob", "carol", "dave"]
CONVERSATIONS = 3
SENDERS_EACH = 2
RATE = 15.0
DEFAULT_CUTS = Cuts(
    bytes_between=(2_000, 120_000),
    commands_between=(1, 30),
    unanswered=0.5,
    early=0.1,
    endings={
        Ending.RESET: 0.5,
        Ending.FIN: 0.12,
        Ending.HALF_CLOSE_UP: 0.08,
        Ending.HALF_CLOSE_DOWN: 0.08,
        Ending.BLACK_HOLE: 0.04,
        Ending.LATE: 0.18,
    },
    stalled=0.1,
    outages=0.02,
    slow=0.3,
)


@attrs.frozen
class Figures:
    """Result of a run: `counts` of messages and faults, `log` with the errors and tracebacks of client and service."""

    client: str
    service: str
    seed: int
    seconds: float
    counts: Counts
    cuts: int
    kinds: dict[str, int]
    reconnects: int
    longest_outage: float
    log: list[str]
    hung: int

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, doubled, out of order, invented, raised, hung or logged."""
        return self.counts.clean and not self.log and not self.hung


def run(
    data: Path,
    *,
    seconds: float,
    seed: int,
    client: str = "ours",
    service: str = "default",
    kills: bool = False,
    rate: float = RATE,
    cuts: Cuts = DEFAULT_CUTS,
) -> Figures:
    """Run for so many seconds, wait until everybody has caught up, and count."""
    with ServiceProcess(data) as served, FaultProxy(served.address, seed=seed, cuts=cuts) as proxy:
        sids = set_up(served)
        is_ours = client == "ours"  # the official SDK has no function for tokens
        service_faults = ServiceFaults(served, seed, IDENTITIES, tokens=is_ours, kills=kills, service=SERVICES[service])
        start = time.monotonic()
        with (
            LogWatch() as watch,
            members_of(client, served, proxy.url, sids) as members,
            sending(members, sids, each=SENDERS_EACH, rate=rate) as senders,
        ):
            service_faults.start()
            threading.Event().wait(seconds)
            service_faults.stop()
            proxy.pause_cuts()
            hung = stop(senders)
            catch_up(members, lambda: kept_messages(data))
            counts = count_faults(
                kept_messages(data), {one.name: one.sends for one in senders}, {m.identity: m.seen for m in members}
            )
            return Figures(
                client,
                service,
                seed,
                time.monotonic() - start,
                counts,
                proxy.counts["cuts"],
                dict(sorted((proxy.counts + Counter({f"service_{k}": n for k, n in service_faults.counts.items()})).items())),
                sum(member.connection.reconnects for member in members),
                max(member.connection.longest_outage for member in members),
                watch.complaints + served.crashes(),
                hung,
            )


def set_up(served: ServiceProcess) -> list[str]:
    """Create the conversations, with everybody as participant; return their sids."""
    mint = load_or_create(served.data).mint
    with Client(mint("host"), endpoint=served.url) as host:
        conversations = [host.create_conversation(friendly_name=f"laboratory {n}") for n in range(CONVERSATIONS)]
        for conversation in conversations:
            conversation.join()
            for identity in IDENTITIES:
                conversation.add(identity)
        return [conversation.sid for conversation in conversations]


@contextlib.contextmanager
def members_of(client: str, served: ServiceProcess, url: str, sids: list[str]) -> Iterator[list[Member]]:
    """Connect the clients, wait until each follows these conversations, and close them afterwards."""
    credentials = load_or_create(served.data)
    with contextlib.ExitStack() as stack:
        members: list[Member] = []
        driver = stack.enter_context(contextlib.closing(Driver(OFFICIAL_PACKAGE))) if client == "official" else None
        for identity in IDENTITIES:

            def provide(identity: str = identity) -> str:
                return credentials.mint(identity)

            one: Member = OfficialMember(driver, identity, provide, url) if driver else OurMember(identity, provide, url)
            stack.callback(one.close)
            members.append(one)
        for member in members:
            for sid in sids:
                member.enter(sid)
        yield members


def catch_up(members: list[Member], kept: Callable[[], Kept]) -> None:
    """Wait until every client has seen as many messages as are kept; if that does not come, they are counted as missed."""
    wanted = {sid: len(messages) for sid, messages in kept().items()}
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if all(len(member.seen.get(sid, ())) >= count for member in members for sid, count in wanted.items()):
            threading.Event().wait(0.3)  # whatever would come twice, comes now
            return
        threading.Event().wait(0.05)
