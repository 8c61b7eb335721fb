"""Events as signals of Django, and messages that are sent when a transaction commits."""

from __future__ import annotations

import queue
from typing import Any

import pytest
from django.db import connection, transaction

from tests.support.patience import PATIENCE
from twilio_conversations import Client, Conversation
from twilio_conversations.contrib.django import create_client, get_client, signals
from twilio_conversations.contrib.django.transactions import send_on_commit


@pytest.mark.usefixtures("site")
def test_receivers_of_django_are_called(fresh: Any) -> None:
    """With the payload and the client, in order; one that raises stops no other."""
    got: queue.SimpleQueue[tuple[Any, Any, str]] = queue.SimpleQueue()

    def broken(**_: Any) -> None:
        raise LookupError

    def receiver(sender: type[Client], payload: Any, client: Client, **_: Any) -> None:
        got.put((sender, client, payload.body))

    signals.message_added.connect(broken)
    signals.message_added.connect(receiver)
    try:
        with create_client(fresh("bot"), auto_connect=False) as client:
            signals.relay(client).connect()
            room = client.create_conversation(timeout=PATIENCE).join()
            for body in "12":
                room.send_message(body)
            assert [got.get(timeout=PATIENCE) for _ in "12"] == [(Client, client, "1"), (Client, client, "2")]
    finally:
        signals.message_added.disconnect(broken)
        signals.message_added.disconnect(receiver)


@pytest.mark.usefixtures("site")
def test_no_database_connection_is_left_open_between_events(fresh: Any) -> None:
    """Each receiver has an open connection, which is closed after it, as after a request."""
    states: queue.SimpleQueue[tuple[str, bool]] = queue.SimpleQueue()

    def receiver(**_: Any) -> None:
        connection.ensure_connection()
        states.put(("in the receiver", connection.connection is not None))

    signals.message_added.connect(receiver)
    try:
        with create_client(fresh("bot"), auto_connect=False) as client:
            signals.relay(client)
            client.on("message_added", lambda message: states.put(("after it", connection.connection is not None)))
            room = client.connect().create_conversation(timeout=PATIENCE).join()
            for body in "12":
                room.send_message(body)
            seen = [states.get(timeout=PATIENCE) for _ in range(4)]
        assert seen == [("in the receiver", True), ("after it", False)] * 2
    finally:
        signals.message_added.disconnect(receiver)


def test_every_event_has_a_signal() -> None:
    """The names are those of the client's events; no other is there."""
    assert {"initialized", "message_added", "error"} <= {*dir(signals)}
    with pytest.raises(AttributeError, match="no attribute 'message_aded'"):
        _ = signals.message_aded


@pytest.fixture
def room(site: object, fresh: Any) -> Conversation:
    """A conversation of the site."""
    return get_client(fresh("shop")).create_conversation().join()


def bodies(room: Conversation) -> list[str | None]:
    """Return the texts of a conversation."""
    return [message.body for message in room.get_messages()]


def test_a_message_is_sent_when_the_transaction_commits(room: Conversation) -> None:
    """Not before, not after a rollback, and at once where there is no transaction; a function is called after the commit."""
    asked: list[bool] = []

    def find() -> Conversation:
        asked.append(connection.in_atomic_block)
        return room

    with transaction.atomic():
        send_on_commit(room, "first", attributes={"n": 1})
        send_on_commit(find, "second")
        assert bodies(room) == []
    with transaction.atomic():
        send_on_commit(room, "never")
        transaction.set_rollback(True)
    send_on_commit(room, "third")
    assert bodies(room) == ["first", "second", "third"]
    assert room.get_messages().items[0].attributes == {"n": 1}
    assert asked == [False]


def test_an_error_of_the_sending(room: Conversation) -> None:
    """It is raised where the transaction ends, or with `robust` logged; what was committed stays."""
    with pytest.raises(ValueError, match="attributes"), transaction.atomic():
        send_on_commit(room, "x", attributes={"n": float("nan")})
    with transaction.atomic():
        send_on_commit(room, "x", attributes={"n": float("nan")}, robust=True)
    assert bodies(room) == []
