"""A computer that slept: the wall clock ran ahead of the monotonic one, and nothing that was known before is relied upon."""

from __future__ import annotations

import time

import pytest
from websocket import ABNF

from tests.support.patience import PATIENCE
from tests.support.scripted_service import Peer, ScriptedService
from tests.transport.conftest import Wire, Wired
from tests.transport.test_token_source import Provider, token
from twilio_conversations.enums import ConnectionState
from twilio_conversations.options import BackoffPolicy
from twilio_conversations.transport import loop
from twilio_conversations.util.futures import Deadline, wait
from twilio_conversations.wire.packets import Init, Notification, Reply, Update

LONG = BackoffPolicy(minimum=60)
HOUR = 3600.0


class Clock:
    """A wall clock that can be moved."""

    def __init__(self) -> None:
        self.moved = 0.0

    def __call__(self) -> float:
        return time.time() + self.moved


def sleep(wired: Wired, clock: Clock, seconds: float = HOUR) -> None:
    """The computer sleeps; when it wakes something makes the loop turn."""
    clock.moved += seconds
    wait(wired.connection.call(lambda: None), Deadline(PATIENCE), "a turn of the loop")


def probed(peer: Peer) -> bytes:
    """The peer is pinged; the ping's payload."""
    opcode, payload = peer.frame()
    assert opcode == ABNF.OPCODE_PING
    return payload


def test_the_line_is_probed_at_once_and_kept_if_it_answers(wire: Wire) -> None:
    """A ping goes out long before the interval is over; an answer is enough."""
    clock = Clock()
    wired = wire(keepalive_interval=60, keepalive_timeout=0.5, clock=clock)
    peer = wired.up()
    sleep(wired, clock)
    peer.send_frame(ABNF.OPCODE_PONG, probed(peer))
    peer.send(Notification("N1", "t", "after the pong"))
    wired.recorder.wait_for("notification")

    assert wired.recorder.facts("disconnected") == []
    assert wired.service.no_peer(0.7), "the answered ping is forgotten"


def test_a_line_that_does_not_answer_is_replaced(wire: Wire) -> None:
    """After the keepalive timeout, not after the interval."""
    clock = Clock()
    wired = wire(keepalive_interval=60, keepalive_timeout=0.2, clock=clock)
    peer = wired.up()
    sleep(wired, clock)
    probed(peer)
    wired.service.peer().accept_init()

    wired.recorder.wait_for("connected", count=2)


def test_a_back_off_is_over(wire: Wire) -> None:
    """Its reason may be long gone."""
    clock = Clock()
    wired = wire(reconnect=LONG, clock=clock)
    wired.up().cut()
    wired.recorder.wait_state(ConnectionState.RETRYING)
    sleep(wired, clock)
    wired.service.peer().accept_init()

    wired.recorder.wait_for("connected", count=2)


def test_sleep_while_connecting_costs_no_more_than_the_connect_timeout(wire: Wire) -> None:
    """The attempt under way goes on; nothing is opened beside it."""
    clock = Clock()
    with ScriptedService(upgrade=False) as slow:
        wired = wire(service=slow, connect_timeout=0.4, clock=clock)
        wired.connection.start()
        peer = slow.peer()
        sleep(wired, clock)
        assert slow.no_peer(0.2)
        peer.upgrade()
        peer.accept_init()
        wired.recorder.wait_for("connected")
        assert slow.accepted == 1
        wired.connection.close()


def test_sleep_while_initialising(wire: Wire) -> None:
    """A peer that lives answers both the probe and the init; the connection is kept."""
    clock = Clock()
    wired = wire(keepalive_timeout=0.3, clock=clock)
    wired.connection.start()
    peer = wired.service.peer()
    init = peer.expect(Init)
    sleep(wired, clock)
    peer.send_frame(ABNF.OPCODE_PONG, probed(peer))
    peer.send(Reply(init.id))
    wired.recorder.wait_for("connected")

    assert wired.service.no_peer(0.5)


