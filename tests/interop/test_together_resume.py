"""Our client and the official one lose the line together, and afterwards have seen the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.faults.proxy import FaultProxy
from tests.interop.official import Driver
from tests.interop.ours import Ours
from tests.interop.steps import bodies, wait_for_roster
from tests.interop.test_together import ATTRIBUTES, comparable
from twilio_conversations import BackoffPolicy, Client

Fresh = Callable[[str], str]


def address(url: str) -> tuple[str, int]:
    """Return host and port of a service."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


@pytest.fixture
def line(service: Any) -> Iterator[FaultProxy]:
    """The line of both watchers; it can be cut."""
    with FaultProxy(address(service.url)) as proxy:
        yield proxy


def room_of(actor: Any, watchers: tuple[Any, ...]) -> str:
    """Make a conversation of all of them and return its SID once everyone sees everyone."""
    sid: str = actor.call("createConversation", {"friendlyName": "before"})["sid"]
    actor.conversation(sid).call("join")
    actor.wait_event("conversationJoined", lambda data: data["sid"] == sid)
    actor.conversation(sid).call("getParticipants")  # the official client follows the messages only after this
    for watcher in watchers:
        actor.conversation(sid).call("add", watcher.identity)
    for one in (actor, *watchers):
        one.wait_event("conversationJoined", lambda data: data["sid"] == sid)
        wait_for_roster(one, sid, sorted(person.identity for person in (actor, *watchers)))
    return sid


@pytest.mark.every_version
def test_both_miss_the_same_and_catch_up(line: FaultProxy, official: Any, ours: Any, fresh: Fresh) -> None:
    """Messages, an edit, a removal, a rename, a horizon and a new member during an outage reach both, once, the same."""
    actor = ours(fresh("actor"))
    watchers = official(fresh("jay"), url=line.url), ours(fresh("pia"), url=line.url)
    sid = room_of(actor, watchers)
    room, newcomer = actor.conversation(sid), fresh("carol")
    room.call("sendMessage", "m0")
    room.call("sendMessage", "m1")
    for watcher in watchers:
        watcher.wait_event("messageAdded", lambda data: data["index"] == 1)
    marks = {watcher: watcher.mark() for watcher in watchers}

    line.refuse()
    line.cut_all()
    for number in range(2, 6):
        room.call("sendMessage", f"missed {number}", {"number": number})
    actor.message(sid, 1).call("updateBody", "edited")
    actor.message(sid, 0).call("remove")
    room.call("updateFriendlyName", "after")
    room.call("updateAttributes", ATTRIBUTES)
    room.call("updateLastReadMessageIndex", 3)
    room.call("add", newcomer, {"late": 1})
    line.refuse(False)

    for name, predicate in (
        ("messageAdded", lambda data: data["index"] == 5),
        ("messageUpdated", lambda data: data["message"]["body"] == "edited"),
        ("messageRemoved", lambda data: data["index"] == 0),
        ("participantJoined", lambda data: data["identity"] == newcomer),
        ("participantUpdated", lambda data: data["participant"]["lastReadMessageIndex"] == 3),
        ("conversationUpdated", lambda data: data["conversation"]["attributes"] == ATTRIBUTES),
    ):
        theirs, ours_ = (one.wait_event(name, predicate, since=mark) for one, mark in marks.items())
        if name != "conversationUpdated":  # several changes may come as one update or as several
            assert comparable(theirs) == comparable(ours_)
    for one, mark in marks.items():
        assert [seen.data["index"] for seen in one.events("messageAdded", since=mark)] == [2, 3, 4, 5]
        assert len(one.events("messageUpdated", since=mark)) == len(one.events("messageRemoved", since=mark)) == 1
        assert one.conversation(sid).look()["friendlyName"] == "after"
        history = [(1, "edited"), *((number, f"missed {number}") for number in range(2, 6))]
        assert bodies(one.conversation(sid).call("getMessages")) == history


