"""Commands whose response was lost, on a service that ignores mutation ids: each is carried out once, and succeeds."""

from __future__ import annotations

import itertools
import os
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.plan import Cuts
from tests.faults.proxy import FaultProxy
from tests.support.clients import Connect
from tests.support.conversations import every_message
from tests.support.event_log import EventLog
from tests.support.patience import LONG_PATIENCE
from twilio_conversations import (
    Client,
    ConflictError,
    Conversation,
    Message,
    NotFoundError,
    RequestTimeoutError,
    TransportUnavailableError,
)
from twilio_conversations.server import LocalServer

SENDS = int(os.environ.get("SENDS", "160"))
"""Messages of the run through cuts, at least; 2,000 for the record."""
THREADS = 16
CUTS = Cuts(bytes_between=(20_000, 60_000), commands_between=(10, 60), unanswered=0.5)
LOST = ("lose_answers", "fail_answers")


@pytest.fixture
def service(own: LocalServer) -> LocalServer:
    """A service that carries out a repeated command again."""
    own.configure(honour_mutation_ids=False)
    return own


@pytest.fixture
def alice(connect: Connect) -> Client:
    """A client of the service."""
    return connect("alice")


@pytest.fixture
def room(alice: Client) -> Conversation:
    """A conversation of hers."""
    return alice.create_conversation(friendly_name="room").join()


def lose(service: LocalServer, how: str, method: str, path: str) -> None:
    """The next such command is carried out; its response is lost, or an error of a proxy on the way."""
    getattr(service.faults, how)(method=method, path=path)


def bodies(room: Conversation) -> list[str | None]:
    """Texts of all messages."""
    return [message.body for message in every_message(room)]


@pytest.mark.parametrize("how", LOST)
def test_a_message_is_found_instead_of_sent_again(service: LocalServer, room: Conversation, how: str) -> None:
    """Among others of the same text: those of before, and of others; its attributes and subject are compared."""
    room.send_message("hello", attributes={"n": 1})
    lose(service, how, "POST", "/Messages$")
    found = room.send_message("hello", attributes={"n": 1})

    assert (found.index, found.body, found.attributes) == (1, "hello", {"n": 1})
    assert room.send_message("hello", attributes={"n": 2}).index == 2
    assert bodies(room) == ["hello"] * 3


def test_a_message_that_somebody_edits_meanwhile_is_found(
    service: LocalServer, connect: Connect, alice: Client, room: Conversation
) -> None:
    """By what it was when its event came."""
    joined = EventLog(bob := connect("bob"), "conversation_joined")
    room.add("bob")
    theirs = joined.wait("conversation_joined")
    edited = EventLog(bob, "message_updated")

    @alice.on("message_added")
    def edit(message: Message) -> None:
        message.update_attributes({"edited": True})

    lose(service, "lose_answers", "POST", "/Messages$")
    found = theirs.send_message("hello", attributes={"n": 1})

    assert edited.wait("message_updated").message is found
    assert (found.index, found.attributes) == (0, {"edited": True})
    assert bodies(room) == ["hello"]


@pytest.mark.parametrize("how", LOST)
def test_a_message_with_media_is_found(service: LocalServer, room: Conversation, how: str) -> None:
    """By the sids of its media; it is not made twice, and has them."""
    lose(service, how, "POST", "/Messages$")
    found = room.send_message("look", media=[("a.txt", b"one"), ("b.txt", b"two")])

    assert [media.filename for media in found.attached_media] == ["a.txt", "b.txt"]
    assert bodies(room) == ["look"]


def test_a_message_that_did_not_arrive_is_sent_again(service: LocalServer, room: Conversation) -> None:
    """It was refused by a proxy before the service saw it."""
    room.send_message("hello")
    service.faults.refuse(method="POST", path="/Messages$")

    assert room.send_message("hello").index == 1
    assert bodies(room) == ["hello"] * 2


def test_sending_the_same_draft_again_looks_first(service: LocalServer, room: Conversation) -> None:
    """A time-out left it in doubt; the message is found, also by its idempotency key. Without one it is another message."""
    draft = room.prepare_message().set_body("draft").build()
    for send in (draft.send, lambda **facts: room.send_message("key", idempotency_key="k", **facts)):
        service.faults.delay_answers(3, method="POST", path="/Messages$")
        with pytest.raises(RequestTimeoutError) as raised:
            send(timeout=1)
        assert raised.value.sent is True
        index = len(bodies(room)) - 1
        assert send().index == index

    assert bodies(room) == ["draft", "key"]
    assert room.send_message("key").index == 2


