"""The bot of the example: it ends at SIGTERM, misses nothing over restarts, and restarts when its code changes."""

from __future__ import annotations

from tests.contrib.example import BOT_IDENTITY, Site
from tests.contrib.traffic import connections
from tests.support.waiting import until
from twilio_conversations import Conversation

COMMAND = "manage.py", "conversations_bot"
RUNS = "the bot runs"


def bodies(room: Conversation) -> list[str | None]:
    """Return the texts of a conversation."""
    return [message.body for message in room.get_messages(100)]


def test_a_bot_over_restarts(example: Site) -> None:
    """SIGTERM ends it with code 0 and a closed connection; what came meanwhile is answered at the next start, each once."""
    with example.client("bob") as bob:
        room = bob.create_conversation().join()
        room.add(BOT_IDENTITY)
        for number in range(2):
            with example.process(*COMMAND, "desk.bot.bot", "--noreload") as process:
                room.send_message(f"/echo {number} while it runs")
                until(lambda number=number: f"{number} while it runs" in bodies(room), "an answer")
                room.send_message("/users")
                until(lambda number=number: bodies(room).count("1 users") == number + 1, "an answer from the database")
                assert process.end() == 0, process.text
                assert "Traceback" not in process.text
            assert all(connections(example.service, BOT_IDENTITY).values())
            room.send_message(f"/echo {number} while it is away")
        with example.process(*COMMAND, "desk.bot.bot", "--noreload") as process:
            until(lambda: "1 while it is away" in bodies(room), "the last answer")
            assert process.end() == 0, process.text
        answers = [body for body in bodies(room) if body and "while" in body and not body.startswith("/")]
        assert answers == [f"{number} while it {what}" for number in range(2) for what in ("runs", "is away")]
    assert len(connections(example.service, BOT_IDENTITY)) == 3


def test_a_bot_that_is_being_written(example: Site) -> None:
    """With DEBUG it restarts when its code changes, and answers with the new code."""
    code = example.folder / "desk" / "bot.py"
    with example.client("bob") as bob, example.process(*COMMAND, "desk.bot.bot") as process:
        room = bob.create_conversation().join()
        room.add(BOT_IDENTITY)
        room.send_message("/echo old")
        until(lambda: "old" in bodies(room), "an answer of the old code")
        code.write_text(code.read_text().replace('" ".join(arguments)', '"new " + " ".join(arguments)'))
        room.send_message("/echo code")
        until(lambda: {"code", "new code"} & {*bodies(room)}, "an answer of the old or the new code")
        # Django looks each second, and takes a file as it is when it first sees it: one that is new to it must change again.
        until(lambda: "changed, reloading" in process.text or code.touch(), "a restart")
        until(lambda: len(connections(example.service, BOT_IDENTITY)) >= 2, "the new code is connected")
        room.send_message("/echo again")
        until(lambda: "new again" in bodies(room), "an answer of the new code")
        process.interrupt()
        until(lambda: all(connections(example.service, BOT_IDENTITY).values()), "every connection is closed")


HANDLERS = """
from django.dispatch import receiver

from twilio_conversations.contrib.django.signals import message_added


def register(client):
    client.on("conversation_joined", lambda room: room.send_message("here"))
    client.on("message_added", lambda message: message.body == "ping" and message.conversation.send_message("pong"))


@receiver(message_added)
def answer(payload, **_):
    if payload.body == "signal":
        payload.conversation.send_message("received")
"""


def test_other_handlers(example: Site) -> None:
    """A function registers handlers on a client, beside receivers of Django's signals; SIGTERM ends the process."""
    (example.folder / "shop.py").write_text(HANDLERS)
    with example.client("bob") as bob:
        room = bob.create_conversation().join()
        with example.process(*COMMAND, "shop.register", "--identity", "shop", "--noreload") as process:
            process.wait_for("handling events of shop")
            room.add("shop")
            until(lambda: "here" in bodies(room), "the handlers' arrival")
            for text in ("ping", "signal"):
                room.send_message(text)
            until(lambda: {"pong", "received"} <= {*bodies(room)}, "both answers")
            assert process.end() == 0, process.text
            assert "stopped" in process.text
        assert list(connections(example.service, "shop").values()) == [True]
