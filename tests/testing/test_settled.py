"""`settled` returns when nothing is under way, and never before: chains of bots under load, faults, loops, uploads."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import attrs
import pytest

from tests.support.patience import LONG_PATIENCE, PATIENCE
from tests.support.settling import until_under_way
from twilio_conversations import Client, Conversation, Message, WrongThreadError
from twilio_conversations.bot import Bot, Say
from twilio_conversations.server import LocalServer
from twilio_conversations.testing import Ask, Person, RunBot, Service, Settled

FAULTS: tuple[Callable[[Service, str], object], ...] = (
    lambda service, bot: service.faults.drop(bot),
    lambda service, bot: service.faults.drop(),
    lambda service, bot: service.faults.delay(0.05, identity=bot, count=1),
    lambda service, bot: service.faults.delay_answers(0.05, identity=bot, count=1),
    lambda service, bot: service.faults.lose_answers(identity=bot, count=1),
    lambda service, bot: service.faults.offload(bot, reconnect_min_ms=20),
)


@contextlib.contextmanager
def load(processes: int) -> Iterator[None]:
    """Keep the processors busy, and let threads take turns as often as can be."""
    interval = sys.getswitchinterval()
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        for process in busy:
            process.kill()
            process.wait(PATIENCE)


@attrs.define
class Relay:
    """Bots in one room that pass a number on, each time one less: who sends it depends on the number."""

    room: Conversation
    bots: list[Client]
    seen: dict[str, list[str]] = attrs.field(factory=dict)

    def attend(self, client: Client) -> None:
        """Have `client` note what it sees, and pass on what is its turn."""
        mine = self.seen[client.identity] = []

        def handle(message: Message) -> None:
            text = message.body or ""
            mine.append(text)
            chain, _, left = text.partition(":")
            if int(left) and self.bots[int(left) % len(self.bots)] is client:
                message.conversation.send_message(f"{chain}:{int(left) - 1}")

        client.on("message_added", handle)


@pytest.fixture
def relay(person: Person, settled: Settled) -> Relay:
    """Four bots and somebody who only looks on, in a room of alice."""
    alice, witness = person("alice"), person("witness")
    bots = [person(f"bot{number}") for number in range(4)]
    room = alice.create_conversation().join()
    for client in (witness, *bots):
        room.add(client.identity)
    settled()
    relay = Relay(room, bots)
    for client in (alice, witness, *bots):
        relay.attend(client)
    return relay


@pytest.mark.parametrize("rounds", [15, pytest.param(1000, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
def test_never_early(relay: Relay, settled: Settled, conversations_service: Service, rounds: int) -> None:
    """After `settled` everybody has seen the whole chain, at once: under load, also with faults in its middle."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    expected: list[str] = []
    with load(2):
        for number in range(rounds):
            hops = rng.randrange(8)
            relay.room.send_message(f"{number}:{hops}")
            if rng.random() < 0.3:
                rng.choice(FAULTS)(conversations_service, rng.choice(relay.bots).identity)
            settled(LONG_PATIENCE)
            expected += [f"{number}:{left}" for left in range(hops, -1, -1)]
            assert relay.seen == dict.fromkeys(relay.seen, expected), f"round {number}"


def test_handler_is_waited_for(person: Person, settled: Settled) -> None:
    """A handler that is at work is under way, whatever it waits for."""
    bob, over = person("bob"), threading.Event()
    room = bob.create_conversation().join()
    settled()
    begun = threading.Event()

    @room.on("message_added")
    def wait(message: Message) -> None:
        begun.set()
        over.wait(PATIENCE)

    room.send_message("hello")
    assert begun.wait(PATIENCE)
    with pytest.raises(AssertionError, match=r"not settled after 0\.1 s: .*test_handler_is_waited_for.*wait"):
        settled(0.1)
    over.set()
    settled()


def test_held_events_are_under_way(person: Person, settled: Settled, conversations_service: Service) -> None:
    """What a fault holds back is still on its way."""
    alice, bob = person("alice"), person("bob")
    room = alice.create_conversation().join()
    room.add(bob.identity)
    settled()
    conversations_service.faults.hold_events(bob.identity)
    room.send_message("hello")
    until_under_way(settled, f"events that a fault holds back to {bob.identity}")
    conversations_service.faults.release_events(bob.identity)
    settled()


def test_loop_of_another_thread_is_waited_for(person: Person, settled: Settled) -> None:
    """What a thread reads from `events` is under way until it comes back for the next; the caller's own loop is not."""
    bob = person("bob")
    room = bob.create_conversation().join()
    got: list[str | None] = []
    reading, may_go_on = threading.Event(), threading.Event()

    def read() -> None:
        with bob.events("message_added") as events:
            reading.set()
            for event in events:
                may_go_on.wait(PATIENCE)
                got.append(event.payload.body)
                if event.payload.body == "end":
                    return

    thread = threading.Thread(target=read)
    thread.start()
    with bob.events("message_added") as own:
        assert reading.wait(PATIENCE)
        room.send_message("one")
        try:
            until_under_way(settled, r"events that a loop over events\(\) has yet to read")
        finally:
            may_go_on.set()
        settled()
        assert got == ["one"]
        assert next(own).payload.body == "one"
    room.send_message("end")
    thread.join(PATIENCE)
    settled()


