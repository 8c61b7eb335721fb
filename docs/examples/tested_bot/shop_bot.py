"""A bot that takes orders: ``/order`` begins a dialogue, everything else that is not for it is left alone."""

import os

from twilio_conversations.bot import Bot

MENU = {"tea": 2, "cake": 4}


def make_bot(token):
    """Return the bot; `token` is a function that returns an access token."""
    bot = Bot(token)

    @bot.message(r"(?i)^hello")
    def hello(message, say):
        say(f"Hello {message.author}!")

    @bot.command("/order")
    def order(ask, say):
        wanted = ask(f"What would you like: {' or '.join(MENU)}?").body.lower()
        if wanted not in MENU:
            say(f"We have no {wanted}.")
            return
        say(f"One {wanted}, {MENU[wanted]} euros.")

    return bot


if __name__ == "__main__":
    make_bot(lambda: os.environ["ACCESS_TOKEN"]).run()
