"""Users, connections and conversations that the probe makes for its checks and removes at the end."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Callable

import attrs
import requests

from twilio_conversations.errors import ConversationsError
from twilio_conversations.probe.line import Line, accepted, until_passed
from twilio_conversations.probe.outcomes import Stopped, Unsettled
from twilio_conversations.probe.target import Pace, Target
from twilio_conversations.state.tracked import SyncNames
from twilio_conversations.sync.changes import Kind
from twilio_conversations.util import urls
from twilio_conversations.util.futures import Deadline

HOST = "host"
"""The user who makes the conversations."""
_NOT_FOUND = 404
_BEHIND = 10.0
"""Seconds that Sync may be behind the commands."""


@attrs.frozen
class Room:
    """A conversation of the probe's, of which the host is a participant.

    Attributes:
        url: REST resource.
        participant_url: REST resource of the host's participant.
        names: names of its Sync objects.
    """

    sid: str
    url: str
    participant_url: str
    names: SyncNames

    @property
    def messages(self) -> str:
        """REST resource of the messages."""
        return urls.join(self.url, "Messages")

    @property
    def participants(self) -> str:
        """REST resource of the participants."""
        return urls.join(self.url, "Participants")

    @property
    def roster(self) -> str:
        """Name of the map of the participants."""
        return self.names.participants or f"{self.sid}.roster"

    @property
    def sync_objects(self) -> tuple[tuple[Kind, str], ...]:
        """Kinds and names of the Sync objects."""
        return (
            ("list", self.names.messages or f"{self.sid}.messages"),
            ("map", self.roster),
            ("document", self.names.document),
        )


@attrs.frozen
class Remains:
    """Numbers of what could not be removed."""

    conversations: int = 0
    users: int = 0


class Stage:
    """Users, connections and conversations of one run. Checks use it from several threads.

    Attributes:
        stop: set when the run is interrupted; nothing new is made afterwards.
    """

    def __init__(self, target: Target, pace: Pace) -> None:
        """Make a stage on which nothing is yet."""
        self.target: Target = target
        self.pace: Pace = pace
        self.stop: threading.Event = threading.Event()
        self._run = uuid.uuid4().hex[:12]
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._lines: list[Line] = []
        self._host: Line | None = None
        self._rooms: dict[str, str | None] = {}
        """Unique names (or sids) of the conversations, with the address as soon as it is known."""
        self._identities: set[str] = set()

    # -- for checks ---------------------------------------------------------------------------------------------------

    def identity(self, name: str) -> str:
        """Return the identity of one of the probe's users, who will be removed."""
        identity = f"probe-{self._run}-{name}"
        with self._lock:
            self._identities.add(identity)
        return identity

    def newcomer(self) -> str:
        """Return the name of a user who does not exist yet."""
        return f"guest-{next(self._numbers)}"

    def host(self, deadline: Deadline) -> Line:
        """Return the host's connection, which the checks share."""
        with self._opening:
            if self._host is None:
                self._host = self.line(HOST)
        return self._host.ready(deadline)

    def line(self, name: str = HOST) -> Line:
        """Return a new connection of a user; it is closed at the end at the latest."""
        if self.stop.is_set():
            raise Stopped
        line = Line(self.target.options, self.target.token(self.identity(name)), self.stop)
        with self._lock:
            self._lines.append(line)
        return line

    def room(self, deadline: Deadline) -> Room:
        """Return a new conversation with the host in it."""
        host = self.host(deadline)
        _, configuration = host.configuration(deadline)
        name = f"probe-{self._run}-{next(self._numbers)}"
        self.remember(name)
        body = {"unique_name": name, "friendly_name": "probe"}
        made = host.do("POST", configuration.conversations_url, body, deadline=deadline)
        url = urls.join(configuration.conversations_url, made["sid"])
        self.remember(name, url)
        joined = host.do("POST", urls.join(url, "Participants"), {"identity": self.identity(HOST)}, deadline=deadline)
        names = SyncNames.from_rest(made["sid"], made.get("sync_objects"))
        return Room(made["sid"], url, urls.join(url, "Participants", joined["sid"]), names)

    def remember(self, name: str, url: str | None = None) -> None:
        """Note a conversation that is to be removed, before it is made and when its address is known.

        Raises:
            Stopped: it must not be made any more.
        """
        if url is None and self.stop.is_set():
            raise Stopped
        with self._lock:
            self._rooms[name] = url

    def pause(self, seconds: float) -> None:
        """Wait; raise `Stopped` when the run is interrupted."""
        until_passed(seconds, self.stop)

    def caught_up(self, count: Callable[[], int], wanted: int, deadline: Deadline) -> int:
        """Return a number that grows, once it is as large as wanted, or does so no more for some seconds."""
        patience = Deadline(min(_BEHIND, deadline.remaining() or 0.0))
        while (known := count()) < wanted and not patience.passed:
            self.pause(0.25)
        return known

    # -- the end ------------------------------------------------------------------------------------------------------

    def remove_all(self, limit: float = 120.0) -> Remains:
        """Remove everything that was made, over a connection of its own, and close all connections."""
        deadline = Deadline(limit)
        try:
            conversations = self._remove_conversations(deadline)
        finally:
            self.close()
        return Remains(conversations, self._remove_users(deadline))

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            lines, self._lines = self._lines, []
        for line in lines:
            line.close()

    def _remove_conversations(self, deadline: Deadline) -> int:
        """Delete the conversations; return the number of those that may still be there."""
        with self._lock:
            rooms = dict(self._rooms)
        if not rooms:
            return 0
        left = 0
        with Line(self.target.options, self.target.token(self.identity(HOST)), threading.Event()) as line:
            for name, url in rooms.items():
                try:
                    self._remove(line.ready(deadline), name, url, deadline)
                except (ConversationsError, Unsettled):
                    left += 1
        return left

    def _remove(self, line: Line, name: str, url: str | None, deadline: Deadline) -> None:
        """Delete one conversation; its name finds it where the answer to its creation was never received.

        Raises:
            Unsettled: it may still be there.
        """
        if url is None:
            _, configuration = line.configuration(deadline)
            named = urls.join(configuration.conversations_url, name)
            found = line.wait(line.begin("GET", named, deadline=deadline, insist=True), deadline)
            if found.code == _NOT_FOUND:
                return
            url = urls.join(configuration.conversations_url, accepted(found, "look-up")["sid"])
        answer = line.wait(line.begin("DELETE", url, {}, deadline=deadline, insist=True), deadline)
        if answer.code != _NOT_FOUND:
            accepted(answer, "DELETE")

    def _remove_users(self, deadline: Deadline) -> int:
        """Delete the users by the public REST API, where there is one; return the number of those that may still be there."""
        with self._lock:
            identities = sorted(self._identities)
        if self.target.users_api is None:
            return len(identities)
        left = 0
        with requests.Session() as session:
            session.auth = (self.target.api_key_sid, self.target.api_key_secret)
            for identity in identities:
                left += not _deleted(session, urls.join(self.target.users_api, identity), deadline)
        return left


def _deleted(session: requests.Session, url: str, deadline: Deadline) -> bool:
    """Delete a resource; return whether it is gone."""
    if deadline.passed:
        return False
    try:
        answer = session.delete(url, timeout=10.0)
    except requests.RequestException:
        return False
    return answer.ok or answer.status_code == _NOT_FOUND
