"""Opening, paging and following Sync objects."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.server.conftest import Connect
from tests.server.domain.test_conversations import mine, sid_of
from tests.server.peer import Answer, Peer, names, new_id, sids
from twilio_conversations.server import LocalServer
from twilio_conversations.wire.packets import Init, Notification, Packet, Reply


@pytest.fixture
def room(alice: Peer) -> str:
    """A conversation of alice's with messages 0 to 9, of which 3 and 9 are deleted."""
    url = alice.room()
    sent = [alice.say(url, f"m{number}")["sid"] for number in range(10)]
    for number in (3, 9):
        alice.delete(f"{url}/Messages/{sent[number]}")
    return url


PRESENT = [0, 1, 2, 4, 5, 6, 7, 8]


def indexes(page: dict[str, Any]) -> list[int]:
    """The indexes on a page."""
    return [item["index"] for item in page["items"]]


def test_roots(alice: Peer) -> None:
    """A root has sid, name, links, head and revision; empty lists and maps start at -1, documents at 0."""
    sid = sid_of(alice.room())
    messages = alice.open("list", f"{sid}.messages")
    assert (messages["last_event_id"], messages["revision"]) == (-1, "0")
    assert messages["sid"].startswith("ES")
    assert messages["unique_name"] == f"{sid}.messages"
    assert messages["links"]["items"] == f"{messages['url']}/Items"
    roster = alice.open("map", f"{sid}.roster")
    assert (roster["last_event_id"], roster["revision"]) == (0, "1")
    channel = alice.open("document", f"{sid}.channel")
    assert (channel["last_event_id"], channel["revision"], channel["data"]["sid"]) == (0, "0", sid)
    assert alice.open("document", channel["sid"]) == channel
    assert alice.get(f"/v3/Maps/{sid}.channel").code == 54300


def test_a_root_is_never_older_than_an_answer(alice: Peer) -> None:
    """An open after a command shows what the command did, though roots are kept in memory."""
    room = alice.room()
    for number in range(5):
        alice.say(room)
        assert alice.open("list", f"{sid_of(room)}.messages")["last_event_id"] == number
        assert alice.open("document", f"{sid_of(room)}.channel")["data"]["lastMessage"]["index"] == number


def test_user_map_with_items(alice: Peer) -> None:
    """`Include=items` gives a bare array with friendly name and attributes."""
    name = alice.configuration["sync_objects"]["my_user_info"]
    items = alice.get(f"/v3/Maps/{name}?Include=items").body["items"]
    assert {item["key"]: item["data"] for item in items} == {"friendlyName": {"value": None}, "attributes": {"value": "{}"}}


@pytest.mark.parametrize(
    ("query", "expected", "more_before", "more_after"),
    [
        ({}, PRESENT, False, False),
        ({"PageSize": 3}, [0, 1, 2], False, True),
        ({"PageSize": 3, "Order": "desc"}, [8, 7, 6], False, True),
        ({"PageSize": 8}, PRESENT, False, False),
        ({"PageSize": 3, "From": 3}, [4, 5, 6], True, True),
        ({"PageSize": 3, "From": 3, "Order": "desc"}, [2, 1, 0], True, False),
        ({"PageSize": 3, "From": 4, "Bounds": "exclusive"}, [5, 6, 7], True, True),
        ({"PageSize": 3, "From": 4, "Bounds": "exclusive", "Order": "desc"}, [2, 1, 0], True, False),
        ({"PageSize": 3, "From": 0}, [0, 1, 2], False, True),
        ({"PageSize": 3, "From": -5}, [0, 1, 2], False, True),
        ({"From": 1000, "Order": "desc", "PageSize": 2}, [8, 7], False, True),
        ({"From": 1000}, [], True, False),
        ({"From": 10**30, "Order": "desc", "PageSize": 1}, [8], False, True),
        ({"Index": 4}, [4], False, False),
        ({"Index": 3}, [], False, False),
        ({"HideExpired": "true", "PageSize": 500}, PRESENT, False, False),
    ],
)
def test_pages(alice: Peer, room: str, query: dict[str, Any], expected: list[int], more_before: bool, more_after: bool) -> None:
    """Start, direction, bounds and size; tokens are null exactly at the edges, in the order of the query."""
    page = alice.page(alice.open("list", f"{sid_of(room)}.messages"), **query)
    assert indexes(page) == expected
    assert (page["meta"]["previous_token"] is not None) == more_before
    assert (page["meta"]["next_token"] is not None) == more_after


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("size", [1, 3, 8])
def test_tokens_alone_walk_there_and_back(alice: Peer, room: str, order: str, size: int) -> None:
    """A token carries order, size and position: following them shows everything once, in both directions."""
    root = alice.open("list", f"{sid_of(room)}.messages")
    page = alice.page(root, Order=order, PageSize=size)
    pages = [indexes(page)]
    while page["meta"]["next_token"]:
        page = alice.page(root, PageToken=page["meta"]["next_token"])
        pages.append(indexes(page))
    assert joined(pages) == (PRESENT if order == "asc" else PRESENT[::-1])
    back = [indexes(page)]
    while page["meta"]["previous_token"]:
        page = alice.page(root, PageToken=page["meta"]["previous_token"])
        back.append(indexes(page))
    assert joined(back[::-1]) == joined(pages)


