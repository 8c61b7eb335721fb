"""The official SDK creates, finds, joins, changes, leaves and deletes conversations on the local service."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.interop.official import Official, OfficialError, eventually
from tests.interop.steps import bodies, official_room, wait_for_roster

Fresh = Callable[[str], str]
Connect = Callable[..., Official]

ATTRIBUTES = {"topic": "héllo ☃ 😀", "n": 1.5, "nested": {"list": [1, "two", None, {"deep": True}]}, "empty": {}}


def test_created_then_joined(official: Connect, fresh: Fresh) -> None:
    """What was asked for is what the conversation shows; the creator is in it only after joining."""
    alice, name = official(fresh("alice")), fresh("room")
    made = alice.call("createConversation", {"friendlyName": "Raum ☃", "uniqueName": name, "attributes": ATTRIBUTES})
    assert (made["friendlyName"], made["uniqueName"], made["attributes"]) == ("Raum ☃", name, ATTRIBUTES)
    assert (made["createdBy"], made["status"]) == (alice.identity, "notParticipating")
    assert (made["state"]["current"], made["lastMessage"], made["bindings"]) == ("active", None, {})
    sid = made["sid"]
    alice.conversation(sid).call("join")
    alice.wait_event("conversationJoined", lambda data: data["sid"] == sid)
    joined = alice.conversation(sid).look()
    assert (joined["status"], joined["notificationLevel"], joined["lastReadMessageIndex"]) == ("joined", "default", None)
    (me,) = alice.conversation(sid).call("getParticipants")
    assert (me["identity"], me["type"], me["attributes"], me["isTyping"]) == (alice.identity, "chat", {}, False)
    assert (me["sid"][:2], me["roleSid"][:2]) == ("MB", "RL")
    assert alice.conversation(sid).call("getParticipantsCount") == 1
    assert alice.conversation(sid).call("getMessagesCount") == 0
    names = [seen.name for seen in alice.events() if seen.name in ("conversationAdded", "conversationJoined")]
    assert names == ["conversationAdded", "conversationJoined"]


@pytest.mark.parametrize("attributes", [[1, {"a": "b"}], "text", 7, True], ids=["list", "text", "number", "true"])
def test_attributes_are_any_json(official: Connect, fresh: Fresh, attributes: object) -> None:
    """Attributes come back as they went, whatever JSON they are."""
    made = official(fresh("alice")).call("createConversation", {"attributes": attributes})
    assert made["attributes"] == attributes
    assert (made["friendlyName"], made["uniqueName"]) == (None, None)


def test_conflicts_carry_twilios_error(official: Connect, fresh: Fresh) -> None:
    """A second join and a taken unique name are refused with 409."""
    alice, name = official(fresh("alice")), fresh("room")
    sid = official_room(alice, uniqueName=name)
    with pytest.raises(OfficialError) as twice:
        alice.conversation(sid).call("join")
    assert twice.value.status == 409
    with pytest.raises(OfficialError) as taken:
        alice.call("createConversation", {"uniqueName": name})
    assert taken.value.status == 409


@pytest.mark.every_version
def test_looked_up_by_sid_and_unique_name(official: Connect, fresh: Fresh) -> None:
    """Members find a conversation both ways; a stranger finds it neither way and hears nothing of it."""
    alice, bob, carol = official(fresh("alice")), official(fresh("bob")), official(fresh("carol"))
    name = fresh("straße/ü ☃")
    sid = official_room(alice, bob, uniqueName=name)
    for member in (alice, bob):
        assert member.call("getConversationBySid", sid)["uniqueName"] == name
        assert member.call("getConversationByUniqueName", name)["sid"] == sid
    for lookup in (("getConversationBySid", sid), ("getConversationByUniqueName", name), ("peekConversationBySid", sid)):
        with pytest.raises(OfficialError):
            carol.call(*lookup)
    assert [seen for seen in carol.events() if seen.name.startswith(("conversation", "message", "participant"))] == []


def test_names_and_attributes_change_for_everyone(official: Connect, fresh: Fresh) -> None:
    """A change reaches both members with its own reason and `dateUpdated`, and nothing else."""
    alice, bob = official(fresh("alice")), official(fresh("bob"))
    sid = official_room(alice, bob)
    name = fresh("new")
    changes = [
        ("updateFriendlyName", "Neuer Name ✏️", "friendlyName"),
        ("updateUniqueName", name, "uniqueName"),
        ("updateAttributes", ATTRIBUTES, "attributes"),
    ]
    for method, value, field in changes:
        marks = {member: member.mark() for member in (alice, bob)}
        alice.conversation(sid).call(method, value)
        for member, mark in marks.items():
            update = member.wait_event(
                "conversationUpdated", lambda data, field=field: field in data["updateReasons"], since=mark
            )
            assert update["conversation"][field] == value
            assert set(update["updateReasons"]) <= {field, "dateUpdated"}


def test_many_conversations_page_by_page(official: Connect, fresh: Fresh) -> None:
    """The list of subscribed conversations is complete over its pages, each conversation once."""
    identity = fresh("alice")
    alice = official(identity)
    made = {official_room(alice, friendlyName=f"room {number}") for number in range(60)}
    other = official(identity)
    page = other.call("getSubscribedConversations")
    found = [item["sid"] for item in page["items"]]
    while page["hasNextPage"]:
        page = other.page(page["page"]).call("nextPage")
        found += [item["sid"] for item in page["items"]]
    assert len(found) == len(set(found))
    assert set(found) == made


def test_late_comer_reads_history_silently(official: Connect, fresh: Fresh) -> None:
    """Who is added later reads what was written before, without an event for each old message."""
    alice, bob, carol = official(fresh("alice")), official(fresh("bob")), official(fresh("carol"))
    sid = official_room(alice, bob)
    alice.conversation(sid).call("sendMessage", "first")
    bob.conversation(sid).call("sendMessage", "second")
    alice.conversation(sid).call("add", carol.identity, {"role": "guest"})
    carol.wait_event("conversationJoined", lambda data: data["sid"] == sid)
    assert bodies(carol.conversation(sid).call("getMessages")) == [(0, "first"), (1, "second")]
    for member in (alice, bob):
        joined = member.wait_event("participantJoined", lambda data: data["identity"] == carol.identity)
        assert joined["attributes"] == {"role": "guest"}
    assert carol.events("messageAdded") == []


@pytest.mark.every_version
def test_left_removed_and_deleted(official: Connect, fresh: Fresh) -> None:
    """Leaving, being removed and a deletion each end with `conversationRemoved` for those it concerns."""
    alice, bob, carol = official(fresh("alice")), official(fresh("bob")), official(fresh("carol"))
    sid = official_room(alice, bob, carol)
    bob.conversation(sid).call("leave")
    bob.wait_event("conversationRemoved", lambda data: data["sid"] == sid)
    alice.wait_event("participantLeft", lambda data: data["identity"] == bob.identity)
    carol.wait_event("conversationJoined", lambda data: data["sid"] == sid)
    alice.conversation(sid).call("removeParticipant", carol.identity)
    carol.wait_event("conversationRemoved", lambda data: data["sid"] == sid)
    wait_for_roster(alice, sid, [alice.identity])
    names = [seen.name for seen in carol.events() if seen.name in ("conversationLeft", "conversationRemoved")]
    assert names == ["conversationLeft", "conversationRemoved"]
    alice.conversation(sid).call("delete")
    alice.wait_event("conversationRemoved", lambda data: data["sid"] == sid)
    eventually(lambda: alice.call("getSubscribedConversations")["items"] == [], "the list is empty")


def test_notification_level_is_ones_own(official: Connect, fresh: Fresh) -> None:
    """Muting shows on the own conversation only and stays after a fresh start."""
    alice, bob = official(fresh("alice")), official(fresh("bob"))
    sid = official_room(alice, bob)
    bob.conversation(sid).call("setUserNotificationLevel", "muted")
    update = bob.wait_event("conversationUpdated", lambda data: "notificationLevel" in data["updateReasons"])
    assert update["conversation"]["notificationLevel"] == "muted"
    assert official(bob.identity).call("getConversationBySid", sid)["notificationLevel"] == "muted"
    assert alice.conversation(sid).look()["notificationLevel"] == "default"


def test_participants_are_found_and_changed(official: Connect, fresh: Fresh) -> None:
    """Participants are found by SID and by awkward identities, and their attributes change for all."""
    alice, bob = official(fresh("alice")), official(fresh("zoë+tag@ex ample.com ☃"))
    sid = official_room(alice, bob)
    room = alice.conversation(sid)
    him = room.call("getParticipantByIdentity", bob.identity)
    assert room.call("getParticipantBySid", him["sid"])["identity"] == bob.identity
    alice.participant(sid, bob.identity).call("updateAttributes", ATTRIBUTES)
    for member in (alice, bob):
        update = member.wait_event("participantUpdated", lambda data: "attributes" in data["updateReasons"])
        assert update["participant"]["attributes"] == ATTRIBUTES
    with pytest.raises(OfficialError):
        room.call("getParticipantByIdentity", fresh("nobody"))
    with pytest.raises(OfficialError) as twice:
        room.call("add", bob.identity)
    assert twice.value.status == 409


def test_own_user_changes_and_others_see_it(official: Connect, fresh: Fresh) -> None:
    """A user's name and attributes reach another client that looks at the user; only the owner may change them."""
    alice, bob = official(fresh("alice")), official(fresh("bob"))
    alice.user(bob.identity).look()
    bob.user(bob.identity).call("updateFriendlyName", "Bob der Baumeister")
    bob.user(bob.identity).call("updateAttributes", ATTRIBUTES)
    for client in (alice, bob):
        eventually(
            lambda client=client: (
                (user := client.user(bob.identity).look())
                and (user["friendlyName"], user["attributes"]) == ("Bob der Baumeister", ATTRIBUTES)
            ),
            "the user's changes are seen",
        )
    with pytest.raises(OfficialError) as refused:
        alice.user(bob.identity).call("updateFriendlyName", "Eve")
    assert refused.value.status == 403
