"""The bot of the desk: `python manage.py conversations_bot desk.bot.bot`."""

from django.conf import settings
from django.contrib.auth import get_user_model

from twilio_conversations.contrib.django.bots import create_bot

bot = create_bot(settings.BOT_IDENTITY)


@bot.command("/users")
def users(say):
    """Answer with the number of users, from the database."""
    say(f"{get_user_model().objects.count()} users")


@bot.command("/echo")
def echo(arguments, reply):
    """Answer with the words of the command."""
    reply(" ".join(arguments))
