"""What nobody outside knows of the cloud can fall out either way: each setting, and what a client sees of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from websocket import ABNF

from tests.server.conftest import Connect
from tests.server.domain.test_conversations import sid_of
from tests.server.peer import Peer, is_event, names, new_mutation
from twilio_conversations.server import LocalServer, uvicorn_server
from twilio_conversations.server.settings import LINKS
from twilio_conversations.wire.decoding import decode
from twilio_conversations.wire.packets import Init, Reply, Unknown, acknowledgement

Configure = Callable[..., object]


def test_mutation_ids_ignored(configure: Configure, alice: Peer) -> None:
    """A repeated command is executed again: two messages, and refusals of what is done already."""
    room = alice.room()
    configure(honour_mutation_ids=False)
    mutation = new_mutation()
    sent = [alice.post(f"{room}/Messages", {"body": "once"}, mutation=mutation).body["index"] for _ in range(2)]
    assert sent == [0, 1]
    added = [alice.post(f"{room}/Participants", {"identity": "bob"}, mutation=mutation) for _ in range(2)]
    assert [answer.status for answer in added] == [201, 409]
    assert added[1].code == 50433
    assert [alice.delete(added[0].body["url"], mutation=mutation).status for _ in range(2)] == [204, 404]
    configure(honour_mutation_ids=True)
    assert [alice.post(f"{room}/Messages", {"body": "x"}, mutation=mutation).status for _ in range(2)] == [201, 202]


def test_mutation_ids_on_one_connection_only(configure: Configure, connect: Connect, fresh: Callable[[str], str]) -> None:
    """A repetition on another connection is executed again; one on the same connection is not."""
    identity = fresh("alice")
    first, second = connect(identity=identity), connect(identity=identity)
    room, mutation = first.room(), new_mutation()
    configure(mutation_id_scope="connection")

    def send(peer: Peer) -> int:
        return peer.post(f"{room}/Messages", {"body": "x"}, mutation=mutation).status

    assert [send(first), send(first), send(second), send(second)] == [201, 202, 201, 202]
    configure(mutation_id_scope="user")
    assert [send(first), send(second)] == [201, 202]


def test_mutation_ids_for_a_time_only() -> None:
    """A repetition is executed again when the service's clock has gone on by the lifetime, and honoured until then."""
    with LocalServer(settings={"mutation_id_lifetime": 60}) as server, Peer.connected(server, "alice") as alice:
        room, mutation = alice.room(), new_mutation()

        def send() -> int:
            return alice.post(f"{room}/Messages", {"body": "x"}, mutation=mutation).status

        assert [send(), send()] == [201, 202]
        server.advance_clock(61)
        assert [send(), send()] == [201, 202]
        assert alice.get(room).body["messages_count"] == 2


def test_a_short_journal(configure: Configure, alice: Peer, bob: Peer) -> None:
    """A replay tells the newest events only and ends, as completed, at a later id than its first ones would lead to."""
    room = bob.room(alice.identity)
    name = f"{sid_of(room)}.messages"
    before = alice.open("list", name)["last_event_id"]
    for number in range(5):
        bob.say(room, str(number))
    for limit, told in ((2, ["3", "4"]), (0, []), (5, ["0", "1", "2", "3", "4"]), (None, ["0", "1", "2", "3", "4"])):
        configure(journal_limit=limit)
        root = alice.open("list", name)
        assert alice.poke(("list", root["sid"], before)).status == 202
        ended = alice.event("subscription_established").payload["events"][0]
        assert (ended["replay_status"], ended["last_event_id"]) == ("completed", root["last_event_id"])
        replayed = [packet for packet in alice.barrier() if is_event(packet, "list_item_added")]
        assert [event["item_data"]["text"] for packet in replayed for event in packet.payload["events"]] == told
    bob.say(room, "live")
    assert alice.event("list_item_added").payload["events"][0]["item_data"]["text"] == "live"


def test_included_items_limited(configure: Configure, alice: Peer) -> None:
    """A map's root brings so many of its items, without saying that there are more; its pages have all."""
    room = alice.room(*(f"guest-{number}" for number in range(5)))
    roster = f"{sid_of(room)}.roster"
    for limit, count in ((0, 0), (2, 2), (10_000, 6)):
        configure(included_items=limit)
        assert len(alice.get(f"/v3/Maps/{roster}?Include=items").body["items"]) == count
    assert len(alice.items("map", roster)) == 6


def test_requests_limited(configure: Configure, alice: Peer) -> None:
    """What comes too fast is answered 429 with Retry-After, on this connection only; later requests are answered."""
    configure(requests_per_second=1)
    asked = [alice.start("GET", "/Client/v2/Configuration") for _ in range(200)]
    replies = [alice.reply_to(id_) for id_ in asked]
    statuses = [reply.http_status.code for reply in replies if reply.http_status is not None]
    assert statuses[0] == 200
    assert set(statuses) == {200, 429}
    refused = replies[statuses.index(429)]
    assert (refused.http_headers["retry-after"], refused.json()["code"]) == ("1", 20429)
    configure(requests_per_second=0)
    assert alice.get("/Client/v2/Configuration").status == 200