def test_upload_in_the_background_is_waited_for(person: Person, settled: Settled) -> None:
    """A message that is being sent in the background has been seen by everybody."""
    alice, bob = person("alice"), person("bob")
    room = alice.create_conversation().join()
    room.add(bob.identity)
    settled()
    seen: list[int] = []
    bob.on("message_added", lambda message: seen.append(message.index))
    for number in range(5):
        room.prepare_message().add_media(("x.txt", b"x" * 200_000, "text/plain")).build().send_in_background()
        settled()
        assert len(seen) == number + 1


def test_client_that_is_denied_is_over(person: Person, settled: Settled, conversations_service: Service) -> None:
    """A client that will not try again holds nobody up, nor does one that was closed or belongs to another service."""
    bob = person("bob")
    conversations_service.faults.expire_tokens(bob.identity)
    settled()
    person("carol").close()
    with LocalServer() as other, Client(other.token("dave"), endpoint=other.url):
        settled()


def test_client_of_the_programs_own_is_waited_for(conversations_service: Service, settled: Settled) -> None:
    """A client that the program made itself is found, at the address that the environment has."""
    joined: list[str] = []
    with Client(conversations_service.token("erin")) as erin:
        erin.on("conversation_joined", lambda room: joined.append(room.sid))
        settled()
        assert erin.is_ready
        room = erin.create_conversation().join()
        settled()
        assert joined == [room.sid]


def test_handler_may_not_wait(person: Person, settled: Settled) -> None:
    """A handler that waits until no handler runs is told so."""
    bob = person("bob")
    raised: list[BaseException] = []

    def wait(conversation: Conversation) -> None:
        try:
            settled()
        except WrongThreadError as error:
            raised.append(error)

    bob.on("conversation_joined", wait)
    bob.create_conversation().join()
    settled()
    assert len(raised) == 1


def test_ask(person: Person, ask: Ask, settled: Settled) -> None:
    """`ask` returns the next message of somebody else, and says so if there is none."""
    alice, bob = person("alice"), person("bob")

    @bob.on("message_added")
    def answer(message: Message) -> None:
        if message.body == "ping":
            message.conversation.send_message("pong")

    room = alice.create_conversation().join()
    room.add(bob.identity)
    settled()
    assert ask(room, "ping").body == "pong"
    with pytest.raises(AssertionError, match=r"nobody answered 'nothing' within 0\.2 s"):
        ask(room, "nothing", timeout=0.2)


def test_bot_is_waited_for(conversations_service: Service, person: Person, run_bot: RunBot, settled: Settled) -> None:
    """Handlers of a bot are under way on their own threads, one that waits for an answer is not until there is one."""
    bot = Bot(lambda: conversations_service.token(person.identity("bot")))
    asked, may_go_on = threading.Event(), threading.Event()

    @bot.command("/order")
    def order(say: Say, ask: Callable[[str], Message]) -> None:
        answer = ask("What?")
        asked.set()
        may_go_on.wait(PATIENCE)
        say(f"{answer.body} it is")

    me = run_bot(bot)
    room = person("alice").create_conversation().join()
    room.add(me.identity)
    settled()
    room.send_message("/order")
    settled()
    assert [message.body for message in room.iter_messages()] == ["What?", "/order"]
    room.send_message("Tea")
    assert asked.wait(PATIENCE)
    until_under_way(settled, "1 handlers of a bot")
    may_go_on.set()
    settled()
    assert [message.body for message in room.iter_messages()] == ["Tea it is", "Tea", "What?", "/order"]


def test_bot_that_tries_again_is_waited_for(
    conversations_service: Service, person: Person, run_bot: RunBot, settled: Settled, caplog: pytest.LogCaptureFixture
) -> None:
    """A message that a bot could not read yet is under way, also in the second that it lets pass."""
    alice = person("alice")
    bot = Bot(lambda: conversations_service.token(person.identity("bot")), catch_up=True)
    seen: list[str | None] = []

    @bot.message()
    def note(message: Message) -> None:
        seen.append(message.body)

    room = alice.create_conversation().join()
    room.add(person.identity("bot"))
    room.send_message("early")
    conversations_service.faults.refuse(count=1, status=400, identity=person.identity("bot"), path="Lists/.*/Items")
    with caplog.at_level("WARNING", "twilio_conversations.bot"):
        run_bot(bot)
        settled(LONG_PATIENCE)
    assert seen == ["early"]
    assert "trying again in 1 s" in caplog.text
