"""Users: one object per identity, followed first in, first out, and what can be changed of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.clients import Connect
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from twilio_conversations import (
    Client,
    Conversation,
    NotFoundError,
    User,
    UserUpdateReason,
)
from twilio_conversations.errors import UnsupportedOperationError
from twilio_conversations.server import LocalServer

Fresh = Callable[[str], str]
Pair = tuple[Conversation, Conversation]


@pytest.fixture
def alice(connect: Connect, fresh: Fresh) -> Client:
    """One ready client."""
    return connect(fresh("alice"))


@pytest.fixture
def others(connect: Connect, fresh: Fresh) -> list[str]:
    """Three identities that the service knows."""
    return [connect(fresh(name)).identity for name in ("bob", "carol", "dave")]


@pytest.mark.row("CL24", "EV17", "EV19", "US01", "US05", "US06", "US09")
def test_another_user_is_followed_from_the_first_get_on(alice: Client, connect: Connect, fresh: Fresh) -> None:
    """It comes with its data, says that it is subscribed, and tells of changes made by its owner."""
    bob = connect(fresh("bob"))
    bob.user.update_friendly_name("Bob")
    event_log = EventLog(alice, "user_subscribed", "user_updated")
    user = alice.get_user(bob.identity)

    assert (user.identity, user.friendly_name, user.is_subscribed) == (bob.identity, "Bob", True)
    assert event_log.wait("user_subscribed") is user
    bob.user.update_attributes({"a": 1})
    changed = event_log.wait("user_updated", lambda args: args.update_reasons == (UserUpdateReason.ATTRIBUTES,))
    assert changed.user is user
    assert user.attributes == {"a": 1}


@pytest.mark.row("CL24", "CL25")
def test_the_own_identity_gives_the_own_user(alice: Client) -> None:
    """There are no two objects for one identity."""
    assert alice.get_user(alice.identity) is alice.user


@pytest.mark.row("CL24")
def test_who_does_not_exist_is_not_found(alice: Client, fresh: Fresh) -> None:
    """An unknown identity is an error."""
    with pytest.raises(NotFoundError):
        alice.get_user(fresh("nobody"))


@pytest.mark.row("CL24", "JD10")
def test_simultaneous_calls_get_the_same_user(alice: Client, others: list[str]) -> None:
    """However many ask at once, there is one object and one following."""
    event_log = EventLog(alice, "user_subscribed")
    got: list[User] = []
    start = threading.Barrier(5)

    def ask() -> None:
        start.wait(PATIENCE)
        got.append(alice.get_user(others[0]))

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(got) == 5
    assert len({id(user) for user in got}) == 1
    alice.get_user(others[1])
    event_log.wait("user_subscribed", lambda user: user.identity == others[1])
    assert [user.identity for _, user in event_log.entries] == [others[0], others[1]]


@pytest.mark.row("CL25", "CO14", "EV18")
def test_the_first_user_goes_when_the_queue_is_full(connect: Connect, fresh: Fresh, others: list[str]) -> None:
    """The limit counts others only; who came first is unsubscribed, and said to be."""
    alice = connect(fresh("alice"), user_infos_to_subscribe=2)
    event_log = EventLog(alice, "user_unsubscribed")
    users = [alice.get_user(identity) for identity in others]

    assert alice.get_subscribed_users() == [alice.user, users[1], users[2]]
    assert event_log.wait("user_unsubscribed") is users[0]
    assert [user.is_subscribed for user in users] == [False, True, True]
    assert alice.get_user(others[0]) is users[0], "one object per identity as long as somebody holds it"
    assert alice.get_subscribed_users() == [alice.user, users[2], users[0]]


@pytest.mark.row("BY14", "US10", "US11")
def test_an_own_change_can_be_read_on_the_next_line(alice: Client) -> None:
    """Both calls give the user back, changed."""
    assert alice.user.update_friendly_name("Alice").friendly_name == "Alice"
    assert alice.user.update_attributes({"x": [1]}).attributes == {"x": [1]}


@pytest.mark.row("ER16", "EV18", "EV41", "US10", "US11", "US12")
def test_an_unsubscribed_user_cannot_be_changed(alice: Client, others: list[str]) -> None:
    """It says so once, no longer counts as followed, and refuses changes before anything is sent."""
    user = alice.get_user(others[0])
    event_log = EventLog(alice, "user_unsubscribed")
    own = EventLog(user, "user_unsubscribed")
    user.unsubscribe()
    user.unsubscribe()

    assert not user.is_subscribed
    assert own.wait("user_unsubscribed") is user
    assert alice.get_subscribed_users() == [alice.user]
    with pytest.raises(UnsupportedOperationError):
        user.update_friendly_name("x")
    with pytest.raises(UnsupportedOperationError):
        user.update_attributes({})
    event_log.wait("user_unsubscribed")
    assert len(event_log.entries) == len(own.entries) == 1


@pytest.mark.row("EV40", "US12")
def test_the_own_user_is_followed_anew(alice: Client) -> None:
    """Unsubscribing it ends and begins its following."""
    event_log = EventLog(alice, "user_unsubscribed", "user_subscribed")
    entries_before = len(event_log.entries)
    alice.user.unsubscribe()
    assert entries_before == 0
    event_log.wait("user_subscribed")
    assert event_log.names() == ["user_unsubscribed", "user_subscribed"]
    assert alice.user.is_subscribed
    assert alice.user.update_friendly_name("again").friendly_name == "again"


@pytest.mark.row("PA14")
def test_a_participant_leads_to_its_user(pair: Pair) -> None:
    """It is the same object that the client gives."""
    mine, _ = pair
    bob = next(person for person in mine.get_participants() if person.identity != mine.created_by)
    assert bob.identity is not None
    user = bob.get_user()
    assert user.identity == bob.identity
    assert user.is_subscribed
    users: Any = mine._live.runtime.users
    assert user in users.followed()


@pytest.mark.row("BY15")
def test_a_refresh_shows_what_the_service_has_now(pair: Pair) -> None:
    """Conversation, message, participant and user can each be asked for anew, and give themselves back."""
    mine, theirs = pair
    message = mine.send_message("x")
    participant = mine.get_participants()[0]
    user = participant.get_user()
    theirs.update_friendly_name("new name")
    assert mine.refresh() is mine
    assert mine.friendly_name == "new name"
    assert message.refresh() is message
    assert participant.refresh() is participant
    assert user.refresh() is user
    message.remove()
    with pytest.raises(NotFoundError):
        message.refresh()


@pytest.fixture
def telling() -> Iterator[LocalServer]:
    """A service that tells who can be reached."""
    with LocalServer() as server:
        server.configure(reachability_enabled=True)
        yield server


@pytest.mark.row("US07", "US08", "CL07", "EN13", "US15")
def test_reachability_follows_connections_and_registrations(telling: LocalServer) -> None:
    """Who connects is online, who registers a device can be notified; each change has its own reason."""
    with (
        Client(telling.token("alice"), endpoint=telling.url) as alice,
        Client(telling.token("bob"), endpoint=telling.url) as bob,
    ):
        bob.wait_until_ready(PATIENCE)
        assert alice.wait_until_ready(PATIENCE).reachability_enabled
        online, notifiable = UserUpdateReason.REACHABILITY_ONLINE, UserUpdateReason.REACHABILITY_NOTIFIABLE
        event_log = EventLog(alice, "user_subscribed", "user_updated")
        user = alice.get_user("bob")
        assert (user.is_online, user.is_notifiable) == (True, False)
        bob.set_push_registration_id("fcm", "device")
        event_log.wait("user_updated", lambda args: args.update_reasons == (notifiable,))
        assert user.is_notifiable
        bob.close()
        event_log.wait("user_updated", lambda args: args.update_reasons == (online,))
        assert user.is_online is False
        told = [args.update_reasons for args in event_log.of("user_updated") if args.user is user]
        assert told == [(online, notifiable), (notifiable,), (online,)]


@pytest.mark.row("US07", "US08", "CL07")
def test_without_reachability_nothing_is_said(alice: Client, others: list[str]) -> None:
    """Neither true nor false."""
    user = alice.get_user(others[0])
    assert not alice.reachability_enabled
    assert (user.is_online, user.is_notifiable) == (None, None)


def test_a_followed_user_is_current_after_a_cut(service: LocalServer, alice: Client, connect: Connect, fresh: Fresh) -> None:
    """What changed while the line was down is told once it is up again."""
    bob = connect(fresh("bob"))
    user = alice.get_user(bob.identity)
    event_log = EventLog(alice, "user_updated")
    with service.faults.held_events(alice.identity):
        bob.user.update_friendly_name("new")
        service.faults.drop(alice.identity)
    event_log.wait("user_updated", lambda args: args.user is user)
    assert user.friendly_name == "new"


def test_own_changes_are_seen_before_their_events(service: LocalServer, alice: Client) -> None:
    """The next line sees them while events are held back; each is announced once when they come."""
    event_log = EventLog(alice, "user_updated")
    with service.faults.held_events(alice.identity):
        assert alice.user.update_friendly_name("now").friendly_name == "now"
        assert alice.user.update_attributes({"k": 1}).attributes == {"k": 1}
        assert event_log.entries == []
    event_log.wait("user_updated", lambda args: args.update_reasons == (UserUpdateReason.ATTRIBUTES,))
    assert [args.update_reasons for args in event_log.of("user_updated")] == [
        (UserUpdateReason.FRIENDLY_NAME,),
        (UserUpdateReason.ATTRIBUTES,),
    ]
