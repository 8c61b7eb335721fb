"""Two thousand messages over a line that is cut again and again: none lost, none twice, order kept."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.faults.plan import Cuts
from tests.faults.proxy import FaultProxy
from tests.support.conversations import MessageLog, every_message, pair_up
from tests.support.patience import LONG_PATIENCE
from tests.support.service_process import ServiceProcess
from tests.support.waiting import until

EACH = 1000
CUTS = Cuts(bytes_between=(4_000, 110_000), commands_between=(1, 18), unanswered=0.5)


@pytest.mark.slow
def test_two_thousand_messages_through_a_line_that_is_cut(served: ServiceProcess) -> None:
    """At least 60 cuts, 15 of them between a command's success and its answer; set FAULT_SEED to repeat a run."""
    seed = os.environ.get("FAULT_SEED")
    with (
        FaultProxy(served.address, seed=int(seed) if seed else None, cuts=CUTS) as proxy,
        served.client("alice", proxy.url) as alice,
        served.client("bob", proxy.url) as bob,
    ):
        message_logs = {"alice": MessageLog(alice), "bob": MessageLog(bob)}
        for_alice, for_bob = pair_up(alice, bob, "bob", "over a bad line")
        in_turn(lambda: send_all(for_alice, "alice"), lambda: send_all(for_bob, "bob"))
        proxy.pause_cuts()
        for name, message_log in message_logs.items():
            until(partial(message_log.has, 2 * EACH), f"{name} saw everything", LONG_PATIENCE)
        print(f"faults: {dict(proxy.counts)}")
        assert proxy.counts["cuts"] >= 60
        assert proxy.counts["cuts_before_answer"] >= 15

    with served.client("alice") as reader:
        kept = [(m.index, m.author, m.body) for m in every_message(reader.get_conversation_by_sid(for_alice.sid))]
    assert [index for index, _, _ in kept] == list(range(2 * EACH)), "none lost and none doubled in the service"
    for author in ("alice", "bob"):
        assert [body for _, who, body in kept if who == author] == [f"{author} {n}" for n in range(EACH)], "sender's order"
    for name, message_log in message_logs.items():
        assert message_log.indexes == list(range(2 * EACH)), f"{name} saw each message once, in index order"
        assert message_log.bodies == [body for _, _, body in kept], f"{name} saw what the service kept"


def send_all(conversation: Any, author: str) -> None:
    """Send one after the other; each call returns when the service has the message."""
    for number in range(EACH):
        sent = conversation.send_message(f"{author} {number}", timeout=60)
        assert sent.body == f"{author} {number}"


def in_turn(*works: Callable[[], None]) -> None:
    """Run each in a thread of its own; raise what one of them raised."""
    failures: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_PATIENCE)
        assert not thread.is_alive(), "sending hangs"
    if failures:
        raise failures[0]
