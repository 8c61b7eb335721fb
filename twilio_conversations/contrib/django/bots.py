"""Bots of a site."""

from __future__ import annotations

from typing import Any

from twilio_conversations.bot import Bot
from twilio_conversations.contrib.django import settings
from twilio_conversations.contrib.django.connections import fresh_connections


def create_bot(identity: str, **arguments: Any) -> Bot:
    """Return a bot with the site's settings, whose handlers may use the database; `arguments` are those of `Bot`.

    It catches up with the messages that came while it was away, and its calls have the time of a bot, not that of a web process.
    ``manage.py conversations_bot`` runs it.

    Raises:
        ImproperlyConfigured: the setting has a fault.
    """
    chosen = settings.current()
    defaults = {"catch_up": True, "handler_context": fresh_connections}
    return Bot(lambda: chosen.token_for(identity), **{**defaults, **chosen.client, **arguments})
