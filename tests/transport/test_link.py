"""Whether a silent peer is alive: one that answers pings soon shows it, one that does not is given the service's own interval."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from websocket import ABNF

from tests.support.scripted_service import Peer
from twilio_conversations.options import Endpoints, Options
from twilio_conversations.transport.link import SILENCE, Link, LinkLost
from twilio_conversations.wire.packets import Unknown

OPTIONS = Options(endpoints=Endpoints.for_base("http://127.0.0.1:1"))
PING = json.loads((Path(__file__).parents[1] / "shapes" / "server_ping.json").read_text())["header"]
START = 1000.0


class Line:
    """A link whose clock the test moves, and its peer."""

    def __init__(self, own: socket.socket, other: socket.socket) -> None:
        own.setblocking(False)
        self.link = Link(own, 1, OPTIONS, START)
        self.peer = Peer(other)
        self.now = START

    def wait(self, seconds: float) -> None:
        """Let time pass; what is due in it is done, as by the io thread."""
        end = self.now + seconds
        while (due := self.link.next_deadline()) <= end:
            self.now = due
            self.link.check(due)
            self.link.flush()
        self.now = end

    def take(self) -> list[bytes]:
        """What the peer has sent arrives now."""
        return [data for _, data in self.link.read(self.now)]

    def pong(self) -> None:
        """The peer answers the ping that it was sent."""
        self.link.flush()
        self.peer.answer_ping()
        assert self.take() == []


@pytest.fixture
def line() -> Iterator[Line]:
    """A line that has just been opened."""
    own, other = socket.socketpair()
    with own, other:
        yield Line(own, other)


def test_the_service_s_own_pings_are_enough(line: Line) -> None:
    """Every 45 seconds a frame of the service, for an hour; no pong ever comes."""
    line.link.probe(line.now)
    for number in range(80):
        line.wait(45)
        line.peer.send(Unknown(f"TM{number}", PING["method"]))
        assert len(line.take()) == 1

    with pytest.raises(LinkLost, match="not a byte for 60 seconds"):
        line.wait(SILENCE)
    assert line.now == START + 80 * 45 + SILENCE


def test_a_peer_that_answers_pings_is_known_to_be_dead_earlier(line: Line) -> None:
    """After the interval and the time for an answer, though it answered only once, at the beginning."""
    line.link.probe(line.now)
    line.pong()
    with pytest.raises(LinkLost, match="not a byte for 40 seconds, and no answer to a ping"):
        line.wait(SILENCE)

    assert line.now == START + 40


def test_a_peer_that_is_known_to_answer_is_not_probed(line: Line) -> None:
    """One ping at the beginning is enough."""
    line.link.probe(line.now)
    line.pong()
    line.link.probe(line.now)

    assert not line.link.wants_write


def test_a_ping_that_is_not_answered_by_a_new_peer(line: Line) -> None:
    """The computer woke up: without any knowledge the silence has to last as long as from a peer that does not answer."""
    line.wait(20)
    line.link.ping(line.now)
    with pytest.raises(LinkLost):
        line.wait(SILENCE)

    assert line.now == START + SILENCE


def test_what_the_connection_before_has_shown_holds_until_the_next_one_is_silent(line: Line) -> None:
    """A new connection that is dead from its beginning is noticed early; if its peer only does not answer, the next has time."""
    own, other = socket.socketpair()
    with own, other:
        line.link = Link(own, 2, OPTIONS, line.now, answers_pings=True)
        line.link.probe(line.now)
        assert line.link.wants_write
        with pytest.raises(LinkLost, match="not a byte for 10 seconds"):
            line.wait(SILENCE)
        assert not line.link.answers_pings


def test_a_ping_of_the_peer_is_answered(line: Line) -> None:
    """With its own words, and it is a sign of life."""
    line.wait(29)
    line.peer.send_frame(ABNF.OPCODE_PING, b"there?")
    assert line.take() == []
    line.link.flush()

    assert line.peer.frame() == (ABNF.OPCODE_PONG, b"there?")
    assert line.link.next_deadline() == line.now + OPTIONS.keepalive_interval


def test_acknowledgements_keep_their_place(line: Line) -> None:
    """They go out together, ahead of what is sent after them, also of the close frame."""
    line.link.acknowledge("N1")
    line.link.acknowledge("N2")
    line.link.send(Unknown("P1", "ping").encode())
    line.link.acknowledge("N3")
    assert line.link.wants_write
    line.link.close()

    assert ["N1", "N2"] == [line.peer.expect_acknowledgement() for _ in range(2)]
    assert "P1" == line.peer.packet().id
    assert "N3" == line.peer.expect_acknowledgement()
