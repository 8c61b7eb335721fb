"""A client that was away for long comes back to a service that has forgotten every detail, and misses nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.faults.proxy import FaultProxy
from tests.support.clients import Connect
from tests.support.conversations import every_message
from tests.support.event_log import EventLog
from tests.support.waiting import until
from twilio_conversations import Client, Conversation
from twilio_conversations.server import LocalServer

BEFORE, MEANWHILE = 8, 80
FORGETFUL = {"events_retained": 0, "replay_limit": 7}
WATCHED = ("conversation_joined", "connection_state_changed", "message_added", "message_removed", "conversation_resynced")


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[LocalServer]:
    """A service that keeps no more events than it must, and sends few at a time."""
    with LocalServer(tmp_path) as server:
        server.configure(**FORGETFUL)
        yield server


@pytest.fixture
def line(kept: LocalServer) -> Iterator[FaultProxy]:
    """The line of the one who will be away."""
    host, port = urlsplit(kept.url).hostname, kept.port
    with FaultProxy((str(host), port)) as proxy:
        yield proxy


def cut(server: LocalServer, line: FaultProxy) -> None:
    """The line breaks."""
    line.cut_all()


def offload(server: LocalServer, line: FaultProxy) -> None:
    """The service sends the client elsewhere."""
    server.faults.offload("bob", reconnect_min_ms=20)


def nothing(server: LocalServer) -> None:
    """The service goes on, and still has all in memory."""


def restart(server: LocalServer) -> None:
    """The service ends and starts again: what it held in memory is gone."""
    server.stop()
    server.start()
    server.configure(**FORGETFUL)


def much_happens(room: Conversation, known: list[Any], meanwhile: Callable[[], None]) -> None:
    """Hundreds of changes: messages are sent, edited often and removed, people come and go, things get other names."""
    for number in range(MEANWHILE):
        sent = room.send_message(f"missed {number}", timeout=30)
        if number % 4 == 0:
            sent.update_body(f"edited {number}").update_body(f"edited {number} twice")
        if number % 5 == 0:
            sent.remove()
        if number % 20 == 0:
            room.update_friendly_name(f"name {number}")
            known[number // 20 % 2].update_attributes({"edit": number})
        if number == MEANWHILE // 2:
            meanwhile()
    known[2].remove()
    known[3].update_body("old, and edited")
    room.add("carol", {"seat": 1}).update_attributes({"seat": 2})
    room.add("dave").remove()
    room.get_participant_by_identity("erin").remove()


@pytest.mark.parametrize(("leave", "meanwhile"), [(cut, nothing), (cut, restart), (offload, restart)])
def test_back_after_much_happened(
    kept: LocalServer,
    line: FaultProxy,
    connect: Connect,
    leave: Callable[[LocalServer, FaultProxy], None],
    meanwhile: Callable[[LocalServer], None],
) -> None:
    """Each message that is there is added once and in order, what is gone is gone, edits, roster and names are of now."""
    alice = connect("alice", token=kept.token("alice"), endpoint=kept.url)
    bob = connect("bob", token=kept.token("bob"), endpoint=line.url)
    room = alice.create_conversation().join()
    event_log = EventLog(bob, *WATCHED)
    room.add("bob")
    room.add("erin")
    theirs: Conversation = event_log.wait("conversation_joined")
    known = [room.send_message(f"known {number}") for number in range(BEFORE)]
    held = [event_log.wait("message_added", lambda message, sent=sent: message.index == sent.index) for sent in known]
    wait_for_roster(theirs, ["alice", "bob", "erin"])

    line.refuse()
    leave(kept, line)
    event_log.wait("connection_state_changed", lambda state: state.value != "connected")
    seen_before = len(event_log.entries)
    much_happens(room, known, lambda: meanwhile(kept))
    kept.forget_traffic()
    line.refuse(False)

    last = room.send_message("the last one")
    event_log.wait("message_added", lambda message: message.index == last.index)
    expected = [(message.index, message.body, message.attributes) for message in every_message(room)]
    assert [(message.index, message.body, message.attributes) for message in every_message(theirs)] == expected
    later = event_log.entries[seen_before:]
    added = [message.index for name, message in later if name == "message_added"]
    present = [index for index, _, _ in expected if index >= BEFORE]
    removed = [message.index for name, message in later if name == "message_removed"]
    assert [index for index in added if index in present] == present
    assert len(added) == len(set(added))
    assert known[2].index in removed
    assert set(removed).isdisjoint(present)
    assert max(Counter(removed).values()) == 1
    assert (held[3].body, held[0].attributes) == ("old, and edited", known[0].attributes)
    wait_for_roster(theirs, ["alice", "bob", "carol"])
    until(lambda: theirs.get_participant_by_identity("carol").attributes == {"seat": 2}, "carol's seat")
    until(lambda: theirs.friendly_name == room.friendly_name, "the newest name")
    until(lambda: interruptions(kept, bob) > 10, "the replays go on in many pieces")
    assert event_log.of("conversation_resynced") == [], "all of it was told"


def wait_for_roster(conversation: Conversation, identities: list[str]) -> None:
    """Wait until exactly these are seen."""
    until(
        lambda: sorted(str(one.identity) for one in conversation.get_participants()) == identities,
        f"{conversation!r} shows {identities}",
    )


def interruptions(server: LocalServer, client: Client) -> int:
    """How many replays were cut short for this client."""
    return sum(
        event["replay_status"] == "interrupted"
        for frame in server.traffic(client.identity)
        if isinstance(frame["payload"], dict) and frame["payload"].get("event_type") == "subscription_established"
        for event in frame["payload"]["events"]
    )