def joined(lists: Iterable[list[Any]]) -> list[Any]:
    """One list of many."""
    return list(itertools.chain.from_iterable(lists))


def test_large_pages_are_cut(alice: Peer) -> None:
    """At most 100 items come back, with a token for the rest."""
    room = alice.room()
    for _ in range(101):
        alice.say(room)
    page = alice.page(alice.open("list", f"{sid_of(room)}.messages"), PageSize=500)
    assert len(page["items"]) == 100
    assert page["meta"]["next_token"]


@pytest.mark.parametrize(
    "query", ["PageSize=0", "PageSize=x", "PageSize=-1", "Order=up", "From=x", "PageToken=x", "PageToken=e30%3D", "Bounds=on"]
)
def test_bad_pages(alice: Peer, room: str, query: str) -> None:
    """Malformed queries are refused, not guessed at."""
    answer = alice.get(f"/v3/Lists/{sid_of(room)}.messages/Items?{query}")
    assert answer.status == 400


# -- following ---------------------------------------------------------------------------------------------------------------


def live_indexes(notifications: list[Notification]) -> list[int]:
    """Item indexes of all events, in order."""
    return [event["item_index"] for packet in notifications for event in packet.payload["events"] if "item_index" in event]


def test_replay_then_established_then_live(alice: Peer, bob: Peer) -> None:
    """What came after the cursor is replayed with the poke's id, then established with the head, then live without it."""
    room = alice.room(bob.identity)
    alice.say(room)
    root = bob.open("list", f"{sid_of(room)}.messages")
    for _ in range(3):
        alice.say(room)
    bob.poke(("list", root["sid"], root["last_event_id"]), correlation=77)
    alice.say(room)
    replay, established, live = bob.barrier()
    assert (replay.message_type, replay.payload["correlation_id"]) == ("twilio.sync.event", 77)
    assert live_indexes([replay]) == [1, 2, 3]
    assert established.payload["correlation_id"] == 77
    assert established.payload["events"] == [
        {"object_sid": root["sid"], "object_type": "list", "replay_status": "completed", "last_event_id": 3}
    ]
    assert live.message_type == "com.twilio.rtd.cds.list"
    assert "correlation_id" not in live.payload
    assert live_indexes([live]) == [4]


def test_replay_from_the_log_in_order(alice: Peer, bob: Peer) -> None:
    """A replay of mixed events keeps their order, and events of one kind share a frame."""
    room = alice.room(bob.identity)
    sent = [alice.say(room)["sid"] for _ in range(3)]
    alice.post(f"{room}/Messages/{sent[0]}", {"body": "x"})
    alice.delete(f"{room}/Messages/{sent[1]}")
    root = bob.open("list", f"{sid_of(room)}.messages")
    bob.poke(("list", root["sid"], -1))
    found = bob.barrier()
    assert names(found) == ["list_item_added", "list_item_updated", "list_item_removed", "subscription_established"]
    assert [event["id"] for packet in found[:-1] for event in packet.payload["events"]] == [0, 1, 2, 3, 4]
    assert found[2].payload["events"][0]["item_data"]["sid"] == sent[1]


