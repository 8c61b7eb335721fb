"""What a conversation can do, against a real service: each call's effect can be read on the next line."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, cast

import pytest

from tests.acceptance.scene import until
from tests.support.clients import Connect
from tests.support.event_log import EventLog
from twilio_conversations import (
    Client,
    ConflictError,
    Conversation,
    ConversationStatus,
    ForbiddenError,
    InvalidArgumentError,
    Message,
    NotFoundError,
    NotificationLevel,
    PageUnavailableError,
    RestError,
    RestNotFoundError,
)
from twilio_conversations.server import LocalServer
from twilio_conversations.state.participants import Participants

Pair = tuple[Conversation, Conversation]
Fresh = Callable[[str], str]


@pytest.fixture
def alice(connect: Connect, fresh: Fresh) -> Client:
    """One ready client."""
    return connect(fresh("alice"))


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


@pytest.mark.row("BY14", "CV16", "CV22", "CV23", "CV24", "CV25", "CV30", "ER13", "EV25", "EV26", "PA02", "PA03", "PA04", "PA07")
def test_add_returns_the_participant_and_remove_takes_it_away(pair: Pair, fresh: Fresh) -> None:
    """Participants can be read right after they were added or removed."""
    conversation, bobs = pair
    carol = fresh("carol")
    event_log = EventLog(bobs, "participant_joined", "participant_left")
    added = conversation.add(carol, {"role": "guest"})

    assert (added.identity, added.attributes, added.conversation) == (carol, {"role": "guest"}, conversation)
    assert conversation.get_participant_by_identity(carol) is added
    assert conversation.get_participant_by_sid(added.sid) is added
    assert conversation.get_participants_count() == 3
    assert event_log.wait("participant_joined").attributes == {"role": "guest"}
    with pytest.raises(ConflictError):
        conversation.add(carol)
    conversation.remove_participant(added)
    assert added not in conversation.get_participants()
    assert event_log.wait("participant_left").identity == carol
    with pytest.raises(NotFoundError):
        conversation.get_participant_by_identity(carol)
    with pytest.raises(RestNotFoundError):
        conversation.remove_participant(carol)


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


@pytest.mark.row(
    "CV31", "EV28", "EV29", "EV30", "ME02", "ME03", "ME04", "ME05", "ME07", "ME09", "ME12", "ME16", "ME22", "ME24", "ME25", "ME26"
)
def test_a_message_can_be_sent_edited_and_removed(pair: Pair) -> None:
    """The sender holds the same object that the events tell of."""
    conversation, bobs = pair
    mine, theirs = EventLog(conversation, "message_added"), EventLog(bobs, "message_added", "message_updated", "message_removed")
    message = conversation.send_message("hello", attributes={"mood": "ok"}, subject="greeting")

    assert (message.index, message.body, message.attributes) == (0, "hello", {"mood": "ok"})
    assert message.author == conversation.get_participant_by_sid(message.participant_sid or "").identity
    assert mine.wait("message_added") is message
    received = theirs.wait("message_added")
    assert (received.sid, received.body, received.subject) == (message.sid, "hello", "greeting")
    assert received.get_participant().identity == message.author
    assert message.update_body("edited").body == "edited"
    change = theirs.wait("message_updated")
    assert (change.message, change.update_reasons) == (received, ("body", "lastUpdatedBy", "dateUpdated"))
    assert message.update_attributes({"mood": "better"}).attributes == {"mood": "better"}
    theirs.wait("message_updated", lambda change: "attributes" in change.update_reasons)
    message.remove()
    assert theirs.wait("message_removed") is received
    assert conversation.get_messages().items == []
    with pytest.raises(RestNotFoundError):
        message.update_body("too late")


@pytest.mark.row("CV31", "ER01", "ME07", "ME12")
def test_the_body_may_be_empty_and_attributes_anything(pair: Pair) -> None:
    """No text, empty text, and every kind of JSON value."""
    conversation, _ = pair

    assert conversation.send_message("").body == ""
    values: tuple[Any, ...] = ("text", 5, True, [1], {})
    for value in values:
        assert conversation.send_message("x", attributes=value).attributes == value
    with pytest.raises(InvalidArgumentError):
        conversation.send_message(5)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError):
        conversation.send_message("x", attributes={1: 2})


@pytest.mark.row("BY11", "BY12", "CV21", "ER27", "ER28", "PG02", "PG03", "PG04", "PG05", "PG06")
def test_pages_go_both_ways(pair: Pair) -> None:
    """Pages ascend by index, next is newer and previous is older, from any anchor; the same message is the same object."""
    conversation, bobs = pair
    sent = [conversation.send_message(str(number)) for number in range(12)]

    def shown(page: object) -> list[int]:
        return [message.index for message in page]  # type: ignore[attr-defined]

    newest = conversation.get_messages(5)
    assert shown(newest) == [7, 8, 9, 10, 11]
    assert newest.items == sent[7:]
    assert not newest.has_next_page
    middle = newest.prev_page()
    assert shown(middle) == [2, 3, 4, 5, 6]
    oldest = middle.prev_page()
    assert (shown(oldest), oldest.has_prev_page) == ([0, 1], False)
    assert shown(oldest.next_page()) == [2, 3, 4, 5, 6]
    with pytest.raises(PageUnavailableError):
        oldest.prev_page()
    assert shown(bobs.get_messages(3, 4)) == [2, 3, 4]
    assert shown(bobs.get_messages(3, 4, "forward")) == [4, 5, 6]
    assert shown(bobs.get_messages(100)) == list(range(12))
    one_by_one = [page.items[0].index for page in bobs.get_messages(1, 0, "forward").pages()]
    assert one_by_one == list(range(12))
    assert [message.index for message in bobs.iter_messages(limit=3)] == [11, 10, 9]
    assert [message.index for message in bobs.iter_messages(after=8)] == [9, 10, 11]
    for wrong in (0, -1, "5", True):
        with pytest.raises(InvalidArgumentError):
            bobs.get_messages(wrong)  # type: ignore[arg-type]


@pytest.mark.row("CV21")
def test_a_page_of_more_than_the_service_gives_at_once(pair: Pair) -> None:
    """The service answers 100 items at most; a larger page is put together."""
    conversation, bobs = pair
    for number in range(130):
        conversation.send_message(str(number))

    assert [message.index for message in bobs.get_messages(120)] == list(range(10, 130))
    assert [message.index for message in bobs.get_messages(500)] == list(range(130))


@pytest.mark.row("CV10", "CV18", "CV26", "CV27", "CV33", "CV34", "CV39", "PA09")
def test_the_read_horizon(pair: Pair) -> None:
    """Advancing never goes back, setting does, and every call returns the unread count."""
    conversation, bobs = pair
    for number in range(4):
        conversation.send_message(str(number))
    alices = EventLog(conversation, "participant_updated")

    assert bobs.get_unread_messages_count() is None
    assert bobs.advance_last_read_message_index(1) == 2
    assert bobs.last_read_message_index == 1
    assert bobs.advance_last_read_message_index(0) == 2
    assert bobs.last_read_message_index == 1
    change = alices.wait("participant_updated")
    assert change.update_reasons == ("lastReadMessageIndex", "lastReadTimestamp")
    assert change.participant.last_read_message_index == 1
    assert bobs.update_last_read_message_index(0) == 3
    assert bobs.set_all_messages_read() == 0
    assert bobs.get_unread_messages_count() == 0
    assert bobs.set_all_messages_unread() == 4
    assert bobs.last_read_message_index is None
    assert bobs.get_messages_count() == 4
    with pytest.raises(InvalidArgumentError):
        bobs.advance_last_read_message_index(-1)


@pytest.mark.row("CV36", "EV31", "EV32", "PA08")
def test_typing_starts_once_and_ends_with_a_message(pair: Pair) -> None:
    """Repeated notices announce nothing new; the message ends the typing before it is announced."""
    conversation, bobs = pair
    event_log = EventLog(conversation, "typing_started", "typing_ended", "message_added")
    bobs.typing()
    bobs.typing()
    participant = event_log.wait("typing_started")
    assert participant.is_typing
    bobs.send_message("done")
    event_log.wait("message_added")

    assert event_log.names() == ["typing_started", "typing_ended", "message_added"]
    assert not participant.is_typing


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


def test_an_idempotency_key_makes_a_repeat_the_same_send(pair: Pair) -> None:
    """A second send with the same key, as from another process, returns the message of the first."""
    conversation, _ = pair
    key = "0b1c8a52-0f44-4a5c-9b0d-2f8d2f6d4f11"
    first = conversation.send_message("once", idempotency_key=key)
    again = conversation.send_message("once", idempotency_key=key)

    assert again is first
    assert conversation.get_messages_count() == 1


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


def test_who_edited_a_message_is_seen_with_the_edit(service: LocalServer, pair: Pair) -> None:
    """Both show on the next line, whether or not the service's own word has come."""
    conversation, _ = pair
    identity = conversation.created_by
    message = conversation.send_message("before")
    with service.faults.held_events(identity):
        message.update_body("after")
        assert (message.body, message.last_updated_by) == ("after", identity)


