"""Costs of a request where there is ten times as much, counted and not timed.

The unit is a step of SQLite's machine, which reads a row or compares a value: the same number on each run.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Final

import attrs
import pytest

from tests.server.peer import Peer, new_mutation
from twilio_conversations.server import LocalServer
from twilio_conversations.server.storage import writer
from twilio_conversations.server.storage.database import Connection

SMALL, LARGE = 20, 200
ALLOWED, DEEPER = 1.25, 60
"""A search in ten times as much takes a few steps more, and none takes a quarter more."""


@attrs.define
class Work:
    """Steps that the database has taken for a service."""

    steps: int = 0

    def watch(self, server: LocalServer) -> None:
        """Count from now on."""
        assert server._app is not None
        service = server._app.service
        for connection in (service._reader, service._writer._connection):
            self._count(connection)

    def _count(self, connection: Connection) -> None:
        driver: Any = connection._checkout.connection.dbapi_connection
        driver.set_progress_handler(self._step, 1)

    def _step(self) -> int:
        self.steps += 1
        return 0

    def of(self, action: Callable[[], object]) -> int:
        """Return the steps of an action."""
        before = self.steps
        action()
        return self.steps - before


def participants(server: LocalServer, count: int) -> None:
    """Have many participants in the conversation."""
    fill(server, participants=[{"identity": f"member {number}"} for number in range(count)])


def messages(server: LocalServer, count: int) -> None:
    """Have many messages in the conversation."""
    fill(server, messages=[{"author": "alice", "body": str(number)} for number in range(count)])


def others(server: LocalServer, count: int) -> None:
    """Have many conversations of others, each with timers, which those of no conversation must not be looked for in."""
    rooms = [{"created_by": f"member {number}", "timers": {"closed": "PT10M"}} for number in range(count)]
    fill(server)
    server.seed({"conversations": rooms})


def own(server: LocalServer, count: int) -> None:
    """Have many conversations of the user who asks, with messages that were never read."""
    rooms = [{"created_by": "alice", "participants": [{"identity": "alice"}], "messages": [{"body": "a"}]} for _ in range(count)]
    fill(server)
    server.seed({"conversations": rooms})


def fill(server: LocalServer, **more: Any) -> None:
    """Make the conversation that is asked for: Alice's, with Bob, and a timer."""
    people = [{"identity": "alice"}, {"identity": "bob"}, *more.pop("participants", ())]
    room = {"unique_name": "room", "created_by": "alice", "participants": people, "timers": {"inactive": "PT5M"}, **more}
    server.seed({"conversations": [room]})


DIMENSIONS: Final = (participants, messages, others, own)


def send(peer: Peer, room: str) -> None:
    """Send a message."""
    peer.say(room)


def read_conversation(peer: Peer, room: str) -> None:
    """Read the conversation with its numbers of messages and participants."""
    assert peer.get(room).status == 200


def list_own(peer: Peer, _room: str) -> None:
    """Read a page of one's own conversations."""
    assert peer.get(f"{peer.link('my_conversations')}?PageSize=10").status == 200


def read_own(peer: Peer, room: str) -> None:
    """Read one of one's own conversations."""
    assert peer.get(f"{peer.link('my_conversations')}/{room.rsplit('/', 1)[1]}").status == 200


def newest_messages(peer: Peer, room: str) -> None:
    """Open the list of messages and read its end."""
    assert peer.items("list", f"{room.rsplit('/', 1)[1]}.messages", Order="desc", PageSize=5)


def move_horizon(peer: Peer, room: str) -> None:
    """Read all messages."""
    answer = peer.post(f"{peer.link('my_conversations')}/{room.rsplit('/', 1)[1]}", {"last_read_message_index": 10**6})
    assert answer.status == 200


def come_and_go(peer: Peer, room: str) -> None:
    """Add a participant and remove it."""
    assert peer.post(f"{room}/Participants", {"identity": "carol"}).status == 201
    assert peer.delete(f"{room}/Participants/carol").status == 204


def say_and_delete(peer: Peer, room: str) -> None:
    """Send a message and delete it."""
    assert peer.delete(f"{room}/Messages/{peer.say(room)['sid']}").status == 204


REQUESTS: Final = (
    send,
    read_conversation,
    list_own,
    read_own,
    newest_messages,
    move_horizon,
    come_and_go,
    say_and_delete,
)
COUNTED: Final = {(participants, read_conversation), (participants, come_and_go), (own, come_and_go)}
"""Participants are counted in an index, of which there are at most a thousand; so are the conversations of a user."""
COUNTING: Final = 5
"""Steps for each that is counted, at most."""


