"""Plans, and the proxy that carries them out, shown with plain sockets."""

from __future__ import annotations

import socket
import time
from collections import Counter

import pytest

from benchmarks.support.line import DelayProxy, Line
from benchmarks.support.observer import Observer
from benchmarks.support.relay import Direction
from tests.faults.plan import Cuts, Ending, Plan, Script, Stall
from tests.faults.proxy import FaultProxy
from tests.faults.test_faults import HEAD_DOWN, HEAD_UP, Service, command, receive, reply, service, until
from tests.support.patience import PATIENCE

__all__ = ["service"]  # the fixture

EVERYTHING = Cuts(
    early=0.2,
    endings=dict.fromkeys(Ending, 1.0),
    stalled=0.3,
    outages=0.3,
    slow=0.5,
)


def planned(service: Service, *plans: Plan) -> FaultProxy:
    """A proxy whose first connections have these plans."""
    return FaultProxy(service.address, seed=1, cuts=Script.of(*plans))


def silent(end: socket.socket, seconds: float = 0.1) -> bool:
    """Whether nothing comes, neither a byte nor the end."""
    end.settimeout(seconds)
    try:
        end.recv(1)
    except TimeoutError:
        return True
    finally:
        end.settimeout(PATIENCE)
    return False


def test_the_same_seed_draws_the_same_plans_in_any_order() -> None:
    """The plan of a connection depends on the seed and its number, and on nothing that was drawn before."""
    forward = [EVERYTHING.draw(7, number) for number in range(200)]
    backward = [EVERYTHING.draw(7, number) for number in reversed(range(200))]
    assert forward == backward[::-1]
    assert len(set(map(repr, forward))) == 200, "no two are alike"
    assert forward[0] != EVERYTHING.draw(8, 0)


def test_everything_that_may_be_drawn_is_drawn() -> None:
    """Each kind of end, of trigger and of trouble comes up, about as often as its share says."""
    plans = [EVERYTHING.draw(3, number) for number in range(2000)]
    endings = Counter(plan.ending for plan in plans)
    assert set(endings) == set(Ending)
    assert all(200 < count < 500 for ending, count in endings.items() if "half" not in ending.value)
    assert all((plan.cut_at is None) != (plan.commands is None) for plan in plans)
    assert not any(plan.commands and plan.ending is Ending.HALF_CLOSE_UP for plan in plans)
    for share, count in (
        (0.2 + 0.4 * 0.02, sum(plan.cut_at is not None and plan.cut_at[1] <= 2_500 for plan in plans)),
        (0.3, sum(plan.stall is not None for plan in plans)),
        (0.3, sum(plan.outage > 0 for plan in plans)),
        (0.5, sum(plan.line != Line() for plan in plans)),
    ):
        assert abs(count / len(plans) - share) < 0.06


def test_jitter_keeps_the_order_of_a_direction(service: Service) -> None:
    """Pieces that take different times arrive in the order in which they were sent, complete, and not before the latency."""
    data = b"".join(b"%06d" % number for number in range(500))
    with planned(service, Plan(Line(latency=0.02, jitter=0.03))) as proxy:
        client, peer = service.connect(proxy)
        start = time.monotonic()
        for at in range(0, len(data), 30):
            client.sendall(data[at : at + 30])
        assert receive(peer, 1) == data[:1]
        assert time.monotonic() - start >= 0.02
        assert receive(peer, len(data) - 1) == data[1:]


def test_bandwidth_spreads_bytes_over_time(service: Service) -> None:
    """30,000 bytes at 100,000 a second take at least 0.25 s, and come in pieces meanwhile."""
    with planned(service, Plan(Line(bandwidth=100_000))) as proxy:
        client, peer = service.connect(proxy)
        start = time.monotonic()
        client.sendall(b"x" * 30_000)
        first = peer.recv(30_000)
        assert 0 < len(first) < 30_000
        receive(peer, 30_000 - len(first))
        assert time.monotonic() - start >= 0.25


def test_a_delay_pushes_back_like_a_path(service: Service) -> None:
    """A sender who does not wait is stopped once a mebibyte is under way."""
    with DelayProxy(service.address, delay=60) as proxy:
        client, _ = service.connect(proxy)
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.sendall(b"x" * 64_000_000)
        assert proxy.links[0].up.under_way < 2_000_000


@pytest.mark.parametrize(
    ("ending", "at_client", "at_service"),
    [
        (Ending.RESET, "reset", "reset"),
        (Ending.FIN, "end", "end"),
        (Ending.HALF_CLOSE_UP, "nothing", "end"),
        (Ending.HALF_CLOSE_DOWN, "end", "nothing"),
        (Ending.BLACK_HOLE, "nothing", "nothing"),
    ],
)
def test_each_ending_as_its_two_sides_see_it(service: Service, ending: Ending, at_client: str, at_service: str) -> None:
    """At the end of its bytes a connection ends as planned; what was before it has arrived, what comes after it does not."""
    with planned(service, Plan(cut_at=(Direction.UP, 5), ending=ending)) as proxy:
        client, peer = service.connect(proxy)
        client.sendall(b"hello, this is too much")
        if ending is not Ending.RESET:
            assert receive(peer, 5) == b"hello" if ending is not Ending.HALF_CLOSE_DOWN else receive(peer, 23)
        assert (outcome(client), outcome(peer)) == (at_client, at_service)
        assert proxy.counts["cuts"] == proxy.counts[f"ended_by_{ending.value}"] == 1


