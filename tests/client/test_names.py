"""People and conversations whose names are special in paths."""

from __future__ import annotations

import pytest

from tests.support.clients import Connect
from tests.support.waiting import until
from twilio_conversations import ConversationStatus, NotFoundError
from twilio_conversations.server import LocalServer

DOTS = [".", ".."]


@pytest.mark.parametrize("name", DOTS)
def test_a_user_named_by_dots(own: LocalServer, connect: Connect, name: str) -> None:
    """Can be looked up and renamed, by itself too."""
    alice, dots = (connect(who, token=own.token(who), endpoint=own.url) for who in ("alice", name))
    dots.user.update_friendly_name("Dots")
    dots.user.update_attributes({"n": 1})
    dots.user.refresh()

    user = alice.get_user(name)
    assert (user.identity, user.friendly_name, user.attributes) == (name, "Dots", {"n": 1})
    user.unsubscribe()
    assert user.refresh().friendly_name == "Dots"


@pytest.mark.parametrize("name", DOTS)
def test_a_participant_named_by_dots(own: LocalServer, connect: Connect, name: str) -> None:
    """Can be added, changed, removed, and can leave; the requests that remove it name its sid, since a proxy may resolve dots."""
    alice, dots = (connect(who, token=own.token(who), endpoint=own.url) for who in ("alice", name))
    room = alice.create_conversation().join()
    room.add(name).update_attributes({"n": 1})
    until(lambda: [joined.sid for joined in dots.iter_conversations()] == [room.sid], "added")
    theirs = dots.get_conversation_by_sid(room.sid)
    theirs.send_message("hello")
    theirs.typing()
    theirs.set_all_messages_read()
    theirs.leave()
    until(lambda: theirs.status is ConversationStatus.NOT_PARTICIPATING, "left")

    room.add(name)
    room.remove_participant(name)
    assert [participant.identity for participant in room.get_participants()] == ["alice"]
    with pytest.raises(NotFoundError):
        room.remove_participant(name)
    removals = [
        frame["header"]["http_request"]["path"]
        for frame in own.traffic()
        if frame["header"].get("http_request", {}).get("method") == "DELETE"
    ]
    assert len(removals) == 2
    assert all("/Participants/MB" in path for path in removals)
    assert alice.get_conversation_by_sid(room.sid) is room


@pytest.mark.parametrize("name", DOTS)
def test_a_conversation_named_by_dots(own: LocalServer, connect: Connect, name: str) -> None:
    """Is found by its unique name, by who is in it."""
    alice = connect("alice", token=own.token("alice"), endpoint=own.url)
    with pytest.raises(NotFoundError):
        alice.get_conversation_by_unique_name(name)
    room = alice.create_conversation(unique_name=name).join()

    assert alice.get_conversation_by_unique_name(name) is room
    room.update_unique_name(None)
    with pytest.raises(NotFoundError):
        alice.get_conversation_by_unique_name(name)
