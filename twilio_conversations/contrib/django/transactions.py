"""Messages about what is in the database, once it is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction

from twilio_conversations import Conversation


def send_on_commit(
    conversation: Conversation | Callable[[], Conversation],
    body: str | None = None,
    *,
    using: str | None = None,
    robust: bool = False,
    **message: Any,
) -> None:
    """Send a message when the current transaction commits, at once outside of a transaction, never after a rollback.

    Args:
        conversation: where to, or a function that returns it and is called after the commit: the transaction stays short.
        body: the text.
        using: the database.
        robust: log an error of the sending. Otherwise it is raised where the transaction ends; what was committed stays so.
        message: further arguments of `Conversation.send_message`.
    """

    def send() -> None:
        room = conversation() if callable(conversation) else conversation
        room.send_message(body, **message)

    transaction.on_commit(send, using=using, robust=robust)
