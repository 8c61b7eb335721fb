"""The users that are followed: the own one always, others in the order they were asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from tests.state.backend import trouble
from tests.state.driven import Driven
from tests.sync.model_service import Answer, Stored
from twilio_conversations.errors import ProtocolError, RestError, SyncError, UnsupportedOperationError
from twilio_conversations.models.user import User
from twilio_conversations.util import logs

EVERYTHING = "friendlyName attributes reachabilityOnline reachabilityNotifiable"


@pytest.fixture
def few() -> Iterator[Driven]:
    """A client that follows two others at once."""
    with Driven(user_infos_to_subscribe=2) as driven:
        yield driven


def person(alice: Driven, identity: str, name: str = "", **entry: Any) -> Stored:
    """A user as the service has it."""
    stored = alice.backend.create("map", f"{identity}.info")
    alice.backend.add(stored, {"value": name or identity.title()}, "friendlyName")
    alice.backend.add(stored, {"value": '{"n": 1}'}, "attributes")
    entry = {"identity": identity, "friendly_name": "by REST", "sync_objects": {"user_info_map": f"{identity}.info"}, **entry}
    alice.backend.answer("GET", f"/v1/Users/{identity}", entry)
    return stored


def root(stored: Stored) -> dict[str, Any]:
    """A map as the service gives it."""
    return {"sid": stored.sid, "links": {"items": f"http://sync.test/v3/Maps/{stored.sid}/Items"}, "last_event_id": stored.head}


def get(alice: Driven, identity: str, map_name: str | None = None) -> User:
    """The user, as `Client.get_user` asks for it."""
    runtime = alice.runtime
    return runtime.run(lambda: alice.users.get(identity, map_name), runtime.deadline(None), "get_user()")


def followed(alice: Driven) -> list[str]:
    """The identities that are followed."""
    return [user.identity for user in alice.users.followed()]


def test_the_own_user_is_followed_from_the_start(alice: Driven) -> None:
    """It is told as new; asking for it asks nothing."""
    own = alice.backend.find("map", "alice.info")
    assert own is not None
    alice.backend.add(own, {"value": "Alice"}, "friendlyName")
    myself = alice.users.myself
    assert not myself.is_subscribed
    assert alice.users.subscribed() == []
    alice.start()
    assert alice.told("user") == [f"user_updated alice {EVERYTHING}", "user_subscribed alice"]
    assert (myself.friendly_name, myself.identity, myself.is_subscribed) == ("Alice", "alice", True)
    assert get(alice, "alice") is myself
    assert alice.asked() == []
    assert alice.users.followed() == alice.users.subscribed() == [myself]


def test_a_user_is_followed_when_asked_for(alice: Driven) -> None:
    """What differs from nothing is told, then that it is followed, to the user's handlers first."""
    alice.start()
    alice.told()
    bob = person(alice, "bob")
    user = get(alice, "bob")
    assert (user.identity, user.friendly_name, user.attributes, user.is_subscribed) == ("bob", "Bob", {"n": 1}, True)
    assert alice.asked() == ["GET /v1/Users/bob"]
    assert alice.told() == ["user_updated bob friendlyName attributes", "user_subscribed bob"]
    assert followed(alice) == ["alice", "bob"]
    assert get(alice, "bob") is user
    assert alice.asked() == []
    seen: list[Any] = []
    user.on("updated", lambda args: seen.append(args.update_reasons))
    alice.backend.update(bob, "friendlyName", {"value": "Robert"})
    alice.backend.add(bob, {"online": True, "notifiable": False}, "reachability")
    alice.backend.update(bob, "friendlyName", {"value": "Robert"})
    alice.run(1)
    assert alice.told() == ["user_updated bob friendlyName", "user_updated bob reachabilityOnline reachabilityNotifiable"]
    assert len(seen) == 2
    assert (user.friendly_name, user.attributes, user.is_online, user.is_notifiable) == ("Robert", {"n": 1}, True, False)


def test_a_name_of_the_map_saves_a_request(alice: Driven) -> None:
    """A participant has it."""
    alice.start()
    person(alice, "bob")
    assert get(alice, "bob", "bob.info").friendly_name == "Bob"
    assert alice.asked() == []


def test_all_who_ask_at_once_get_one_user(alice: Driven) -> None:
    """And one request is sent; after an error the next one asks anew."""
    alice.start()
    person(alice, "bob")
    alice.backend.held = {"/v1/Users/bob"}
    one, two = alice.users.get("bob"), alice.users.get("bob")
    alice.run(1)
    alice.backend.held = set()
    alice.run(1)
    assert one.result() is two.result()
    assert alice.asked() == ["GET /v1/Users/bob"]
    with pytest.raises(RestError):
        get(alice, "nobody")
    person(alice, "nobody")
    assert get(alice, "nobody").friendly_name == "Nobody"


