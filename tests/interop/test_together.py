"""Our client and the official one in one conversation, both ways, every event.

In every test one person acts — once our client, once the official one — and two watch: one with each. The two watchers must see
the same events with the same contents, and those must be right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from tests.interop.official import History, eventually
from tests.interop.steps import bodies, indexes, wait_for_roster

Fresh = Callable[[str], str]
ATTRIBUTES = {"topic": "héllo ☃ 😀", "n": 1.5, "nested": {"list": [1, "two", None, {"deep": True}]}, "empty": {}}
Picture = dict[str, Any]


@attrs.define
class Trio:
    """Three people in one conversation: who acts, and who watches, with the official client and with ours."""

    actor: Any
    official: Any
    ours: Any
    sid: str

    @property
    def watchers(self) -> tuple[Any, Any]:
        """Both watchers."""
        return self.official, self.ours

    @property
    def everyone(self) -> tuple[Any, Any, Any]:
        """All three."""
        return self.actor, self.official, self.ours

    @property
    def room(self) -> Any:
        """The actor's conversation."""
        return self.actor.conversation(self.sid)

    def marks(self) -> dict[Any, int]:
        """Return where everybody's history ends now."""
        return {one: one.mark() for one in self.everyone}

    def both_see(
        self, name: str, predicate: Callable[[Any], bool] = lambda data: True, *, since: dict[Any, int] | None = None
    ) -> Any:
        """Wait until both watchers have seen an event, and return what they saw; it must be the same."""
        official, ours = (one.wait_event(name, predicate, since=(since or {}).get(one, 0)) for one in self.watchers)
        assert comparable(official) == comparable(ours)
        return ours


def comparable(seen: Any) -> Any:
    """Return a picture without what the two watchers rightly see differently: what is their own, and a set's order."""
    if not isinstance(seen, dict):
        return seen
    kept = {key: comparable(value) for key, value in seen.items() if key not in ("limits", "bindings")}
    if "updateReasons" in kept:
        kept["updateReasons"] = sorted(kept["updateReasons"])
    return kept


def named(history: History, *names: str, since: int = 0) -> list[str]:
    """Return which of these events somebody saw, in order."""
    return [seen.name for seen in history.events(since=since) if seen.name in names]


@pytest.fixture(params=["official", "ours"])
def trio(request: pytest.FixtureRequest, official: Any, ours: Any, fresh: Fresh) -> Trio:
    """Three people whose conversation is ready; the actor uses each client in turn."""
    actor = (official if request.param == "official" else ours)(fresh("actor"))
    watchers = official(fresh("jay")), ours(fresh("pia"))
    room = actor.call("createConversation", {"friendlyName": "together"})
    sid = room["sid"]
    actor.conversation(sid).call("join")
    actor.wait_event("conversationJoined", lambda data: data["sid"] == sid)
    actor.conversation(sid).call("getParticipants")
    for watcher in watchers:
        actor.conversation(sid).call("add", watcher.identity)
    for watcher in watchers:
        watcher.wait_event("conversationJoined", lambda data: data["sid"] == sid)
    everyone = sorted(one.identity for one in (actor, *watchers))
    for one in (actor, *watchers):
        wait_for_roster(one, sid, everyone)
    return Trio(actor, *watchers, sid)


@pytest.mark.row("EV01", "EV02")
def test_added_to_a_conversation(trio: Trio) -> None:
    """Who is added sees `conversationAdded`, then `conversationJoined`, with all the conversation's fields."""
    joined = trio.both_see("conversationJoined")
    assert (joined["status"], joined["friendlyName"], joined["createdBy"]) == ("joined", "together", trio.actor.identity)
    for watcher in trio.watchers:
        assert named(watcher, "conversationAdded", "conversationJoined") == ["conversationAdded", "conversationJoined"]


@pytest.mark.every_version
@pytest.mark.row("EV09", "ME11", "ME13")
def test_message_added(trio: Trio) -> None:
    """A message comes to all three once, the same, with text and attributes as sent."""
    since = trio.marks()
    assert trio.room.call("sendMessage", "hello ☃ 😀", ATTRIBUTES) == 0
    message = trio.both_see("messageAdded", since=since)
    assert (message["body"], message["attributes"], message["index"]) == ("hello ☃ 😀", ATTRIBUTES, 0)
    assert (message["author"], message["conversationSid"]) == (trio.actor.identity, trio.sid)
    assert comparable(trio.actor.wait_event("messageAdded", since=since[trio.actor])) == message
    updated = trio.both_see("conversationUpdated", lambda data: "lastMessage" in data["updateReasons"], since=since)
    assert updated["conversation"]["lastMessage"] == {"index": 0, "dateCreated": message["dateCreated"]}
    assert set(updated["updateReasons"]) <= {"lastMessage", "dateUpdated"}
    for one in trio.everyone:
        assert [seen.data["index"] for seen in one.events("messageAdded", since=since[one])] == [0]
        assert one.events("messageUpdated", since=since[one]) == []


