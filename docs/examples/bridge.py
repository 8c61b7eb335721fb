"""Bridge: what is written in one of two conversations appears in the other, once, also after a crash.

Run as ``python bridge.py NAME OTHER_NAME``: the unique names of the conversations, which are created if need be.
"""

from __future__ import annotations

import os
import sys

from twilio_conversations import Message
from twilio_conversations.bot import Bot


def get_token() -> str:
    """Return an access token; in real life, ask your backend."""
    return os.environ["CONVERSATIONS_TOKEN"]


bot = Bot(get_token, catch_up=True)
other_side: dict[str, str] = {}


@bot.message(lambda message: message.conversation.unique_name in other_side)
def pass_on(message: Message) -> None:
    """Send a message to the other side; the key keeps a second run of this function from sending it twice."""
    other = bot.ensure_conversation(other_side[message.conversation.unique_name or ""])
    other.send_message(
        f"{message.author}: {message.body or ''}",
        media=[(one.filename or "file", one.read(), one.content_type) for one in message.attached_media],
        attributes={"author": message.author, "original": message.sid},
        idempotency_key=f"bridge-{message.sid}",
    )


def main(name: str, other_name: str) -> None:
    """Connect two conversations until the bot is stopped."""
    other_side.update({name: other_name, other_name: name})
    bot.client.connect()
    for one in other_side:
        bot.ensure_conversation(one)
    bot.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
