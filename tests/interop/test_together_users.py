"""Who is there, between our client and the official one, both ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.interop.official import Official
from tests.interop.steps import official_room, wait_for_roster
from twilio_conversations import NotificationsChannelType
from twilio_conversations.server import LocalServer


@pytest.fixture
def reachable() -> Iterator[LocalServer]:
    """A service that tells who is there."""
    with LocalServer() as server:
        server.configure(reachability_enabled=True)
        yield server


def test_reachability_both_ways(official: Callable[..., Official], ours: Callable[..., Any], reachable: LocalServer) -> None:
    """Each sees the other come, become notifiable by the other's device, and go; each change once, with its reason."""

    def enter(client: Callable[..., Any], identity: str) -> Any:
        return client(identity, token=reachable.token(identity), url=reachable.url)

    def tells(watcher: Any, identity: str, reason: str, value: bool, field: str, since: int) -> None:
        seen = watcher.wait_event("userUpdated", lambda data: data["user"]["identity"] == identity, since=since)
        assert (list(seen["updateReasons"]), seen["user"][field]) == ([reason], value)

    bob = enter(ours, "bob")
    assert bob.client.reachability_enabled is True
    assert bob.client.user.is_online is True
    alice = enter(official, "alice")
    assert alice.user("bob").look()["isOnline"] is True
    assert bob.client.get_user("alice").is_online is True
    for watcher, other in ((alice, "bob"), (bob, "alice")):
        watcher.wait_event("userSubscribed", lambda data, other=other: data["identity"] == other)
    here, there = alice.mark(), bob.mark()
    alice.call("setPushRegistrationId", "fcm", "phone")
    bob.client.set_push_registration_id(NotificationsChannelType.FCM, "tablet")
    tells(alice, "bob", "reachabilityNotifiable", True, "isNotifiable", here)
    tells(bob, "alice", "reachabilityNotifiable", True, "isNotifiable", there)
    there = bob.mark()
    alice.ask("shutdown")
    tells(bob, "alice", "reachabilityOnline", False, "isOnline", there)
    alice = enter(official, "alice")
    assert alice.user("bob").look()["isOnline"] is True
    here = alice.mark()
    bob.client.close()
    tells(alice, "bob", "reachabilityOnline", False, "isOnline", here)
    assert alice.user("bob").look()["isNotifiable"] is True


@pytest.mark.parametrize("name", [".", ".."])
def test_people_named_by_dots(official: Callable[..., Official], ours: Callable[..., Any], name: str) -> None:
    """Whoever is called by dots is added, found and removed by either client, and leaves with either."""
    with LocalServer() as server:
        alice = official("alice", token=server.token("alice"), url=server.url)
        dots = official(name, token=server.token(name), url=server.url)
        bob = ours("bob", token=server.token("bob"), url=server.url)
        sid = official_room(alice, dots)
        alice.conversation(sid).call("add", "bob")
        bob.wait_event("conversationJoined", lambda data: data["sid"] == sid)
        room = bob.client.get_conversation_by_sid(sid)
        assert alice.user(name).look()["identity"] == bob.client.get_user(name).identity == name
        wait_for_roster(dots, sid, sorted(["alice", "bob", name]))

        def goes(go: Callable[[], Any]) -> None:
            mark = dots.mark()
            go()
            # Not `conversationLeft`: where the official client reads the conversation's status just then, it leaves that out.
            dots.wait_event("conversationRemoved", lambda data: data["sid"] == sid, since=mark)
            wait_for_roster(alice, sid, ["alice", "bob"])
            wait_for_roster(bob, sid, ["alice", "bob"])

        def comes() -> None:
            mark = dots.mark()
            room.add(name)
            dots.wait_event("conversationJoined", lambda data: data["sid"] == sid, since=mark)
            for client in (alice, bob, dots):
                wait_for_roster(client, sid, sorted(["alice", "bob", name]))

        goes(lambda: dots.conversation(sid).call("leave"))
        comes()
        goes(lambda: alice.conversation(sid).call("removeParticipant", name))
        comes()
        goes(lambda: room.remove_participant(name))
