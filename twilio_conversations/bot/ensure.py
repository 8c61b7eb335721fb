"""Get or create a conversation by its unique name, while others do the same."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable
from typing import Any, Final

from twilio_conversations.client.client import Client
from twilio_conversations.enums import ConversationStatus
from twilio_conversations.errors import ConflictError, ForbiddenError, NotFoundError, RestError
from twilio_conversations.models.conversation import Conversation
from twilio_conversations.util import checks
from twilio_conversations.util.futures import Deadline

_PAUSES: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Seconds between looks at a conversation that exists and is not visible yet."""
_WAIT: Final = 30.0


def ensure_conversation(
    client: Client,
    unique_name: str,
    participants: Iterable[str] = (),
    *,
    friendly_name: str | None = None,
    attributes: Any = None,
    timeout: float | None = None,
) -> Conversation:
    """Return the conversation with that unique name, joined, with these participants in it.

    What is missing is created, joined and added; what others do at the same time is no error. `friendly_name` and `attributes`
    are those of a new conversation. A conversation of somebody else's is waited for until this identity may see it.

    Args:
        client: who gets, creates and joins it.
        unique_name: name of the conversation.
        participants: identities of chat participants.
        friendly_name: display name.
        attributes: custom data.
        timeout: seconds for everything together; 30 by default.

    Raises:
        ForbiddenError: it belongs to others, who have not added this identity in time.
    """
    identities = [checks.filled(one, "a participant") for one in checks.several(participants, "participants")]
    deadline = Deadline(_WAIT if timeout is None else timeout)
    conversation = _found_or_created(client, unique_name, friendly_name, attributes, deadline)
    if conversation.status is not ConversationStatus.JOINED:
        try:
            conversation.join(timeout=deadline.remaining())
        except ConflictError:  # another process of this identity was faster
            conversation = client.get_conversation_by_unique_name(unique_name, timeout=deadline.remaining())
    present = {participant.identity for participant in conversation.get_participants(timeout=deadline.remaining())}
    for identity in dict.fromkeys(identities):
        if identity not in present:
            try:
                conversation.add(identity, timeout=deadline.remaining())
            except ConflictError:  # somebody else was faster
                pass
    return conversation


def _found_or_created(
    client: Client, unique_name: str, friendly_name: str | None, attributes: Any, deadline: Deadline
) -> Conversation:
    names = {"unique_name": unique_name, "friendly_name": friendly_name}
    pauses = itertools.chain(_PAUSES, itertools.repeat(_PAUSES[-1]))
    while True:
        try:
            return _found(client, unique_name, deadline)
        except ForbiddenError as error:
            refusal: RestError = error
        except NotFoundError:
            try:
                return client.create_conversation(**names, attributes=attributes, timeout=deadline.remaining())
            except ConflictError as error:  # somebody else was faster
                refusal = error
        pause = next(pauses)
        if (left := deadline.remaining()) is not None and left <= pause:
            raise refusal
        threading.Event().wait(pause)


def _found(client: Client, unique_name: str, deadline: Deadline) -> Conversation:
    """Return the conversation of the current user, or else any that is visible."""
    try:
        return client.get_conversation_by_unique_name(unique_name, timeout=deadline.remaining())
    except (NotFoundError, ForbiddenError):
        return client.peek_conversation_by_unique_name(unique_name, timeout=deadline.remaining())