@pytest.mark.parametrize("how", LOST)
def test_participants_are_added_and_removed(service: LocalServer, room: Conversation, how: str) -> None:
    """The refusal of a repetition shows that it was done; without a lost response it is an error as ever."""
    lose(service, how, "POST", "/Participants$")
    bob = room.add("bob", {"n": 1})
    assert (bob.identity, bob.attributes) == ("bob", {"n": 1})
    assert room.get_participant_by_identity("bob") is bob
    lose(service, how, "POST", "/Participants$")
    phone = room.add_non_chat_participant("+15550100", "+15550101")
    assert phone.sid in {one.sid for one in room.get_participants()}
    with pytest.raises(ConflictError):
        room.add("bob")

    lose(service, how, "DELETE", "/Participants/")
    room.remove_participant("bob")
    with pytest.raises(NotFoundError):
        room.remove_participant("bob")
    assert {one.identity for one in room.get_participants()} == {"alice", None}


@pytest.mark.parametrize("how", LOST)
def test_conversations_are_created_joined_left_and_deleted(service: LocalServer, alice: Client, how: str) -> None:
    """Under a unique name; the name of another conversation stays taken."""
    lose(service, how, "POST", "/Conversations$")
    room = alice.create_conversation(unique_name="named", friendly_name="x", attributes={"n": 1})
    assert (room.unique_name, room.attributes) == ("named", {"n": 1})
    lose(service, how, "POST", "/Participants$")
    room.join()
    lose(service, how, "POST", "/Conversations$")
    with pytest.raises(ConflictError):
        alice.create_conversation(unique_name="named", friendly_name="another")
    message = room.send_message("x")
    lose(service, how, "DELETE", "/Messages/")
    message.remove()
    lose(service, how, "DELETE", "/Participants/")
    room.leave()
    room.join()
    lose(service, how, "DELETE", "/Conversations/")
    room.delete()
    with pytest.raises(NotFoundError):
        alice.get_conversation_by_sid(room.sid)


@pytest.mark.row("BY39")
def test_the_options_always_and_never(service: LocalServer, connect: Connect) -> None:
    """``"always"`` sends again whatever came of it; ``"never"`` raises, and says that it may have arrived."""
    for resend, kept in (("always", 2), ("never", 1)):
        room = connect(resend, resend=resend).create_conversation().join()
        lose(service, "lose_answers", "POST", "/Messages$")
        if resend == "always":
            room.send_message("x")
        else:
            with pytest.raises(ConnectionError) as raised:
                room.send_message("x")
            assert raised.value.sent is True  # type: ignore[attr-defined]
        assert bodies(room) == ["x"] * kept


def through_cuts(service: LocalServer, connect: Connect, **options: Any) -> tuple[Counter[Any], Counter[Any], int]:
    """Send equal texts from many threads over a line that is cut, until an answer was lost.

    Return what was returned, what the service kept, and how many sends raised after they were sent: one that was under way each
    time that a connection ended is given up.
    """
    with FaultProxy(("127.0.0.1", service.port), cuts=CUTS) as proxy:
        sid = connect("alice").create_conversation().join().sid
        room = connect("alice", endpoint=proxy.url, **options).get_conversation_by_sid(sid)
        results: list[tuple[int, str | None]] = []
        raised: list[TransportUnavailableError] = []
        sends = [0] * THREADS

        def send(thread: int) -> None:
            for number in itertools.count():
                if number >= SENDS // THREADS and proxy.counts["cuts_before_answer"]:
                    return
                sends[thread] += 1
                try:
                    sent = room.send_message(f"text {number % 3}" if thread % 2 else "text", timeout=LONG_PATIENCE)
                except TransportUnavailableError as error:
                    raised.append(error)
                else:
                    results.append((sent.index, sent.body))

        run_all([lambda thread=thread: send(thread) for thread in range(THREADS)])
        proxy.pause_cuts()
        print(f"faults: {dict(proxy.counts)}; raised: {len(raised)}, {raised[:1]}")
        assert all(error.sent for error in raised)
        assert len(results) + len(raised) == sum(sends)
        kept = Counter((message.index, message.body) for message in every_message(room))
        print(f"sends: {len(results)}, kept: {kept.total()}")
        return Counter(results), kept, len(raised)


def run_all(works: list[Callable[[], None]]) -> None:
    """Run each in a thread of its own."""
    threads = [threading.Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_PATIENCE)
        assert not thread.is_alive(), "sending hangs"


@pytest.mark.slow
def test_equal_messages_of_many_threads_through_cuts(service: LocalServer, connect: Connect) -> None:
    """None lost, none doubled: each send has a message of its own. ``SENDS=2000`` for more of them, ``FAULT_SEED`` repeats."""
    returned, kept, raised = through_cuts(service, connect)

    assert max(returned.values()) == 1
    assert not returned - kept
    assert (kept - returned).total() <= raised


@pytest.mark.slow
def test_without_looking_messages_are_doubled(service: LocalServer, connect: Connect) -> None:
    """The same run with ``resend="always"``: the cuts are such that it matters."""
    returned, kept, raised = through_cuts(service, connect, resend="always")

    assert (kept - returned).total() > raised