@pytest.mark.row("BY37")
def test_answers_back_and_forth(trio: Trio) -> None:
    """Everybody answers everybody; all three see the same messages in index order and read the same history."""
    for round_ in range(3):
        for one in trio.everyone:
            one.conversation(trio.sid).call("sendMessage", f"{round_} from {one.identity}")
    for one in trio.everyone:
        one.wait_event("messageAdded", lambda data: data["index"] == 8)
        added = [(seen.data["index"], seen.data["body"]) for seen in one.events("messageAdded")]
        assert [index for index, _ in added] == list(range(9))
        assert bodies(one.conversation(trio.sid).call("getMessages")) == added
        last = one.message(trio.sid, 8)
        assert last.call("getParticipant")["identity"] == last.look()["author"]


@pytest.mark.every_version
@pytest.mark.row("EV11", "ME08", "ME10", "ME25", "ME26")
def test_message_updated(trio: Trio) -> None:
    """Edits of text and of attributes arrive with exactly their reasons and the new contents."""
    trio.room.call("sendMessage", "draft", {"v": 1})
    trio.both_see("messageAdded")
    message = trio.actor.message(trio.sid, 0)
    for method, value, reasons in (
        ("updateBody", "final ✏️", {"body", "lastUpdatedBy"}),
        ("updateAttributes", ATTRIBUTES, {"attributes"}),
        ("updateBody", "", {"body"}),
        ("updateAttributes", [1, {"a": None}], {"attributes"}),
    ):
        since = trio.marks()
        message.call(method, value)
        update = trio.both_see("messageUpdated", since=since)
        assert set(update["updateReasons"]) - {"dateUpdated"} == reasons
        assert update["message"]["body" if method == "updateBody" else "attributes"] == value
        assert update["message"]["lastUpdatedBy"] == trio.actor.identity
        assert trio.actor.wait_event("messageUpdated", since=since[trio.actor])["message"] == update["message"]


@pytest.mark.row("CV11", "EV10", "ME24")
def test_message_removed(trio: Trio) -> None:
    """A removal arrives once everywhere, `lastMessage` goes back, and the index is not used again."""
    for number in range(3):
        trio.room.call("sendMessage", f"m{number}")
    trio.both_see("messageAdded", lambda data: data["index"] == 2)
    since = trio.marks()
    trio.actor.message(trio.sid, 2).call("remove")
    assert trio.both_see("messageRemoved", since=since)["index"] == 2
    trio.both_see("conversationUpdated", lambda data: data["conversation"]["lastMessage"]["index"] == 1, since=since)
    trio.actor.wait_event("messageRemoved", since=since[trio.actor])
    for one in trio.everyone:
        assert indexes(one.conversation(trio.sid).call("getMessages")) == [0, 1]
        assert len(one.events("messageRemoved", since=since[one])) == 1
    assert trio.room.call("sendMessage", "m3") == 3


@pytest.mark.every_version
@pytest.mark.row("EV06", "EV07", "EV08", "PA04", "PA16")
def test_participants_come_change_and_go(trio: Trio, fresh: Fresh) -> None:
    """Joining, a change of attributes and leaving are told to all, with reasons."""
    newcomer = fresh("zoë+tag@ex ample.com ☃")
    since = trio.marks()
    trio.room.call("add", newcomer, {"role": "guest"})

    def is_newcomer(data: Any) -> bool:  # the watchers' own joining may still be on its way
        return bool(data["identity"] == newcomer)

    joined = trio.both_see("participantJoined", is_newcomer, since=since)
    assert (joined["identity"], joined["attributes"], joined["type"]) == (newcomer, {"role": "guest"}, "chat")
    assert comparable(trio.actor.wait_event("participantJoined", is_newcomer, since=since[trio.actor])) == joined
    for one in trio.everyone:
        room = one.conversation(trio.sid)
        assert room.call("getParticipantByIdentity", newcomer)["sid"] == joined["sid"]
        assert room.call("getParticipantBySid", joined["sid"])["identity"] == newcomer

    since = trio.marks()
    trio.actor.participant(trio.sid, newcomer).call("updateAttributes", ATTRIBUTES)
    updated = trio.both_see("participantUpdated", since=since)
    assert set(updated["updateReasons"]) - {"dateUpdated"} == {"attributes"}
    assert updated["participant"]["attributes"] == ATTRIBUTES

    since = trio.marks()
    trio.room.call("removeParticipant", newcomer)
    assert trio.both_see("participantLeft", since=since)["identity"] == newcomer
    trio.actor.wait_event("participantLeft", since=since[trio.actor])
    for one in trio.everyone:
        assert newcomer not in [p["identity"] for p in one.conversation(trio.sid).call("getParticipants")]