def test_requests_limited_by_the_tunnel(configure: Configure, alice: Peer) -> None:
    """The reply's own status is the refusal, as the cloud's tunnel sends it: without an HTTP status, headers or a body."""
    configure(requests_per_second=1, requests_refused_by="tunnel")
    replies = [alice.reply_to(id_) for id_ in [alice.start("GET", "/Client/v2/Configuration") for _ in range(200)]]
    refused = next(reply for reply in replies if not reply.status.ok)
    assert (refused.status.code, refused.status.status, refused.status.error_code) == (429, "TOO_MANY_REQUESTS", 51202)
    assert (refused.http_status, refused.http_headers, refused.body) == (None, {}, b"")


def test_requests_of_others_are_not_limited(configure: Configure, alice: Peer, bob: Peer) -> None:
    """Each connection has its own measure."""
    configure(requests_per_second=1)
    for _ in range(10):
        alice.start("GET", "/Client/v2/Configuration")
    assert bob.get("/Client/v2/Configuration").status == 200


def test_writes_to_an_object_limited(configure: Configure, alice: Peer) -> None:
    """Writes to one conversation beyond the rate are answered 429; those to another one, and reads, are not."""
    room, other = alice.room(), alice.room()
    configure(object_writes_per_second=1)
    sent = [alice.start("POST", f"{room}/Messages", {"body": "x"}) for _ in range(200)]
    replies = [alice.reply_to(id_) for id_ in sent]
    statuses = [reply.http_status.code for reply in replies if reply.http_status is not None]
    assert statuses[:10] == [201] * 10
    assert set(statuses) == {201, 429}
    assert replies[statuses.index(429)].http_headers["retry-after"] == "1"
    assert alice.say(other)["index"] == 0
    assert alice.get(room).body["messages_count"] == statuses.count(201)


def test_subscriptions_limited(configure: Configure, alice: Peer, bob: Peer) -> None:
    """What is subscribed to beyond the limit fails with 54419; a repetition does not count, and canceling makes room."""
    room = bob.room(alice.identity)
    sid = sid_of(room)
    configure(subscriptions_limit=2)
    document, messages = alice.follow("document", f"{sid}.channel"), alice.follow("list", f"{sid}.messages")
    roster = alice.open("map", f"{sid}.roster")
    third = ("map", roster["sid"], roster["last_event_id"])
    assert alice.poke(third).status == 202
    error = alice.event("subscription_failed").payload["events"][0]["error"]
    assert (error["status"], error["code"]) == (429, 54419)
    alice.follow("list", f"{sid}.messages")
    bob.say(room)
    assert alice.event("list_item_added").payload["events"][0]["list_sid"] == messages["sid"]
    alice.poke(("document", document["sid"], None), action="cancel")
    alice.event("subscription_canceled")
    assert alice.poke(third).status == 202
    assert alice.event("subscription_established").payload["events"][0]["object_sid"] == roster["sid"]


def test_live_events_before_replayed_ones(configure: Configure, alice: Peer, bob: Peer) -> None:
    """The newest missed event comes first, as a live one; the others follow as replay, and it is not repeated."""
    room = bob.room(alice.identity)
    name = f"{sid_of(room)}.messages"
    before = alice.open("list", name)["last_event_id"]
    for text in ("a", "b", "c"):
        bob.say(room, text)
    configure(replay_order="live_first")
    root = alice.open("list", name)
    assert alice.poke(("list", root["sid"], before)).status == 202
    found = alice.barrier()
    told = [
        (packet.message_type, [event["item_data"]["text"] for event in packet.payload["events"]])
        for packet in found
        if is_event(packet, "list_item_added")
    ]
    assert told == [("com.twilio.rtd.cds.list", ["c"]), ("twilio.sync.event", ["a", "b"])]
    ended = found[-1].payload["events"][0]
    assert (ended["replay_status"], ended["last_event_id"]) == ("completed", root["last_event_id"])
    assert alice.poke(("list", root["sid"], root["last_event_id"])).status == 202
    assert names(alice.barrier()) == ["subscription_established"]


def test_links_left_out(configure: Configure, alice: Peer) -> None:
    """The configuration lacks the links that are named, and has the others; the settings know all of them."""
    assert tuple(alice.configuration["links"]) == LINKS
    configure(links_left_out=["typing", "messages_receipts"])
    links = alice.get("/Client/v2/Configuration").body["links"]
    assert tuple(links) == tuple(name for name in LINKS if name not in ("typing", "messages_receipts"))


