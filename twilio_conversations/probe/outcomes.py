"""Results of a check: the observation, its meaning for the client, and the reason why there may be none."""

from __future__ import annotations

import attrs

from twilio_conversations.errors import ConversationsError


class Unsettled(Exception):
    """The check cannot be decided; the text is the reason, without names."""


class Stopped(Exception):
    """The run was interrupted."""


@attrs.frozen
class Meaning:
    """Consequence of an outcome for the client.

    Attributes:
        text: in words.
        right: whether the client is right with it.
    """

    text: str
    right: bool = True


@attrs.frozen
class Seen:
    """Observation of a check.

    Attributes:
        outcome: one of those in the check's table.
        text: the observation in words, without names.
        right: whether the client was right, where the check has tried it; otherwise the table decides.
    """

    outcome: str
    text: str
    right: bool | None = None


def in_words(error: BaseException) -> str:
    """Return the kind of an error, without its text, which may have names and addresses in it."""
    if isinstance(error, Unsettled):
        return str(error)
    if isinstance(error, Stopped):
        return "interrupted"
    if not isinstance(error, ConversationsError):
        return type(error).__name__
    facts = [f"{name} {value}" for name, value in (("status", error.status), ("code", error.code)) if value is not None]
    return " ".join([type(error).__name__, *([f"({', '.join(facts)})"] if facts else [])])