@pytest.mark.row("CV37", "CV38", "CV40", "EV05")
def test_conversation_updated(trio: Trio, fresh: Fresh) -> None:
    """Names and attributes change for all, each with its own reason."""
    name = fresh("straße/ü ☃")
    for method, value, field in (
        ("updateFriendlyName", "Neuer Name ✏️", "friendlyName"),
        ("updateUniqueName", name, "uniqueName"),
        ("updateAttributes", ATTRIBUTES, "attributes"),
    ):
        since = trio.marks()
        trio.room.call(method, value)
        update = trio.both_see("conversationUpdated", since=since)
        assert set(update["updateReasons"]) - {"dateUpdated"} == {field}
        assert update["conversation"][field] == value
        assert field in trio.actor.wait_event("conversationUpdated", since=since[trio.actor])["updateReasons"]
    for one in trio.everyone:
        assert one.call("getConversationByUniqueName", name)["sid"] == trio.sid


@pytest.mark.row("CV29", "CV30", "EV03", "EV04")
def test_leaving_and_being_removed(trio: Trio) -> None:
    """Who leaves and who is removed sees `conversationLeft`, then `conversationRemoved`; the other sees somebody go."""
    trio.ours.conversation(trio.sid).call("leave")
    trio.ours.wait_event("conversationRemoved")
    left = trio.official.wait_event("participantLeft")
    assert left["identity"] == trio.ours.identity
    trio.room.call("removeParticipant", trio.official.identity)
    trio.official.wait_event("conversationRemoved")
    for watcher in trio.watchers:
        assert named(watcher, "conversationLeft", "conversationRemoved") == ["conversationLeft", "conversationRemoved"]
        eventually(lambda one=watcher: one.call("getSubscribedConversations")["items"] == [], "the list is empty")
    assert [p["identity"] for p in trio.room.call("getParticipants")] == [trio.actor.identity]


@pytest.mark.row("CV19", "EV04")
def test_deleted(trio: Trio) -> None:
    """A deletion ends the conversation for all three, told once each."""
    trio.room.call("delete")
    for one in trio.everyone:
        assert one.wait_event("conversationRemoved")["sid"] == trio.sid
        assert named(one, "conversationRemoved") == ["conversationRemoved"]


@pytest.mark.row("CV36", "EV14", "EV15")
def test_typing(trio: Trio) -> None:
    """Typing is seen by both, ends by itself, or at once with the message; the typist hears nothing of it."""
    since = trio.marks()
    trio.room.call("typing")
    started = trio.both_see("typingStarted", since=since)
    assert (started["identity"], started["isTyping"]) == (trio.actor.identity, True)
    assert trio.both_see("typingEnded", since=since)["isTyping"] is False

    since = trio.marks()
    trio.room.call("typing")
    trio.both_see("typingStarted", since=since)
    trio.room.call("sendMessage", "done")
    trio.both_see("messageAdded", since=since)
    for watcher in trio.watchers:
        story = named(watcher, "typingStarted", "typingEnded", "messageAdded", since=since[watcher])
        assert story == ["typingStarted", "typingEnded", "messageAdded"]
    assert trio.actor.events("typingStarted") == []