@pytest.mark.parametrize("objects", [None, {}, {"user_info_map": ""}, {"user_info_map": 7}, "strange"])
def test_a_user_without_a_map_is_not_followed(alice: Driven, objects: Any) -> None:
    """It is as the answer says, and nothing is told of it."""
    alice.start()
    alice.told()
    person(alice, "bob", sync_objects=objects)
    user = get(alice, "bob")
    assert (user.friendly_name, user.is_subscribed) == ("by REST", False)
    assert alice.told() == []
    assert followed(alice) == ["alice"]
    assert get(alice, "bob") is user
    assert len(alice.asked()) == 2


def test_what_is_no_user_is_an_error(alice: Driven) -> None:
    """Neither a strange answer, nor a map that is not there."""
    alice.start()
    alice.backend.answer("GET", "/v1/Users/bob", ["strange"])
    with pytest.raises(ProtocolError):
        get(alice, "bob")
    with pytest.raises(SyncError):
        get(alice, "carol", "carol.info")
    assert followed(alice) == ["alice"]


def test_a_map_whose_items_come_later_is_read(alice: Driven) -> None:
    """Where the service gives none with the map itself, its first page is read."""
    alice.start()
    bob = person(alice, "bob")
    alice.backend.answer("GET", "/v3/Maps/bob.info", root(bob))
    assert get(alice, "bob").friendly_name == "Bob"
    pages = [one.query["PageSize"] for one in alice.backend.history if one.path.endswith(f"{bob.sid}/Items")]
    assert pages == ["50"]
    carol = person(alice, "carol")
    assert get(alice, "carol").friendly_name == "Carol"
    assert alice.read(carol.sid) == []


def test_who_comes_when_it_is_full_ends_the_first(few: Driven) -> None:
    """First in, first out; the own one does not count."""
    few.start()
    few.told()
    for name in ("bob", "carol", "dave"):
        person(few, name)
    bob = get(few, "bob")
    get(few, "carol")
    assert followed(few) == ["alice", "bob", "carol"]
    few.told()
    get(few, "dave")
    assert followed(few) == ["alice", "carol", "dave"]
    assert few.told() == ["user_unsubscribed bob", "user_updated dave friendlyName attributes", "user_subscribed dave"]
    few.run(5)
    assert few.opened == ["alice.conversations", "alice.info", "carol.info", "dave.info"]
    assert not bob.is_subscribed
    assert get(few, "bob") is bob
    assert bob.is_subscribed
    assert followed(few) == ["alice", "dave", "bob"]


def test_the_service_may_say_how_many_are_followed() -> None:
    """Where no option does."""
    with Driven() as alice:
        alice.runtime.known_configuration = attrs.evolve(alice.runtime.configuration, user_infos_to_subscribe=1)
        alice.start()
        for name in ("bob", "carol"):
            person(alice, name)
            get(alice, name)
        assert followed(alice) == ["alice", "carol"]


def test_ending_the_following_of_a_user(alice: Driven) -> None:
    """It is told once; the user stays as it was, and cannot be changed."""
    alice.start()
    bob = person(alice, "bob")
    user = get(alice, "bob")
    alice.told()
    user.unsubscribe()
    user.unsubscribe()
    assert alice.told() == ["user_unsubscribed bob"]
    assert not user.is_subscribed
    alice.run(5)
    assert alice.opened == ["alice.conversations", "alice.info"]
    alice.backend.update(bob, "friendlyName", {"value": "Robert"})
    alice.run(1)
    assert alice.told() == []
    assert user.friendly_name == "Bob"
    with pytest.raises(UnsupportedOperationError):
        user.update_friendly_name("x")
    assert get(alice, "bob") is user
    assert alice.told() == ["user_updated bob friendlyName", "user_subscribed bob"]


def test_the_own_user_is_followed_anew(alice: Driven) -> None:
    """Whoever ends it finds it followed when the call returns; what changed meanwhile is told."""
    own = alice.backend.find("map", "alice.info")
    assert own is not None
    alice.backend.add(own, {"value": "Alice"}, "friendlyName")
    alice.start()
    alice.told()
    alice.backend.outbox.clear()
    alice.backend.update(own, "friendlyName", {"value": "Alicia"})
    alice.backend.outbox.clear()
    alice.users.myself.unsubscribe()
    assert alice.told() == ["user_unsubscribed alice", "user_updated alice friendlyName", "user_subscribed alice"]
    assert followed(alice) == ["alice"]
    alice.run(5)
    assert "alice.info" in alice.opened


def test_a_user_whose_map_goes_is_not_followed_any_more(alice: Driven) -> None:
    """It is told; others are followed on."""
    alice.start()
    bob, carol = person(alice, "bob"), person(alice, "carol")
    user = get(alice, "bob")
    get(alice, "carol")
    alice.told()
    alice.backend.delete(bob)
    alice.backend.update(carol, "friendlyName", {"value": "Carola"})
    alice.run(1)
    assert alice.told() == ["user_unsubscribed bob", "user_updated carol friendlyName"]
    assert not user.is_subscribed


