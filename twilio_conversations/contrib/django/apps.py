"""The Django app: it checks the settings, and does nothing else before a client is asked for."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.core.checks import register
from django.core.signals import setting_changed

from twilio_conversations.contrib.django.checks import check_settings
from twilio_conversations.contrib.django.clients import close_clients
from twilio_conversations.contrib.django.settings import NAME


class ConversationsConfig(AppConfig):
    """App ``twilio_conversations``."""

    name: str = "twilio_conversations.contrib.django"
    label: str = "twilio_conversations"
    verbose_name: str = "Twilio Conversations"  # pyright: ignore[reportIncompatibleVariableOverride]

    def ready(self) -> None:
        """Register the check of the settings; no client is made here, since every management command comes here."""
        register(check_settings, "twilio_conversations")
        setting_changed.connect(_setting_changed)


def _setting_changed(*, setting: str, **_: Any) -> None:
    """Close the clients of another setting: tests change it."""
    if setting == NAME:
        close_clients()
