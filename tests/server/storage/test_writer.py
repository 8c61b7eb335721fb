"""Commands that wait together: one commit for all, and none suffers from another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.support.patience import PATIENCE
from twilio_conversations.server.calls import Response
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.settings import Clock, LiveSettings
from twilio_conversations.server.storage.database import Database
from twilio_conversations.server.storage.statements import Values
from twilio_conversations.server.storage.tables import sync_entities
from twilio_conversations.server.storage.writer import Command, Job, Mutation, Outcome, Transaction, Writer
from twilio_conversations.server.sync import projection

_NAMES = Values(str, select(sync_entities.c.unique_name).order_by(sync_entities.c.unique_name))

Run = Callable[..., tuple[list[list[Outcome]], list[str]]]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Returns a function that has a writer find jobs waiting; the batches it published and the maps there are then."""
    database = Database(tmp_path / "test.sqlite3", durable=False)

    def run(*jobs: Job) -> tuple[list[list[Outcome]], list[str]]:
        batches: list[list[Outcome]] = []
        writer = Writer(database.connect(), Clock(), LiveSettings(), batches.append)
        for job in jobs:
            writer.submit(job)
        writer.start()
        writer.stop()
        reader = database.connect()
        found = reader.values(_NAMES)
        reader.close()
        return batches, found

    yield run
    database.dispose()


def job(command: Command, mutation_id: str | None = None) -> Job:
    """A job whose answer nobody waits for."""
    mutation = Mutation("IS1", "alice", mutation_id, "POST", "http://local") if mutation_id else None
    return Job(command, lambda response: None, mutation)


def making(name: str, error: Exception | None = None) -> Command:
    """A command that makes a map and then, perhaps, fails."""

    def command(tx: Transaction) -> Response:
        projection.create(tx, projection.MAP, name)
        projection.add_item(tx, name, "key", {})
        if error is not None:
            raise error
        return Response(201, resource=f"/{name}")

    return command


def statuses(batches: list[list[Outcome]]) -> list[list[int]]:
    """What was answered, batch by batch."""
    return [[outcome.response.status for outcome in batch] for batch in batches]


def test_waiting_commands_share_a_commit(run: Run) -> None:
    """They are published together, in the order in which they came."""
    batches, found = run(job(making("a")), job(making("b")), job(making("c")))
    assert statuses(batches) == [[201, 201, 201]]
    assert [outcome.response.resource for outcome in batches[0]] == ["/a", "/b", "/c"]
    assert found == ["a", "b", "c"]


def test_a_refused_command_leaves_nothing(run: Run) -> None:
    """What it wrote and announced is undone, what came with it stays."""
    batches, found = run(job(making("a")), job(making("b", Refusal(50107))), job(making("c")))
    assert statuses(batches) == [[201, 403, 201]]
    assert [len(outcome.commit.events) for outcome in batches[0]] == [1, 0, 1]
    assert found == ["a", "c"]


def test_a_broken_command_fails_alone(run: Run) -> None:
    """The others are carried out, once, and published as they are committed: each by itself."""
    batches, found = run(job(making("a")), job(making("b", RuntimeError("broken"))), job(making("c")))
    assert statuses(batches) == [[201], [500], [201]]
    assert found == ["a", "c"]


def test_a_repetition_beside_its_original(run: Run) -> None:
    """A repetition in the same batch is told what the original made; that of a refused command is tried again."""
    batches, found = run(
        job(making("a"), "first"),
        job(making("a"), "first"),
        job(making("b", Refusal(50107)), "second"),
        job(making("b"), "second"),
    )
    assert statuses(batches) == [[201, 202, 403, 201]]
    assert batches[0][1].response.body == b'{"resource_url":"http://local/a"}'
    assert found == ["a", "b"]


def test_a_wait_for_the_publication(tmp_path: Path) -> None:
    """It lasts until the outcomes of what can be read are published, and not longer than it may."""
    database = Database(tmp_path / "test.sqlite3", durable=False)
    publishing, go_on, published = threading.Event(), threading.Event(), threading.Event()

    def publish(outcomes: list[Outcome]) -> None:
        publishing.set()
        assert go_on.wait(PATIENCE)
        published.set()

    writer = Writer(database.connect(), Clock(), LiveSettings(), publish)
    writer.submit(job(making("a")))
    writer.start()
    assert publishing.wait(PATIENCE)
    writer.await_publication(0.01)
    assert not published.is_set()
    go_on.set()
    writer.await_publication(PATIENCE)
    assert published.is_set()
    writer.stop()
    database.dispose()
