"""A bot that answers each message, and notes on a file when its handler begins and ends; it is killed by the test.

Run as ``python crashing_bot.py URL TOKEN FILE``.
"""

from __future__ import annotations

import os
import sys

from twilio_conversations import Message
from twilio_conversations.bot import Bot, Say


def main(url: str, token: str, path: str) -> None:
    """Run the bot until it is killed or stopped."""
    notes = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    bot = Bot(lambda: token, endpoint=url, catch_up=True)

    @bot.message()
    def answer(message: Message, say: Say) -> None:
        place = f"{os.getpid()} {message.conversation.sid} {message.index}"
        os.write(notes, f"begins {place}\n".encode())
        say(f"answer {message.body}")
        os.write(notes, f"ends {place}\n".encode())

    bot.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