def test_sent_while_away_arrives_once(line: FaultProxy, official: Any, ours: Any, fresh: Fresh) -> None:
    """A message that our client sends into a cut line arrives once when it is back; so do answers to it."""
    soon = BackoffPolicy(minimum=0.1, maximum=1.0)  # so many cuts in a row would otherwise be answered with long pauses
    listener, sender = official(fresh("jay")), ours(fresh("pia"), url=line.url, reconnect=soon)
    sid = room_of(listener, (sender,))
    for round_ in range(5):
        mark = sender.mark()
        line.cut_all()
        assert sender.conversation(sid).call("sendMessage", f"from ours {round_}") == 2 * round_
        assert listener.conversation(sid).call("sendMessage", f"from official {round_}") == 2 * round_ + 1
        sender.wait_event("messageAdded", lambda data, index=2 * round_ + 1: data["index"] == index, since=mark)
    for one in (listener, sender):
        one.wait_event("messageAdded", lambda data: data["index"] == 9)
        assert [seen.data["index"] for seen in one.events("messageAdded")] == list(range(10))


def test_removed_while_away(line: FaultProxy, official: Any, ours: Any, fresh: Fresh) -> None:
    """Who is removed during an outage learns it afterwards: both see left, then removed."""
    actor = official(fresh("actor"))
    watchers = official(fresh("jay"), url=line.url), ours(fresh("pia"), url=line.url)
    sid = room_of(actor, watchers)
    line.refuse()
    line.cut_all()
    for watcher in watchers:
        actor.conversation(sid).call("removeParticipant", watcher.identity)
    line.refuse(False)
    for watcher in watchers:
        watcher.wait_event("conversationRemoved")
        names = [seen.name for seen in watcher.events() if seen.name in ("conversationLeft", "conversationRemoved")]
        assert names == ["conversationLeft", "conversationRemoved"]


def test_new_tokens_do_not_disturb(service: Any, official: Any, ours: Any, fresh: Fresh) -> None:
    """Both take a new token over the open connection and go on talking."""
    jay, pia = official(fresh("jay")), ours(fresh("pia"))
    sid = room_of(jay, (pia,))
    for one in (jay, pia):
        marks = {other: other.mark() for other in (jay, pia)}
        if one is jay:
            jay.call("updateToken", service.token(jay.identity, ttl=1800))
        else:
            pia.client.update_token(service.token(pia.identity, ttl=1800))
        one.conversation(sid).call("sendMessage", f"{one.identity} has a new token")
        for other, mark in marks.items():
            assert other.wait_event("messageAdded", since=mark)["author"] == one.identity
            assert other.events("connectionStateChanged", since=mark) == []


@pytest.mark.slow
def test_service_restart(version: str, driver_of: Callable[[str], Driver], fresh: Fresh, tmp_path: Path) -> None:
    """A service stopped and started on the same data and port is for both no more than a cut."""
    from twilio_conversations.server import LocalServer

    driver, names = driver_of(version), [fresh("jay"), fresh("pia")]
    with LocalServer(data_dir=tmp_path) as before:
        port = address(before.url)[1]
        jay = driver.connect(names[0], before.token(names[0]), before.url)
        pia = Ours(Client(before.token(names[1]), endpoint=before.url), names[1])
        sid = room_of(jay, (pia,))
        jay.conversation(sid).call("sendMessage", "before")
        pia.wait_event("messageAdded")
    with LocalServer(data_dir=tmp_path, port=port), pia.client:
        assert pia.conversation(sid).call("sendMessage", "from ours") == 1
        jay.wait_event("messageAdded", lambda data: data["index"] == 1)
        assert jay.conversation(sid).call("sendMessage", "from official") == 2
        pia.wait_event("messageAdded", lambda data: data["index"] == 2)
        for one in (jay, pia):
            assert bodies(one.conversation(sid).call("getMessages")) == [(0, "before"), (1, "from ours"), (2, "from official")]
        driver.shutdown([jay])
    driver.problems.clear()