def test_page_sizes_refused(configure: Configure, alice: Peer) -> None:
    """A list of conversations has pages of this size, is read in smaller ones, and refuses larger ones."""
    for _ in range(3):
        alice.room()
    configure(conversations_page_size=2)
    url = alice.link("my_conversations")
    assert [len(alice.get(f"{url}{query}").body["conversations"]) for query in ("", "?PageSize=2", "?PageSize=1")] == [2, 2, 1]
    for wrong in ("3", "100", "0", "x"):
        answer = alice.get(f"{url}?PageSize={wrong}")
        assert (answer.status, answer.code) == (400, 20001)
    configure(conversations_page_size=100)
    assert len(alice.get(f"{url}?PageSize=100").body["conversations"]) == 3


def test_the_own_map_comes_late() -> None:
    """A new user's map of conversations is not there for a while, and then it is; other objects are."""
    with LocalServer(settings={"own_map_delay": 60}) as server, Peer.connected(server, "alice") as alice:
        name = alice.configuration["sync_objects"]["my_conversations"]
        assert name == "alice.channels"
        answer = alice.get(f"/v3/Maps/{name}")
        assert (answer.status, answer.code) == (404, 54300)
        room = alice.room()
        assert alice.follow("list", f"{sid_of(room)}.messages")
        server.advance_clock(61)
        assert [item["key"] for item in alice.items("map", name)] == [sid_of(room)]


@pytest.mark.parametrize("status", [401, 403])
def test_connections_refused_without_a_code(service: LocalServer, fresh: Callable[[str], str], status: int) -> None:
    """An init, or a new token, is refused by status alone; the next one is accepted."""
    identity = fresh("alice")
    service.faults.refuse_connections(status=status, code=0, identity=identity)
    with Peer(service) as alice:
        refused = alice.init(service.token(identity)).status
        assert (refused.code, refused.status) == (status, {401: "UNAUTHORIZED", 403: "FORBIDDEN"}[status])
        assert (refused.error_code, refused.description) == (None, None)
    with Peer.connected(service, identity) as alice:
        assert alice.update(service.token(identity)).status.ok
        service.faults.refuse_connections(status=status, identity=identity)
        assert alice.update(service.token(identity)).status.error_code == {401: 20101, 403: 20403}[status]


def test_pings_of_the_service() -> None:
    """The service pings by frames, which wait for no answer, again and again; or not at all."""
    with LocalServer(settings={"ping_interval": 0.05}) as server:
        with Peer.connected(server, "alice") as alice:
            for _ in range(3):
                ping = alice.expect(lambda packet: isinstance(packet, Unknown))
                assert ping.method == "ping"
            alice.send_bytes(acknowledgement(ping.id))
            assert alice.get("/Client/v2/Configuration").status == 200
        server.configure(ping_interval=0)
        with Peer.connected(server, "alice") as alice:
            assert alice.get("/Client/v2/Configuration").status == 200
            assert not any(isinstance(packet, Unknown) for packet in alice.inbox)


def test_no_websocket_pings(configure: Configure, alice: Peer) -> None:
    """WebSocket pings of a client are answered, or not; frames are, in either case."""
    for answered in (True, False, True):
        configure(websocket_pings=answered)
        alice.socket.ping("?")
        id_ = alice.start("GET", "/Client/v2/Configuration")
        opcode, _ = alice.socket.recv_data(control_frame=True)
        assert opcode == (ABNF.OPCODE_PONG if answered else ABNF.OPCODE_BINARY)
        if answered:
            alice.reply_to(id_)


def test_the_service_sends_no_websocket_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only its own pings come while WebSocket pings are off; the others come again when they are on."""
    monkeypatch.setattr(uvicorn_server, "PING_INTERVAL", 0.02)
    with LocalServer(settings={"websocket_pings": False, "ping_interval": 0.3}) as server, Peer(server) as alice:
        alice.init(server.token("alice"))
        assert alice.socket.recv_data(control_frame=True)[0] == ABNF.OPCODE_BINARY
        server.configure(websocket_pings=True, ping_interval=0)
        while alice.socket.recv_data(control_frame=True)[0] != ABNF.OPCODE_PING:
            pass


def test_text_frames(configure: Configure, service: LocalServer, fresh: Callable[[str], str]) -> None:
    """The service sends text messages instead of binary ones, with the same frames in them."""
    configure(frame_type="text")
    identity = fresh("álice")
    with Peer(service) as alice:
        alice.send(Init("TM1", service.token(identity)))
        opcode, data = alice.socket.recv_data()
        assert opcode == ABNF.OPCODE_TEXT
        init = decode(data)
        assert isinstance(init, Reply)
        assert init.status.ok
        id_ = alice.start("GET", "/Client/v2/Configuration")
        opcode, data = alice.socket.recv_data()
        assert opcode == ABNF.OPCODE_TEXT
        reply = decode(data)
        assert isinstance(reply, Reply)
        assert (reply.id, reply.json()["identity"]) == (id_, identity)
