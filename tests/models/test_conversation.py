"""The methods of a conversation, against a real service: each call's effect can be read on the next line."""

from __future__ import annotations

import pytest

from tests.support.clients import Connect, Fresh, Pair, told
from tests.support.event_log import EventLog
from tests.support.waiting import until
from twilio_conversations import (
    Client,
    ConflictError,
    ConversationStatus,
    ForbiddenError,
    InvalidArgumentError,
    NotFoundError,
    NotificationLevel,
    RestError,
)
from twilio_conversations.server import LocalServer


@pytest.mark.row(
    "CC01", "CC02", "CC03", "CC04", "CL19", "CV02", "CV03", "CV04", "CV05", "CV07", "CV08", "CV09", "CV10", "CV11", "CV15", "JD02"
)
def test_create_returns_a_conversation_that_is_loaded(alice: Client, fresh: Fresh) -> None:
    """Everything the service made of the call is there; the creator is no participant yet."""
    name = fresh("room")
    conversation = alice.create_conversation(friendly_name="Room ☃", unique_name=name, attributes={"n": [1, None]})

    assert conversation.friendly_name == "Room ☃"
    assert conversation.unique_name == name
    assert conversation.attributes == {"n": [1, None]}
    assert conversation.created_by == alice.identity
    assert conversation.date_created is not None
    assert conversation.status is ConversationStatus.NOT_PARTICIPATING
    assert conversation.last_read_message_index is None
    assert conversation.last_message is None
    assert conversation.state is not None
    assert conversation.state.current == "active"


@pytest.mark.row("CC04", "ER39")
def test_a_taken_unique_name_is_a_conflict(alice: Client, fresh: Fresh) -> None:
    """The error carries Twilio's code and is a kind of its own."""
    name = fresh("taken")
    alice.create_conversation(unique_name=name)
    with pytest.raises(ConflictError) as caught:
        alice.create_conversation(unique_name=name)
    assert caught.value.code == 50353


@pytest.mark.row("CV04", "CV28", "CV29", "EV09")
def test_join_and_leave_can_be_read_at_once(alice: Client) -> None:
    """After `join` messages can be sent and are announced; after `leave` the status is gone."""
    event_log = EventLog(alice, "message_added")
    conversation = alice.create_conversation()

    assert conversation.join().status is ConversationStatus.JOINED
    sent = conversation.send_message("right after the join")
    assert event_log.wait("message_added") is sent
    assert conversation in list(alice.get_subscribed_conversations())
    with pytest.raises(ConflictError):
        conversation.join()
    assert conversation.leave().status is ConversationStatus.NOT_PARTICIPATING
    assert conversation not in list(alice.get_subscribed_conversations())


@pytest.mark.row("CL16", "CV28", "EV02", "EV03", "EV04")
def test_a_conversation_that_was_left_can_be_joined_again(alice: Client) -> None:
    """The same object comes back to life, with messages and roster."""
    event_log = EventLog(alice, "conversation_joined", "conversation_left", "conversation_removed", "message_added")
    conversation = alice.create_conversation()
    conversation.join()
    conversation.leave()
    event_log.wait("conversation_removed")
    again = alice.peek_conversation_by_sid(conversation.sid)
    again.join()
    sent = again.send_message("back")

    assert again is conversation
    assert event_log.wait("message_added") is sent
    assert [participant.identity for participant in again.get_participants()] == [alice.identity]
    assert event_log.names()[:4] == ["conversation_joined", "conversation_left", "conversation_removed", "conversation_joined"]


@pytest.mark.row("BY14", "CV37", "CV38", "CV40", "EV33")
def test_updates_can_be_read_at_once_and_reach_the_other(pair: Pair, fresh: Fresh) -> None:
    """Names and attributes: here on the next line, there with the reason of the change."""
    conversation, bobs = pair
    event_log = EventLog(bobs, "updated")
    name = fresh("renamed")

    assert conversation.update_friendly_name("Renamed").friendly_name == "Renamed"
    assert event_log.wait("updated").update_reasons == ("friendlyName", "dateUpdated")
    assert conversation.update_unique_name(name).unique_name == name
    assert conversation.update_unique_name(None).unique_name is None
    assert conversation.update_attributes([1, {"a": "b"}]).attributes == [1, {"a": "b"}]
    event_log.wait("updated", lambda change: "attributes" in change.update_reasons)
    assert bobs.attributes == [1, {"a": "b"}]
    assert conversation.update_attributes(None).attributes is None


@pytest.mark.row("CV12", "CV35")
def test_the_notification_level(pair: Pair) -> None:
    """It can be read at once; unknown levels are refused here."""
    conversation, _ = pair
    conversation.set_user_notification_level("muted")

    assert conversation.notification_level is NotificationLevel.MUTED
    with pytest.raises(InvalidArgumentError):
        conversation.set_user_notification_level("loud")


@pytest.mark.row("CV19", "ER39", "EV34")
def test_delete_ends_it_for_everybody(pair: Pair) -> None:
    """Both see it left and removed, in this order."""
    conversation, bobs = pair
    event_log = EventLog(bobs, "removed")
    conversation.delete()

    assert conversation.status is ConversationStatus.NOT_PARTICIPATING
    assert event_log.wait("removed") is bobs
    with pytest.raises(RestError):
        conversation.send_message("too late")