def test_long_replays_are_cut_into_frames(alice: Peer) -> None:
    """More events than one frame should carry, by number or by size, come in several, in order and once."""
    room = alice.room()
    for number in range(150):
        alice.say(room, "x" * (30_000 if number < 20 else 10))
    root = alice.open("list", f"{sid_of(room)}.messages")
    alice.poke(("list", root["sid"], -1))
    *replayed, established = alice.barrier()
    assert live_indexes(replayed) == list(range(150))
    assert max(len(packet.encode()) for packet in replayed) < 200_000
    assert max(len(packet.payload["events"]) for packet in replayed) <= 100
    assert established.payload["events"][0]["last_event_id"] == 149


def test_null_cursor_means_no_replay(alice: Peer) -> None:
    """A poke without a cursor is established at the head."""
    room = alice.room()
    alice.say(room)
    root = alice.open("list", f"{sid_of(room)}.messages")
    alice.poke(("list", root["sid"], None))
    (established,) = alice.barrier()
    assert established.payload["events"][0]["last_event_id"] == 0


def test_establishing_again_replaces(alice: Peer) -> None:
    """A second poke for an object replays from its own cursor, and events still come once."""
    room = alice.room()
    root = alice.follow("list", f"{sid_of(room)}.messages")
    alice.say(room)
    alice.barrier()
    alice.poke(("list", root["sid"], -1), correlation=2)
    alice.say(room)
    assert names(alice.barrier()) == ["list_item_added", "subscription_established", "list_item_added"]


def test_cancel(alice: Peer) -> None:
    """A cancelled subscription is silent; cancelling what was not subscribed is confirmed too."""
    room = alice.room()
    root = alice.follow("list", f"{sid_of(room)}.messages")
    assert alice.poke(("list", root["sid"], None), ("map", "MPnothing", None), action="cancel", correlation=9).status == 202
    alice.say(room)
    found = alice.barrier()
    assert names(found) == ["subscription_canceled"] * 2
    assert [sids(packet) for packet in found] == [[root["sid"]], ["MPnothing"]]
    assert {packet.payload["correlation_id"] for packet in found} == {9}


def test_failures_have_one_entry_each(alice: Peer, connect: Connect) -> None:
    """Unknown sids, wrong types and other people's objects fail with 404; the rest of the poke is established."""
    room = alice.room()
    root = alice.open("list", f"{sid_of(room)}.messages")
    own = alice.open("map", mine(alice))
    carol = connect("carol")
    theirs = carol.open("map", mine(carol))
    good = ("map", own["sid"], own["last_event_id"])
    alice.poke(("list", "ES" + "0" * 32, 0), ("map", root["sid"], 0), ("map", theirs["sid"], 0), good)
    found = alice.barrier()
    failed = [packet.payload["events"][0] for packet in found if packet.payload["event_type"] == "subscription_failed"]
    assert [(event["error"]["status"], event["error"]["code"]) for event in failed] == [(404, 54150), (404, 54200), (404, 54200)]
    assert sids(found[0]) == [own["sid"]]


def test_a_refusal_does_not_overtake_the_events_that_lead_to_it(alice: Peer, bob: Peer) -> None:
    """Bob subscribes, and opens, while Alice removes him: his list changes before he is refused, however they meet."""
    bob.follow("map", mine(bob))
    for _ in range(40):
        room = alice.room(bob.identity)
        root = bob.open("document", f"{sid_of(room)}.channel")
        bob.barrier()
        removal = alice.start("DELETE", f"{room}/Participants/{bob.identity}", {})
        opens = []
        for _ in range(15):
            bob.start_poke(("document", root["sid"], root["last_event_id"]))
            opens.append(bob.start("GET", f"/v3/Documents/{root['sid']}"))
        assert alice.reply_to(removal).status.ok
        bob.start_poke(("document", root["sid"], root["last_event_id"]))
        bob.get(bob.link("conversations"))
        told = [_outcome(packet, opens) for packet in bob.inbox]
        assert "map_item_removed" in told[: told.index("refused")]
        bob.inbox.clear()


def _outcome(packet: Packet, opens: list[str]) -> str:
    """The outcome, or the event type, that a packet reports."""
    if isinstance(packet, Reply) and packet.id in opens:
        return "refused" if Answer(packet).status == 404 else "opened"
    if isinstance(packet, Notification):
        event_type = packet.payload.get("event_type", "")
        return "refused" if event_type == "subscription_failed" else event_type
    return ""


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": "dance", "requests": []},
        {"action": "establish", "requests": {}},
        {"action": "establish", "requests": [5]},
        {"action": "establish", "requests": [{"object_sid": 5}]},
        {"action": "establish", "requests": [{"object_sid": "ES"}] * 1_001},
    ],
)
def test_bad_pokes(alice: Peer, body: dict[str, Any]) -> None:
    """A malformed poke is refused as a whole."""
    assert alice.post("/v4/Subscriptions", body).code == 20001


