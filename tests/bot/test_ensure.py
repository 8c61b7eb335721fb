"""`ensure_conversation`: get or create, join and add, while others do the same at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.server.peer import Peer
from tests.support.clients import Connect, Fresh
from tests.support.waiting import until
from twilio_conversations import Conversation, ForbiddenError, NotFoundError
from twilio_conversations.bot import Bot, ensure_conversation
from twilio_conversations.enums import ConversationStatus
from twilio_conversations.server import LocalServer


def all_at_once(calls: list[Callable[[], Conversation]]) -> list[Conversation]:
    """Run calls on threads of their own, begun together; return their results."""
    results: list[Any] = [None] * len(calls)
    gate = threading.Barrier(len(calls))

    def run(number: int) -> None:
        gate.wait()
        try:
            results[number] = calls[number]()
        except BaseException as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one for one in results if isinstance(one, BaseException)] == []
    return results


def identities(conversation: Conversation) -> set[str | None]:
    """Return the identities of the participants, as far as the client has them."""
    return {participant.identity for participant in conversation.get_participants()}


def test_created_then_found(new_bot: Callable[..., Bot], connect: Connect, fresh: Fresh) -> None:
    """The second call returns the same object, and adds who is missing."""
    bot, name, carol = new_bot(), fresh("room"), fresh("carol")
    bot.client.connect()
    try:
        made = bot.ensure_conversation(name, friendly_name="Room", attributes={"floor": 2})
        assert (made.unique_name, made.friendly_name, made.attributes) == (name, "Room", {"floor": 2})
        assert made.status is ConversationStatus.JOINED
        assert bot.ensure_conversation(name, [carol, carol]) is made
        assert identities(made) == {bot.client.identity, carol}
    finally:
        bot.client.close()


@pytest.mark.parametrize("round_", range(5))
def test_processes_of_one_identity_at_once(connect: Connect, fresh: Fresh, round_: int) -> None:
    """All get the one conversation, joined, with everybody in it."""
    del round_
    me, name, others = fresh("bot"), fresh("room"), [fresh("carol"), fresh("dave")]
    clients = [connect(me) for _ in range(4)]
    rooms = all_at_once([lambda one=one: ensure_conversation(one, name, others) for one in clients])
    assert len({room.sid for room in rooms}) == 1
    assert all(room.status is ConversationStatus.JOINED for room in rooms)
    until(lambda: all(identities(room) == {me, *others} for room in rooms), "everybody is in it")


@pytest.mark.parametrize("round_", range(5))
def test_different_identities_at_once(connect: Connect, fresh: Fresh, round_: int) -> None:
    """One creates it and adds the others, who wait until they may see it."""
    del round_
    names, name = [fresh("ann"), fresh("ben"), fresh("cleo")], fresh("room")
    clients = [connect(one) for one in names]
    rooms = all_at_once([lambda one=one: ensure_conversation(one, name, names) for one in clients])
    assert len({room.sid for room in rooms}) == 1
    assert all(room.status is ConversationStatus.JOINED for room in rooms)
    until(lambda: all(identities(room) == set(names) for room in rooms), "everybody is in it")


def test_a_conversation_of_others_is_refused_in_time(connect: Connect, fresh: Fresh) -> None:
    """Who is not added in time gets the service's refusal."""
    alice, mallory, name = connect(fresh("alice")), connect(fresh("mallory")), fresh("room")
    ensure_conversation(alice, name)
    with pytest.raises(ForbiddenError):
        ensure_conversation(mallory, name, timeout=0.3)


def test_others_are_faster(connect: Connect, fresh: Fresh, service: LocalServer) -> None:
    """A refusal because the conversation, or the participant, was created in the meantime is no error."""
    me, name = fresh("bot"), fresh("room")
    client = connect(me)
    for path in ("/Conversations$", "/Participants$"):
        service.faults.refuse(1, identity=me, method="POST", path=path, status=409, code=50353)
        room = (
            ensure_conversation(client, name)
            if path == "/Conversations$"
            else ensure_conversation(client, name, [fresh("carol")])
        )
        assert (room.unique_name, room.status) == (name, ConversationStatus.JOINED)
    assert not [fault for fault in service.faults.pending() if fault["identity"] == me]


def test_another_process_joins_first(
    connect: Connect, fresh: Fresh, service: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does so in the moment before the client does: the refusal is no error."""
    me, name = fresh("bot"), fresh("room")
    client = connect(me)
    made = client.create_conversation(unique_name=name)
    join = Conversation.join
    with Peer.connected(service, me) as other:

        def join_second(conversation: Conversation, **options: Any) -> Conversation:
            added = other.post(f"{other.link('conversations')}/{made.sid}/Participants", {"identity": me})
            assert added.status == 201
            return join(conversation, **options)

        monkeypatch.setattr(Conversation, "join", join_second)
        assert ensure_conversation(client, name) is made
    assert made.status is ConversationStatus.JOINED


@pytest.mark.row("BY42")
def test_peek_by_unique_name(connect: Connect, fresh: Fresh) -> None:
    """Its creator, who has not joined, gets the conversation; others do not."""
    alice, mallory, name = connect(fresh("alice")), connect(fresh("mallory")), fresh("room")
    made = alice.create_conversation(unique_name=name)
    assert alice.peek_conversation_by_unique_name(name) is made
    with pytest.raises(ForbiddenError):
        mallory.peek_conversation_by_unique_name(name)
    with pytest.raises(NotFoundError):
        alice.peek_conversation_by_unique_name(fresh("nothing"))
