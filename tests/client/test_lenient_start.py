"""The start of a client on services that leave out, delay, refuse or write in another way what others give at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.clients import Connect
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from tests.support.waiting import until
from twilio_conversations import ConnectionState, InitializationError, ProtocolError
from twilio_conversations.server import LocalServer

LINKS = ("my_conversations", "conversations", "users", "current_user", "typing", "messages_receipts")
MEDIA = ("media_service", "media_set_service")


@pytest.fixture
def service(own: LocalServer) -> Iterator[LocalServer]:
    """A service that the test sets up; as it was, afterwards."""
    yield own
    own.reset()


def use_everything(connect: Connect) -> None:
    """Two people use every address of the service."""
    alice, bob = connect("alice"), connect("bob")
    room = alice.create_conversation(unique_name="room").join()
    joined = EventLog(bob, "conversation_joined")
    room.add("bob")
    bobs = joined.wait("conversation_joined")
    typing = EventLog(bobs, "typing_started")
    room.typing()
    typing.wait("typing_started")
    message = room.send_message("hello", media=("a.txt", b"content", "text/plain"))
    assert message.get_detailed_delivery_receipts() == []
    assert alice.get_temporary_content_urls_for_media_sids([message.attached_media[0].sid])
    assert message.attached_media[0].read() == b"content"
    assert alice.get_user("bob").identity == "bob"
    alice.user.update_friendly_name("Alice")
    assert bob.get_conversation_by_unique_name("room").sid == room.sid
    assert [one.sid for one in connect("bob").get_subscribed_conversations().iter_all()] == [room.sid]


@pytest.mark.parametrize(
    "kept", [("conversations",), ("my_conversations", "media_service"), ("messages_receipts", "media_set_service")]
)
def test_missing_links_are_made_of_the_others(connect: Connect, service: LocalServer, kept: tuple[str, ...]) -> None:
    """Every address works."""
    service.configure(links_left_out=[name for name in (*LINKS, *MEDIA) if name not in kept])

    use_everything(connect)


def test_without_any_link_the_client_starts(connect: Connect, service: LocalServer) -> None:
    """Calls that need one say which; events of the own conversations come as ever."""
    service.configure(links_left_out=[])
    alice = connect("alice")
    room = alice.create_conversation().join()
    service.configure(links_left_out=[*LINKS, *MEDIA])
    bob = connect("bob")
    joined = EventLog(bob, "conversation_joined")
    room.add("bob")
    bobs = joined.wait("conversation_joined")

    for call, name in (
        (bob.create_conversation, "conversations"),
        (lambda: bobs.send_message("x"), "conversations"),
        (bob.get_subscribed_conversations, "my_conversations"),
        (bobs.typing, "typing"),
        (lambda: bob.get_user("alice"), "users"),
    ):
        with pytest.raises(ProtocolError, match=f"^{name} is missing from the service's configuration"):
            call()


def test_the_own_map_of_a_new_user_is_waited_for(connect: Connect, service: LocalServer) -> None:
    """It comes a moment after the user; the client starts then, and follows it."""
    alice = connect("alice")
    service.configure(own_map_delay=3600)
    bob = connect("bob", ready=False)
    until(lambda: any(is_map_read(frame) for frame in service.traffic("bob")), "the map was asked for")
    service.advance_clock(3600)
    bob.wait_until_ready(PATIENCE)
    joined = EventLog(bob, "conversation_joined")
    room = alice.create_conversation()
    room.add("bob")

    assert joined.wait("conversation_joined").sid == room.sid


def is_map_read(frame: dict[str, Any]) -> bool:
    """Whether a frame asks for the own map."""
    path: str = frame["header"].get("http_request", {}).get("path", "")
    return bool(frame["direction"] == "in" and path.startswith("/v3/Maps/bob."))


def test_an_own_map_that_does_not_come_fails_the_start(connect: Connect, service: LocalServer) -> None:
    """When the time limit of calls is over."""
    service.configure(own_map_delay=3600)
    began = time.monotonic()
    client = connect("carol", ready=False, default_timeout=0.5)
    with pytest.raises(InitializationError, match="404"):
        client.wait_until_ready(PATIENCE)

    assert time.monotonic() - began >= 0.5


def test_a_listing_in_pages_of_another_size(connect: Connect, service: LocalServer) -> None:
    """The size that the client asks for is refused: all conversations are there nevertheless."""
    alice = connect("alice")
    rooms = {alice.create_conversation().join().sid for _ in range(5)}
    service.configure(conversations_page_size=2)

    assert {one.sid for one in connect("alice").get_subscribed_conversations().iter_all()} == rooms


@pytest.mark.parametrize("path", ["/Configuration$", "/v3/Maps/", r"/Users/US\w+/Conversations\b"])
@pytest.mark.parametrize("status", [500, 503])
def test_errors_in_plain_text_pass(connect: Connect, service: LocalServer, path: str, status: int) -> None:
    """Something on the way answers in its own words: the request is repeated as after any other error."""
    service.faults.refuse(2, identity="alice", method="GET", path=path, status=status, code=0, content_type="text/plain")
    alice = connect("alice")

    assert list(alice.get_subscribed_conversations().iter_all()) == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_without_a_code_has_the_token_function_called(connect: Connect, service: LocalServer, status: int) -> None:
    """At the start and at a reconnect: the next token is sent, and the client is never denied."""
    calls: list[str] = []

    def provider() -> str:
        calls.append(service.token("alice"))
        return calls[-1]

    service.faults.refuse_connections(1, status=status, code=0)
    alice = connect("alice", token=provider)
    assert len(calls) == 2
    event_log = EventLog(alice, "connection_state_changed")
    service.faults.refuse_connections(1, status=status, code=0)
    service.faults.drop()
    event_log.wait("connection_state_changed", lambda state: state is ConnectionState.CONNECTED)

    assert len(calls) == 3
    assert ConnectionState.DENIED not in event_log.of("connection_state_changed")


def test_a_service_that_writes_text_messages(connect: Connect, service: LocalServer) -> None:
    """Frames in text messages are read like binary ones."""
    service.configure(frame_type="text")

    use_everything(connect)