def test_strange_cursors_and_types(alice: Peer) -> None:
    """Cursors and types of any JSON kind are answered one way or the other."""
    root = alice.open("list", f"{sid_of(alice.room())}.messages")
    strange: tuple[Any, ...] = ("7", [], {}, True, 1.5, 10**40, -(10**40))
    for last in strange:
        alice.poke(("list", root["sid"], last))
        assert names(alice.barrier()) == ["subscription_established"]
    alice.post("/v4/Subscriptions", {"action": "establish", "requests": [{"object_sid": root["sid"], "object_type": []}]})
    assert names(alice.barrier()) == ["subscription_failed"]


def test_a_thousand_objects_fit_one_poke(alice: Peer) -> None:
    """Clients are told that a poke may name 1,000 objects, and one that does is answered for each of them."""
    root = alice.open("list", f"{sid_of(alice.room())}.messages")
    answer = alice.poke(*[("list", root["sid"], None)] * 1_000)
    assert answer.body["max_batch_size"] == 1_000
    found = alice.barrier()
    assert set(names(found)) == {"subscription_established"}
    assert sum(len(packet.payload["events"]) for packet in found) == 1_000


def test_large_pokes_are_answered_in_batches(connect: Connect) -> None:
    """A poke of many objects is established in few frames, one entry for each object."""
    alice = connect("alice")
    roots = [alice.open("list", f"{sid_of(alice.room())}.messages") for _ in range(40)]
    alice.poke(*(("list", root["sid"], -1) for root in roots))
    found = alice.barrier()
    assert len(found) < 5
    assert joined(sids(packet) for packet in found) == [root["sid"] for root in roots]


def test_subscriptions_belong_to_their_connection(alice: Peer, bob: Peer) -> None:
    """Somebody else's subscription is not one's own, and a second connection starts with none."""
    room = alice.room(bob.identity)
    alice.follow("list", f"{sid_of(room)}.messages")
    alice.say(room)
    assert names(alice.barrier()) == ["list_item_added"]
    with Peer.connected(alice.server, alice.identity) as second:
        alice.say(room)
        assert bob.barrier() == second.barrier() == []


def test_only_registered_types_are_sent(service: LocalServer, fresh: Callable[[str], str]) -> None:
    """A connection that registered for no notifications gets none."""
    with Peer(service) as alice:
        init = Init(new_id(), service.token(fresh("alice")))
        alice.send(init)
        assert alice.reply_to(init.id).status.ok
        alice.configuration = alice.get("/Client/v2/Configuration").body
        room = alice.room()
        root = alice.open("list", f"{sid_of(room)}.messages")
        alice.poke(("list", root["sid"], -1))
        alice.say(room)
        assert alice.barrier() == []


def test_every_subscriber_gets_every_event_in_order(alice: Peer, connect: Connect) -> None:
    """Commands from several connections at once reach all subscribers in one order, without gaps."""
    others = [connect(f"p{number}") for number in range(3)]
    room = alice.room(*(peer.identity for peer in others))
    everybody = [alice, *others]
    for peer in everybody:
        peer.follow("list", f"{sid_of(room)}.messages")
    started = [(peer, peer.start("POST", f"{room}/Messages", {"body": str(n)})) for n in range(20) for peer in everybody]
    for peer, id_ in started:
        assert peer.reply_to(id_).http_status.code == 201  # type: ignore[union-attr]
    for peer in everybody:
        assert live_indexes(peer.barrier()) == list(range(80))


def test_a_slow_reader_loses_nothing(alice: Peer, connect: Connect) -> None:
    """A connection that does not read stands still in the log, holds nobody up, and gets everything when it reads again."""
    slow = connect("slow")
    room = alice.room(slow.identity)
    slow.follow("list", f"{sid_of(room)}.messages")
    text = "x" * 30_000
    for _ in range(300):  # 9 MB: more than socket buffers and the queue of a connection hold
        alice.say(room, text)
    seen: list[int] = []
    while len(seen) < 300:
        packet = slow.receive()
        if isinstance(packet, Notification):
            seen += live_indexes([packet])
    assert seen == list(range(300))
