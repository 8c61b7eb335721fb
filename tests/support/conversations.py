"""A conversation of two clients: its messages as read from the service, and as their handlers received them."""

from __future__ import annotations

from typing import Any

from tests.support.waiting import until
from twilio_conversations import Client


def pair_up(first: Client, second: Client, second_identity: str, name: str) -> tuple[Any, Any]:
    """One conversation that both are in, as each of them sees it."""
    mine = first.create_conversation(friendly_name=name)
    mine.join()
    mine.add(second_identity)
    theirs: list[Any] = []

    def joined() -> bool:
        theirs[:] = [one for one in second.iter_conversations() if one.sid == mine.sid]
        return bool(theirs)

    until(joined, "the second one sees the conversation")
    return mine, theirs[0]


def every_message(conversation: Any) -> list[Any]:
    """The whole history, oldest first, read from the service page by page."""
    page = conversation.get_messages(page_size=100)
    messages: list[Any] = list(page.items)
    while page.has_prev_page:
        page = page.prev_page()
        messages[:0] = page.items
    return messages


class MessageLog:
    """Log of the messages that a client's `message_added` handler received, in order."""

    def __init__(self, client: Client) -> None:
        self.entries: list[tuple[int, str | None]] = []
        client.on("message_added", lambda message: self.entries.append((message.index, message.body)))

    def has(self, count: int) -> bool:
        """Return whether at least so many came."""
        return len(self.entries) >= count

    @property
    def indexes(self) -> list[int]:
        return [index for index, _ in self.entries]

    @property
    def bodies(self) -> list[str]:
        return [body for _, body in self.entries]
