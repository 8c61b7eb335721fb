"""The Django app: it checks the settings, and does nothing else before a client is asked for."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register

from twilio_conversations.contrib.django.checks import check_settings


class ConversationsConfig(AppConfig):
    """App ``twilio_conversations``."""

    name = "twilio_conversations.contrib.django"
    label = "twilio_conversations"
    verbose_name = "Twilio Conversations"

    def ready(self) -> None:
        """Register the check of the settings; no client is made here, since every management command comes here."""
        register(check_settings, "twilio_conversations")
