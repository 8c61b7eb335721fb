"""Push registrations and reachability: what is kept of devices, and who sees who is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.peer import Peer, new_mutation
from twilio_conversations.server import LocalServer

URL = "/v1/registrations"
QUERY = "?productId=ip_messaging"


def device(name: str = "token-1", channel: str = "fcm", **changes: Any) -> dict[str, Any]:
    """A request for registration."""
    return {
        "endpoint_platform": "Node.js 20",
        "channel_type": channel,
        "version": "3",
        "message_types": ["twilio.conversations.new_message", "twilio.conversations.added_to_conversation"],
        "data": {"registration_id": name},
        **changes,
    }


def register(peer: Peer, name: str = "token-1", channel: str = "fcm", **changes: Any) -> str:
    """Register a device; the id of the registration."""
    answer = peer.post(URL + QUERY, device(name, channel, **changes))
    assert answer.status == 201, answer.body
    return str(answer.body["id"])


def listed(peer: Peer) -> list[tuple[str, str]]:
    """Channel and device of a person's registrations."""
    rows = peer.get(URL).body["registrations"]
    return [(row["channel_type"], row["data"]["registration_id"]) for row in rows]


def remove(peer: Peer, name: str, channel: str = "fcm") -> int:
    """Remove a device; the status of the answer."""
    return peer.request("DELETE", URL + QUERY, {"binding_type": channel, "address": name}).status


# -- registrations ---------------------------------------------------------------------------------------------------------


def test_a_registration_is_kept(alice: Peer) -> None:
    """What was registered is listed with all it said, and can be read by its id."""
    id_ = register(alice)
    kept = alice.get(f"{URL}/{id_}").body
    assert {name: kept[name] for name in device()} == device()
    assert (kept["id"], kept["identity"]) == (id_, alice.identity)
    assert listed(alice) == [("fcm", "token-1")]


def test_a_device_is_registered_once(alice: Peer) -> None:
    """The same device again keeps its id and takes the new wishes; another one, or another channel, is added."""
    first = register(alice)
    assert register(alice, message_types=["twilio.channel.consumption_update"]) == first
    assert alice.get(f"{URL}/{first}").body["message_types"] == ["twilio.channel.consumption_update"]
    register(alice, "token-2")
    register(alice, channel="apn")
    assert sorted(listed(alice)) == [("apn", "token-1"), ("fcm", "token-1"), ("fcm", "token-2")]


def test_a_registration_is_removed(alice: Peer) -> None:
    """By its id or by its device, as often as one likes."""
    id_ = register(alice)
    register(alice, "token-2")
    for _ in range(2):
        assert alice.delete(f"{URL}/{id_}{QUERY}").status == 204
        assert listed(alice) == [("fcm", "token-2")]
    for _ in range(2):
        assert remove(alice, "token-2") == 204
        assert listed(alice) == []


def test_registrations_are_ones_own(alice: Peer, bob: Peer) -> None:
    """Nobody sees or ends the registrations of another, not even of the same device."""
    id_ = register(alice)
    assert listed(bob) == []
    assert bob.get(f"{URL}/{id_}").status == 404
    bob.delete(f"{URL}/{id_}")
    remove(bob, "token-1")
    assert listed(alice) == [("fcm", "token-1")]
    assert register(bob) != id_
    remove(alice, "token-1")
    assert (listed(alice), listed(bob)) == ([], [("fcm", "token-1")])


def test_registrations_can_be_listed_from_outside(service: LocalServer, alice: Peer, bob: Peer) -> None:
    """Whoever runs the service sees everybody's, or one person's."""
    ids = [register(alice), register(bob, channel="apn"), register(alice, "token-2")]
    assert {row["id"] for row in service.registrations()} >= set(ids)
    mine = service.registrations(alice.identity)
    assert {(row["id"], row["identity"]) for row in mine} == {(ids[0], alice.identity), (ids[2], alice.identity)}


def test_a_repeated_registration(alice: Peer) -> None:
    """The same command again is answered with where its outcome is."""
    mutation = new_mutation()
    made = alice.post(URL, device(), mutation=mutation)
    again = alice.post(URL, device(), mutation=mutation)
    assert again.status == 202
    assert alice.get(again.body["resource_url"]).body == made.body