def outcome(end: socket.socket) -> str:
    """Return how a connection ended for this side: nothing, end or reset."""
    end.settimeout(0.2)
    try:
        while end.recv(100):
            pass
    except TimeoutError:
        return "nothing"
    except OSError:
        return "reset"
    return "end"


def test_after_half_a_close_the_other_half_is_open(service: Service) -> None:
    """The client's half has ended; what the service says still arrives."""
    plan = Plan(cut_at=(Direction.UP, 5), ending=Ending.HALF_CLOSE_UP)
    with planned(service, plan) as proxy:
        client, peer = service.connect(proxy)
        client.sendall(b"hello")
        assert (receive(peer, 5), peer.recv(1)) == (b"hello", b"")
        peer.sendall(b"still here")
        assert receive(client, 10) == b"still here"


def test_an_orderly_end_does_not_overtake_bytes_under_way(service: Service) -> None:
    """FIN comes behind what is still on the road."""
    plan = Plan(Line(latency=0.1), cut_at=(Direction.UP, 5), ending=Ending.FIN)
    with planned(service, plan) as proxy:
        client, peer = service.connect(proxy)
        client.sendall(b"hello")
        assert (receive(peer, 5), peer.recv(1)) == (b"hello", b"")


def test_a_black_hole_swallows_the_end_of_the_client(service: Service) -> None:
    """The service receives nothing, even when the client has closed; other connections go on."""
    with planned(service, Plan(cut_at=(Direction.UP, 1), ending=Ending.BLACK_HOLE)) as proxy:
        client, peer = service.connect(proxy)
        client.sendall(b"x")
        receive(peer, 1)
        client.close()
        assert silent(peer)
        other, other_peer = service.connect(proxy)
        other.sendall(b"other")
        assert receive(other_peer, 5) == b"other"


def test_a_stall_ends_by_itself_and_loses_nothing(service: Service) -> None:
    """From the byte of the plan on nothing passes either way; after its time all of it does."""
    with planned(service, Plan(stall=Stall(Direction.UP, 4, 0.5))) as proxy:
        client, peer = service.connect(proxy)
        client.sendall(b"1234")
        peer.sendall(b"down")
        assert silent(peer)
        assert silent(client)
        assert receive(peer, 4) == b"1234"
        assert receive(client, 4) == b"down"
        assert proxy.counts == {"stalls": 1}


def test_an_old_connections_bytes_arrive_after_its_successors(service: Service) -> None:
    """The client is cut off at its command, the service has it only when the successor has long sent its own."""
    with planned(service, Plan(commands=1, ending=Ending.LATE, late=0.3)) as proxy:
        client, peer = service.connect(proxy)
        client.sendall(HEAD_UP)
        receive(peer, len(HEAD_UP))
        client.sendall(command("old"))
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        successor, second_peer = service.connect(proxy)
        successor.sendall(HEAD_UP + command("new"))
        receive(second_peer, len(HEAD_UP + command("new")))
        assert silent(peer, 0.05), "the old one seems alive"
        assert [one.id for one in Observer().feed(HEAD_UP + receive(peer, len(command("old"))))] == ["old"]
        assert peer.recv(1) == b""


def test_nobody_gets_in_for_a_while_after_an_end_with_an_outage(service: Service) -> None:
    """New connections are reset for the time of the plan, then served."""
    with planned(service, Plan(cut_at=(Direction.UP, 1), outage=0.4)) as proxy:
        client, _ = service.connect(proxy)
        client.sendall(b"x")
        until(lambda: proxy.counts["outages"] == 1)
        start = time.monotonic()
        until(lambda: is_served(service, proxy))
        assert time.monotonic() - start >= 0.2
        assert proxy.counts["refused"] > 0


def is_served(service: Service, proxy: FaultProxy) -> bool:
    """Whether a new connection carries bytes."""
    try:
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE) as client:
            client.sendall(b"x")
            client.settimeout(0.1)
            peer = service.listener.accept()[0]
            with peer:
                peer.settimeout(0.2)
                return peer.recv(1) == b"x"
    except OSError:
        return False


def test_pausing_ends_every_plan(service: Service) -> None:
    """A connection that was to end now lives on, and so do new ones."""
    with FaultProxy(service.address, seed=1, cuts=Cuts(commands_between=(1, 1), unanswered=1.0)) as proxy:
        client, peer = service.connect(proxy)
        client.sendall(HEAD_UP + command("one"))
        receive(peer, len(HEAD_UP + command("one")))
        proxy.pause_cuts()
        peer.sendall(HEAD_DOWN + reply("one"))
        assert receive(client, len(HEAD_DOWN + reply("one"))) == HEAD_DOWN + reply("one")
        assert proxy.counts["cuts"] == 0