def costs(grow: Callable[[LocalServer, int], None], count: int) -> dict[str, int]:
    """Return the steps of each request, the second time it is made, where there are `count` of something."""
    with LocalServer() as server:
        grow(server, count)
        work = Work()
        with Peer.connected(server, "alice") as alice:
            sid = alice.get(f"{alice.link('conversations')}/room").body["sid"]
            room = f"{alice.link('conversations')}/{sid}"
            work.watch(server)
            for request in REQUESTS:
                request(alice, room)
            return {request.__name__: work.of(lambda request=request: request(alice, room)) for request in REQUESTS}


@pytest.fixture(scope="module", params=DIMENSIONS, ids=lambda grow: grow.__name__)
def grown(request: pytest.FixtureRequest) -> tuple[Any, dict[str, int], dict[str, int]]:
    """Something that there is more of, and the costs of all requests with little and with much of it."""
    return request.param, costs(request.param, SMALL), costs(request.param, LARGE)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.__name__)
def test_a_request_costs_the_same_where_there_is_more(grown: Any, request_: Callable[[Peer, str], None]) -> None:
    """Neither participants, messages, other conversations nor one's own make a request dearer than a search in an index."""
    grow, small, large = grown
    name = request_.__name__
    counted = COUNTING * (LARGE - SMALL) if (grow, request_) in COUNTED else 0
    assert 0 < large[name] <= ALLOWED * small[name] + DEEPER + counted


@pytest.mark.parametrize("count", [SMALL, LARGE])
def test_access_after_a_change_reads_one_participant(count: int) -> None:
    """Who may open an object is looked up for the one who asks, not by reading all participants anew after each that comes."""
    with LocalServer() as server:
        participants(server, count)
        work = Work()
        with Peer.connected(server, "alice") as alice:
            sid = alice.get(f"{alice.link('conversations')}/room").body["sid"]
            with Peer.connected(server, "bob") as bob:
                bob.open("map", f"{sid}.roster")
                come_and_go(alice, f"{alice.link('conversations')}/{sid}")
                work.watch(server)
                assert work.of(lambda: bob.get(f"/v3/Lists/{sid}.messages")) < 100


def test_removing_a_user_looks_at_nobody_elses_subscriptions() -> None:
    """A subscription that is withdrawn is found by its user and its conversation; the indexes are empty when all have gone."""
    with LocalServer() as server:
        fill(server)
        with Peer.connected(server, "alice") as alice, Peer.connected(server, "bob") as bob:
            sid = alice.get(f"{alice.link('conversations')}/room").body["sid"]
            room = f"{alice.link('conversations')}/{sid}"
            for peer in (alice, bob):
                peer.follow("list", f"{sid}.messages")
                peer.follow("map", f"{sid}.roster")
            assert server._app is not None
            subscriptions = server._app.service._subscriptions
            assert {*map(len, subscriptions._of_identity.values())} == {1}
            assert len(subscriptions._of_conversation[sid]) == 2
            assert alice.delete(f"{room}/Participants/bob").status == 204
            events = [bob.event(f"{kind}_removed").payload["events"][0] for kind in ("list", "map")]
            gone = [events[0]["list_sid"], events[1]["map_sid"]]
            assert gone == list(subscriptions._of_conversation[sid])
            alice.post("/v4/Subscriptions", {"action": "cancel", "requests": [{"object_sid": one} for one in gone]})
            alice.barrier()
            assert subscriptions._of_conversation == {}
        server.stop()
        assert subscriptions._of_identity == {}


def test_old_mutation_ids_are_looked_for_a_bounded_number_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sweep reads all ids, so there are at most so many in the lifetime of one, however many commands there are."""
    monkeypatch.setattr(writer, "SWEEP_EVERY", 0)
    with LocalServer() as server, Peer.connected(server, "alice") as alice:
        assert server._app is not None
        connection = server._app.service._writer._connection
        swept = []
        execute = connection.execute

        def noticed(statement: Any, values: Any) -> None:
            swept.extend([values] if statement is writer._SWEEP else [])
            execute(statement, values)

        monkeypatch.setattr(connection, "execute", noticed)
        long_ago = dt.datetime.min.replace(tzinfo=dt.UTC)
        monkeypatch.setattr(server._app.service._writer, "_no_sweep_before", long_ago)
        room = alice.room()
        for _ in range(5):
            alice.post(f"{room}/Messages", {"body": "hello"}, mutation=new_mutation())
        assert len(swept) == 1