@pytest.mark.parametrize(
    "body",
    [
        {},
        device(channel="gcm"),
        device(channel="fcm", data={}),
        device(data={"registration_id": ""}),
        device(data={"registration_id": 5}),
        device(data={"registration_id": "x" * 4097}),
        device(data="x"),
        device(message_types="all"),
        device(message_types=[1]),
        device(message_types=["x"] * 51),
        device(version=3),
        device(endpoint_platform="x" * 129),
    ],
)
def test_registrations_that_are_none(alice: Peer, body: dict[str, Any]) -> None:
    """What says no device, no channel or no types is refused, and nothing is kept."""
    assert alice.post(URL, body).code == 20422
    assert listed(alice) == []


def test_registrations_outlive_the_service(tmp_path: Path) -> None:
    """After a restart they are still there."""
    with LocalServer(tmp_path) as server, Peer.connected(server, "alice") as alice:
        register(alice)
    with LocalServer(tmp_path) as server, Peer.connected(server, "alice") as alice:
        assert listed(alice) == [("fcm", "token-1")]


# -- reachability ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def reachable() -> Iterator[LocalServer]:
    """A service that tells who is there."""
    with LocalServer() as server:
        server.configure(reachability_enabled=True)
        yield server


def info(peer: Peer, identity: str) -> dict[str, Any]:
    """The user info of somebody, by key."""
    name = peer.get(f"{peer.link('users')}/{identity}").body["sync_objects"]["user_info_map"]
    return {item["key"]: item["data"] for item in peer.items("map", name)}


def seen(peer: Peer, event_type: str = "map_item_updated") -> dict[str, Any]:
    """The next change of reachability."""
    event = peer.event(event_type).payload["events"][0]
    assert event["item_key"] == "reachability"
    return dict(event["item_data"])


def follow(peer: Peer, identity: str) -> None:
    """Follow somebody's user info."""
    peer.follow("map", peer.get(f"{peer.link('users')}/{identity}").body["sync_objects"]["user_info_map"])


def test_off_by_default(alice: Peer, bob: Peer) -> None:
    """Unless it is enabled nothing is told of anybody."""
    register(bob)
    assert set(info(alice, bob.identity)) == {"friendlyName", "attributes"}
    assert alice.configuration["options"]["reachability_enabled"] is False


def test_coming_and_going(reachable: LocalServer) -> None:
    """Who has a connection is online, from the moment of being let in until the last one ends."""
    with Peer.connected(reachable, "alice") as alice:
        assert alice.configuration["options"]["reachability_enabled"] is True
        assert info(alice, "alice")["reachability"] == {"online": True, "notifiable": False}
        body = alice.get(f"{alice.link('users')}/alice").body
        assert (body["is_online"], body["is_notifiable"]) == (True, False)
        alice.room("bob")
        assert info(alice, "bob")["reachability"] == {"online": False, "notifiable": False}
        follow(alice, "bob")
        with Peer.connected(reachable, "bob"):
            assert seen(alice) == {"online": True, "notifiable": False}
            with Peer.connected(reachable, "bob"):
                pass
        assert seen(alice) == {"online": False, "notifiable": False}
        assert alice.barrier() == []


def test_notifiable_by_registrations(reachable: LocalServer) -> None:
    """Who has a registration is notifiable, until the last one is removed, connected or not."""
    with Peer.connected(reachable, "alice") as alice, Peer.connected(reachable, "bob") as bob:
        follow(alice, "bob")
        id_ = register(bob)
        assert seen(alice) == {"online": True, "notifiable": True}
        register(bob, "token-2")
        remove(bob, "token-2")
        bob.close()
        assert seen(alice) == {"online": False, "notifiable": True}
        with Peer.connected(reachable, "bob") as back:
            assert seen(alice) == {"online": True, "notifiable": True}
            back.delete(f"{URL}/{id_}")
            assert seen(alice) == {"online": True, "notifiable": False}


def test_after_a_restart_nobody_is_online(tmp_path: Path) -> None:
    """Whoever was online when the service ended is not online when it starts."""
    with LocalServer(tmp_path) as server:
        server.configure(reachability_enabled=True)
        bob = Peer.connected(server, "bob")
    bob.close()
    with LocalServer(tmp_path) as server, Peer.connected(server, "alice") as alice:
        assert info(alice, "bob")["reachability"] == {"online": False, "notifiable": False}
