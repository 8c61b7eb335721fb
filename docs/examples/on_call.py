"""On-call bot: takes reports of incidents in a dialogue, writes them down while it is typing, and keeps screenshots with them."""

from __future__ import annotations

import os
from collections import defaultdict

from twilio_conversations import Conversation, Media, Message
from twilio_conversations.bot import Ask, Bot, NoAnswerError, Say, Typing


def get_token() -> str:
    """Return an access token; in real life, ask your backend."""
    return os.environ["CONVERSATIONS_TOKEN"]


bot = Bot(get_token, catch_up=True)
screenshots: defaultdict[str, list[Media]] = defaultdict(list)


@bot.command("/incident")
def incident(arguments: list[str], message: Message, conversation: Conversation, ask: Ask, say: Say, typing: Typing) -> None:
    """Ask for what is missing, then send the report as a file."""
    title = " ".join(arguments) or ask("What is broken?").body
    try:
        severity = ask("How bad is it, from 1 to 5?", timeout=600).body
    except NoAnswerError:
        severity = "unknown"
    with typing():
        pictures = screenshots.pop(conversation.sid, [])
        report = f"Incident: {title}\nSeverity: {severity}\nReported by: {message.author}\nScreenshots: {len(pictures)}\n"
        files = [(one.filename or "screenshot", one.read(), one.content_type) for one in pictures]
    say("Thank you, somebody is on the way.", media=[("report.txt", report.encode(), "text/plain"), *files])


@bot.media
def screenshot(conversation: Conversation, media: list[Media], reply: Say) -> None:
    """Keep attachments for the next report."""
    screenshots[conversation.sid] += media
    reply(f"Kept {', '.join(one.filename or 'a file' for one in media)} for the report.")


@bot.error
def failed(error: BaseException) -> None:
    """Page somebody: the bot itself is an incident."""
    print(f"the bot needs help: {error}")  # noqa: T201


if __name__ == "__main__":
    bot.run()
