"""The official SDK's push registrations and reachability on the local service."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.interop.official import Official, eventually
from tests.server.peer import Peer
from twilio_conversations.server import LocalServer

Fresh = Callable[[str], str]
Connect = Callable[..., Official]


def devices(service: LocalServer, identity: str) -> list[tuple[str, str]]:
    """Return channel and device of somebody's registrations."""
    return sorted((row["channel_type"], row["data"]["registration_id"]) for row in service.registrations(identity))


def test_push_registrations(official: Connect, fresh: Fresh, service: LocalServer) -> None:
    """Setting, changing, unsetting and removing the id of a device leaves what an application expects."""
    alice = official(fresh("alice"))
    alice.call("setPushRegistrationId", "fcm", "phone-1")
    eventually(lambda: devices(service, alice.identity) == [("fcm", "phone-1")], "registered")
    kept = service.registrations(alice.identity)[0]
    assert "twilio.conversations.new_message" in kept["message_types"]
    alice.call("setPushRegistrationId", "apn", "tablet")
    alice.call("setPushRegistrationId", "fcm", "phone-2")
    eventually(lambda: devices(service, alice.identity) == [("apn", "tablet"), ("fcm", "phone-2")], "changed")
    alice.call("unsetPushRegistrationId", "fcm")
    eventually(lambda: devices(service, alice.identity) == [("apn", "tablet")], "unset")
    official(alice.identity).call("removePushRegistrations", "apn", "tablet")
    eventually(lambda: devices(service, alice.identity) == [], "removed by another client")


@pytest.fixture
def reachable() -> Iterator[LocalServer]:
    """A service that tells who is there."""
    with LocalServer() as server:
        server.configure(reachability_enabled=True)
        yield server


def test_reachability(official: Connect, reachable: LocalServer) -> None:
    """Coming, being notifiable and going are seen by whoever follows the user, each as one update with its reason."""
    alice = official("alice", token=reachable.token("alice"), url=reachable.url)
    assert alice.user("alice").look()["isOnline"] is True
    with Peer.connected(reachable, "bob"):
        assert alice.user("bob").look()["isOnline"] is True
    gone = alice.wait_event("userUpdated", lambda data: data["user"]["isOnline"] is False)
    assert (gone["user"]["identity"], gone["updateReasons"]) == ("bob", ["reachabilityOnline"])
    mark = alice.mark()
    bob = official("bob", token=reachable.token("bob"), url=reachable.url)
    back = alice.wait_event("userUpdated", since=mark)
    assert (back["updateReasons"], back["user"]["isOnline"]) == (["reachabilityOnline"], True)
    mark = alice.mark()
    bob.call("setPushRegistrationId", "fcm", "phone")
    told = alice.wait_event("userUpdated", since=mark)
    assert (told["updateReasons"], told["user"]["isNotifiable"]) == (["reachabilityNotifiable"], True)