@pytest.mark.every_version
@pytest.mark.row("CV18", "PA09", "PA10")
def test_read_horizon(trio: Trio) -> None:
    """The actor's horizon shows on the actor's participant for both, and on its own conversation; counts are right."""
    for number in range(3):
        trio.official.conversation(trio.sid).call("sendMessage", f"m{number}")
    trio.both_see("messageAdded", lambda data: data["index"] == 2)
    trio.actor.wait_event("messageAdded", lambda data: data["index"] == 2)
    assert trio.room.call("getUnreadMessagesCount") is None
    for method, arguments, unread, horizon in (
        ("advanceLastReadMessageIndex", [1], 1, 1),
        ("setAllMessagesRead", [], 0, 2),
        ("updateLastReadMessageIndex", [0], 2, 0),
    ):
        since = trio.marks()
        assert trio.room.call(method, *arguments) == unread
        update = trio.both_see("participantUpdated", since=since)
        assert set(update["updateReasons"]) == {"lastReadMessageIndex", "lastReadTimestamp"}
        assert update["participant"]["identity"] == trio.actor.identity
        assert update["participant"]["lastReadMessageIndex"] == horizon
        own = trio.actor.wait_event("conversationUpdated", since=since[trio.actor])
        assert own["updateReasons"] == ["lastReadMessageIndex"]
        assert own["conversation"]["lastReadMessageIndex"] == horizon
    since = trio.marks()
    trio.room.call("setAllMessagesUnread")
    trio.both_see("participantUpdated", lambda data: data["participant"]["lastReadMessageIndex"] is None, since=since)
    for watcher in trio.watchers:
        assert watcher.conversation(trio.sid).look()["lastReadMessageIndex"] is None


@pytest.mark.row("CV35")
def test_notification_level(trio: Trio) -> None:
    """Muting is the actor's own affair: its conversation changes, nobody else's."""
    since = trio.marks()
    trio.room.call("setUserNotificationLevel", "muted")
    update = trio.actor.wait_event("conversationUpdated", since=since[trio.actor])
    assert (update["updateReasons"], update["conversation"]["notificationLevel"]) == (["notificationLevel"], "muted")
    trio.room.call("setUserNotificationLevel", "default")
    trio.actor.wait_event("conversationUpdated", lambda data: data["conversation"]["notificationLevel"] == "default")
    for watcher in trio.watchers:
        assert watcher.conversation(trio.sid).look()["notificationLevel"] == "default"
        assert watcher.events("conversationUpdated", since=since[watcher]) == []


@pytest.mark.row("EV19", "US05", "US06", "US10", "US11")
def test_own_user(trio: Trio) -> None:
    """The own user's name and attributes change for oneself and for the official client that looks at the user."""
    identity = trio.actor.identity
    assert trio.official.user(identity).look()["isSubscribed"] is True
    for method, value, field in (
        ("updateFriendlyName", "Die Handelnde ☃", "friendlyName"),
        ("updateAttributes", ATTRIBUTES, "attributes"),
    ):
        marks = {one: one.mark() for one in (trio.actor, trio.official)}
        trio.actor.user(identity).call(method, value)
        for one, mark in marks.items():
            update = one.wait_event("userUpdated", lambda data: data["user"]["identity"] == identity, since=mark)
            assert (update["updateReasons"], update["user"][field]) == ([field], value)


@pytest.mark.row("CV21")
def test_history_looks_the_same(trio: Trio) -> None:
    """Pages from either end, of any size and over holes hold the same for both clients."""
    for number in range(12):
        trio.room.call("sendMessage", f"m{number}", {"number": number})
    for number in (3, 4, 11):
        trio.actor.message(trio.sid, number).call("remove")
    trio.both_see("messageRemoved", lambda data: data["index"] == 11)
    for arguments in ([], [5], [4, 6], [4, 6, "forward"], [100], [2, 0, "forward"], [3, 500]):
        official, ours = (one.conversation(trio.sid).call("getMessages", *arguments) for one in trio.watchers)
        assert {**official, "page": None} == {**ours, "page": None}, arguments
    seen = {}
    for one in trio.watchers:
        page = one.conversation(trio.sid).call("getMessages", 4)
        numbers = indexes(page)
        while page["hasPrevPage"]:
            page = one.page(page["page"]).call("prevPage")
            numbers = indexes(page) + numbers
        seen[one] = numbers
    assert list(seen.values()) == [[0, 1, 2, 5, 6, 7, 8, 9, 10]] * 2


@pytest.mark.row("CV23", "CV26")
def test_counts(trio: Trio) -> None:
    """Both clients count the same participants and messages."""
    trio.room.call("sendMessage", "one")
    trio.both_see("messageAdded")
    for one in trio.everyone:
        assert one.conversation(trio.sid).call("getParticipantsCount") == 3
        assert one.conversation(trio.sid).call("getMessagesCount") == 1
