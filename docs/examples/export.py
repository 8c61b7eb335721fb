"""Export: writes all conversations of an identity to files, a JSON line for each message, and their attachments.

Run as ``python export.py DIRECTORY``.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from twilio_conversations import Client, Conversation


def get_token() -> str:
    """Return an access token; in real life, ask your backend."""
    return os.environ["CONVERSATIONS_TOKEN"]


def export(conversation: Conversation, directory: Path) -> int:
    """Write a conversation, the oldest message first; return the number of messages."""
    files = directory / conversation.sid
    files.mkdir(parents=True)
    count = 0
    with (directory / f"{conversation.sid}.jsonl").open("w", encoding="utf-8") as lines:
        for message in conversation.iter_messages(newest_first=False):
            lines.write(json.dumps(message.to_dict(), ensure_ascii=False, default=str) + "\n")
            for media in message.attached_media:
                media.save(files / media.sid)  # file names are those that senders chose: they are in the JSON, and name no path
            count += 1
    return count


def main(directory: str) -> None:
    """Export everything."""
    with Client(get_token) as client:
        for conversation in client.iter_conversations():
            count = export(conversation, Path(directory))
            print(f"{conversation.friendly_name or conversation.sid}: {count} messages")  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
