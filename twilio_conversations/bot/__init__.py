"""A bot: functions for messages, commands, media and time, run on a few threads, one conversation at a time each.

Part of the client, without further dependencies; imported by those who use it, as `twilio_conversations.bot`.
"""

from twilio_conversations.bot.bot import Bot
from twilio_conversations.bot.context import Ask, Context, ConversationContext, JoinedContext, MessageContext, Say, Typing
from twilio_conversations.bot.ensure import ensure_conversation
from twilio_conversations.bot.errors import NoAnswerError
from twilio_conversations.bot.handlers import ErrorContext

__all__ = [
    "Ask",
    "Bot",
    "Context",
    "ConversationContext",
    "ErrorContext",
    "JoinedContext",
    "MessageContext",
    "NoAnswerError",
    "Say",
    "Typing",
    "ensure_conversation",
]

for _name in __all__:
    globals()[_name].__module__ = __name__