def test_nobody_stays_whom_only_an_answer_has_named(connect: Connect, own: LocalServer) -> None:
    """Somebody added leaves before Sync has told of it, while the adder left and came back: the roster is what it is."""
    alice = connect("alice", token=own.token("alice"), endpoint=own.url)
    bob = connect("bob", token=own.token("bob"), endpoint=own.url)
    event_log, theirs = EventLog(alice, "conversation_left", "conversation_joined"), EventLog(bob, "conversation_joined")
    room = alice.create_conversation().join()
    own.faults.hold_events("alice")
    room.add("bob")
    room.leave().join()
    theirs.wait("conversation_joined").leave()
    own.faults.drop("alice")  # she is told of her own membership first, and opens the rest anew
    own.faults.clear()

    assert event_log.wait("conversation_left") is room
    until(lambda: len(event_log.of("conversation_joined")) == 2, "joined again")
    assert [participant.identity for participant in room.get_participants()] == ["alice"]


def test_who_was_removed_and_added_again_is_shown(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the participant that was there when the call began is hidden, not another one with the same identity."""
    mine, theirs = pair
    caller, participants = theirs._live.runtime, cast(Participants, theirs._live.participants)
    delete = caller.rest.delete

    def delete_and_wait(*arguments: Any, **options: Any) -> None:
        delete(*arguments, **options)
        again = mine.join().get_participant_by_identity(mine._live.runtime.configuration.identity)
        until(lambda: again.sid in participants._by_sid, "the new participant is known")

    monkeypatch.setattr(caller.rest, "delete", delete_and_wait)
    theirs.remove_participant(mine._live.runtime.configuration.identity)
    assert len(theirs.get_participants()) == 2


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


def test_new_attributes_do_not_make_an_editor(alice: Client, service: LocalServer) -> None:
    """Who edited the text is what the service says, before and after the event; nothing is left over the replica."""
    room = alice.create_conversation().join()
    message = room.send_message("text")
    with service.faults.held_events(alice.identity):
        assert message.update_attributes({"a": 1}).last_updated_by is None
    until(lambda: not message._live.state.overlay, "the event ends the overlay", 4)
    assert (message.attributes, message.last_updated_by) == ({"a": 1}, None)


def test_who_comes_back_sees_what_became_of_messages(pair: Pair) -> None:
    """Messages that the program still holds are up to date when the conversation is joined again, though no event told."""
    mine, theirs = pair
    added, back = (
        EventLog(theirs, "message_added"),
        EventLog(theirs._live.runtime.events, "conversation_left", "conversation_joined"),
    )
    sent = mine.send_message("before")
    held: Message = added.wait("message_added")
    theirs.leave()
    back.wait("conversation_left")
    sent.update_body("after")
    mine.add(theirs._live.runtime.configuration.identity)
    until(lambda: back.names()[-1] == "conversation_joined", "joined again")
    assert held.body == "after"


@pytest.mark.parametrize("key", [4711, 1.5, b"key", "", "é", "a\nb", "x" * 65, ["key"], ...], ids=repr)
def test_a_key_that_cannot_be_is_refused_before_it_is_sent(pair: Pair, key: Any) -> None:
    """The call fails and the client goes on: a frame that the service does not take would end it for all threads."""
    conversation, _ = pair
    with pytest.raises(InvalidArgumentError, match="idempotency_key"):
        conversation.send_message("a", idempotency_key=key)
    assert conversation.send_message("b").index == 0


def test_a_uuid_may_be_the_key(pair: Pair) -> None:
    """Given as an object or as its text it is the same key."""
    conversation, _ = pair
    key = uuid.uuid4()
    assert conversation.send_message("a", idempotency_key=key) is conversation.send_message("a", idempotency_key=str(key))
