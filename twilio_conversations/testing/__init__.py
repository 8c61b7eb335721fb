"""Tests of programs that use Twilio Conversations: a pytest plugin with a service, people, and a way to know that all is quiet.

It is active wherever this package and pytest are installed. ``pytest_plugins = ["twilio_conversations.testing"]`` in a conftest,
or ``-p twilio_conversations.testing``, does the same where plugins are not loaded by themselves. Needs pytest and the local
service: ``pip install "twilio-conversations[testing]"``.
"""

from __future__ import annotations

try:
    from pytest_twilio_conversations import (
        ask,
        conversations_service,
        handler_errors,
        person,
        pytest_addoption,
        run_bot,
        settled,
    )
except ImportError as _error:
    if _error.name != "pytest":
        raise
    raise ImportError(
        'twilio_conversations.testing needs pytest; install it with: pip install "twilio-conversations[testing]"',
        name="pytest",
    ) from _error

from twilio_conversations.testing.asking import Ask
from twilio_conversations.testing.bots import RunBot
from twilio_conversations.testing.people import Person
from twilio_conversations.testing.service import Service
from twilio_conversations.testing.settling import Settled

__all__ = [
    "Ask",
    "Person",
    "RunBot",
    "Service",
    "Settled",
    "ask",
    "conversations_service",
    "handler_errors",
    "person",
    "pytest_addoption",
    "run_bot",
    "settled",
]
