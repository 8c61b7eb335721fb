"""Push registrations as the service sees them, and notifications that a program hands over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clients import Connect
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from twilio_conversations import (
    Client,
    InvalidArgumentError,
    NotificationTypes,
    PushPayloadError,
    RegistrationError,
    RestError,
)
from twilio_conversations.server import LocalServer

Fresh = Callable[[str], str]


@pytest.fixture
def alice(connect: Connect, fresh: Fresh) -> Client:
    """One ready client."""
    return connect(fresh("alice"))


def devices(service: LocalServer, client: Client) -> list[tuple[str, str]]:
    """Channel and device of each registration of a client's identity."""
    kept = service.registrations(client.identity)
    return [(one["channel_type"], one["data"]["registration_id"]) for one in kept]


@pytest.mark.row("CL20", "PN17")
def test_a_device_is_registered_for_everything(service: LocalServer, alice: Client) -> None:
    """All types of notifications, by the channel that was named; the same again sends nothing."""
    alice.set_push_registration_id("fcm", "device-1")
    assert devices(service, alice) == [("fcm", "device-1")]
    (kept,) = service.registrations(alice.identity)
    assert set(kept["message_types"]) == {kind.value for kind in NotificationTypes}
    service.forget_traffic()
    alice.set_push_registration_id("fcm", "device-1")
    assert [frame for frame in service.traffic(alice.identity) if "registrations" in str(frame["header"])] == []


@pytest.mark.row("CL20")
def test_another_device_takes_the_place_of_the_first(service: LocalServer, alice: Client) -> None:
    """Channels do not touch each other."""
    alice.set_push_registration_id("fcm", "device-1")
    alice.set_push_registration_id("apn", "device-a")
    alice.set_push_registration_id("fcm", "device-2")
    assert sorted(devices(service, alice)) == [("apn", "device-a"), ("fcm", "device-2")]


@pytest.mark.row("CL20")
def test_after_a_new_token_the_device_is_registered_again(service: LocalServer, alice: Client) -> None:
    """The registration belongs to the token; there is still one."""
    alice.set_push_registration_id("fcm", "device-1")
    alice.update_token(service.token(alice.identity, ttl=1800))
    service.forget_traffic()
    alice.set_push_registration_id("fcm", "device-1")
    assert [frame for frame in service.traffic(alice.identity) if "registrations" in str(frame["header"])] != []
    assert devices(service, alice) == [("fcm", "device-1")]


@pytest.mark.row("CL22")
def test_all_registrations_of_a_device_are_removed(service: LocalServer, alice: Client, connect: Connect) -> None:
    """Also those that another client of the same identity made; afterwards it can be registered again."""
    connect(alice.identity).set_push_registration_id("apn", "device-1")
    alice.set_push_registration_id("fcm", "device-1")
    alice.remove_push_registrations("apn", "device-1")
    alice.remove_push_registrations("fcm", "device-1")
    assert devices(service, alice) == []
    alice.set_push_registration_id("fcm", "device-1")
    assert devices(service, alice) == [("fcm", "device-1")]


@pytest.mark.row("CL22")
def test_removing_does_not_wait_for_readiness(service: LocalServer, connect: Connect, fresh: Fresh) -> None:
    """Someone who logs out need not have a working start."""
    identity = fresh("alice")
    connect(identity).set_push_registration_id("fcm", "device-1")
    service.faults.refuse(None, status=403, identity=identity, path="Configuration")
    try:
        client = connect(identity, ready=False)
        client.remove_push_registrations("fcm", "device-1")
        assert not client.is_ready
    finally:
        service.faults.clear()
    assert devices(service, client) == []


@pytest.mark.row("ER36")
def test_two_at_once_for_a_channel_are_refused(service: LocalServer, alice: Client) -> None:
    """The second one is told so; the other channel is free."""
    service.faults.delay(1.0, identity=alice.identity, path="registrations")
    first = threading.Thread(target=alice.set_push_registration_id, args=("fcm", "device-1"))
    first.start()
    try:
        while not alice._core.registrations._busy:
            assert first.is_alive()
        with pytest.raises(RegistrationError):
            alice.set_push_registration_id("fcm", "device-2")
    finally:
        first.join(PATIENCE)
        service.faults.clear()
    assert devices(service, alice) == [("fcm", "device-1")]


@pytest.mark.row("CL20", "EN16")
def test_a_refusal_leaves_things_as_they_were(service: LocalServer, alice: Client) -> None:
    """The next call tries again."""
    service.faults.refuse(1, status=400, identity=alice.identity, path="registrations")
    with pytest.raises(RestError):
        alice.set_push_registration_id("fcm", "device-1")
    alice.set_push_registration_id("fcm", "device-1")
    assert devices(service, alice) == [("fcm", "device-1")]


@pytest.mark.row("ER38", "EN16")
@pytest.mark.parametrize(("channel", "device"), [("twilsock", "x"), ("fcm", ""), ("fcm", None)])
def test_channels_and_devices_are_checked_first(alice: Client, channel: Any, device: Any) -> None:
    """Nothing is sent for what cannot be."""
    for call in (alice.set_push_registration_id, alice.remove_push_registrations):
        with pytest.raises(InvalidArgumentError):
            call(channel, device)


@pytest.mark.row("CL23", "EV16")
def test_a_notification_handed_over_becomes_an_event(alice: Client) -> None:
    """Handlers are given what the parser makes of it; what is none raises and is no event."""
    event_log = EventLog(alice, "push_notification")
    payload = {"data": {"twi_message_type": "twilio.conversations.new_message", "twi_body": "hi"}}
    with pytest.raises(PushPayloadError):
        alice.handle_push_notification({})
    alice.handle_push_notification(payload)
    assert event_log.wait("push_notification") == Client.parse_push_notification(payload)
    assert event_log.names() == ["push_notification"]
