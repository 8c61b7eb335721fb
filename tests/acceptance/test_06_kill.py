"""`kill -9` on the service, again and again: what it acknowledged is there, what it did not arrives by the client's resend."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.scene import Diary, Served, every_message, pair_up, until

KILLS = 10
SENDERS = 4


class Sender:
    """A thread that sends one message after the other and remembers which are under way and which were acknowledged."""

    def __init__(self, conversation: Any, name: str) -> None:
        self._conversation = conversation
        self._name = name
        self.under_way: str | None = None
        self.acknowledged: list[str] = []
        self.failure: BaseException | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"sender-{name}")
        self._thread.start()

    def _run(self) -> None:
        number = 0
        try:
            while not self._stopping.is_set():
                body = f"{self._name} {number}"
                self.under_way = body
                self._conversation.send_message(body, timeout=60)
                self.under_way = None
                self.acknowledged.append(body)
                number += 1
        except BaseException as error:
            self.failure = error

    def stop(self) -> None:
        """Let the message under way finish, then end."""
        self._stopping.set()
        self._thread.join(70)
        assert not self._thread.is_alive()


@pytest.mark.slow
def test_the_service_is_killed_ten_times_while_messages_are_under_way(tmp_path: Path) -> None:
    """The clients come back by themselves each time; every message is there once, for the service and for the receiver."""
    with Served(tmp_path) as served, served.client("alice") as alice, served.client("bob") as bob:
        diary = Diary(bob)
        for_alice, _ = pair_up(alice, bob, "bob", "while it dies")
        senders = [Sender(for_alice, f"sender {number}") for number in range(SENDERS)]
        kills = 0
        try:
            while kills < KILLS:
                kills += kill_and_restart(served, senders)
        finally:
            for sender in senders:
                sender.stop()
        assert [sender.failure for sender in senders] == [None] * SENDERS
        sent = [body for sender in senders for body in sender.acknowledged]
        until(lambda: diary.has(len(sent)), f"bob saw all {len(sent)}")
        with served.client("alice") as reader:
            kept = [m.body for m in every_message(reader.get_conversation_by_sid(for_alice.sid))]
        print(f"{len(sent)} messages over {KILLS} kills")
        assert sorted(kept) == sorted(sent), "each message is kept once"
        assert diary.bodies == kept, "the receiver saw each once, in order"
        assert diary.indexes == list(range(len(kept)))
        for sender in senders:
            assert [body for body in kept if body in set(sender.acknowledged)] == sender.acknowledged, "each sender's order"


def kill_and_restart(served: Served, senders: list[Sender]) -> bool:
    """Kill once every sender got something through; whether a message was under way that then stayed unanswered."""
    before = [len(sender.acknowledged) for sender in senders]
    until(
        lambda: all(len(sender.acknowledged) > had + 2 or sender.failure for sender, had in zip(senders, before, strict=True)),
        "every sender got on after the last kill",
    )
    at_the_kill = {sender.under_way for sender in senders}
    served.kill()
    unanswered = {sender.under_way for sender in senders} & at_the_kill - {None}
    served.start()
    return bool(unanswered)
