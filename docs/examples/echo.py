"""Echo bot: answers each message with its own text and attachments, also those that came while it was away."""

from __future__ import annotations

import os

from twilio_conversations import Media, Message
from twilio_conversations.bot import Bot, Say


def get_token() -> str:
    """Return an access token; in real life, ask your backend."""
    return os.environ["CONVERSATIONS_TOKEN"]


bot = Bot(get_token, catch_up=True)


@bot.media
def pictures(message: Message, media: list[Media], say: Say) -> None:
    """Send attachments back, with the text."""
    say(message.body, media=[(one.filename or "file", one.read(), one.content_type) for one in media])


@bot.message()
def text(message: Message, say: Say) -> None:
    """Send text back."""
    say(message.body)


if __name__ == "__main__":
    bot.run()
