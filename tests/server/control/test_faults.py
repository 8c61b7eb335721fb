"""Faults on command: each happens to those it was meant for, as often as it was ordered, and not after."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import requests

from tests.server.conftest import Connect
from tests.server.peer import TIMEOUT, Peer, new_mutation
from twilio_conversations.server import LocalServer
from twilio_conversations.wire.packets import ClientUpdate, Close, Notification

Fresh = Callable[[str], str]


@pytest.fixture(autouse=True)
def _calm(service: LocalServer) -> Iterator[None]:
    yield
    service.faults.clear()


def test_drop(service: LocalServer, alice: Peer, bob: Peer) -> None:
    """The connection ends without a word; others stay."""
    service.faults.drop(alice.identity)
    with pytest.raises(ConnectionError):
        alice.receive()
    assert bob.get("/Client/v2/Configuration").status == 200


def test_offload(service: LocalServer, alice: Peer) -> None:
    """The connection is told to go elsewhere, and for how long to stay away."""
    service.faults.offload(alice.identity, reconnect_min_ms=1234)
    packet = alice.receive()
    assert isinstance(packet, Close)
    assert packet.status is not None
    assert packet.backoff is not None
    assert (packet.status.code, packet.status.status, packet.backoff.reconnect_min_ms) == (308, "OFFLOAD", 1234)


def test_token_about_to_expire(service: LocalServer, alice: Peer) -> None:
    """The client is told, and goes on."""
    service.faults.token_about_to_expire(alice.identity)
    packet = alice.receive()
    assert isinstance(packet, ClientUpdate)
    assert packet.client_update_type == "token_about_to_expire"
    assert alice.get("/Client/v2/Configuration").status == 200


def test_expire_tokens(service: LocalServer, fresh: Fresh) -> None:
    """The tokens in use are expired for connections and requests, the connection is closed with 410; a new token works."""
    identity = fresh("alice")
    token = service.token(identity)
    with Peer(service) as alice:
        alice.init(token)
        service.faults.expire_tokens(identity)
        packet = alice.receive()
        assert isinstance(packet, Close)
        assert packet.status is not None
        assert (packet.status.code, packet.status.error_code) == (410, 20104)
    with Peer(service) as again:
        assert again.init(token).status.error_code == 20104
    answer = requests.get(f"{service.url}/Client/v2/Configuration", headers={"X-Twilio-Token": token}, timeout=TIMEOUT)
    assert answer.json()["code"] == 20104
    with Peer(service) as renewed:
        assert renewed.init(service.token(identity)).status.ok


def test_refuse_connections(service: LocalServer, fresh: Fresh) -> None:
    """So many connections are refused with 429 and a hint, then they are let in."""
    identity = fresh("alice")
    service.faults.refuse_connections(2, identity=identity, reconnect_min_ms=777)
    for _ in range(2):
        with Peer(service) as alice:
            reply = alice.init(service.token(identity))
            assert (reply.status.code, reply.status.error_code) == (429, 20429)
            assert reply.json() == {"backoff_policy": {"reconnect_min_ms": 777}}
    with Peer(service) as alice:
        assert alice.init(service.token(identity)).status.ok


def test_refuse_requests(service: LocalServer, alice: Peer, bob: Peer) -> None:
    """So many requests to this path are refused with status, code and Retry-After, and nothing of them is carried out."""
    room = alice.room(bob.identity)
    service.faults.refuse(2, status=429, retry_after=3, identity=alice.identity, method="POST", path="/Messages$")
    assert alice.get(room).status == 200
    bob.say(room)
    for _ in range(2):
        reply = alice.reply_to(alice.start("POST", f"{room}/Messages", {"body": "hi"}))
        assert reply.http_status is not None
        assert (reply.http_status.code, reply.http_headers["retry-after"], reply.json()["code"]) == (429, "3", 20429)
    assert alice.say(room)["index"] == 1
    assert service.faults.pending() == []


def test_refuse_requests_over_http(service: LocalServer, alice: Peer) -> None:
    """Plain HTTP meets faults too; the control plane does not."""
    service.faults.refuse(1, status=500, path="^/Client/v2/Conf")
    url, headers = f"{service.url}/Client/v2/Configuration", {"X-Twilio-Token": service.token(alice.identity)}
    refused = requests.get(url, headers=headers, timeout=TIMEOUT)
    assert (refused.status_code, refused.json()["code"]) == (500, 20500)
    assert requests.get(url, headers=headers, timeout=TIMEOUT).status_code == 200


def test_delay(service: LocalServer, alice: Peer) -> None:
    """A delayed request waits, and others of the same connection overtake it."""
    service.faults.delay(0.3, identity=alice.identity, path="Configuration")
    began = time.monotonic()
    slow = alice.start("GET", "/Client/v2/Configuration")
    assert alice.get("/Client/v2/ContentTemplates").status == 200
    assert not any(getattr(packet, "id", None) == slow for packet in alice.inbox)
    alice.reply_to(slow)
    assert time.monotonic() - began >= 0.29


def test_lose_answers(service: LocalServer, connect: Connect, fresh: Fresh) -> None:
    """The command is carried out although its answer is lost with the connection; its repetition is known as one."""
    identity = fresh("alice")
    alice = connect(identity=identity)
    room, mutation = alice.room(), new_mutation()
    service.faults.lose_answers(identity=identity, path="/Messages$")
    alice.start("POST", f"{room}/Messages", {"body": "once"}, mutation=mutation)
    with pytest.raises(ConnectionError):
        alice.receive()
    again = connect(identity=identity)
    repeated = again.post(f"{room}/Messages", {"body": "once"}, mutation=mutation)
    assert repeated.status == 202
    assert again.get(repeated.body["resource_url"]).body["index"] == 0
    assert again.get(room).body["messages_count"] == 1


def test_fail_answers(service: LocalServer, alice: Peer) -> None:
    """The command is carried out and answered with an error all the same; the next one is answered as always."""
    room, mutation = alice.room(), new_mutation()
    service.faults.fail_answers(2, status=502, identity=alice.identity, method="POST", path="/Messages$")
    for _ in range(2):
        answer = alice.post(f"{room}/Messages", {"body": "once"}, mutation=mutation)
        assert (answer.status, answer.code) == (502, 20500)
    assert alice.post(f"{room}/Messages", {"body": "once"}, mutation=mutation).status == 202
    assert alice.get(room).body["messages_count"] == 1
    service.faults.fail_answers(identity=alice.identity, method="DELETE")
    assert alice.delete(room).status == 504
    assert alice.get(room).status == 404


def test_delay_answers(service: LocalServer, alice: Peer) -> None:
    """The command is carried out at once, and answered later; other requests are answered meanwhile."""
    room = alice.room()
    service.faults.delay_answers(0.3, identity=alice.identity, path="/Messages$")
    began = time.monotonic()
    slow = alice.start("POST", f"{room}/Messages", {"body": "x"})
    assert alice.post(room, {"friendly_name": "behind it"}).body["messages_count"] == 1
    assert alice.reply_to(slow).json()["body"] == "x"
    assert time.monotonic() - began >= 0.29


def test_offload_with_an_answer_under_way(service: LocalServer, alice: Peer) -> None:
    """What was carried out before the close is still answered on the old connection; what is asked after it is not."""
    room = alice.room()
    service.faults.delay_answers(1, identity=alice.identity, path="/Messages$")
    sent = alice.start("POST", f"{room}/Messages", {"body": "x"})
    assert alice.post(room, {"friendly_name": "behind it"}).body["messages_count"] == 1
    service.faults.offload(alice.identity)
    alice.expect(lambda packet: isinstance(packet, Close))
    late = alice.start("GET", room)
    assert alice.reply_to(sent).json()["body"] == "x"
    with pytest.raises(ConnectionError):
        alice.reply_to(late)


def test_refusals_in_plain_text_and_without_a_code(service: LocalServer, alice: Peer) -> None:
    """A proxy refuses in words of its own, through the tunnel and over HTTP; Twilio may leave its code out."""
    service.faults.refuse(2, content_type="text/plain", path="Configuration$")
    reply = alice.reply_to(alice.start("GET", "/Client/v2/Configuration"))
    assert reply.http_status is not None
    assert (reply.http_status.code, reply.http_headers["content-type"]) == (503, "text/plain")
    assert reply.body.startswith(b"upstream")
    headers = {"X-Twilio-Token": service.token(alice.identity)}
    refused = requests.get(f"{service.url}/Client/v2/Configuration", headers=headers, timeout=TIMEOUT)
    assert (refused.status_code, refused.headers["content-type"]) == (503, "text/plain; charset=utf-8")
    service.faults.refuse(status=404, code=51200, refused_by="tunnel", identity=alice.identity)
    reply = alice.reply_to(alice.start("GET", "/Client/v2/Configuration"))
    assert (reply.status.code, reply.status.status, reply.status.error_code) == (404, "NOT_FOUND", 51200)
    assert reply.http_status is None
    service.faults.refuse(status=401, code=0, identity=alice.identity)
    answer = alice.get("/Client/v2/Configuration")
    assert (answer.status, answer.body) == (401, {"status": 401, "message": "Refused on command"})


def test_hold_events(service: LocalServer, alice: Peer, bob: Peer, connect: Connect) -> None:
    """Held events come after the release, in order; answers, and other people's events, do not wait."""
    room = alice.room(bob.identity)
    name = f"{room.rsplit('/', 1)[1]}.messages"
    for peer in (alice, bob):
        peer.follow("list", name)
    with service.faults.held_events(alice.identity):
        for text in ("one", "two"):
            alice.say(room, text)
        assert bob.event("list_item_added").payload["events"][0]["item_data"]["text"] == "one"
        assert alice.barrier() == []
        second = connect(identity=alice.identity)
        assert second.get(room).status == 200
        assert {fault["kind"] for fault in service.faults.pending()} == {"hold_events"}
    texts = [alice.event("list_item_added").payload["events"][0]["item_data"]["text"] for _ in range(2)]
    assert texts == ["one", "two"]
    alice.say(room, "three")
    assert isinstance(alice.event("list_item_added"), Notification)


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"kind": "explode"},
        {"kind": "refuse", "status": 200},
        {"kind": "refuse", "path": "("},
        {"kind": "refuse", "count": 0},
        {"kind": "refuse", "code": "x"},
        {"kind": "drop", "who": "alice"},
        {"kind": "delay", "seconds": -1},
        {"kind": "delay", "seconds": "1"},
        {"kind": "refuse", "content_type": "text/html"},
        {"kind": "refuse", "refused_by": "proxy"},
        {"kind": "fail_answers", "status": 99},
    ],
)
def test_what_is_no_fault_is_refused(service: LocalServer, order: dict[str, object]) -> None:
    """An order that cannot be read changes nothing."""
    with pytest.raises(ValueError, match="Not a fault"):
        service.perform("POST", "faults", order)
    assert service.faults.pending() == []
