"""Peers that read nothing, as a stopped process or a breakpoint does: bounded memory, and an end."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

import pytest

from tests.server.peer import Peer
from tests.support.patience import PATIENCE
from twilio_conversations.server import LocalServer, uvicorn_server
from twilio_conversations.server.http.outbox import MAX_QUEUED_BYTES, MAX_QUEUED_FRAMES
from twilio_conversations.server.http.session import Session

SMALL = ((socket.SOL_SOCKET, socket.SO_RCVBUF, 4096),)
PAGE = 900_000
"""Bytes of a page of messages in these tests, at least."""


def session_of(server: LocalServer, identity: str) -> Session | None:
    """The service's side of somebody's connection; `None` when there is none."""
    assert server._app is not None
    sessions = server._app.service.connections.sessions(identity)
    return sessions[0] if sessions else None  # type: ignore[return-value]


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait for what no event announces."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}"
        time.sleep(0.02)


def is_cut(peer: Peer) -> bool:
    """Whether the service has ended the connection; nothing is read."""
    watch = select.poll()
    watch.register(peer.raw.fileno(), 0)  # errors are always reported
    return bool(watch.poll(0))


def ask_for_much(server: LocalServer, identity: str, count: int) -> tuple[Peer, Session, list[str]]:
    """Somebody who has asked for `count` pages of messages and reads none of them, the service's side, the requests' ids."""
    with Peer.connected(server, identity) as writer:
        room = writer.room()
        for _ in range(30):
            writer.say(room, "x" * (PAGE // 30))
        page = f"{writer.open('list', f'{sid_of(room)}.messages')['links']['items']}?PageSize=30"
        assert len(str(writer.get(page).body)) > PAGE
    reader = Peer.connected(server, identity, sockopt=SMALL)
    session = session_of(server, identity)
    assert session is not None
    return reader, session, [reader.start("GET", page) for _ in range(count)]


@pytest.mark.parametrize("count", [100, 8], ids=["more than is read", "all of it read"])
def test_a_reader_that_stops_is_dropped(server: LocalServer, count: int) -> None:
    """Whoever takes nothing for as long as the settings say is dropped by force; what is queued until then is bounded."""
    server.configure(stalled_reader_timeout=3)
    reader, session, _ = ask_for_much(server, "alice", count)
    most = 0

    def is_gone() -> bool:
        nonlocal most
        most = max(most, session.outbox.size)
        return session_of(server, "alice") is None

    wait_until(is_gone, "the reader is dropped")
    assert most < MAX_QUEUED_BYTES + 2 * PAGE
    wait_until(lambda: is_cut(reader), "the socket is cut")
    reader.close()
    with Peer.connected(server, "alice") as again:
        assert again.get("/Client/v2/Configuration").status == 200


def test_a_reader_that_goes_on_gets_everything(server: LocalServer) -> None:
    """Without a time limit it is waited for; every request that was sent meanwhile is answered, in order."""
    server.configure(stalled_reader_timeout=0)
    reader, session, asked = ask_for_much(server, "alice", 40)
    wait_until(lambda: session.outbox.is_full, "the queue is full")
    assert session.outbox.size < MAX_QUEUED_BYTES + 2 * PAGE
    with reader:
        assert [reader.reply_to(id_).id for id_ in asked] == asked
        assert reader.get("/Client/v2/Configuration").status == 200


def test_a_fast_typist_beside_a_reader_that_stops(server: LocalServer) -> None:
    """Typing is not kept for who does not read: the others get it at once, and it would come too late."""
    server.configure(stalled_reader_timeout=0)
    with Peer.connected(server, "bob") as bob, Peer.connected(server, "carol") as carol:
        reader = Peer.connected(server, "alice", sockopt=SMALL)
        room = bob.room("alice", "carol")
        session = session_of(server, "alice")
        assert session is not None
        for _ in range(30):
            asked = [bob.start("POST", bob.link("typing"), form=type_in(room)) for _ in range(400)]
            for id_ in asked:
                assert bob.reply_to(id_).status.ok
            bob.inbox.clear()
        assert len(session.outbox.frames) <= MAX_QUEUED_FRAMES
        assert carol.expect(lambda packet: getattr(packet, "message_type", "") == "twilio.ipmsg.typing_indicator")
        reader.close()


def type_in(room: str) -> str:
    """The form that says that somebody types in a room."""
    return f"ChannelSid={sid_of(room)}"


def test_what_is_held_is_bounded(server: LocalServer) -> None:
    """Notifications that a test keeps back are bounded too; events beyond come from the log afterwards, typing is left out."""
    with Peer.connected(server, "alice") as alice, Peer.connected(server, "bob") as bob:
        room = alice.room("bob")
        alice.open("list", f"{sid_of(room)}.messages")
        session = session_of(server, "alice")
        assert session is not None
        with server.faults.held_events("alice"):
            for _ in range(10):
                asked = [bob.start("POST", bob.link("typing"), form=type_in(room)) for _ in range(400)]
                for id_ in asked:
                    assert bob.reply_to(id_).status.ok
            assert len(session.outbox.held or ()) <= MAX_QUEUED_FRAMES
            assert alice.get("/Client/v2/Configuration").status == 200


def test_a_reader_without_a_pong_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle peer that answers no ping is dropped, also when it is not known to have stopped reading."""
    monkeypatch.setattr(uvicorn_server, "PING_INTERVAL", 0.2)
    monkeypatch.setattr(uvicorn_server, "PING_TIMEOUT", 0.2)
    with LocalServer() as server:
        reader = Peer.connected(server, "alice")
        wait_until(lambda: session_of(server, "alice") is None, "the peer is dropped")
        reader.close()


def sid_of(room: str) -> str:
    """The sid at the end of a conversation's link."""
    return room.rsplit("/", 1)[1]
