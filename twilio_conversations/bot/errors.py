"""Ends of a dialogue without an answer."""

from __future__ import annotations

from twilio_conversations.errors import RequestTimeoutError


class NoAnswerError(RequestTimeoutError):
    """Nobody answered a question of `ask` in time.

    A handler that does not catch it ends there; that is logged and is not an error of the bot.
    """


class DialogueCutError(BaseException):
    """The bot stops, or has left the conversation, while a handler waits for an answer.

    It is no `Exception`, so that a handler that catches everything ends all the same.
    """