def test_what_cannot_be_followed_is_logged(alice: Driven, caplog: pytest.LogCaptureFixture) -> None:
    """The user stays as it is."""
    alice.start()
    bob = person(alice, "bob")
    get(alice, "bob")
    alice.run(1)
    alice.told()
    alice.backend.forbidden[bob.sid] = {"status": 403, "code": 54007, "message": "not yours"}
    alice.cut()
    alice.run(1)
    assert alice.told() == []
    logs.flush(10)
    assert "<User 'bob'> cannot be followed: " in caplog.text


def test_changes_while_it_is_opened_are_in_what_is_told_then(alice: Driven) -> None:
    """They are not told by themselves before."""
    alice.start()
    alice.told()
    bob = person(alice, "bob")
    alice.backend.answer("GET", "/v3/Maps/bob.info", {**root(bob), "items": []})
    alice.backend.held = {f"{bob.sid}/Items"}
    coming = alice.users.get("bob", "bob.info")
    alice.run(1)
    alice.backend.update(bob, "friendlyName", {"value": "Robert"})
    alice.run(1)
    assert alice.told() == []
    alice.backend.held = set()
    alice.run(1)
    assert coming.result().friendly_name == "Robert"
    assert alice.told() == ["user_updated bob friendlyName attributes", "user_subscribed bob"]


def test_after_lost_events_a_user_is_read_again(alice: Driven) -> None:
    """What differs is told; a user whose following has ended meanwhile is left alone."""
    alice.start()
    bob = person(alice, "bob")
    user = get(alice, "bob")
    alice.run(1)
    alice.told()
    for name, expected in (("Robert", ["user_updated bob friendlyName"]), ("Bobby", ["user_unsubscribed bob"])):
        alice.backend.cut()
        alice.sync.disconnected()
        alice.backend.update(bob, "friendlyName", {"value": name})
        alice.forget(bob)
        alice.backend.held = {f"{bob.sid}/Items"}
        alice.sync.connected()
        alice.run(1)
        if name == "Bobby":
            user.unsubscribe()
        alice.backend.held = set()
        alice.run(1)
        assert alice.told() == expected
    assert user.friendly_name == "Robert"


def test_what_cannot_be_read_again_now_is_read_later(alice: Driven, caplog: pytest.LogCaptureFixture) -> None:
    """A user whose map the service does not give for a time is up to date after it; one that is gone is not read again."""
    alice.start()
    bob = person(alice, "bob")
    user = get(alice, "bob")
    alice.run(1)
    alice.told()
    path = f"/v3/Maps/{bob.sid}/Items"
    alice.backend.answer("GET", path, trouble(501))
    alice.backend.update(bob, "friendlyName", {"value": "Robert"})
    alice.lose(bob)
    alice.run(1)
    assert (alice.told(), user.friendly_name) == ([], "Bob")
    del alice.backend.answers["GET", path]
    alice.run(100)
    assert (alice.told(), user.friendly_name) == (["user_updated bob friendlyName"], "Robert")
    alice.backend.answer("GET", path, trouble(404))
    alice.lose(bob)
    with caplog.at_level("INFO", "twilio_conversations"):
        alice.run(1)
        logs.flush(5)
    assert "changes were missed and cannot be read any more" in caplog.text
    alice.backend.history.clear()
    alice.run(100)
    assert alice.read(path) == []


def test_refreshing_a_user(alice: Driven) -> None:
    """By the map of one that is followed, by REST of another; nothing is told, as the event still comes."""
    alice.start()
    bob = person(alice, "bob")
    user = get(alice, "bob")
    alice.run(1)
    alice.told()
    alice.asked()
    alice.backend.update(bob, "friendlyName", {"value": "Robert"})
    late = alice.backend.outbox[:]
    alice.backend.outbox.clear()
    alice.pages(bob)
    assert user.refresh().friendly_name == "Robert"
    assert alice.pages(bob) == [(None, None, "asc", "50")]
    assert alice.asked() == []
    assert alice.told() == []
    alice.backend.outbox.extend(late)
    alice.run(1)
    assert alice.told() == ["user_updated bob friendlyName"]
    user.unsubscribe()
    assert user.refresh().friendly_name == "by REST"
    assert alice.asked() == ["GET /v1/Users/bob"]
    alice.backend.answer("GET", "/v1/Users/bob", trouble(404))
    with pytest.raises(RestError):
        user.refresh()
    alice.backend.answer("GET", "/v1/Users/bob", Answer(200, "strange"))
    with pytest.raises(ProtocolError):
        user.refresh()


def test_a_user_that_is_known_is_changed(alice: Driven) -> None:
    """What was written is shown before its event."""
    alice.start()
    bob = person(alice, "bob")
    user = get(alice, "bob")
    alice.told()
    alice.backend.answer("POST", "/v1/Users/bob", {"identity": "bob"})
    user.update_friendly_name("Robert")
    assert user.friendly_name == "Robert"
    assert alice.told() == []
    alice.backend.update(bob, "friendlyName", {"value": "Robert"})
    alice.run(1)
    assert alice.told() == ["user_updated bob friendlyName"]
