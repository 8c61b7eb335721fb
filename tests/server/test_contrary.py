"""What nobody outside knows of the cloud can fall out either way: each setting, and what a client sees of it."""

from __future__ import annotations

from collections.abc import Callable

from tests.server.domain.test_conversations import sid_of
from tests.server.peer import Peer, is_event, new_mutation

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


def test_requests_of_others_are_not_limited(configure: Configure, alice: Peer, bob: Peer) -> None:
    """Each connection has its own measure."""
    configure(requests_per_second=1)
    for _ in range(10):
        alice.start("GET", "/Client/v2/Configuration")
    assert bob.get("/Client/v2/Configuration").status == 200


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
