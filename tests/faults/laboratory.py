"""A run: four clients in a few shared conversations, all sending, while the line and the service misbehave."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from tests.acceptance.scene import Served
from tests.faults.database import kept_messages
from tests.faults.ledger import Kept, Verdict, judge
from tests.faults.logs import LogWatch
from tests.faults.members import OFFICIAL_PACKAGE, Member, OfficialMember, OurMember, sending, stop
from tests.faults.plan import Cuts, Ending
from tests.faults.proxy import FaultProxy
from tests.faults.service_faults import Mischief
from tests.interop.official import Driver
from tests.support.patience import PATIENCE
from twilio_conversations import Client
from twilio_conversations.server.storage.credentials import load_or_create

IDENTITIES = ["alice", "bob", "carol", "dave"]
CONVERSATIONS = 3
SENDERS_EACH = 2
RATE = 15.0
WEATHER = Cuts(
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
    """What a run came to; `verdict` counts messages, `log` is what the logs of client and service must not contain."""

    client: str
    seed: int
    seconds: float
    verdict: Verdict
    cuts: int
    kinds: dict[str, int]
    reconnects: int
    longest_outage: float
    log: list[str]
    hung: int

    @property
    def clean(self) -> bool:
        """Nothing lost, doubled, out of order, invented, raised, hung or logged."""
        return self.verdict.clean and not self.log and not self.hung


def run(
    data: Path,
    *,
    seconds: float,
    seed: int,
    client: str = "ours",
    kills: bool = False,
    rate: float = RATE,
    weather: Cuts = WEATHER,
) -> Figures:
    """Let it all happen for so many seconds, then count."""
    with Served(data) as served, FaultProxy(served.address, seed=seed, cuts=weather) as proxy:
        sids = set_up(served)
        start = time.monotonic()
        with (
            LogWatch() as watch,
            crew(client, served, proxy.url, sids) as members,
            sending(members, sids, each=SENDERS_EACH, rate=rate) as senders,
        ):
            mischief = Mischief(served, seed, IDENTITIES, tokens=client == "ours", kills=kills)
            threading.Event().wait(seconds)
            mischief.stop()
            proxy.pause_cuts()
            hung = stop(senders)
            catch_up(members, lambda: kept_messages(data))
            verdict = judge(kept_messages(data), {one.name: one.sends for one in senders}, {m.identity: m.seen for m in members})
            return Figures(
                client,
                seed,
                time.monotonic() - start,
                verdict,
                proxy.counts["cuts"],
                dict(sorted((proxy.counts + Counter({f"service_{k}": n for k, n in mischief.counts.items()})).items())),
                sum(member.line.reconnects for member in members),
                max(member.line.longest_outage for member in members),
                watch.complaints + served.crashes(),
                hung,
            )


def set_up(served: Served) -> list[str]:
    """The conversations, with everybody in them."""
    mint = load_or_create(served.data).mint
    with Client(mint("host"), endpoint=served.url) as host:
        conversations = [host.create_conversation(friendly_name=f"laboratory {n}") for n in range(CONVERSATIONS)]
        for conversation in conversations:
            conversation.join()
            for identity in IDENTITIES:
                conversation.add(identity)
        return [conversation.sid for conversation in conversations]


@contextlib.contextmanager
def crew(client: str, served: Served, url: str, sids: list[str]) -> Iterator[list[Member]]:
    """The clients, all of which follow these conversations; closed afterwards."""
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
    """Wait until every client has seen as many messages as are kept; if that does not come, the verdict will say so."""
    wanted = {sid: len(messages) for sid, messages in kept().items()}
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if all(len(member.seen.get(sid, ())) >= count for member in members for sid, count in wanted.items()):
            threading.Event().wait(0.3)  # whatever would come twice, comes now
            return
        threading.Event().wait(0.05)
