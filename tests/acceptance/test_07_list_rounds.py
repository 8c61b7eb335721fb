"""A long list loads in few rounds: what the network's round trip costs does not grow with the number of conversations."""

from __future__ import annotations

import threading

from benchmarks.seed import seed_conversations
from tests.faults.lockstep import LockstepProxy
from tests.support.service_process import ServiceProcess

CONVERSATIONS = 500
ROUNDS = 12


def test_five_hundred_conversations_in_twelve_rounds(served: ServiceProcess) -> None:
    """All pages walked, every name known, a message into the last conversation raised its event: twelve rounds plus pokes."""
    seed_conversations(served.twilsock, served.token("lister"), "lister", CONVERSATIONS)
    with LockstepProxy(served.address, service=served.pid) as proxy, served.client("lister", proxy.url) as client:
        conversations = list(client.get_subscribed_conversations(page_size=100).iter_all())
        assert len(conversations) == CONVERSATIONS
        assert {one.friendly_name for one in conversations} == {f"Conversation {n}" for n in range(CONVERSATIONS)}
        last = conversations[-1]
        arrived = threading.Event()
        client.on("message_added", lambda message: arrived.set() if message.conversation.sid == last.sid else None)
        last.send_message("is anyone there?")
        assert arrived.wait(30)
        for number, one in enumerate(proxy.rounds, 1):
            print(number, "pokes" if one.poke_only else summary(one.kinds))
        assert proxy.counted <= ROUNDS, f"{proxy.counted} rounds and {proxy.pokes} of pokes"


def summary(kinds: tuple[str, ...]) -> str:
    """A round in a line: how many of what."""
    short = [kind.rsplit("/", 2)[-2] if kind.count("/") > 2 else kind for kind in kinds]
    return ", ".join(f"{short.count(kind)} x {kind}" for kind in dict.fromkeys(short))