@pytest.mark.row("CL15", "CL16")
def test_who_may_read_a_conversation_finds_it_without_being_in_it(alice: Client, connect: Connect) -> None:
    """Its creator, who has left it: by sid as by a peek, in a client that has never known it too."""
    sid = alice.create_conversation().join().leave().sid
    for client in (alice, connect(alice.identity)):
        told(client)
        found = client.get_conversation_by_sid(sid)
        assert found.status is ConversationStatus.NOT_PARTICIPATING
        assert client.peek_conversation_by_sid(sid) is found


@pytest.mark.row("CL15", "CL17", "ER09", "ER10")
def test_strangers_are_refused(pair: Pair, connect: Connect, fresh: Fresh) -> None:
    """Who is not in a conversation can neither find it among his own nor send to it."""
    conversation, _ = pair
    stranger = connect(fresh("stranger"))
    with pytest.raises((ForbiddenError, NotFoundError)):
        stranger.get_conversation_by_sid(conversation.sid)
    with pytest.raises(NotFoundError):
        stranger.get_conversation_by_sid("CH" + "0" * 32)
    with pytest.raises(NotFoundError):
        stranger.get_conversation_by_unique_name(fresh("nothing"))
    assert list(stranger.get_subscribed_conversations()) == []


@pytest.mark.row("BY12", "CL15", "CL16", "CL17")
def test_look_ups_give_the_same_object(alice: Client, fresh: Fresh) -> None:
    """By sid, by unique name and in the list: one conversation is one object."""
    name = fresh("named")
    conversation = alice.create_conversation(unique_name=name)
    conversation.join()

    assert alice.get_conversation_by_sid(conversation.sid) is conversation
    assert alice.get_conversation_by_unique_name(name) is conversation
    assert alice.peek_conversation_by_sid(conversation.sid) is conversation
    assert list(alice.iter_conversations()) == [conversation]


@pytest.mark.row("CV30")
@pytest.mark.parametrize(
    "name", ["a/b", "..", ".", "%2e%2e", "?x=1", "#", "a b", "a+b", "😀 zoë", "%", "../Conversations", "a\\b", "é&=;"]
)
def test_hostile_names_mean_themselves(alice: Client, connect: Connect, name: str) -> None:
    """Every method that builds a path, with names made to break out of it: they all work."""
    conversation = alice.create_conversation(friendly_name="safe")
    conversation.join()
    conversation.update_unique_name(f"{alice.identity}{name}")
    assert alice.get_conversation_by_unique_name(f"{alice.identity}{name}") is conversation
    added = conversation.add(name)
    assert conversation.get_participant_by_identity(name) is added
    conversation.remove_participant(name)
    for look_up in (alice.get_conversation_by_sid, alice.peek_conversation_by_sid):
        with pytest.raises(NotFoundError):
            look_up(name)
    assert alice.get_conversation_by_sid(conversation.sid) is conversation
    assert [participant.identity for participant in conversation.get_participants()] == [alice.identity]


@pytest.mark.row("CV29", "US02", "US10", "US11")
def test_a_hostile_identity_of_ones_own(connect: Connect, fresh: Fresh) -> None:
    """Joining, leaving, reading marks and the own user work for an identity that looks like a path."""
    client = connect(f"{fresh('zoë')}/../x?y=1#z %2e+☃")
    conversation = client.create_conversation()
    conversation.join()
    conversation.send_message("I am")
    assert conversation.set_all_messages_read() == 0
    assert client.user.update_friendly_name("Zoë").friendly_name == "Zoë"
    assert client.user.update_attributes({"a": 1}).attributes == {"a": 1}
    conversation.leave()
    assert conversation.status is ConversationStatus.NOT_PARTICIPATING


@pytest.mark.row("CL15")
def test_a_conversation_found_by_sid_is_followed(connect: Connect, fresh: Fresh) -> None:
    """Whoever was just added and looks the conversation up misses nothing that is said from then on."""
    alice, bob = connect(fresh("alice")), connect(fresh("bob"))
    event_log = EventLog(bob, "message_added")
    for _ in range(20):
        conversation = alice.create_conversation().join()
        conversation.add(bob.identity)
        assert bob.get_conversation_by_sid(conversation.sid).status is ConversationStatus.JOINED
        sent = conversation.send_message("heard")
        event_log.wait("message_added", lambda message, sid=sent.sid: message.sid == sid)


def test_who_comes_back_sees_no_write_of_before(connect: Connect, own: LocalServer) -> None:
    """A write that Sync has not told of gives way to the document that is read when the conversation is joined again."""
    alice = connect("alice", token=own.token("alice"), endpoint=own.url)
    bob = connect("bob", token=own.token("bob"), endpoint=own.url)
    seen: list[str | None] = []
    alice.on("conversation_joined", lambda conversation: seen.append(conversation.friendly_name))
    theirs = EventLog(bob, "conversation_joined")
    room = alice.create_conversation().join()
    room.add("bob")
    own.faults.hold_events("alice")
    room.update_friendly_name("mine")
    room.leave()
    theirs.wait("conversation_joined").update_friendly_name("theirs")
    room.join()
    own.faults.drop("alice")  # she is told of her own membership first, and opens the rest anew
    own.faults.clear()

    until(lambda: len(seen) == 2, "joined again")
    assert seen[1] == "theirs" == room.friendly_name