@pytest.mark.parametrize("alive", [True, False])
def test_sleep_while_updating(wire: Wire, alive: bool) -> None:
    """The update is answered, or goes on with the next init; its caller does not notice which."""
    clock = Clock()
    wired = wire(keepalive_timeout=0.2, clock=clock)
    peer = wired.up()
    future = wired.connection.update_token("T1")
    update = peer.expect(Update)
    sleep(wired, clock)
    ping = probed(peer)
    if alive:
        peer.send_frame(ABNF.OPCODE_PONG, ping)
        peer.send(Reply(update.id))
    else:
        assert wired.service.peer().accept_init().token == "T1"
    wait(future, Deadline(PATIENCE), "update_token")

    assert wired.service.accepted == (1 if alive else 2)


def test_a_token_that_expired_in_sleep_is_renewed_at_once(wire: Wire) -> None:
    """On the line that is still there, without waiting for the service to complain."""
    clock = Clock()
    provider = Provider(lambda: token(1800), lambda: token(9000))
    wired = wire(provider, clock=clock)
    peer = wired.up()
    sleep(wired, clock)
    update = peer.expect(Update)
    peer.send(Reply(update.id))

    assert update.token == provider.calls[1]
    assert wired.service.accepted == 1


def test_a_token_that_expired_in_sleep_is_not_sent_again(wire: Wire) -> None:
    """Asleep in back-off: the provider is asked first, then one init carries the new token."""
    clock = Clock()
    provider = Provider(lambda: token(1800), lambda: token(9000))
    wired = wire(provider, reconnect=LONG, clock=clock)
    wired.up().cut()
    wired.recorder.wait_state(ConnectionState.RETRYING)
    time_to_rest = wired.connection._io._source._rest
    assert time_to_rest is not None
    assert time_to_rest.active, "the provider is not to be asked for another minute, were it not for the sleep"
    sleep(wired, clock)
    init = wired.service.peer().accept_init()

    assert [init.token] == provider.calls[1:]


def test_a_token_that_is_still_good_is_kept(wire: Wire) -> None:
    """The provider is not asked for each time the lid was closed."""
    clock = Clock()
    provider = Provider(lambda: token(3 * HOUR))
    wired = wire(provider, clock=clock)
    peer = wired.up()
    sleep(wired, clock)
    peer.send_frame(ABNF.OPCODE_PONG, probed(peer))
    peer.send(Notification("N1", "t", "after the pong"))
    wired.recorder.wait_for("notification")
    peer.expect_acknowledgement()
    sleep(wired, clock)
    probed(peer)

    assert len(provider.threads) == 1


@pytest.mark.parametrize("seconds", [2.0, -2.0, -HOUR])
def test_a_clock_that_is_put_right_or_back_changes_nothing(wire: Wire, seconds: float) -> None:
    """A few seconds are no sleep, and back is not where sleep leads: the back-off goes on."""
    clock = Clock()
    wired = wire(reconnect=LONG, clock=clock)
    wired.up().cut()
    wired.recorder.wait_state(ConnectionState.RETRYING)
    sleep(wired, clock, seconds)

    assert wired.service.no_peer(0.2)


def test_after_the_clock_was_put_back_sleep_is_still_noticed(wire: Wire) -> None:
    """What counts is the step from one turn to the next."""
    clock = Clock()
    wired = wire(reconnect=LONG, clock=clock)
    wired.up().cut()
    wired.recorder.wait_state(ConnectionState.RETRYING)
    sleep(wired, clock, -10 * HOUR)
    sleep(wired, clock)
    wired.service.peer().accept_init()

    wired.recorder.wait_for("connected", count=2)


def test_sleep_is_noticed_though_nothing_happens(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop turns at least every `LONGEST_WAIT` seconds, whatever there is to wait for."""
    assert loop.LONGEST_WAIT <= 30
    monkeypatch.setattr(loop, "LONGEST_WAIT", 0.1)
    clock = Clock()
    wired = wire(reconnect=LONG, clock=clock)
    wired.up().cut()
    wired.recorder.wait_state(ConnectionState.RETRYING)
    clock.moved += HOUR
    wired.service.peer().accept_init()

    wired.recorder.wait_for("connected", count=2)
