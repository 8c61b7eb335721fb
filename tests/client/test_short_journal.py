"""A service that remembers few changes, and replays in another order: all that happened is announced once, in order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.faults.proxy import FaultProxy
from tests.support.clients import Connect
from tests.support.event_log import EventLog
from tests.support.waiting import until
from twilio_conversations import Client, Conversation
from twilio_conversations.server import LocalServer

EVENTS = ("message_added", "participant_joined", "participant_left", "conversation_resynced")
JOURNALS = (0, 1, 2, 4, 100)


@pytest.fixture(params=["replay_first", "live_first"])
def service(own: LocalServer, request: pytest.FixtureRequest) -> LocalServer:
    """A service with this order of replayed and live events."""
    own.configure(replay_order=request.param)
    return own


class Absence:
    """Alice behind a line that can be cut, and Bob, in one conversation."""

    def __init__(self, connect: Connect, line: FaultProxy) -> None:
        self._line = line
        self.bob = connect("bob")
        self.theirs = self.bob.create_conversation().join()
        self.theirs.add("carol")
        self.alice: Client = connect("alice", endpoint=line.url)
        joined = EventLog(self.alice, "conversation_joined")
        self.theirs.add("alice")
        self.room: Conversation = joined.wait("conversation_joined")
        self.log = EventLog(self.alice, *EVENTS)
        self.send("known")
        self.log.wait("message_added")

    def send(self, *texts: str) -> None:
        """Bob sends messages."""
        for text in texts:
            self.theirs.send_message(text)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Alice is not connected meanwhile."""
        disconnected = EventLog(self.alice, "connection_state_changed")
        self._line.refuse()
        self._line.cut_all()
        disconnected.wait("connection_state_changed", lambda state: state != "connected")
        yield
        self._line.refuse(False)

    def settle(self, text: str = "last") -> list[tuple[str, Any]]:
        """Return the events until one more message has come, and the participants are those of the service."""
        self.send(text)
        self.log.wait("message_added", lambda message: message.body == text)
        expected = {one.sid for one in self.theirs.get_participants()}
        until(lambda: {one.sid for one in self.room.get_participants()} == expected, "the same participants")
        return [(name, _name_of(payload)) for name, payload in self.log.entries]


def _name_of(payload: Any) -> Any:
    return getattr(payload, "body", None) or getattr(payload, "identity", None)


@pytest.fixture
def absence(connect: Connect, line: FaultProxy) -> Absence:
    """The two of them."""
    return Absence(connect, line)


@pytest.mark.parametrize("journal", JOURNALS)
def test_messages_of_an_absence(service: LocalServer, absence: Absence, journal: int) -> None:
    """All of them are announced, in order; if any was not replayed, before `conversation_resynced`."""
    service.configure(journal_limit=journal)
    texts = [f"missed {number}" for number in range(8)]
    with absence.away():
        absence.send(*texts)
    events = absence.settle()

    assert [text for name, text in events if name == "message_added"] == ["known", *texts, "last"]
    names = [name for name, _ in events]
    if journal == 100:
        assert "conversation_resynced" not in names
    else:
        absence.log.wait("conversation_resynced")
        names = absence.log.names()
        assert names.count("conversation_resynced") == 1
        assert names.index("conversation_resynced") > 8


@pytest.mark.parametrize("journal", JOURNALS)
def test_participants_of_an_absence(service: LocalServer, absence: Absence, journal: int) -> None:
    """Joining and leaving are announced once; someone who came and went is announced as both, not at all, or,
    where only the leaving was replayed, as that.

    If more was not replayed than the leaving, which is announced all the same, `conversation_resynced` is raised.
    """
    service.configure(journal_limit=journal)
    with absence.away():
        absence.theirs.remove_participant("carol")
        for name in ("dave", "eve", "frank"):
            absence.theirs.add(name)
        absence.theirs.remove_participant("frank")
    absence.settle()
    if journal < 4:
        absence.log.wait("conversation_resynced")

    def events() -> list[tuple[str, Any]]:
        return [(name, _name_of(one)) for name, one in absence.log.entries if name.startswith("participant")]

    known = {("participant_joined", "dave"), ("participant_joined", "eve"), ("participant_left", "carol")}
    frank = [("participant_joined", "frank"), ("participant_left", "frank")]
    until(lambda: known <= set(events()), "all of them")
    until(lambda: [event for event in events() if event[1] == "frank"] in ([], frank, frank[1:]), "whoever came has gone")
    assert set(events()) <= known | set(frank)
    assert len(events()) == len(set(events()))


def test_changes_of_an_absence_that_are_not_replayed(service: LocalServer, absence: Absence) -> None:
    """A held message and participant are up to date by the time of `conversation_resynced`."""
    message = absence.log.wait("message_added")
    carol = absence.room.get_participant_by_identity("carol")
    service.configure(journal_limit=1)
    seen: list[Any] = []
    absence.alice.on("conversation_resynced", lambda _: seen.append((message.body, carol.attributes)))
    with absence.away():
        first = next(one for one in absence.theirs.get_messages().items if one.body == "known")
        first.update_body("changed")
        absence.theirs.get_participant_by_identity("carol").update_attributes({"n": 1})
        for number in range(3):
            absence.send(str(number))
            absence.theirs.get_participant_by_identity("bob").update_attributes({"n": number})
    absence.log.wait("conversation_resynced")
    assert seen == [("changed", {"n": 1})]


def test_a_replay_in_parts_between_which_the_service_forgets(service: LocalServer, absence: Absence) -> None:
    """The second part begins behind what was forgotten meanwhile: that is on a page."""
    with absence.away():
        absence.send("a", "b", "c", "d")
        service.configure(replay_limit=1)
    absence.log.wait("message_added", lambda message: message.body == "a")
    service.configure(journal_limit=1)
    seen = [body for name, body in absence.settle() if name == "message_added"]
    assert seen == ["known", "a", "b", "c", "d", "last"]
