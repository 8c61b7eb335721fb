"""Help desk: customers write by SMS or e-mail, agents in the chat; the bot greets, lists and invites.

An agent types ``/invite sms +15550100`` or ``/invite email zoe@example.com``. What agents write reaches the customer there.
"""

from __future__ import annotations

import os

from twilio_conversations import ConflictError, Conversation, Message, ParticipantBindingOptions, ParticipantEmailBinding
from twilio_conversations.bot import Bot, Say

PROXIES = {"sms": "+15550199", "email": "help@shop.example"}
"""The addresses of the desk, to which customers write."""


def get_token() -> str:
    """Return an access token; in real life, ask your backend."""
    return os.environ["CONVERSATIONS_TOKEN"]


bot = Bot(get_token, catch_up=True)


def is_by_customer(message: Message) -> bool:
    """Return whether the author writes by SMS or e-mail: an address, which is no identity of the chat."""
    return message.author is not None and (message.author.startswith("+") or "@" in message.author)


@bot.command("/invite")
def invite(conversation: Conversation, arguments: list[str], reply: Say) -> None:
    """Add a customer."""
    if len(arguments) != 2 or arguments[0] not in PROXIES:
        reply("Write /invite sms NUMBER, or /invite email ADDRESS.")
        return
    channel, address = arguments
    options = ParticipantBindingOptions(email=ParticipantEmailBinding(name=address, level="to")) if channel == "email" else None
    try:
        conversation.add_non_chat_participant(PROXIES[channel], address, binding_options=options)
    except ConflictError:
        reply(f"{address} is in a conversation already.")
    else:
        reply(f"Invited {address}.")


@bot.command("/who")
def who(conversation: Conversation, reply: Say) -> None:
    """List the participants, with their channels."""
    reply(", ".join(sorted(f"{one.identity or one.type.upper()}" for one in conversation.get_participants())))


@bot.message(is_by_customer)
def confirm(message: Message, say: Say) -> None:
    """Confirm what a customer wrote; an e-mail has its text in a body of its own."""
    body = message.get_email_body()
    text = body.read().decode() if body is not None else message.body or ""
    say(f"We have received your message ({len(text.split())} words), an agent will answer soon.")


if __name__ == "__main__":
    bot.run()
