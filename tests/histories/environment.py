"""The environment of histories: a service on files, and three people with a client and a thread each; histories share it."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from tests.histories.client_events import ClientEvents
from tests.histories.service_tables import ServiceTables
from tests.support.contrary import AT_START, defaults
from tests.support.patience import PATIENCE
from tests.support.waiting import until
from twilio_conversations import BackoffPolicy, Client
from twilio_conversations.enums import ConnectionState
from twilio_conversations.server import LocalServer
from twilio_conversations.server.settings import Settings
from twilio_conversations.sync.pokes import SubscriptionPhase
from twilio_conversations.util.futures import Deadline

PEOPLE = ("alice", "bob", "carol")
PROVIDER = "carol"
"""Whose client has a function for tokens."""
RETAINED, REPLAY_LIMIT = Settings().events_retained, Settings().replay_limit
_lives = itertools.count(3600)


class Person:
    """A person with a client, and a thread that runs one command after another."""

    def __init__(self, environment: Environment, identity: str, *, provides: bool, max_pending_events: int) -> None:
        self.environment = environment
        self.identity = identity
        self._provides = provides  # tokens come from a function; else they are given
        self._max_pending_events = max_pending_events
        self._thread = ThreadPoolExecutor(1, f"histories-{identity}")
        self.past: list[ClientEvents] = []  # of clients that were closed in this history
        self.running: list[Future[None]] = []
        self.open()

    def token(self) -> str:
        """Return a token that was not used before."""
        return self.environment.server.token(self.identity, next(_lives))

    def open(self) -> None:
        """Connect a new client, and record its events from the first one on."""
        self.client = Client(
            self.token if self._provides else self.token(),
            endpoint=self.environment.server.url,
            auto_connect=False,
            reconnect=BackoffPolicy(minimum=0.02, maximum=0.1, stable_after=0.2),
            max_pending_events=self._max_pending_events,
        )
        self.events = ClientEvents(self.client, self.environment.marks)
        self.client.connect()

    def reopen(self) -> None:
        """Close the client and connect another one."""
        self.client.close()
        self.past.append(self.events)
        self.open()

    def do(self, command: Callable[[], None]) -> Future[None]:
        """Run a command after those that were given before."""
        future = self._thread.submit(command)
        self.running.append(future)
        return future

    def finish(self) -> None:
        """Wait until all commands have ended, and raise what they raised."""
        running, self.running = self.running, []
        for future in running:
            future.result(PATIENCE)

    def clear(self) -> None:
        """Discard what was recorded of the history that ended."""
        self.past.clear()
        self.events.clear()

    def close(self) -> None:
        self.client.close()
        self._thread.shutdown(wait=False, cancel_futures=True)

    # -- has everything been received? --------------------------------------------------------------------------------

    def behind(self, heads: dict[str, int]) -> str:
        """Return what this client has not received or confirmed yet; empty when nothing is missing."""
        if self.client.connection_state is not ConnectionState.CONNECTED or not self.client.is_ready:
            return f"{self.identity} is not ready"
        trouble: str = self.client._core.runtime.run_now(lambda: self._look(heads), Deadline(PATIENCE), "looking")
        return trouble or self._drained()

    def _look(self, heads: dict[str, int]) -> str:
        """Look at the state layers, on the io thread."""
        client = self.client
        sync, conversations = client._core.runtime.sync, client._core.conversations
        if not conversations.listed.done() or sync._opening or client._core.dispatcher.depth:
            return f"{self.identity} is busy"
        for root in sync._roots.values():
            if root.subscription.phase is not SubscriptionPhase.ESTABLISHED or root.replica.cursor != heads.get(root.sid):
                where = f"{root.subscription.phase}, at {root.replica.cursor} of {heads.get(root.sid)}"
                return f"{self.identity} does not follow {root.unique_name}: {where}"
        for sid, member in conversations._tracked.items():
            if not member.is_settled:
                return f"{self.identity} is not where it should be in {sid}: {member.phase}"
            roster = member.live.participants._by_sid.values()
            models: tuple[Any, ...] = (member.conversation, *roster, *member.live.messages._held.values())
            if any(model._live.state.overlay for model in models) or any(one._live.state.replica is None for one in roster):
                return f"{self.identity} has unconfirmed writes in {sid}"
        return ""

    def _drained(self) -> str:
        """Wait until the handlers of all events so far have returned."""
        done = threading.Event()
        self.client._core.dispatcher.call(done.set)
        return "" if done.wait(PATIENCE) else f"{self.identity}'s handlers do not end"


class Environment:
    """The service, its database, and the people."""

    def __init__(self, settings: Mapping[str, Any] = MappingProxyType({})) -> None:
        """`settings`: contrary ones, from the start."""
        self.data_dir = Path(tempfile.mkdtemp(prefix="histories-"))
        self.server = LocalServer(self.data_dir).start()
        self.tables = ServiceTables(self.data_dir)
        self.rooms: list[str] = []
        self.compacts = False  # whether the service has deleted superseded events in this history
        self.settings = dict(settings)  # contrary ones of this history
        self.server.configure(**self.settings)
        # Bob's handlers count as slow at once (rule R7); Carol's client asks for its tokens.
        self.people = [
            Person(self, name, provides=name == PROVIDER, max_pending_events=4 if name == "bob" else 10_000) for name in PEOPLE
        ]
        self.settle()

    def marks(self, sid: str) -> tuple[int, int]:
        """Return the newest event ids of a conversation's messages and participants."""
        return self.tables.head(f"{sid}.messages"), self.tables.head(f"{sid}.roster")

    def retain(self, events: int) -> None:
        """Have the service keep so many of the newest events of each object; of older ones, those that are not superseded."""
        self.compacts = True
        self.server.configure(events_retained=events)

    @property
    def forgets(self) -> bool:
        """Whether the service replays fewer events than a client may have missed."""
        return self.settings.get("journal_limit") is not None

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Give the service contrary settings until the end of this history; all clients start anew if it matters to a start."""
        self.settings = dict(settings)
        self.server.configure(**self.settings)
        if AT_START & settings.keys():
            for person in self.people:
                person.reopen()
            self.settle()
            for person in self.people:
                person.clear()

    def restart(self) -> None:
        """Stop the service and start it again, on the same data and port."""
        self.server.stop()
        self.server.start()
        self.server.configure(**self.settings)

    def heal(self) -> None:
        """Remove all faults, and wait until all commands have ended and every client has caught up."""
        self.server.faults.clear()
        for person in self.people:
            person.finish()
        self.settle()

    def settle(self) -> None:
        """Wait until every client has the state of the service."""
        reasons = [""]

        def settled() -> bool:
            heads = self.tables.heads()
            reasons[0] = next((reason for person in self.people if (reason := person.behind(heads))), "")
            return not reasons[0] and heads == self.tables.heads()

        try:
            until(settled, "settled", PATIENCE)
        except AssertionError:
            raise AssertionError(f"not settled within {PATIENCE:g} s: {reasons[0]}") from None

    def clear(self) -> None:
        """Prepare for the next history: delete the conversations, discard the events."""
        for sid in self.rooms:
            row = self.tables.room(sid).row
            if row is not None:
                creator = next(person for person in self.people if person.identity == row["created_by"])
                creator.client.peek_conversation_by_sid(sid).delete()
        self.settle()
        self.server.configure(events_retained=RETAINED, replay_limit=REPLAY_LIMIT, **defaults(self.settings))
        self.compacts = False
        self.settings = {}
        self.rooms.clear()
        self.tables.clear()
        for person in self.people:
            person.clear()

    def close(self) -> None:
        for person in self.people:
            person.close()
        self.server.stop()
        self.tables.close()
        shutil.rmtree(self.data_dir, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
